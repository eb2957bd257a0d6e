/* Events through a ledger: which changes write one, and that the history survives what the ledger does. */
#include <sys/wait.h>

#include <fcntl.h>

#include "event_fixture.h"
#include "fs.h"

static void
with_history(struct fixture *f, uint32_t history)
{
	struct ledger_options options = { .url = f->url, .window = WINDOW, .lock_timeout_ms = 20000, .timeout_ms = 10000, .create = true,
		.history = history };
	struct err err;

	ledger_close(&f->ledger);
	if (ledger_open(&f->ledger, &options, &err) == -1)
		fail_msg("%s", err.text);
}

static void
ledger_must_hold(struct fixture *f, const char *expected)
{
	struct seen seen = { .len = 0 };
	struct err err = { .text = "" };

	if (ledger_each_event(f->ledger, see, &seen, &err) == -1)
		fail_msg("%s", err.text);
	assert_string_equal(seen.text, expected);
	assert_int_equal(seen.disorder, 0);
}

static void
note(struct fixture *f, unsigned int n)
{
	struct event event = event_of(n);

	ledger_note(f->ledger, &event);
}

static void
test_with_changes(void **state)
{
	struct fixture *f = *state;
	struct event event = event_of(1), second = event_of(2), forgotten = event_of(3);
	struct claim claim, late;

	with_history(f, SLOTS);
	ledger_must_hold(f, "");
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	claim.event = &event;
	decide_as(f, &claim, "intent", NOW, CLAIM_WON);
	ledger_must_hold(f, "");		/* not yet done */
	late = claim;
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	assert_null(claim.event);
	ledger_must_hold(f, "1");
	late.event = &second;			/* somebody else was faster: both have done it */
	assert_int_equal(ledger_delivered(f->ledger, &late, false, NULL), 0);
	ledger_must_hold(f, "1 2");
	late.event = &forgotten;		/* has changed: nothing is done */
	assert_int_equal(ledger_forget(f->ledger, &late, NULL), 0);
	ledger_must_hold(f, "1 2");
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim.event = &forgotten;
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 1);
	note(f, 4);
	ledger_must_hold(f, "1 2 3 4");
	deliver_one(f, 5, NOW);			/* nothing to write */
	ledger_must_hold(f, "1 2 3 4");
	for (unsigned int n = 5; n < 15; n++)
		note(f, n);
	ledger_must_hold(f, "7 8 9 10 11 12 13 14");
	if (f->lasts) {	/* others read them, too */
		with_history(f, 0);
		ledger_must_hold(f, "7 8 9 10 11 12 13 14");
	}
}

static void
test_no_history(void **state)
{
	struct fixture *f = *state;

	with_history(f, 0);
	note(f, 1);
	ledger_must_hold(f, "");
}

static void
shell(const struct fixture *f, const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s/L && %s", f->folder, what);
	assert_int_equal(system(command), 0);
}

/* Repairs, a header that is lost, an environment that is set aside, a process that died: the ring goes on. */
static void
test_survives(void **state)
{
	static const char *const hurts[] = { "rm lock", "truncate -s 20 lock", "rm -r env", "rm env/__db.001",
		"for f in env/*; do printf '%09000d' 7 >$f; done" };
	struct fixture *f = *state;
	char expected[64] = "";
	unsigned int i;
	int status;

	with_history(f, 100);
	for (i = 0; i < sizeof(hurts) / sizeof(hurts[0]); i++) {
		note(f, i);
		ledger_close(&f->ledger);
		shell(f, hurts[i]);
		with_history(f, 100);
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s%u", i > 0 ? " " : "", i);
		ledger_must_hold(f, expected);
	}
	ledger_close(&f->ledger);
	if (fork() == 0) {	/* ends without giving anything back */
		with_history(f, 100);
		note(f, 5);
		_exit(0);
	}
	wait(&status);
	with_history(f, 100);
	note(f, 6);
	ledger_must_hold(f, "0 1 2 3 4 5 6");
	ledger_close(&f->ledger);
	shell(f, "cp lock older");		/* its number is too low later */
	with_history(f, 100);
	deliver_one(f, 1, NOW);
	note(f, 7);
	ledger_close(&f->ledger);
	shell(f, "cat older >lock");
	with_history(f, 100);
	note(f, 8);
	ledger_must_hold(f, "0 1 2 3 4 5 6 7 8");
}

/* Many processes: no event is lost, none has another's number. */
static void
test_writers(void **state)
{
	enum { WRITERS = 6, EACH = 20 };
	struct fixture *f = *state;
	struct seen seen = { .len = 0 };
	struct err err;
	unsigned int i, n;
	int status;

	ledger_close(&f->ledger);
	for (i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			for (n = 0; n < EACH; n++) {
				with_history(f, 1000);
				note(f, i * EACH + n);
			}
			_exit(0);
		}
	for (i = 0; i < WRITERS; i++) {
		wait(&status);
		assert_int_equal(status, 0);
	}
	with_history(f, 1000);
	assert_int_equal(ledger_each_event(f->ledger, see, &seen, &err), 0);
	assert_int_equal(seen.len, WRITERS * EACH);
	assert_int_equal(seen.disorder, 0);
	assert_int_equal(seen.last, WRITERS * EACH);
}

/* A ledger that is not there has no events, and asking makes none. */
static void
test_no_ledger(void **state)
{
	struct fixture *f = *state;
	struct ledger_options options = { .url = f->url, .window = WINDOW, .history = SLOTS };
	struct err err;
	char path[128];

	ledger_close(&f->ledger);
	assert_int_equal(ledger_open(&f->ledger, &options, &err), 0);
	note(f, 1);
	ledger_must_hold(f, "");
	snprintf(path, sizeof(path), "%s/L", f->folder);
	assert_int_equal(access(path, F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_STORE(test_with_changes),
		EVERY_STORE(test_no_history),
		BDB(test_survives),
		BDB(test_writers),
		BDB(test_no_ledger),
	};

	return RUN_EVERY_STORE("history", tests);
}
