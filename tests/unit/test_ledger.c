/* The ledger's promises, on every store: claim, decide, help, delivered, window, prune, forget. */
#include "ledger_fixture.h"

static void
test_first_delivery(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	assert_false(claim.present);
	decide_as(f, &claim, "intent", NOW, CLAIM_WON);
	fixture_reopen(f);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	fixture_reopen(f);
	claim_as(f, 1, NOW + 5, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, NOW);
	assert_int_equal(claim.record.intent.len, 0);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
}

static void
test_pending_is_helped(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "where it is", NOW, CLAIM_WON);
	fixture_reopen(f);
	claim_as(f, 1, NOW + 100 * WINDOW, CLAIM_PENDING, &claim);	/* pending never expires */
	assert_int_equal(claim.record.intent.len, strlen("where it is"));
	assert_memory_equal(claim.record.intent.bytes, "where it is", strlen("where it is"));
	assert_int_equal(ledger_delivered(f->ledger, &claim, true, NULL), 0);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
}

static void
test_race_is_decided_once(void **state)
{
	struct fixture *f = *state;
	struct claim a, b;

	claim_as(f, 1, NOW, CLAIM_NEW, &a);
	claim_as(f, 1, NOW, CLAIM_NEW, &b);
	decide_as(f, &a, "a", NOW, CLAIM_WON);
	decide_as(f, &b, "b", NOW, CLAIM_PENDING);
	assert_int_equal(b.record.intent.bytes[0], 'a');
	assert_int_equal(ledger_delivered(f->ledger, &b, false, NULL), 0);	/* b helped a */
	assert_int_equal(ledger_delivered(f->ledger, &a, false, NULL), 0);	/* and a finds that done */
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &a);
	claim_as(f, 2, NOW, CLAIM_NEW, &a);
	b = a;
	decide_as(f, &a, "a", NOW, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &a, false, NULL), 0);
	decide_as(f, &b, "b", NOW, CLAIM_DUPLICATE);
}

static void
test_window(void **state)
{
	struct fixture *f = *state;
	struct claim a, b;

	deliver_one(f, 1, NOW);
	claim_as(f, 1, NOW + WINDOW, CLAIM_DUPLICATE, &a);
	claim_as(f, 1, NOW - 50000, CLAIM_DUPLICATE, &a);	/* a clock set back: no age is negative */
	claim_as(f, 1, NOW + WINDOW + 1, CLAIM_NEW, &a);
	assert_true(a.present);
	b = a;
	decide_as(f, &a, "again", NOW + WINDOW + 1, CLAIM_WON);
	decide_as(f, &b, "again", NOW + WINDOW + 1, CLAIM_PENDING);	/* it replaces what it read, not what came since */
	assert_int_equal(b.record.first, NOW + WINDOW + 1);
}

static void
test_decided_again(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "first place", NOW, CLAIM_WON);
	claim_as(f, 1, NOW + 10, CLAIM_PENDING, &claim);
	decide_as(f, &claim, "second place", NOW + 10, CLAIM_WON);
	claim_as(f, 1, NOW + 20, CLAIM_PENDING, &claim);
	assert_memory_equal(claim.record.intent.bytes, "second", 6);
	assert_int_equal(claim.record.first, NOW);
	assert_int_equal(claim.record.decided, NOW + 10);
}

static void
test_forget(void **state)
{
	struct fixture *f = *state;
	struct claim old, claim;

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	claim_as(f, 1, NOW, CLAIM_PENDING, &old);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
	assert_int_equal(ledger_forget(f->ledger, &old, NULL), 0);	/* it has changed since */
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 1);
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 0);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
}

struct seen {
	unsigned int n, pending;
	struct fingerprint last;
	bool unordered;
	struct fixture *f;	/* not NULL: forget each */
};

static int
count(void *arg, struct claim *claim, struct err *err)
{
	struct seen *seen = arg;

	assert_true(seen->n == 0 || seen->unordered || memcmp(&seen->last, &claim->fp, sizeof(seen->last)) < 0);
	seen->last = claim->fp;
	seen->n++;
	seen->pending += claim->state == CLAIM_PENDING ? 1U : 0U;
	if (seen->f != NULL)
		assert_int_equal(ledger_forget(seen->f->ledger, claim, err), 1);
	return 0;
}

static void
test_each(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .unordered = !f->ordered };
	struct claim claim;
	unsigned int i;

	for (i = 0; i < 1300; i++)	/* more than two batches of a walk */
		deliver_one(f, i * 7, NOW);
	claim_as(f, 3, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	assert_int_equal(ledger_each(f->ledger, NOW, count, &seen, NULL), 0);
	assert_int_equal(seen.n, 1301);
	assert_int_equal(seen.pending, 1);
	seen = (struct seen){ .unordered = !f->ordered };
	assert_int_equal(ledger_recent_pending(f->ledger, NOW, count, &seen, NULL), 0);
	assert_int_equal(seen.n, 1);
	seen = (struct seen){ .unordered = !f->ordered };
	assert_int_equal(ledger_each_pending(f->ledger, NOW, count, &seen, NULL), 0);
	assert_int_equal(seen.pending, 1);
	seen = (struct seen){ .unordered = !f->ordered };
	seen.f = f;		/* a visitor may change the ledger */
	assert_int_equal(ledger_each(f->ledger, NOW, count, &seen, NULL), 0);
	assert_int_equal(seen.n, 1301);
	seen = (struct seen){ .unordered = !f->ordered };
	assert_int_equal(ledger_each(f->ledger, NOW, count, &seen, NULL), 0);
	assert_int_equal(seen.n, 0);
}

static void
test_prefix(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .n = 0 };
	struct err err = { .status = STATUS_OK };

	deliver_one(f, 0x123456, NOW);
	deliver_one(f, 0x123457, NOW);
	assert_int_equal(ledger_each_prefix(f->ledger, "1234560000000000", NOW, count, &seen, &err), 0);
	assert_int_equal(seen.n, 1);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(ledger_each_prefix(f->ledger, "12345700000000000000000", NOW, count, &seen, &err), 0);
	assert_int_equal(seen.n, 1);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(ledger_each_prefix(f->ledger, "1234580000000000", NOW, count, &seen, &err), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(ledger_each_prefix(f->ledger, "123456", NOW, count, &seen, &err), -1);
	assert_int_equal(ledger_each_prefix(f->ledger, "123456000000000x", NOW, count, &seen, &err), -1);
}

static void
test_prune(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	uint64_t deleted;
	unsigned int i;

	/* Recent by the real clock, or the clock hand would tidy up before us. */
	int64_t now = 4000000000LL;

	for (i = 0; i < 600; i++)
		deliver_one(f, i, now);
	for (; i < 1000; i++)
		deliver_one(f, i, now + WINDOW);
	claim_as(f, 5000, now, CLAIM_NEW, &claim);
	decide_as(f, &claim, "x", now, CLAIM_WON);
	assert_int_equal(ledger_prune(f->ledger, now + WINDOW + 1, WINDOW, &deleted, NULL), 0);
	assert_int_equal(deleted, 600);
	claim_as(f, 5000, now + 10 * WINDOW, CLAIM_PENDING, &claim);	/* never pruned */
	claim_as(f, 999, now + WINDOW, CLAIM_DUPLICATE, &claim);
	claim_as(f, 0, now + WINDOW, CLAIM_NEW, &claim);
}

/* Each change of a record keeps the counters. */
static void
test_count(void **state)
{
	struct fixture *f = *state;
	int64_t now = 4000000000LL;	/* recent by the real clock: see test_prune */
	struct claim claim, again;
	uint64_t deleted;
	unsigned int i;

	check_counters(f, 0);
	claim_as(f, 1, now, CLAIM_NEW, &claim);
	check_counters(f, 0);
	decide_as(f, &claim, "x", now, CLAIM_WON);
	check_counters(f, 1);
	claim_as(f, 1, now, CLAIM_PENDING, &again);
	decide_as(f, &again, "y", now + 5, CLAIM_WON);		/* again, in place of the first */
	check_counters(f, 1);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);	/* too late: changes nothing */
	check_counters(f, 1);
	assert_int_equal(ledger_delivered(f->ledger, &again, false, NULL), 0);
	fixture_reopen(f);
	check_counters(f, 1);
	for (i = 0; i < 100; i++)
		deliver_one(f, 100 + i, now + i % 7);
	claim_as(f, 150, now, CLAIM_DUPLICATE, &claim);
	check_counters(f, 101);
	claim_as(f, 150, now + 10 * WINDOW, CLAIM_NEW, &again);	/* it has expired */
	decide_as(f, &again, "z", now + 10 * WINDOW, CLAIM_WON);
	check_counters(f, 101);
	assert_int_equal(ledger_forget(f->ledger, &claim, NULL), 0);	/* not as claimed */
	check_counters(f, 101);
	assert_int_equal(ledger_forget(f->ledger, &again, NULL), 1);
	check_counters(f, 100);
	assert_int_equal(ledger_prune(f->ledger, now + 3, 0, &deleted, NULL), 0);
	assert_in_range(deleted, 30, 60);
	check_counters(f, 100 - deleted);
}

static void
test_stat(void **state)
{
	static const struct event duplicate = { .kind = EVENT_DUPLICATE }, tagged = { .kind = EVENT_TAGGED };
	struct fixture *f = *state;
	struct ledger_stat stat;
	struct err err;
	struct ledger_needs needs;

	deliver_one(f, 1, NOW);
	assert_int_equal(ledger_stat(f->ledger, &stat, &err), 0);
	assert_int_equal(stat.duplicates, 0);
	ledger_note(f->ledger, &duplicate);
	ledger_note(f->ledger, &duplicate);
	ledger_note(f->ledger, &tagged);
	fixture_reopen(f);
	assert_int_equal(ledger_stat(f->ledger, &stat, &err), 0);
	assert_int_equal(stat.duplicates, 2);
	assert_int_equal(stat.failures, 0);
	assert_true(stat.exists);
	assert_true(stat.bytes > 0);
	ledger_crashed(f->ledger);		/* not inside the database: nobody is to blame */
	assert_int_equal(ledger_stat(f->ledger, &stat, &err), 0);
	assert_int_equal(stat.failures, 0);
	assert_int_equal(ledger_prepare(f->ledger, &needs, &err), 0);
	assert_int_equal(needs.folder == -1, f->folder[0] == '\0');
}

static void
test_unknown_kind(void **state)
{
	struct ledger_options options = { .url = "frob:/x" };
	struct ledger *ledger = NULL;
	struct err err;

	(void)state;
	assert_int_equal(ledger_open(&ledger, &options, &err), -1);
	assert_null(ledger);
	assert_int_equal(err.status, STATUS_CONFIG);
	options.url = "memory";		/* without its colon */
	assert_int_equal(ledger_open(&ledger, &options, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_STORE(test_first_delivery),
		EVERY_STORE(test_pending_is_helped),
		EVERY_STORE(test_race_is_decided_once),
		EVERY_STORE(test_window),
		EVERY_STORE(test_decided_again),
		EVERY_STORE(test_forget),
		EVERY_STORE(test_each),
		EVERY_STORE(test_prefix),
		EVERY_STORE(test_prune),
		EVERY_STORE(test_count),
		EVERY_STORE(test_stat),
		cmocka_unit_test(test_unknown_kind),
	};

	return RUN_EVERY_STORE("ledger", tests);
}
