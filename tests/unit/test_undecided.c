/*
 * A commit that failed half-way: what the ledger makes of it. The store below does as it is told; it bears the name of the one in memory,
 * so that the linker takes it instead.
 */
#include <sys/wait.h>
#include <sysexits.h>

#include "deliver.h"
#include "dedupdb.h"
#include "mail_fixture.h"
#include "store.h"

#define NOW 1800000000

static enum store_result next_put, next_get;
static struct store_value put, shown;	/* what the last put was given; what a get returns */
static bool shows_put;			/* that is the same */
static int next_sync;
static struct store store;

static int
fake_open(struct store **out, const struct store_options *options, struct err *err)
{
	(void)options;
	(void)err;
	*out = &store;
	return 0;
}

static void
fake_close(struct store **out)
{
	*out = NULL;
}

static enum store_result
fake_get(struct store *s, const struct fingerprint *fp, struct store_value *value, struct err *err)
{
	(void)s;
	(void)fp;
	(void)err;
	if (next_get == STORE_OK)
		*value = shows_put ? put : shown;
	return next_get;
}

static enum store_result
fake_put(struct store *s, const struct fingerprint *fp, const struct store_value *expected, const struct store_value *value, bool durable,
    bool pending, struct store_value *now, struct err *err)
{
	(void)s;
	(void)fp;
	(void)expected;
	(void)now;
	(void)err;
	assert_true(durable && pending);
	put = *value;
	return next_put;
}

static int
fake_prepare(struct store *s, struct ledger_needs *needs, struct err *err)
{
	(void)s;
	(void)err;
	(void)needs;
	return 0;
}

static int
fake_sync(struct store *s, struct err *err)
{
	(void)s;
	(void)err;
	return next_sync;
}

static void
fake_note(struct store *unused, const struct event *event)
{
	(void)unused;
	(void)event;
}

const struct store_ops store_memory = {
	.name = "memory", .open = fake_open, .close = fake_close, .prepare = fake_prepare, .get = fake_get, .put = fake_put,
	.sync = fake_sync, .note = fake_note
};

static void
begin(struct ledger **ledger, struct claim *claim)
{
	struct ledger_options options = { .url = "memory:", .window = 1000 };
	struct fingerprint fp = { { 1 } };

	assert_int_equal(ledger_open(ledger, &options, NULL), 0);
	memset(claim, 0, sizeof(*claim));
	next_get = STORE_ABSENT;
	assert_int_equal(ledger_claim(*ledger, &fp, NOW, claim, NULL), 0);
	assert_int_equal(claim->state, CLAIM_NEW);
}

static int
decide(struct ledger *ledger, struct claim *claim, char what, enum store_result result)
{
	struct intent intent = { .len = 1 };

	intent.bytes[0] = (unsigned char)what;
	next_put = result;
	return ledger_decide(ledger, claim, &intent, NULL, NOW, NULL);
}

/* The commit fails half-way, and reading again gives `get`. */
static void
undecided(enum store_result get, bool ours, int expected, enum claim_state state)
{
	struct fingerprint fp = { { 1 } };
	struct ledger *ledger;
	struct claim claim;

	begin(&ledger, &claim);
	assert_int_equal(decide(ledger, &claim, 'y', STORE_OK), 0);	/* what another copy would have put */
	shown = put;
	ledger_close(&ledger);
	begin(&ledger, &claim);
	assert_false(claim.attempted);
	next_get = get;
	shows_put = ours;
	assert_int_equal(decide(ledger, &claim, 'x', STORE_UNDECIDED), expected);
	assert_int_equal(claim.state, state);
	assert_true(claim.attempted);
	next_get = STORE_ABSENT;		/* nor does it matter what is read later */
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, NULL), 0);
	assert_true(claim.attempted);
	ledger_close(&ledger);
}

static void
test_it_stands(void **state)
{
	(void)state;
	undecided(STORE_OK, true, 0, CLAIM_WON);
}

static void
test_it_stands_but_may_not_last(void **state)
{
	(void)state;
	next_sync = -1;
	undecided(STORE_OK, true, -1, CLAIM_UNDECIDED);
	next_sync = 0;
}

static void
test_it_is_not_seen(void **state)
{
	(void)state;
	undecided(STORE_ABSENT, false, 0, CLAIM_NEW);
}

static void
test_another_one_stands(void **state)
{
	(void)state;
	undecided(STORE_OK, false, 0, CLAIM_PENDING);
}

static void
test_nothing_can_be_read(void **state)
{
	(void)state;
	undecided(STORE_FAILED, false, -1, CLAIM_UNDECIDED);
}

static void
test_a_failure_changes_nothing(void **state)
{
	struct ledger *ledger;
	struct claim claim;

	(void)state;
	begin(&ledger, &claim);
	assert_int_equal(decide(ledger, &claim, 'x', STORE_FAILED), -1);
	assert_int_not_equal(claim.state, CLAIM_UNDECIDED);
	assert_false(claim.attempted);
	ledger_close(&ledger);
}

/* In a process of its own, which the sandbox closes. */
static void
deliver_to(const char *home, const char *on_failure)
{
	static const char text[] = "Message-ID: <1@example.org>\n\nx\n";
	struct identity who = { .user = "joe", .home = home };
	const char *assignments[] = { "mailbox=maildir:~/M", "log=stderr", on_failure, NULL };
	struct ledger_options options = { .url = "memory:", .window = 1000 };
	struct delivery d = { .user = "joe" };
	struct config *config;
	struct ledger *ledger;
	FILE *message = tmpfile();
	struct err err;
	int ret;

	if (message == NULL || fputs(text, message) == EOF || fflush(message) == EOF || fseek(message, 0, SEEK_SET) == -1)
		_exit(2);
	if (config_load(&config, NULL, assignments, &who, geteuid(), false, NULL) == -1 ||
	    log_open(&d.log, config, false, NULL) == -1 || ledger_open(&ledger, &options, NULL) == -1)
		_exit(3);
	d.config = config;
	d.ledger = ledger;
	next_put = STORE_UNDECIDED;
	next_get = STORE_ABSENT;
	ret = deliver(&d, fileno(message), &err);
	_exit(ret == 0 ? 0 : err.status == STATUS_TEMP ? EX_TEMPFAIL : 4);
}

static void
never_written(const char *on_failure, int code, unsigned int published)
{
	char home[] = "/tmp/test_undecided.XXXXXX";
	int status;
	pid_t pid;

	assert_non_null(mkdtemp(home));
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0)
		deliver_to(home, on_failure);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	assert_int_equal(files(home, "M/new"), published);
	assert_int_equal(files(home, "M/tmp"), 1 - published);	/* what a record may name is kept */
	assert_int_equal(folder_remove(home), 0);
}

/* A ledger that can be read, and never be written, holds no mail up for ever. */
static void
test_never_written(void **state)
{
	(void)state;
	never_written("on-ledger-failure=deliver", 0, 1);
	never_written("on-ledger-failure=defer", EX_TEMPFAIL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_stands),
		cmocka_unit_test(test_it_stands_but_may_not_last),
		cmocka_unit_test(test_it_is_not_seen),
		cmocka_unit_test(test_another_one_stands),
		cmocka_unit_test(test_nothing_can_be_read),
		cmocka_unit_test(test_a_failure_changes_nothing),
		cmocka_unit_test(test_never_written),
	};

	return cmocka_run_group_tests_name("undecided", tests, NULL, NULL);
}
