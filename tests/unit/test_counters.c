/* The histogram of ages: compared with a walk through all records, whatever comes and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counters.h"
#include "record.h"

#define DAY 86400
#define NOW INT64_C(1800000000)
#define MANY 4000

struct bytes {
	size_t len;
	unsigned char bytes[RECORD_MAX];
};

static void
make(struct bytes *value, enum record_state state, int64_t first)
{
	static struct record record;

	record.state = state;
	record.first = record.decided = first;
	record.intent.len = state == RECORD_PENDING ? 3 : 0;
	value->len = record_encode(&record, value->bytes);
}

static void
add(struct counters *c, enum record_state state, int64_t first)
{
	struct bytes value;

	make(&value, state, first);
	counters_add(c, value.bytes, value.len);
}

static void
take(struct counters *c, enum record_state state, int64_t first)
{
	struct bytes value;

	make(&value, state, first);
	counters_remove(c, value.bytes, value.len);
}

static void
test_nothing(void **state)
{
	struct counters c = { .damaged = 0 };
	int64_t oldest, newest;

	(void)state;
	assert_false(counters_range(&c, &oldest, &newest));
	assert_true(counters_records(&c) == 0 && counters_pending(&c) == 0);
	take(&c, RECORD_PENDING, NOW);		/* was never there */
	counters_remove(&c, "?", 1);
	assert_true(counters_records(&c) == 0 && counters_pending(&c) == 0);
}

/* A delivery: pending, then delivered. */
static void
test_one(void **state)
{
	struct counters c = { .damaged = 0 };
	int64_t oldest, newest;

	(void)state;
	add(&c, RECORD_PENDING, NOW);
	assert_true(counters_records(&c) == 1 && counters_pending(&c) == 1);
	assert_true(counters_pending_before(&c, NOW) == 0 && counters_pending_before(&c, NOW + 1) == 1);
	assert_true(counters_delivered_before(&c, NOW + 1) == 0);
	take(&c, RECORD_PENDING, NOW);
	add(&c, RECORD_DELIVERED, NOW);
	assert_true(counters_records(&c) == 1 && counters_pending(&c) == 0);
	assert_true(counters_delivered_before(&c, NOW) == 0 && counters_delivered_before(&c, NOW + 1) == 1);
	assert_true(counters_range(&c, &oldest, &newest));
	assert_true(oldest == NOW && newest == NOW);
	take(&c, RECORD_DELIVERED, NOW);
	assert_false(counters_range(&c, &oldest, &newest));
}

static void
test_damaged(void **state)
{
	struct counters c = { .damaged = 0 };

	(void)state;
	counters_add(&c, "?", 1);
	add(&c, RECORD_DELIVERED, NOW);
	assert_true(c.damaged == 1 && counters_records(&c) == 2);
	counters_remove(&c, "?", 1);
	assert_true(c.damaged == 0 && counters_records(&c) == 1);
}

/* Clocks that were wrong. */
static void
test_any_time(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, 1, NOW, INT64_C(1) << 40, INT64_MAX };
	struct counters c = { .damaged = 0 };
	size_t i, n = sizeof(times) / sizeof(times[0]);

	(void)state;
	for (i = 0; i < n; i++)
		add(&c, RECORD_PENDING, times[i]);
	assert_true(counters_records(&c) == n && counters_pending(&c) == n);
	for (i = 0; i < n; i++)
		take(&c, RECORD_PENDING, times[i]);
	assert_true(counters_records(&c) == 0 && counters_pending(&c) == 0);
	assert_true(c.first_spans == 0 && c.pending_spans == 0);
}

static uint64_t
below(const int64_t *times, size_t n, int64_t t)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += times[i] < t;
	return sum;
}

static void
check_spans(const struct counters *c)
{
	uint32_t i;

	assert_in_range(c->first_spans, 0, COUNTERS_FIRST);
	for (i = 0; i < c->first_spans; i++) {
		assert_true(c->first[i].from <= c->first[i].to);
		assert_int_not_equal(c->first[i].records, 0);
		assert_true(i == 0 || c->first[i].to < c->first[i - 1].from);
	}
}

/* What a week of mail leaves, in any order: counts are exact, ages to a few hours. */
static void
test_many(void **state)
{
	static int64_t times[MANY];
	struct counters c = { .damaged = 0 };
	int64_t oldest, newest, t;
	size_t i, n, order;

	(void)state;
	for (order = 0; order < 3; order++) {
		srand((unsigned)order + 1);
		for (i = 0; i < MANY; i++) {
			times[i] = NOW - (order == 0 ? 9 * DAY - (int64_t)i * 9 * DAY / MANY : order == 1 ? (int64_t)i * 9 * DAY / MANY :
			    rand() % (9 * DAY));
			add(&c, RECORD_DELIVERED, times[i]);
			check_spans(&c);
		}
		assert_true(counters_records(&c) == MANY);
		assert_true(counters_range(&c, &oldest, &newest));
		assert_true(below(times, MANY, oldest) == 0 && below(times, MANY, newest + 1) == MANY);
		for (t = NOW - 10 * DAY; t < NOW + DAY; t += 10000) {
			assert_true(counters_delivered_before(&c, t) <= below(times, MANY, t));
			assert_true(counters_delivered_before(&c, t) >= below(times, MANY, t - DAY / 2));
		}
		for (n = MANY; n > 0; n--) {	/* some from either end, some from within */
			i = n % 3 == 0 ? 0 : n % 3 == 1 ? n - 1 : (size_t)rand() % n;
			take(&c, RECORD_DELIVERED, times[i]);
			times[i] = times[n - 1];
			check_spans(&c);
			assert_true(counters_records(&c) == n - 1);
		}
		assert_int_equal(c.first_spans, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_one), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_any_time), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
