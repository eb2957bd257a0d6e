/* Records of messages that were delivered without the ledger. The store asks the clock which records have expired, so times are its. */
#include "fs.h"
#include "ledger_fixture.h"

#define MANY 20000

static uint64_t
import(struct fixture *f, const struct imported *items, size_t n, int64_t now)
{
	struct err err = { .text = "" };
	uint64_t added = 99;

	if (ledger_import(f->ledger, items, n, now, &added, &err) == -1 || ledger_sync(f->ledger, &err) == -1)
		fail_msg("%s", err.text);
	return added;
}

static void
assert_counters(struct fixture *f, uint64_t records, uint64_t pending)
{
	struct counters c;
	struct err err;

	assert_int_equal(ledger_count(f->ledger, &c, NULL, NULL, &err), 0);
	assert_int_equal(counters_records(&c), records);
	assert_int_equal(counters_pending(&c), pending);
}

static void
test_recorded(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now();
	struct imported items[] = { { fingerprint_of(1), now - 10 }, { fingerprint_of(2), now - 20 }, { fingerprint_of(1), now - 30 } };
	struct claim claim = { .attempted = false };

	assert_int_equal(import(f, items, 3, now), 2);
	fixture_reopen(f);
	claim_as(f, 1, now, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, now - 10);
	assert_int_equal(claim.record.decided, now);
	assert_int_equal(claim.record.flags, RECORD_IMPORTED);
	claim_as(f, 2, now, CLAIM_DUPLICATE, &claim);
	claim_as(f, 2, now - 20 + WINDOW + 1, CLAIM_NEW, &claim);
	claim_as(f, 3, now, CLAIM_NEW, &claim);
	assert_counters(f, 2, 0);
	assert_int_equal(import(f, items, 0, now), 0);
}

/* Whatever has a record keeps it, unless it has expired. A delivery that replaces an imported record is a delivery. */
static void
test_untouched(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now();
	struct imported items[] = { { fingerprint_of(1), now - 10 }, { fingerprint_of(2), now - 10 }, { fingerprint_of(3), now - 10 } };
	struct claim claim = { .attempted = false };
	struct err err;

	claim_as(f, 1, now, CLAIM_NEW, &claim);
	decide_as(f, &claim, "pending", now - 5 * WINDOW, CLAIM_WON);
	claim_as(f, 2, now, CLAIM_NEW, &claim);
	decide_as(f, &claim, "delivered", now - WINDOW / 2, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, &err), 0);
	claim_as(f, 3, now, CLAIM_NEW, &claim);
	decide_as(f, &claim, "expired", now - 2 * WINDOW, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, &err), 0);

	assert_int_equal(import(f, items, 3, now), 1);
	claim_as(f, 1, now, CLAIM_PENDING, &claim);
	assert_int_equal(claim.record.first, now - 5 * WINDOW);
	assert_int_equal(claim.record.intent.len, strlen("pending"));
	claim_as(f, 2, now, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, now - WINDOW / 2);
	assert_int_equal(claim.record.flags, 0);
	claim_as(f, 3, now, CLAIM_DUPLICATE, &claim);
	assert_int_equal(claim.record.first, now - 10);
	assert_counters(f, 3, 1);

	claim_as(f, 3, now + 2 * WINDOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "again", now + 2 * WINDOW, CLAIM_WON);
	assert_int_equal(claim.record.flags, 0);
}

/* More than one section holds. */
static void
test_many(void **state)
{
	struct fixture *f = *state;
	struct imported *items = calloc(MANY, sizeof(*items));
	struct claim claim = { .attempted = false };
	int64_t now = clock_now();
	unsigned int i;

	assert_non_null(items);
	for (i = 0; i < MANY; i++) {
		items[i].fp = fingerprint_of(i * 7919 % 1000003);
		items[i].first = now - i % 100;
	}
	assert_int_equal(import(f, items, MANY, now), MANY);
	assert_int_equal(import(f, items, MANY, now), 0);
	fixture_reopen(f);
	for (i = 0; i < MANY; i += 97) {
		claim_as(f, i * 7919 % 1000003, now, CLAIM_DUPLICATE, &claim);
		assert_int_equal(claim.record.first, now - i % 100);
	}
	assert_counters(f, MANY, 0);
	free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_STORE(test_recorded),
		EVERY_STORE(test_untouched),
		EVERY_STORE(test_many),
	};

	return RUN_EVERY_STORE("import", tests);
}
