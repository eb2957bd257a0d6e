/* Records that were kept elsewhere, and copies of a ledger. */
#include <sys/stat.h>

#include <fcntl.h>

#include "fs.h"
#include "ledger_fixture.h"

static struct record
delivered_at(int64_t first)
{
	return (struct record){ .state = RECORD_DELIVERED, .first = first, .decided = first + 1, .trace_len = 5, .trace = "trace" };
}

static struct record
pending_at(int64_t first, const char *intent)
{
	return (struct record){ .state = RECORD_PENDING, .first = first, .decided = first, .intent = intent_of(intent) };
}

static void
restore_as(struct fixture *f, struct claim *claim, const struct record *record, int expected)
{
	struct err err = { .text = "" };
	int got = ledger_restore(f->ledger, claim, record, NOW, &err);

	if (got == -1)
		fail_msg("%s", err.text);
	assert_int_equal(got, expected);
}

/* A claim that has seen nothing: what a restore begins with. */
static struct claim
unseen(unsigned int n)
{
	return (struct claim){ .fp = fingerprint_of(n) };
}

static void
sync_and_reopen(struct fixture *f)
{
	struct err err;

	assert_int_equal(ledger_sync(f->ledger, &err), 0);
	fixture_reopen(f);
}

static void
test_taken(void **state)
{
	struct fixture *f = *state;
	struct record delivered = delivered_at(NOW - 10), pending = pending_at(NOW - 5 * WINDOW, "intent");
	struct claim claim = unseen(1);

	restore_as(f, &claim, &delivered, 1);
	claim = unseen(2);
	restore_as(f, &claim, &pending, 1);
	sync_and_reopen(f);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, NOW - 10);
	assert_int_equal(claim.record.decided, NOW - 9);
	assert_int_equal(claim.record.trace_len, 5);
	assert_memory_equal(claim.record.trace, "trace", 5);
	claim_as(f, 1, NOW - 10 + WINDOW + 1, CLAIM_NEW, &claim);
	claim_as(f, 2, NOW, CLAIM_PENDING, &claim);
	assert_int_equal(claim.record.intent.len, 6);
	assert_memory_equal(claim.record.intent.bytes, "intent", 6);
	check_counters(f, 2);
}

static int
visit_pending(void *arg, struct claim *claim, struct err *err)
{
	unsigned int *found = arg;

	(void)err;
	*found += claim->state == CLAIM_PENDING && memcmp(claim->record.intent.bytes, "intent", 6) == 0;
	return 0;
}

/* A delivery to the same mailbox looks for it, as for any that a crash left. */
static void
test_pending_is_found(void **state)
{
	struct fixture *f = *state;
	struct record pending = pending_at(NOW - 10, "intent");
	struct claim claim = unseen(7);
	unsigned int found = 0;
	struct err err;

	restore_as(f, &claim, &pending, 1);
	assert_int_equal(ledger_recent_pending(f->ledger, NOW, visit_pending, &found, &err), 0);
	assert_int_equal(found, 1);
	claim_as(f, 7, NOW, CLAIM_PENDING, &claim);
	assert_int_equal(ledger_delivered(f->ledger, &claim, true, &err), 0);
	claim_as(f, 7, NOW, CLAIM_DUPLICATE, &claim);
	check_counters(f, 1);
}

/* What counts is not weakened, whatever the file says; the claim then holds what is there, and a second attempt with it is refused by
 * its caller, who looks at the state. */
static void
test_not_weakened(void **state)
{
	struct fixture *f = *state;
	struct record delivered = delivered_at(NOW - 10), pending = pending_at(NOW - 10, "other");
	struct claim claim = { .attempted = false };

	deliver_one(f, 1, NOW - 5);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "ours", NOW - 5 * WINDOW, CLAIM_WON);

	claim = unseen(1);
	restore_as(f, &claim, &pending, 0);
	assert_int_equal(claim.state, CLAIM_DUPLICATE);
	assert_int_equal(claim.record.first, NOW - 5);
	claim = unseen(2);
	restore_as(f, &claim, &delivered, 0);
	assert_int_equal(claim.state, CLAIM_PENDING);
	assert_memory_equal(claim.record.intent.bytes, "ours", 4);
	sync_and_reopen(f);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(f, 2, NOW, CLAIM_PENDING, &claim);
	check_counters(f, 2);
}

/* Only exactly what the claim saw is replaced. */
static void
test_expired(void **state)
{
	struct fixture *f = *state;
	struct record first = delivered_at(NOW - 10), second = delivered_at(NOW - 20);
	struct claim claim, late;

	deliver_one(f, 1, NOW - 2 * WINDOW);
	claim = unseen(1);
	restore_as(f, &claim, &first, 0);
	assert_int_equal(claim.state, CLAIM_NEW);
	assert_true(claim.present);
	late = claim;
	restore_as(f, &claim, &first, 1);
	restore_as(f, &late, &second, 0);
	assert_int_equal(late.state, CLAIM_DUPLICATE);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, NOW - 10);
	check_counters(f, 1);
}

/* A delivery removes what the claim saw: then there is nothing, and that can be tried again. */
static void
test_gone(void **state)
{
	struct fixture *f = *state;
	struct record record = delivered_at(NOW - 10);
	struct claim claim, other;
	struct err err;

	deliver_one(f, 1, NOW - 2 * WINDOW);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	other = claim;
	assert_int_equal(ledger_forget(f->ledger, &other, &err), 1);
	restore_as(f, &claim, &record, 0);
	assert_int_equal(claim.state, CLAIM_NEW);
	assert_false(claim.present);
	restore_as(f, &claim, &record, 1);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	check_counters(f, 1);
}

struct many {
	unsigned int first;
	int64_t now;
};

static void
kept(void *arg, size_t i, struct fingerprint *fp, struct record *record)
{
	const struct many *m = arg;

	*fp = fingerprint_of(m->first + (unsigned int)i);
	*record = delivered_at(m->now - 10);
}

/* Many at a time: the store asks the clock what has expired. Pending ones and those that count stay. */
static void
test_many(void **state)
{
	struct fixture *f = *state;
	struct many m = { .first = 1, .now = clock_now() };
	struct claim claim = { .attempted = false };
	struct err err = { .text = "" };
	uint64_t taken = 99;

	deliver_one(f, 3, m.now - 5);
	deliver_one(f, 4, m.now - 2 * WINDOW);
	claim_as(f, 5, m.now, CLAIM_NEW, &claim);
	decide_as(f, &claim, "ours", m.now - 5 * WINDOW, CLAIM_WON);
	assert_int_equal(ledger_restore_many(f->ledger, 3000, kept, &m, &taken, &err), 0);
	assert_int_equal(taken, 2998);
	sync_and_reopen(f);
	claim_as(f, 1, m.now, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, m.now - 10);
	assert_int_equal(claim.record.trace_len, 5);
	assert_int_equal(claim.record.flags, 0);
	claim_as(f, 3, m.now, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, m.now - 5);
	claim_as(f, 4, m.now, CLAIM_DUPLICATE, &claim);
	claim_as(f, 5, m.now, CLAIM_PENDING, &claim);
	claim_as(f, 3000, m.now, CLAIM_DUPLICATE, &claim);
	claim_as(f, 3001, m.now, CLAIM_NEW, &claim);
	check_counters(f, 3000);
	assert_int_equal(ledger_restore_many(f->ledger, 3000, kept, &m, &taken, &err), 0);
	assert_int_equal(taken, 0);
}

/* --- copies --- */

static void
make_copy(struct fixture *f, struct ledger_copy *copy, char folder[96])
{
	struct err err = { .text = "" };

	snprintf(folder, 96, "%s/copy", f->folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	if (ledger_copy(f->ledger, folder, copy, &err) == -1)
		fail_msg("%s", err.text);
}

/* Opened as a ledger, a copy has the same records, and changes of either are not seen in the other. */
static void
test_copy(void **state)
{
	struct fixture *f = *state, copied = { .folder = "" };
	struct ledger_copy copy;
	struct claim claim = { .attempted = false };
	char folder[96];

	deliver_one(f, 1, NOW - 5);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "intent", NOW, CLAIM_WON);
	make_copy(f, &copy, folder);
	assert_true(copy.exists && copy.valid);
	assert_null(copy.repair);
	assert_int_equal(copy.failures, 0);
	assert_true(copy.held_ms >= 0);

	snprintf(copied.url, sizeof(copied.url), "bdb:%s", folder);
	fixture_open(&copied);
	claim_as(&copied, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(&copied, 2, NOW, CLAIM_PENDING, &claim);
	assert_memory_equal(claim.record.intent.bytes, "intent", 6);
	check_counters(&copied, 2);
	deliver_one(&copied, 3, NOW);
	deliver_one(f, 4, NOW);
	claim_as(f, 3, NOW, CLAIM_NEW, &claim);
	claim_as(&copied, 4, NOW, CLAIM_NEW, &claim);
	ledger_close(&copied.ledger);
	check_counters(f, 3);
	assert_int_equal(f->notices, 0);
}

/* Without a ledger there is nothing to copy, and none is made. */
static void
test_copy_of_none(void **state)
{
	struct fixture *f = *state;
	struct ledger_options options = { .url = f->url, .window = WINDOW, .lock_timeout_ms = 2000 };
	struct ledger_copy copy = { .exists = true };
	struct err err;
	char folder[96], path[96];

	ledger_close(&f->ledger);
	assert_int_equal(ledger_open(&f->ledger, &options, &err), 0);
	make_copy(f, &copy, folder);
	assert_false(copy.exists);
	assert_int_equal(rmdir(folder), 0);
	snprintf(path, sizeof(path), "%s/L", f->folder);
	assert_int_equal(access(path, F_OK), -1);
}

/* A process died at work: the copy says that a repair comes first, and the ledger itself is left as it is. */
static void
test_copy_of_dirty(void **state)
{
	struct fixture *f = *state, copied = { .folder = "" };
	struct ledger_copy copy;
	struct claim claim;
	char folder[96], path[96];
	int fd;

	deliver_one(f, 1, NOW);
	ledger_close(&f->ledger);
	snprintf(path, sizeof(path), "%s/L/lock", f->folder);
	fd = open(path, O_WRONLY);
	assert_true(fd != -1);
	assert_int_equal(ftruncate(fd, 3), 0);
	close(fd);
	fixture_open(f);
	make_copy(f, &copy, folder);
	assert_true(copy.exists);
	assert_false(copy.valid);
	snprintf(copied.url, sizeof(copied.url), "bdb:%s", folder);
	fixture_open(&copied);
	claim_as(&copied, 1, NOW, CLAIM_DUPLICATE, &claim);
	ledger_close(&copied.ledger);
	assert_int_equal(f->notices, 0);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	assert_true(f->notices > 0);
}

static void
test_copy_of_memory(void **state)
{
	struct fixture *f = *state;
	struct ledger_copy copy;
	struct err err;

	assert_int_equal(ledger_copy(f->ledger, "/nowhere", &copy, &err), -1);
	assert_non_null(strstr(err.text, "has no files to copy"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_STORE(test_taken), EVERY_STORE(test_pending_is_found), EVERY_STORE(test_not_weakened), EVERY_STORE(test_expired),
		EVERY_STORE(test_gone), EVERY_STORE(test_many),
		cmocka_unit_test_setup_teardown(test_copy, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_copy_of_none, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_copy_of_dirty, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_copy_of_memory, setup_memory, teardown),
	};

	return RUN_EVERY_STORE("restore", tests);
}
