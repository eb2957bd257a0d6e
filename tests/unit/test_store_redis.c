/* What only the store in Redis promises of its servers and its keys. What servers may answer is in test_redis_answers.c. */
#include "fs.h"
#include "ledger_fixture.h"

static void
server_says(const char *line, const char *expected)
{
	char answer[4096] = "";

	assert_int_equal(redis_server_say(line, answer, sizeof(answer)), 0);
	if (strstr(answer, expected) == NULL)
		fail_msg("%s: %s", line, answer);
}

/* A look-up that fails, and why. */
static void
claim_fails(struct ledger *ledger, const char *why)
{
	struct fingerprint fp = fingerprint_of(1);
	struct claim claim = { .attempted = false };
	struct err err = { .text = "" };

	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, &err), -1);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(err.status, STATUS_TEMP);
}

static struct ledger *
open_with(const char *url, const char *password)
{
	struct ledger_options options = { .url = url, .window = WINDOW, .timeout_ms = 10000, .password = password, .history = 8 };
	struct ledger *ledger;
	struct err err = { .text = "" };

	if (ledger_open(&ledger, &options, &err) == -1)
		fail_msg("%s", err.text);
	return ledger;
}

static int
count_one(void *arg, struct claim *claim, struct err *err)
{
	(void)claim;
	(void)err;
	(*(unsigned int *)arg)++;
	return 0;
}

static int
count_event(void *arg, const struct event *event, struct err *err)
{
	(void)event;
	(void)err;
	(*(unsigned int *)arg)++;
	return 0;
}

/* --- servers that keep no ledger --- */

static void
refuses(struct fixture *f, const char *set, const char *why, const char *back)
{
	struct claim claim;

	server_says(set, "OK");
	fixture_reopen(f);
	claim_fails(f->ledger, why);
	server_says(back, "OK");
	fixture_reopen(f);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
}

static void
test_settings(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	refuses(f, "CONFIG SET appendonly no", "appendonly", "CONFIG SET appendonly yes");
	refuses(f, "CONFIG SET appendfsync everysec", "appendfsync", "CONFIG SET appendfsync always");
	refuses(f, "CONFIG SET no-appendfsync-on-rewrite yes", "no-appendfsync-on-rewrite", "CONFIG SET no-appendfsync-on-rewrite no");
	refuses(f, "CONFIG SET maxmemory 100mb maxmemory-policy allkeys-lru", "noeviction", "CONFIG SET maxmemory 0 maxmemory-policy noeviction");
	refuses(f, "CONFIG SET maxmemory 100mb maxmemory-policy volatile-ttl", "noeviction", "CONFIG SET maxmemory 0");
	server_says("CONFIG SET maxmemory 100mb maxmemory-policy noeviction", "OK");
	fixture_reopen(f);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	server_says("CONFIG SET maxmemory 0", "OK");
	refuses(f, "REPLICAOF 127.0.0.1 1", "replica", "REPLICAOF NO ONE");
}

static void
test_full(void **state)
{
	struct fixture *f = *state;
	struct intent intent = intent_of("x");
	struct claim claim;
	struct err err = { .text = "" };

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	server_says("CONFIG SET maxmemory 1", "OK");
	assert_int_equal(ledger_decide(f->ledger, &claim, &intent, NULL, NOW, &err), -1);
	assert_int_equal(claim.state, CLAIM_NEW);	/* nothing was written, and that is known */
	assert_non_null(strstr(err.text, "OOM"));
	server_says("CONFIG SET maxmemory 0", "OK");
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
}

static void
test_login(void **state)
{
	struct fixture *f = *state;
	struct ledger *ledger;
	struct fingerprint fp = fingerprint_of(1);
	struct claim claim = { .attempted = false };
	struct err err = { .text = "" };
	char url[256];

	server_says("ACL SETUSER mail on >s3cret-w0rd ~dedup-lda:* +@all", "OK");
	snprintf(url, sizeof(url), "redis+unix://mail@%s", strchr(f->url, '/') + 2);
	ledger = open_with(url, "s3cret-w0rd");
	if (ledger_claim(ledger, &fp, NOW, &claim, &err) == -1)
		fail_msg("%s", err.text);
	ledger_close(&ledger);
	ledger = open_with(url, "wr0ng-word");
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, &err), -1);
	assert_non_null(strstr(err.text, "WRONGPASS"));
	assert_null(strstr(err.text, "wr0ng"));
	ledger_close(&ledger);
	ledger = open_with(url, NULL);
	claim_fails(ledger, "refuses the login");
	ledger_close(&ledger);
	server_says("CONFIG SET requirepass an0ther", "OK");
	ledger = open_with(f->url, NULL);
	claim_fails(ledger, "NOAUTH");
	ledger_close(&ledger);
	ledger = open_with(f->url, "an0ther");
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, &err), 0);
	assert_int_equal(claim.state, CLAIM_NEW);
	ledger_close(&ledger);
	server_says("AUTH an0ther\r\nCONFIG SET requirepass \"\"", "OK");
	server_says("ACL DELUSER mail", "1");
}

static void
use_all(struct ledger *ledger)
{
	struct fingerprint fp = fingerprint_of(77);
	struct imported imported = { fp, clock_now() };
	struct intent intent = intent_of("x");
	struct event event;
	struct counters counters;
	struct ledger_needs needs;
	struct ledger_stat stat;
	struct claim claim;
	struct err err;
	unsigned int n = 0, events = 0;
	uint64_t number;

	event_begin(&event, EVENT_DUPLICATE, &fp, NOW);
	assert_int_equal(ledger_prepare(ledger, &needs, &err), 0);
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, &err), 0);
	assert_int_equal(ledger_decide(ledger, &claim, &intent, NULL, NOW, &err), 0);
	assert_int_equal(claim.state, CLAIM_WON);
	assert_int_equal(ledger_recent_pending(ledger, NOW, count_one, &n, &err), 0);
	assert_int_equal(ledger_each_pending(ledger, NOW, count_one, &n, &err), 0);
	claim.event = &event;
	assert_int_equal(ledger_delivered(ledger, &claim, true, &err), 0);
	ledger_note(ledger, &event);
	assert_int_equal(ledger_sync(ledger, &err), 0);
	assert_int_equal(ledger_each(ledger, NOW, count_one, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(ledger_each_event(ledger, count_event, &events, &err), 0);
	assert_int_equal(events, 2);
	assert_int_equal(ledger_stat(ledger, &stat, &err), 0);
	assert_int_equal(stat.duplicates, 1);
	assert_int_equal(ledger_count(ledger, &counters, NULL, NULL, &err), 0);
	assert_int_equal(counters_records(&counters), 1);
	assert_int_equal(ledger_prune(ledger, NOW + 2 * WINDOW, WINDOW, &number, &err), 0);
	assert_int_equal(number, 1);
	assert_int_equal(ledger_import(ledger, &imported, 1, NOW, &number, &err), 0);
	assert_int_equal(number, 1);
	assert_int_equal(ledger_claim(ledger, &fp, clock_now(), &claim, &err), 0);
	claim.event = &event;
	assert_int_equal(ledger_forget(ledger, &claim, &err), 1);
}

/* What redis.h says that a user of the server needs is enough for everything. */
static void
test_rights(void **state)
{
	struct fixture *f = *state;
	struct ledger *ledger;
	char url[256], answer[4096] = "";

	server_says("ACL LOG RESET", "OK");
	server_says("ACL SETUSER mail on >word resetchannels ~dedup-lda:* -@all +auth +info +config|get +get +set +del +eval +evalsha +zadd +zrem "
	    "+zrange +rpush +ltrim +lrange +hincrby +hmget +scan", "OK");
	snprintf(url, sizeof(url), "redis+unix://mail@%s", strchr(f->url, '/') + 2);
	ledger = open_with(url, "word");
	use_all(ledger);
	ledger_close(&ledger);
	assert_int_equal(redis_server_say("ACL LOG", answer, sizeof(answer)), 0);
	assert_string_equal(answer, "*0\r\n");	/* nothing was refused, not even what nobody is told of */
	server_says("ACL SETUSER mail -config|get", "OK");
	ledger = open_with(url, "word");
	claim_fails(ledger, "allow CONFIG GET");
	ledger_close(&ledger);
	server_says("ACL DELUSER mail", "1");
}

/* A database of its own. */
static void
test_database(void **state)
{
	struct fixture *f = *state;
	struct fingerprint fp = fingerprint_of(1);
	struct claim claim = { .attempted = false };
	struct ledger *ledger;
	struct err err;
	char url[256];

	deliver_one(f, 1, NOW);
	snprintf(url, sizeof(url), "%s?db=3", f->url);
	ledger = open_with(url, NULL);
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, &err), 0);
	assert_int_equal(claim.state, CLAIM_NEW);
	ledger_close(&ledger);
	snprintf(url, sizeof(url), "%s?db=999", f->url);
	ledger = open_with(url, NULL);
	claim_fails(ledger, "DB index");
	ledger_close(&ledger);
}

/* --- what is kept --- */

static void
test_keys(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	claim_as(f, 0xabcdef, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	server_says("TTL dedup-lda:{253}:abcdef0000000000", ":-1");	/* pending: it stays */
	server_says("ZCARD dedup-lda:{253}:pending", ":1");
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	server_says("TTL dedup-lda:{253}:abcdef0000000000", ":8");	/* a day and the window: 87400, or a second less */
	server_says("ZCARD dedup-lda:{253}:pending", ":0");
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 0);
	claim_as(f, 0xabcdef, NOW, CLAIM_DUPLICATE, &claim);
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 1);
	server_says("EXISTS dedup-lda:{253}:abcdef0000000000", ":0");
}

/* A mark that came too late, or a deletion, does not hide a record that is pending still. */
static void
test_hint_stays(void **state)
{
	struct fixture *f = *state;
	struct claim old, claim;

	claim_as(f, 0xabcdef, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	old = claim;
	claim_as(f, 0xabcdef, NOW, CLAIM_PENDING, &claim);
	decide_as(f, &claim, "y", NOW, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &old, false, NULL), 0);
	server_says("ZCARD dedup-lda:{253}:pending", ":1");
	assert_int_equal(ledger_forget(f->ledger, &old, NULL), 0);
	server_says("ZCARD dedup-lda:{253}:pending", ":1");
}

/* All of them, also where there are more than a delivery looks at, and what a race has left is not one. */
static void
test_all_pending(void **state)
{
	struct fixture *f = *state;
	unsigned int i, n = 0;
	struct claim claim;
	struct err err;

	for (i = 0; i < 100; i++) {
		claim_as(f, i, NOW, CLAIM_NEW, &claim);		/* one bucket */
		decide_as(f, &claim, "x", NOW, CLAIM_WON);
	}
	deliver_one(f, 200, NOW);
	server_says("ZADD dedup-lda:{000}:pending 1 \"\\x00\\x00\\xc8\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
	    "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\" 2 short", ":2");
	assert_int_equal(ledger_each_pending(f->ledger, NOW, count_one, &n, &err), 0);
	assert_int_equal(n, 100);
	server_says("ZCARD dedup-lda:{000}:pending", ":101");
	n = 0;
	assert_int_equal(ledger_recent_pending(f->ledger, NOW, count_one, &n, &err), 0);
	assert_in_range(n, 1, 99);
}

/* Fingerprints that begin alike share a key, and nothing else. */
static void
test_separate_copies(void **state)
{
	struct fixture *f = *state;
	struct intent intent = intent_of("intent");
	struct fingerprint fp = fingerprint_of(0xabcdef);
	struct claim claim[3] = { { .attempted = false } };
	unsigned int i, n = 0;
	struct err err;

	for (i = 0; i < 3; i++) {
		fp.bytes[20] = (unsigned char)i;
		assert_int_equal(ledger_claim(f->ledger, &fp, NOW, &claim[i], &err), 0);
		assert_int_equal(claim[i].state, CLAIM_NEW);
		assert_int_equal(ledger_decide(f->ledger, &claim[i], &intent, NULL, NOW, &err), 0);
		assert_int_equal(claim[i].state, CLAIM_WON);
	}
	server_says("DBSIZE", ":2");	/* and the set of pending ones */
	assert_int_equal(ledger_delivered(f->ledger, &claim[1], false, &err), 0);
	server_says("TTL dedup-lda:{253}:abcdef0000000000", ":-1");	/* two are pending */
	assert_int_equal(ledger_each_prefix(f->ledger, "abcdef0000000000", NOW, count_one, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(ledger_delivered(f->ledger, &claim[0], false, &err), 0);
	assert_int_equal(ledger_delivered(f->ledger, &claim[2], false, &err), 0);
	server_says("TTL dedup-lda:{253}:abcdef0000000000", ":8");
	for (i = 0; i < 3; i++) {
		assert_int_equal(ledger_claim(f->ledger, &claim[i].fp, NOW, &claim[i], &err), 0);
		assert_int_equal(claim[i].state, CLAIM_DUPLICATE);
		assert_int_equal(ledger_forget(f->ledger, &claim[i], &err), 1);
	}
	server_says("DBSIZE", ":0");
}

/* Whatever somebody else has put there: it is seen, the next copy is delivered, and replaces it. */
static void
test_damaged(void **state)
{
	static const char *const values[] = { "x", "0123456789012345678901234567890123456789",
		"\"000000000000000000000000\\x00\\x00\\x00\\x00\\x00\\xff\"", "\"000000000000000000000000\\x00\\x00\\x00\\x00\\xff\\xff00\"",
		("\"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00"
		"\\x00\\x00\\x00\\x00\\x03abc\"") };
	struct fixture *f = *state;
	struct fingerprint fp = fingerprint_of(0xabcdef);
	struct claim claim;
	struct err err;
	char line[512];
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(line, sizeof(line), "SET dedup-lda:{253}:abcdef0000000000 %s", values[i]);
		server_says("FLUSHALL", "OK");
		server_says(line, "OK");
		check_counters(f, 1);
		claim_as(f, 0xabcdef, NOW, CLAIM_NEW, &claim);
		decide_as(f, &claim, "x", NOW, CLAIM_WON);
		assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
		claim_as(f, 0xabcdef, NOW, CLAIM_DUPLICATE, &claim);
		check_counters(f, 1);
	}
	server_says("DEL dedup-lda:{253}:abcdef0000000000", ":1");
	server_says("LPUSH dedup-lda:{253}:abcdef0000000000 x", ":1");
	assert_int_equal(ledger_claim(f->ledger, &fp, NOW, &claim, &err), -1);	/* not even of the right type: nothing of it is ours */
	assert_non_null(strstr(err.text, "WRONGTYPE"));
	server_says("FLUSHALL", "OK");
}

/* Longer than any record: nothing of ours writes such a thing, and the next copy replaces it. */
static void
test_too_long(void **state)
{
	struct fixture *f = *state;
	const unsigned int len = RECORD_MAX + 1;
	struct claim claim;
	char line[RECORD_MAX + 256];
	size_t i, n;

	n = (size_t)snprintf(line, sizeof(line), "SET dedup-lda:{253}:abcdef0000000000 \"");
	for (i = 0; i < 23; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "\\x00");
	snprintf(line + n, sizeof(line) - n, "\\x01\\x00\\x00\\x00\\x00\\x%02x\\x%02x%0*d\"", len >> 8, len & 255, (int)len, 0);
	server_says(line, "OK");
	claim_as(f, 0xabcdef, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	claim_as(f, 0xabcdef, NOW, CLAIM_DUPLICATE, &claim);
	check_counters(f, 1);
}

/* What the server forgets or cuts between two operations costs nothing. */
static void
test_reconnects(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	deliver_one(f, 1, NOW);
	server_says("CLIENT KILL TYPE normal", ":");
	server_says("SCRIPT FLUSH", "OK");
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	server_says("CLIENT KILL TYPE normal", ":");
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	server_says("CLIENT KILL TYPE normal", ":");
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(f, 2, NOW, CLAIM_DUPLICATE, &claim);
}

#define REDIS(test) { #test, test, setup_redis, teardown, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		REDIS(test_settings), REDIS(test_full), REDIS(test_login), REDIS(test_rights), REDIS(test_database), REDIS(test_keys),
		REDIS(test_hint_stays), REDIS(test_all_pending), REDIS(test_separate_copies), REDIS(test_damaged), REDIS(test_too_long), REDIS(test_reconnects),
	};

	if (!redis_server_is_there()) {
		printf("1..0 # skipped: no Redis here\n");
		return 0;
	}
	return RUN_EVERY_STORE("store_redis", tests);
}
