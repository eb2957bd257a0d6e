/* Whatever a server of Redis answers: no operation waits for ever, none believes it, and a change that may stand is never called a failure. */
#include "fs.h"
#include "lib/fake_server.h"
#include "ledger_fixture.h"

#define ALWAYS "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n"
#define NO_HURRY 60000	/* ms, for what does not wait for its limit to end, however busy the machine is */
#define EVERY_SECOND "*2\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n"

struct fake {
	struct fake_server server;
	struct store *store;
	char url[64];
	struct ledger_options options;
};

static void
begin(struct fake *f, const struct fake_rule *rules, int timeout_ms)
{
	struct store_options options = { .ledger = &f->options };
	struct err err = { .text = "" };

	fake_server_start(&f->server, rules);
	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%u", f->server.port);
	f->options = (struct ledger_options){ .url = f->url, .window = WINDOW, .timeout_ms = timeout_ms };
	if (ledger_stores[2]->open(&f->store, &options, &err) == -1)
		fail_msg("%s", err.text);
}

static void
end(struct fake *f)
{
	f->store->ops->close(&f->store);
	fake_server_stop(&f->server);
}

static enum store_result
get(struct fake *f, struct err *err)
{
	struct fingerprint fp = fingerprint_of(1);
	struct store_value value;

	return f->store->ops->get(f->store, &fp, &value, err);
}

static enum store_result
put(struct fake *f, bool durable, struct err *err)
{
	struct fingerprint fp = fingerprint_of(1);
	struct store_value value = { .len = 3, .bytes = "abc" }, now;

	return f->store->ops->put(f->store, &fp, NULL, &value, durable, true, &now, err);
}

/* A server that is fit to keep a ledger, but for what these rules say. */
static void
begin_fit(struct fake *f, const char *word, const char *answer, int timeout_ms)
{
	static struct fake_rule rules[6];

	rules[0] = (struct fake_rule){ word, answer };
	rules[1] = (struct fake_rule){ "INFO", fake_server_info("7.0.15", "") };
	rules[2] = (struct fake_rule){ "appendfsync", ALWAYS };
	rules[3] = (struct fake_rule){ "EVALSHA", "*1\r\n:0\r\n" };
	rules[4] = (struct fake_rule){ "GET", "$-1\r\n" };
	rules[5] = (struct fake_rule){ NULL, NULL };
	begin(f, rules, timeout_ms);
}

static void
test_fit(void **state)
{
	struct err err = { .text = "" };
	struct fake f;

	(void)state;
	begin_fit(&f, "nothing", "", NO_HURRY);
	assert_int_equal(get(&f, &err), STORE_ABSENT);
	assert_int_equal(put(&f, true, &err), STORE_OK);
	end(&f);
}

/* What was sent may be done. */
static void
test_lost_answers(void **state)
{
	static const char *const silences[] = { NULL, "$5\r\nab", "*3\r\n:0\r\n", "", "$-1\r\n", ":0\r\n", "*0\r\n", "*1\r\n:7\r\n",
		"*1\r\n:1\r\n", "*1\r\n$1\r\n0\r\n", "*2\r\n:1\r\n:0\r\n", "+OK\r\n", "?what\r\n", "\r\n" };
	const size_t unfinished = 3;	/* the first ones: more is waited for */
	struct err err;
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(silences) / sizeof(silences[0]); i++) {
		err.text[0] = '\0';
		begin_fit(&f, "EVALSHA", silences[i], i < unfinished ? 2000 : NO_HURRY);
		(void)get(&f, &err);	/* then the limit of the change begins when it can be sent */
		assert_int_equal(put(&f, true, &err), STORE_UNDECIDED);
		assert_true(err.text[0] != '\0');
		end(&f);
	}
}

/* An error means that nothing was done, and can be shown. Some are no last word: one asks again until the limit ends, and that may be while
 * an answer is on its way. */
static void
assert_refused(struct fake *f, bool asks_again)
{
	struct err err = { .text = "" };
	enum store_result result = put(f, true, &err);
	size_t i;

	if (!asks_again || result != STORE_UNDECIDED || strstr(err.text, "no answer in time") == NULL)
		assert_int_equal(result, STORE_FAILED);
	assert_true(err.text[0] != '\0');
	for (i = 0; err.text[i] != '\0'; i++)
		assert_in_range(err.text[i], ' ', '~');
}

static void
test_errors(void **state)
{
	static const char *const errors[] = { "-LOADING x\r\n", "-READONLY x\r\n", "-CLUSTERDOWN x\r\n", "-OOM command not allowed\r\n",
		"-NOPERM no\r\n", "-MISCONF x\r\n", "-ERR \x1b[2J\x07\r\n", "-\r\n", "-MOVED\r\n", "-MOVED 1 \r\n", "-MOVED 1 a:b\r\n",
		"-MOVED 1 :70000\r\n", "-ASK 1 x\r\n", "-NOSCRIPT x\r\n" };
	const size_t later = 3;		/* the first ones */
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		begin_fit(&f, "EVAL", errors[i], i < later ? 300 : NO_HURRY);
		assert_refused(&f, i < later);
		end(&f);
	}
}

/* No answer, or one that is none: the look-up fails, in time. */
static void
test_bad_answers(void **state)
{
	static const char *const answers[] = { "", NULL, ":1\r\n", "*0\r\n", "*-7\r\n", "*2147483647\r\n", "*99999999999999999999\r\n", "$-5\r\n",
		"$2147483647\r\nx", "$536870912\r\n", "?\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "+OK\r\n", "-ERR x\r\n" };
	struct err err;
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		err.text[0] = '\0';
		begin_fit(&f, "dedup-lda:", answers[i], 300);
		assert_int_equal(get(&f, &err), STORE_FAILED);
		assert_true(err.text[0] != '\0');
		end(&f);
		begin_fit(&f, "INFO", answers[i], 300);
		assert_int_equal(put(&f, true, &err), STORE_FAILED);	/* it was never sent */
		end(&f);
	}
}

/* A server that does not know the command repeats its arguments. */
static void
test_password_is_not_repeated(void **state)
{
	static const struct fake_rule rules[] = { { "AUTH", "-ERR unknown command 'AUTH', with args beginning with: 's3cret'\r\n" }, { NULL, NULL } };
	struct err err = { .text = "" };
	struct store_options how;
	struct fake f;

	(void)state;
	begin(&f, rules, NO_HURRY);
	f.store->ops->close(&f.store);
	f.options.password = "s3cret";
	how = (struct store_options){ .ledger = &f.options };
	assert_int_equal(ledger_stores[2]->open(&f.store, &how, &err), 0);
	assert_int_equal(get(&f, &err), STORE_FAILED);
	assert_non_null(strstr(err.text, "refuses the login"));
	assert_null(strstr(err.text, "s3cret"));
	end(&f);
}

/* Nobody makes room for what is only announced: it is no answer, and the next one is. */
static void
test_announced(void **state)
{
	struct err err = { .text = "" };
	struct fake f;

	(void)state;
	begin_fit(&f, "1 dedup-lda:", "*16777216\r\n", NO_HURRY);
	assert_int_equal(get(&f, &err), STORE_ABSENT);
	assert_non_null(strstr(err.text, "is none of a Redis server"));
	end(&f);
}

/* Nor does anybody go down into arrays as deep as they are told to, and come back up by way of the stack. */
static void
test_nested(void **state)
{
	static char deep[4 * 1000000 + 1];
	const char *const answers[] = { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", deep };
	struct err err;
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i + 1 < sizeof(deep); i += 4)
		memcpy(deep + i, "*1\r\n", 4);
	for (i = 0; i < 2; i++) {
		err.text[0] = '\0';
		begin_fit(&f, "1 dedup-lda:", answers[i], NO_HURRY);
		assert_int_equal(get(&f, &err), STORE_ABSENT);
		assert_non_null(strstr(err.text, "is none of a Redis server"));
		end(&f);
	}
}

/* Who has gone since the last answer gets nothing, so nothing is in doubt. */
static void
test_gone_meanwhile(void **state)
{
	struct err err = { .text = "" };
	struct fake f;

	(void)state;
	begin_fit(&f, "nothing", "", NO_HURRY);
	assert_int_equal(get(&f, &err), STORE_ABSENT);
	fake_server_stop(&f.server);
	assert_int_equal(put(&f, true, &err), STORE_FAILED);
	f.store->ops->close(&f.store);
}

static void
test_nobody_there(void **state)
{
	struct event event = { .kind = EVENT_UNRECORDED };
	struct err err = { .text = "" };
	struct fake f;

	(void)state;
	begin_fit(&f, "nothing", "", NO_HURRY);
	fake_server_stop(&f.server);
	assert_int_equal(get(&f, &err), STORE_FAILED);
	assert_non_null(strstr(err.text, "Connection refused"));
	assert_int_equal(put(&f, true, &err), STORE_FAILED);
	f.store->ops->note(f.store, &event);
	f.store->ops->close(&f.store);
}

/* --- servers that answer before the disk does --- */

static void
begin_late(struct fake *f, const char *config, const char *waited)
{
	static struct fake_rule rules[6];

	rules[0] = (struct fake_rule){ "INFO", fake_server_info("7.2.4", "") };
	rules[1] = (struct fake_rule){ "appendfsync", config };
	rules[2] = (struct fake_rule){ "EVALSHA", "*1\r\n:0\r\n" };
	rules[3] = (struct fake_rule){ "WAITAOF", waited };
	rules[4] = (struct fake_rule){ "GET", "$34\r\n000000000000000000000001" "0000" "\x01\x01" "abcd\r\n" };
	rules[5] = (struct fake_rule){ NULL, NULL };
	begin(f, rules, waited != NULL ? NO_HURRY : 2000);
}

static void
test_waits_for_the_disk(void **state)
{
	static const char *const configs[] = { EVERY_SECOND, "-NOPERM no\r\n" };
	static const char *const never[] = { "*2\r\n:0\r\n:0\r\n", "*0\r\n", "-ERR x\r\n", ":1\r\n", "", NULL };
	struct err err = { .text = "" };
	struct fake f;
	size_t i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin_late(&f, configs[i], "*2\r\n:1\r\n:0\r\n");
		assert_int_equal(put(&f, true, &err), STORE_OK);
		assert_int_equal(put(&f, false, &err), STORE_OK);
		assert_int_equal(f.store->ops->sync(f.store, &err), 0);
		end(&f);
		for (j = 0; j < sizeof(never) / sizeof(never[0]); j++) {
			begin_late(&f, configs[i], never[j]);
			assert_int_equal(put(&f, true, &err), STORE_UNDECIDED);
			end(&f);
			begin_late(&f, configs[i], never[j]);
			assert_int_equal(put(&f, false, &err), STORE_OK);
			assert_int_equal(f.store->ops->sync(f.store, &err), -1);
			end(&f);
		}
	}
}

/* --- pending records --- */

static int
count_one(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	unsigned int *n = arg;

	(void)key;
	(void)value;
	(void)err;
	(*n)++;
	return 0;
}

/* Another delivery decides while a hint is taken away of a record that was not there: it is found, and its hint is put back. */
static void
test_hint_of_another(void **state)
{
	static char frame[512];
	static struct fake_rule rules[] = {
		{ .word = "1 INFO" },
		{ .word = "appendfsync", .answer = ALWAYS },
		{ .word = "ZRANGE\r\n$23\r\ndedup-lda:{153}", .answer = "*1\r\n$32\r\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\r\n" },
		{ .word = "ZRANGE", .answer = "*0\r\n" },
		{ .word = "1 GET", .answer = "$-1\r\n" },
		{ .word = "GET", .answer = frame },
		{ .word = "ZADD", .answer = "" },	/* after it the server is not fit any more */
		{ .word = NULL },
	};
	struct err err = { .text = "" };
	unsigned int n = 0;
	struct fake f;

	(void)state;
	rules[0].answer = fake_server_info("7.0.15", "");
	snprintf(frame, sizeof(frame), "$287\r\nkkkkkkkkkkkkkkkkkkkkkkkk0000\x01\x01%0257d\r\n", 0);
	begin(&f, rules, NO_HURRY);
	assert_int_equal(f.store->ops->all_pending(f.store, count_one, &n, &err), -1);
	assert_int_equal(n, 1);
	end(&f);
}

/* --- who is the master --- */

static void
test_sentinel(void **state)
{
	static char master[64];
	static struct fake_rule rules[] = { { "get-master-addr-by-name", master }, { "replicas", "*0\r\n" }, { NULL, NULL } };
	struct fake_server sentinel;
	struct err err = { .text = "" };
	struct ledger_options options;
	struct store_options how = { .ledger = &options };
	struct ledger_needs needs;
	struct fake f;
	char url[128];

	(void)state;
	begin_fit(&f, "nothing", "", NO_HURRY);
	snprintf(master, sizeof(master), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%u\r\n", (size_t)snprintf(NULL, 0, "%u", f.server.port), f.server.port);
	fake_server_start(&sentinel, rules);
	f.store->ops->close(&f.store);
	options = f.options;
	options.url = url;
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:1,127.0.0.1:%u/mine", sentinel.port);	/* the first one is down */
	assert_int_equal(ledger_stores[2]->open(&f.store, &how, &err), 0);
	memset(&needs, 0, sizeof(needs));
	assert_int_equal(f.store->ops->prepare(f.store, &needs, &err), 0);
	assert_int_equal(needs.n_ports, 3);
	assert_int_equal(needs.ports[2], f.server.port);
	assert_int_equal(put(&f, true, &err), STORE_OK);
	end(&f);
	fake_server_stop(&sentinel);
}

/* --- servers that say to ask another one --- */

/* A cluster of one server, `other`, as this one tells it. */
static void
begin_cluster(struct fake *f, const struct fake_server *other, int timeout_ms)
{
	static char map[96];
	static struct fake_rule rules[] = { { "SLOTS", map }, { NULL, NULL } };
	struct store_options how = { .ledger = &f->options };
	struct err err = { .text = "" };

	snprintf(map, sizeof(map), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n", other->port);
	begin(f, rules, timeout_ms);
	f->store->ops->close(&f->store);
	snprintf(f->url, sizeof(f->url), "redis+cluster://127.0.0.1:%u", f->server.port);
	if (ledger_stores[2]->open(&f->store, &how, &err) == -1)
		fail_msg("%s", err.text);
}

static void
test_moved(void **state)
{
	static char moved[64];
	struct err err = { .text = "" };
	struct fake f, fit, cluster;

	(void)state;
	begin_fit(&fit, "nothing", "", NO_HURRY);
	snprintf(moved, sizeof(moved), "-MOVED 1 127.0.0.1:%u\r\n", fit.server.port);
	begin_fit(&f, "dedup-lda:", moved, NO_HURRY);
	begin_cluster(&cluster, &f.server, NO_HURRY);
	assert_int_equal(get(&cluster, &err), STORE_ABSENT);
	end(&cluster);
	assert_int_equal(get(&f, &err), STORE_FAILED);		/* it is no cluster, and nobody has named the other one */
	assert_non_null(strstr(err.text, "MOVED"));
	end(&f);
	end(&fit);
}

/* Where nobody can be asked, nothing was done. */
static void
test_moved_to_nowhere(void **state)
{
	static const char *const errors[] = { "-MOVED 1 \x1b[2J:7000\r\n", "-MOVED\r\n", "-MOVED 1 \r\n", "-MOVED 1 a:b\r\n",
		"-MOVED 1 :70000\r\n", "-ASK 1 x\r\n", "-ASK 1 -x\n:7000\r\n" };
	const size_t later = 1;		/* the first one: no host has this name, yet */
	struct fake f, cluster;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		begin_fit(&f, "EVAL", errors[i], NO_HURRY);
		begin_cluster(&cluster, &f.server, i < later ? 500 : NO_HURRY);
		assert_refused(&cluster, i < later);
		end(&cluster);
		end(&f);
	}
}

static char fit_info[512];

/* An answer that nobody has asked for is not the next one's. */
static void
test_answers_too_many(void **state)
{
	static const struct fake_rule rules[] = { { "INFO", fit_info }, { "appendfsync", ALWAYS }, { "EVALSHA", "-OOM x\r\n" },
		{ "GET", "$-1\r\n*1\r\n:0\r\n" }, { NULL, NULL } };
	struct err err = { .text = "" };
	struct fake f;

	(void)state;
	snprintf(fit_info, sizeof(fit_info), "%s", fake_server_info("7.0.15", ""));
	begin(&f, rules, NO_HURRY);
	assert_int_equal(get(&f, &err), STORE_ABSENT);
	assert_int_equal(put(&f, true, &err), STORE_FAILED);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit), cmocka_unit_test(test_lost_answers), cmocka_unit_test(test_errors), cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_password_is_not_repeated), cmocka_unit_test(test_announced), cmocka_unit_test(test_nested), cmocka_unit_test(test_gone_meanwhile), cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_waits_for_the_disk), cmocka_unit_test(test_sentinel),
		cmocka_unit_test(test_hint_of_another), cmocka_unit_test(test_moved), cmocka_unit_test(test_moved_to_nowhere), cmocka_unit_test(test_answers_too_many),
	};

	if (!ledger_has("redis://localhost")) {
		printf("1..0 # skipped: built without Redis\n");
		return 0;
	}
	return cmocka_run_group_tests_name("redis_answers", tests, NULL, NULL);
}
