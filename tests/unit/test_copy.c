/* The copier: byte-exact, whatever the size of the pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lda/copy.h"

struct buffer {
	size_t len;
	size_t writes;
	char bytes[8 * 1024 * 1024];
};

static struct buffer out;
static struct copier copier;

static int
buffer_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct buffer *b = arg;

	(void)err;
	assert_true(len <= sizeof(b->bytes) - b->len);
	memcpy(b->bytes + b->len, buf, len);
	b->len += len;
	b->writes++;
	return 0;
}

static int
failing_write(void *arg, const void *buf, size_t len, struct err *err)
{
	(void)arg;
	(void)buf;
	(void)len;
	return err_set(err, STATUS_TEMP, "full");
}

static void
copy_in_pieces(const struct copy_options *options, const char *in, size_t len, size_t piece)
{
	struct sink sink = { buffer_write, &out };
	struct err err;
	size_t n;

	out.len = out.writes = 0;
	copier_init(&copier, options, &sink);
	for (; len > 0; in += n, len -= n) {
		n = len < piece ? len : piece;
		assert_int_equal(copier.in.write(copier.in.arg, in, n, &err), 0);
	}
	assert_int_equal(copier_finish(&copier, &err), 0);
	assert_int_equal(copier.last, out.len == 0 ? -1 : (unsigned char)out.bytes[out.len - 1]);
}

static void
check_bytes(const struct copy_options *options, const char *in, size_t in_len, const char *want, size_t want_len)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 7, 64, 4096, SIZE_MAX };
	size_t i;

	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		copy_in_pieces(options, in, in_len, pieces[i]);
		assert_int_equal(out.len, want_len);
		assert_memory_equal(out.bytes, want, want_len);
	}
}

static void
check(const struct copy_options *options, const char *in, const char *want)
{
	check_bytes(options, in, strlen(in), want, strlen(want));
}

static const struct copy_options plain = { .head = "" };
static const struct copy_options drop = { .head = "Return-Path: <new@x>\n", .drop_return_path = true };
static const struct copy_options quote = { .head = "", .quote_from = true };
static const struct copy_options both = { .head = "X: y\n", .drop_return_path = true, .quote_from = true };

static void
test_unchanged(void **state)
{
	(void)state;
	check(&plain, "", "");
	check(&plain, "\n", "\n");
	check(&plain, "Subject: x\n\nFrom me\n>From you\n", "Subject: x\n\nFrom me\n>From you\n");
	check(&plain, "Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n");
	check(&plain, "no newline", "no newline");
	check(&plain, "Return-Path: <a@b>\n\n", "Return-Path: <a@b>\n\n");
	check_bytes(&both, "A: \0\n\n\0From \0\n\nFrom \0", 20, "X: y\nA: \0\n\n\0From \0\n\n>From \0", 26);
}

static void
test_envelope(void **state)
{
	(void)state;
	check(&plain, "From a@b Thu Jan  1 00:00:00 1970\nSubject: x\n\ny\n", "Subject: x\n\ny\n");
	check(&plain, "From a\r\n>From b\nFrom c\nSubject: x\n", "Subject: x\n");
	check(&plain, "From a\n\nFrom b\n", "\nFrom b\n");
	check(&plain, "From a", "");
	check(&plain, "From", "From");
	check(&plain, ">From", ">From");
	check(&plain, ">>From a\n", ">>From a\n");
	check(&plain, "From: a\nFrom b\n", "From: a\nFrom b\n");
	check(&quote, ">From x\n>From y\nFrom: a\n", "From: a\n");
	check(&drop, "From a\n", "Return-Path: <new@x>\n");
	check(&drop, "", "Return-Path: <new@x>\n");
}

/* A message that begins with a blank has no header: the added lines must not take its first line as a continuation. */
static void
test_blank_first(void **state)
{
	static const struct copy_options follows = { .head = "", .follows = true, .quote_from = true };

	(void)state;
	check(&plain, " a\nB: c\n", " a\nB: c\n");
	check(&both, " a\nB: c\n\nd\n", "X: y\n\n a\nB: c\n\nd\n");
	check(&both, "From a@b\n\ta\nFrom b\n", "X: y\n\n\ta\n>From b\n");
	check(&follows, " a\n", "\n a\n");
	check(&follows, "A: b\n c\n\n d\n", "A: b\n c\n\n d\n");
	check(&follows, "text\n d\n", "text\n d\n");
	check(&follows, "\n d\n", "\n d\n");
	check(&both, "Return-Path: a\n b\n\n d\n", "X: y\n\n d\n");
}

static void
test_return_path(void **state)
{
	(void)state;
	check(&drop, "Return-Path: <old@x>\nSubject: x\n\nReturn-Path: body\n",
	    "Return-Path: <new@x>\nSubject: x\n\nReturn-Path: body\n");
	check(&drop, "A: b\r\nreTURN-path \t: <old@x>\r\n\tand\r\n more\r\nReturn-Path:\nReturn-Path\n",
	    "Return-Path: <new@x>\nA: b\r\nReturn-Path\n");
	check(&drop, "Return-Paths: 1\nReturn-Pat: 2\nReturn-Path x: 3\nReturn-Path: 4\n",
	    "Return-Path: <new@x>\nReturn-Paths: 1\nReturn-Pat: 2\nReturn-Path x: 3\nReturn-Path: 4\n");
	check(&drop, "A: b\n Return-Path: c\nReturn-Path: d", "Return-Path: <new@x>\nA: b\n Return-Path: c\n");
	check(&drop, "A: b\nReturn-Pa", "Return-Path: <new@x>\nA: b\nReturn-Pa");
	check(&drop, " A: b\nReturn-Path: d\n", "Return-Path: <new@x>\n\n A: b\nReturn-Path: d\n");
	check(&drop, "Return-Path: d\n:\nReturn-Path: e\n", "Return-Path: <new@x>\n:\nReturn-Path: e\n");
	check(&drop, "Return-Path: d\n\rReturn-Path: e\n", "Return-Path: <new@x>\n\rReturn-Path: e\n");
	check(&drop, "A\x80: b\nReturn-Path: e\n", "Return-Path: <new@x>\nA\x80: b\nReturn-Path: e\n");
	check(&both, "From z\nReturn-Path: d\n e\nFrom : q\n\n>From r", "X: y\n>From : q\n\n>>From r");
}

/* A name with its colon ends at the same byte as the library's. */
static void
test_name_limit(void **state)
{
	static char in[4096], want[8192];
	size_t blanks;

	(void)state;
	for (blanks = COPY_NAME_MAX - 15; blanks < COPY_NAME_MAX - 8; blanks++) {
		snprintf(in, sizeof(in), "Return-Path%*s:\nReturn-Path: b\n", (int)blanks, "");
		snprintf(want, sizeof(want), "%s%s", drop.head, blanks + 12 <= COPY_NAME_MAX ? "" : in);
		check(&drop, in, want);
	}
}

static void
test_quoting(void **state)
{
	(void)state;
	check(&quote, "A: b\n\nFrom x\n>From y\n>>>From z\n From a\nFrom\tb\nFrom",
	    "A: b\n\n>From x\n>>From y\n>>>>From z\n From a\nFrom\tb\nFrom");
	check(&quote, "\nFFrom x\n>>\n>>Fro\nFrom \n\n\nFrom ", "\nFFrom x\n>>\n>>Fro\n>From \n\n\n>From ");
	check(&quote, "\n\r\nFrom x\r\n>From y\r\n", "\n\r\n>From x\r\n>>From y\r\n");
	check(&quote, "\n>>>>", "\n>>>>");
	check(&quote, "\n>>>>F", "\n>>>>F");
	check(&quote, "\n>F>From x\nF>From y\n", "\n>F>From x\nF>From y\n");
	check(&quote, "A: b\nFrom x\nReturn-Path: y\n", "A: b\n>From x\nReturn-Path: y\n");
}

static void
test_long_quotes(void **state)
{
	static char in[1024 * 1024], want[sizeof(in) + 1];
	static const char *const ends[] = { "From x\n", "Fram x\n", "\n", "", "From", "From " };
	size_t i, n = 200000;

	(void)state;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		in[0] = want[0] = '\n';
		memset(in + 1, '>', n);
		strcpy(in + 1 + n, ends[i]);
		memset(want + 1, '>', n + 1);
		strcpy(want + 1 + n + (strncmp(ends[i], "From ", 5) == 0), ends[i]);
		check(&quote, in, want);
	}
}

/* A second, simple implementation of the quoting. */
static size_t
quote_simply(const char *in, size_t len, char *to)
{
	size_t i = 0, j, n = 0;

	while (i < len) {
		for (j = i; j < len && in[j] == '>'; j++)
			;
		if (len - j >= 5 && memcmp(in + j, "From ", 5) == 0)
			to[n++] = '>';
		do
			to[n++] = in[i];
		while (in[i++] != '\n' && i < len);
	}
	return n;
}

static void
test_random(void **state)
{
	static const char alphabet[] = ">>>>From \n\nFr\r\0x";
	static char in[65536], want[2 * sizeof(in)];
	size_t round, i, n, len;

	(void)state;
	srand(1);
	for (round = 0; round < 300; round++) {
		len = (size_t)rand() % (round < 250 ? 300 : sizeof(in) - 10);
		in[0] = '\n';
		for (i = 1; i < len + 1;) {
			if (rand() % 6 == 0) {
				memcpy(in + i, "\n>From ", 7);
				i += 7;
			} else
				in[i++] = alphabet[(size_t)rand() % sizeof(alphabet)];
			if (i + 8 > sizeof(in))
				break;
		}
		n = quote_simply(in, i, want);
		check_bytes(&quote, in, i, want, n);
	}
}

static void
test_large(void **state)
{
	size_t i, len = 4 * 1024 * 1024;
	char *in = malloc(len);

	(void)state;
	assert_non_null(in);
	for (i = 0; i < len; i++)
		in[i] = (char)(i % 77 == 76 ? '\n' : 'a' + i % 26);
	in[0] = '\n';
	check_bytes(&quote, in, len, in, len);
	copy_in_pieces(&plain, in, len, SIZE_MAX);
	assert_int_equal(out.writes, 1);
	copy_in_pieces(&plain, in, len, 1000);
	assert_true(out.writes <= len / COPY_BUFFER + 2);
	free(in);
}

static void
test_errors(void **state)
{
	struct sink sink = { failing_write, NULL };
	struct err err;

	(void)state;
	copier_init(&copier, &both, &sink);
	assert_int_equal(copier.in.write(copier.in.arg, "A: b\n", 5, &err), 0);
	assert_int_equal(copier_finish(&copier, &err), -1);
	assert_string_equal(err.text, "full");
	copier_init(&copier, &plain, &sink);
	assert_int_equal(copier.in.write(copier.in.arg, out.bytes, COPY_BUFFER + 10, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_blank_first),
		cmocka_unit_test(test_return_path),
		cmocka_unit_test(test_name_limit),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_long_quotes),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
