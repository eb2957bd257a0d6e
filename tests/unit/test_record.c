/* The encoding of records: round trips, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs.h"
#include "record.h"

static void
fill(struct record *r, size_t intent, size_t trace)
{
	memset(r, 0xa5, sizeof(*r));
	r->state = RECORD_PENDING;
	r->flags = 0x8001;
	r->first = INT64_C(0x0102030405060708);
	r->decided = -2;
	r->intent.len = intent;
	memset(r->intent.bytes, 'i', intent);
	r->trace_len = trace;
	memset(r->trace, 't', trace);
}

static void
assert_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->flags, b->flags);
	assert_true(a->first == b->first && a->decided == b->decided);
	assert_int_equal(a->intent.len, b->intent.len);
	assert_memory_equal(a->intent.bytes, b->intent.bytes, a->intent.len);
	assert_int_equal(a->trace_len, b->trace_len);
	assert_memory_equal(a->trace, b->trace, a->trace_len);
}

/* Decode from memory of exactly that size, so that tools see a read past its end. */
static int
decode(struct record *r, const unsigned char *buf, size_t len)
{
	unsigned char *copy = malloc(len + (len == 0));
	int64_t first;
	int ret;

	assert_non_null(copy);
	memcpy(copy, buf, len);
	ret = record_decode(r, copy, len);
	assert_int_equal(record_look(copy, len, &first), ret == -1 ? -1 : (int)r->state);
	assert_true(ret == -1 || first == r->first);
	free(copy);
	return ret;
}

static void
test_bytes(void **state)
{
	static const unsigned char want[] = {
		1, 1, 0x80, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0, 3, 'i', 'i', 'i', 0, 2, 't', 't'
	};
	unsigned char buf[RECORD_MAX];
	struct record r;

	(void)state;
	fill(&r, 3, 2);
	assert_int_equal(record_encode(&r, buf), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void
test_round_trip(void **state)
{
	static const size_t lens[][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 255, 256 }, { 300, 17 }, { INTENT_MAX, TRACE_MAX } };
	unsigned char buf[RECORD_MAX];
	struct record r, back;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		fill(&r, lens[i][0], lens[i][1]);
		r.state = i % 2 == 0 ? RECORD_PENDING : RECORD_DELIVERED;
		len = record_encode(&r, buf);
		assert_int_equal(len, 24 + lens[i][0] + lens[i][1]);
		assert_int_equal(decode(&back, buf, len), 0);
		assert_same(&r, &back);
	}
	assert_int_equal(len, RECORD_MAX);
}

static void
test_truncated(void **state)
{
	unsigned char buf[RECORD_MAX + 1];
	struct record r, back;
	size_t len, n;

	(void)state;
	fill(&r, 300, 40);
	len = record_encode(&r, buf);
	for (n = 0; n < len; n++)
		assert_int_equal(decode(&back, buf, n), -1);
	buf[len] = 0;
	assert_int_equal(decode(&back, buf, len + 1), -1);
	assert_int_equal(decode(&back, buf, len), 0);
}

static void
test_unknown(void **state)
{
	unsigned char buf[RECORD_MAX];
	struct record r, back;
	size_t len;
	int i;

	(void)state;
	fill(&r, 3, 4);
	len = record_encode(&r, buf);
	for (i = 0; i < 256; i++) {
		buf[0] = (unsigned char)i;
		assert_int_equal(decode(&back, buf, len), i == 1 ? 0 : -1);
	}
	buf[0] = 1;
	for (i = 0; i < 256; i++) {
		buf[1] = (unsigned char)i;
		assert_int_equal(decode(&back, buf, len), i == RECORD_PENDING || i == RECORD_DELIVERED ? 0 : -1);
	}
}

/* Lengths over the limits, though the bytes are there. */
static void
test_too_long(void **state)
{
	size_t room = 24 + 2 * 65536;
	unsigned char *buf = calloc(1, room);
	struct record back;

	(void)state;
	assert_non_null(buf);
	buf[0] = buf[1] = 1;
	buf[20] = (INTENT_MAX + 1) >> 8;
	buf[21] = (INTENT_MAX + 1) & 0xff;
	assert_int_equal(decode(&back, buf, 24 + INTENT_MAX + 1), -1);
	buf[20] = buf[21] = 0;
	buf[22] = (TRACE_MAX + 1) >> 8;
	buf[23] = (TRACE_MAX + 1) & 0xff;
	assert_int_equal(decode(&back, buf, 24 + TRACE_MAX + 1), -1);
	memset(buf + 20, 0xff, 4);
	assert_int_equal(decode(&back, buf, room), -1);
	free(buf);
}

/* Whatever bits flip: an error, or a record that is these very bytes. */
static void
test_flipped_bits(void **state)
{
	unsigned char buf[RECORD_MAX], again[RECORD_MAX];
	struct record r, back;
	size_t len, i, k;

	(void)state;
	fill(&r, 40, 30);
	len = record_encode(&r, buf);
	for (i = 0; i < 8 * len; i++)
		for (k = i; k < 8 * len; k += 1 + (i * 7 + k) % 97) {
			buf[i / 8] ^= (unsigned char)(1 << i % 8);
			if (k != i)
				buf[k / 8] ^= (unsigned char)(1 << k % 8);
			if (decode(&back, buf, len) == 0) {
				assert_int_equal(record_encode(&back, again), len);
				assert_memory_equal(again, buf, len);
			}
			buf[i / 8] ^= (unsigned char)(1 << i % 8);
			if (k != i)
				buf[k / 8] ^= (unsigned char)(1 << k % 8);
		}
	assert_int_equal(decode(&back, buf, len), 0);
	assert_same(&r, &back);
}

static void
test_age(void **state)
{
	struct record r;

	(void)state;
	fill(&r, 0, 0);
	r.first = 1000;
	assert_true(record_age(&r, 1000) == 0);
	assert_true(record_age(&r, 1001) == 1);
	assert_true(record_age(&r, 999) == 0);
	assert_true(record_age(&r, INT64_MIN) == 0);
	r.first = -5;
	assert_true(record_age(&r, 5) == 10);
	assert_true(record_age(&r, INT64_MAX) == INT64_MAX);
	r.first = INT64_MIN;
	assert_true(record_age(&r, INT64_MAX) == INT64_MAX);
	r.first = INT64_MAX;
	assert_true(record_age(&r, INT64_MIN) == 0);
}

static void
check_clock(int64_t t, const char *want)
{
	char text[CLOCK_TEXT];

	clock_text(text, t);
	assert_string_equal(text, want);
}

/* The times of a damaged record are shown, too. */
static void
test_clock(void **state)
{
	(void)state;
	check_clock(0, "1970-01-01T00:00:00Z");
	check_clock(1795176000, "2026-11-20T12:00:00Z");
	check_clock(INT64_C(0x0102030405060708), "@72623859790382856");
	check_clock(INT64_MAX, "@9223372036854775807");
	check_clock(INT64_MIN, "@-9223372036854775808");
	check_clock(-1, "@-1");
	check_clock(INT64_C(253402300799), "9999-12-31T23:59:59Z");
	check_clock(INT64_C(253402300800), "@253402300800");
}

/* libc's calendar is the same. */
static void
test_calendar(void **state)
{
	const time_t day = 86400, end = INT64_C(253402300800);
	struct tm tm;
	char want[CLOCK_TEXT];
	time_t t;

	(void)state;
	for (t = 0; t < end; t += t < 200 * 365 * day ? day + 1 : 29 * day + 7) {
		assert_non_null(gmtime_r(&t, &tm));
		assert_int_not_equal(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm), 0);
		check_clock(t, want);
		assert_int_equal(clock_of_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday), t - t % day);
	}
	assert_int_equal(clock_of_day(2026, 2, 31), clock_of_day(2026, 3, 3));
	assert_int_equal(clock_of_day(2024, 2, 29), clock_of_day(2024, 3, 1) - day);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
