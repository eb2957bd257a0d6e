/* Intents of any bytes, and the search for an entry in pieces of any size. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mbox_fixture.h"

static struct mbox_entry made, read_back;

static void
make_intent(struct intent *intent)
{
	struct message *m = message_text(ENVELOPE "A: b\n\nc\n");

	file_text("x\n");
	options.head = "Delivered-To: me\n";
	decide_only(m);
	message_free(&m);
	*intent = record.intent;
}

static void
test_intent(void **state)
{
	struct intent intent, again = { 0 };
	struct stat st;
	char got[sizeof(path)], small[4];

	(void)state;
	make_intent(&intent);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(intent.bytes[0], mbox_ops.tag);
	assert_int_equal(entry_decode(&made, &intent), 0);
	assert_string_equal(made.path, path);
	assert_int_equal(made.dev, st.st_dev);
	assert_int_equal(made.ino, st.st_ino);
	assert_int_equal(made.s0, 2);
	assert_int_equal(made.prefix_len, 2);
	assert_false(made.drop_return_path);
	assert_memory_equal(made.head, "\n" ENVELOPE "X-Dedup-Id: ", sizeof(ENVELOPE) + 12);
	assert_memory_equal(made.head + made.head_len - 18, "\nDelivered-To: me\n", 18);
	assert_int_equal(made.len, made.head_len + 9);
	assert_int_equal(entry_encode(&made, &again, &err), 0);
	assert_int_equal(again.len, intent.len);
	assert_memory_equal(again.bytes, intent.bytes, intent.len);
	assert_int_equal(mbox_ops.intent_path(&intent, got, sizeof(got)), 0);
	assert_string_equal(got, path);
	assert_int_equal(mbox_ops.intent_path(&intent, small, sizeof(small)), -1);
}

static void
test_bad_intents(void **state)
{
	struct intent intent, bad;
	unsigned char *exact;
	size_t i, len;
	int round;

	(void)state;
	make_intent(&intent);
	for (len = 0; len < intent.len; len++) {	/* cut short */
		bad = intent;
		bad.len = len;
		memset(bad.bytes + len, 0xff, sizeof(bad.bytes) - len);
		assert_int_equal(entry_decode(&read_back, &bad), -1);
	}
	bad = intent;
	bad.len++;
	assert_int_equal(entry_decode(&read_back, &bad), -1);
	bad.len = SIZE_MAX;
	assert_int_equal(entry_decode(&read_back, &bad), -1);
	srand(7);
	for (round = 0; round < 20000; round++) {	/* changed, or garbage behind the first bytes */
		bad = intent;
		exact = bad.bytes;
		for (i = 0; i < 3; i++)
			exact[(size_t)rand() % bad.len] = (unsigned char)rand();
		if (round % 4 == 0) {
			bad.len = (size_t)rand() % INTENT_MAX;
			for (i = 3; i < bad.len; i++)
				exact[i] = (unsigned char)rand();
		}
		if (entry_decode(&read_back, &bad) == 0) {
			assert_true(read_back.prefix_len <= read_back.s0);
			assert_true(read_back.s0 + read_back.len <= INT64_MAX);
			assert_true(read_back.head_len <= sizeof(read_back.head));
			assert_int_equal(read_back.path[0], '/');
		}
	}
	memset(&bad, 0xff, sizeof(bad));
	bad.len = sizeof(bad.bytes);
	assert_int_equal(entry_decode(&read_back, &bad), -1);
}

static void
test_too_long(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n");
	struct mailbox *box;
	static char head[INTENT_MAX + 10];
	size_t len, refused = 0;

	(void)state;
	file_text("x\n");
	options.head = head;
	for (len = INTENT_MAX - 500; len < sizeof(head); len += 10) {
		memset(head, 'h', len);
		box = box_locked();
		if (mbox_ops.stage(box, m, NULL, &record.intent, &err) == -1) {
			assert_int_equal(mbox_ops.publish(box, &err), -1);
			refused++;
		}
		mbox_ops.close(&box);
	}
	assert_in_range(refused, 1, 49);
	file_check("x\n", 2);
	message_free(&m);
}

/* Settling with a changed intent must neither crash nor change the file. */
static void
test_hostile_intents(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n\nc\n");
	struct intent intent;
	struct mailbox *box;
	size_t at;

	(void)state;
	make_intent(&intent);
	file_text("x\nsomething else\n");
	box = box_locked();
	for (at = 1; at < intent.len; at++) {
		record.intent = intent;
		record.intent.bytes[at] ^= 0x81;
		assert_int_not_equal(mbox_ops.settle(box, &record, m, 0, &err), SETTLED);
	}
	mbox_ops.close(&box);
	file_check("x\nsomething else\n", 17);
	message_free(&m);
}

static const unsigned char id[MBOX_ID_BYTES] = { 0xaa, 0xbb };
#define ID_LINE "X-Dedup-Id: aabb0000000000000000000000000000\n"

/* Read in pieces; returns what was found, and checks that the pieces don't matter. */
static bool
look(const char *text, size_t len, uint64_t *start, uint64_t *end, struct witness *seen)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 3, 7, 64, 65, 4096 };
	struct witness_reader r;
	size_t i, at, n;
	bool found = false;

	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		witness_start(&r, id, NULL);
		for (at = 0; at < len; at += n) {
			n = len - at < pieces[i] ? len - at : pieces[i];
			witness_add(&r, text + at, n);
		}
		witness_end(&r);
		if (i == 0) {
			found = r.found;
			*start = r.start;
			*end = r.end;
			*seen = r.seen;
		}
		assert_int_equal(r.found, found);
		if (found) {
			assert_int_equal(r.start, *start);
			assert_int_equal(r.end, *end);
			assert_memory_equal(&r.seen, seen, sizeof(*seen));
		}
	}
	return found;
}

static void
check_digest(const unsigned char digest[DIGEST_BYTES], const void *bytes, size_t len)
{
	unsigned char want[DIGEST_BYTES];
	struct digest d;

	digest_start(&d);
	digest_add(&d, bytes, len);
	digest_end(&d, want);
	assert_memory_equal(digest, want, sizeof(want));
}

static void
check_found(const char *before, const char *head, const char *body, const char *end, const char *after)
{
	char text[4096];
	struct witness seen;
	uint64_t from, to;

	snprintf(text, sizeof(text), "%sFrom a\n%s\n%s%s%s", before, head, body, end, after);
	assert_true(look(text, strlen(text), &from, &to, &seen));
	assert_int_equal(from, strlen(before));
	assert_int_equal(to, strlen(text) - strlen(after));
	check_digest(seen.body, body, strlen(body));
}

static void
test_found(void **state)
{
	static const char *const befores[] = {
		"", "\n", "\r\n", "junk\n\n", "From x\nA: b\n\nc\n\n", "From x\n\n\r\n", "FFrom x\n\n", "From\n\n",
	};
	static const char *const bodies[] = {
		"", "x", "a\nb\n\nc", "\n\n\nx", "From\n\nFrom\n\nFro", "\rx", "a\n\r\n\r\nb", "\n\nFro\n\n F", "a\n\n>From b",
	};
	static const char *const ends[] = { "", "\n", "\r\n", "\n\n\n\n", "\n\r\n\r\n" };
	static const char *const afters[] = { "", "From y\n", "From y\nX-Dedup-Id: aabb0000000000000000000000000000\n\nother" };
	size_t i, j, k, l;

	(void)state;
	for (i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		for (j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++)
			for (k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
				for (l = 0; l < sizeof(afters) / sizeof(afters[0]); l++) {
					if (l > 0 && k < 3)
						continue;	/* a separator needs an empty line */
					check_found(befores[i], ID_LINE "A: b\n", bodies[j], ends[k], afters[l]);
				}
}

static void
test_head_digest(void **state)
{
	char text[4096], head[2048];
	static const char *const heads[] = {
		ID_LINE "A: b\nC: d\n", ID_LINE "A: b\nStatus: RO\nC: d\n", "X-UID: 7\n" ID_LINE "A: b\nC: d\nX-Keywords:\n a\n\tb\n",
		ID_LINE "sTATUS: R\n more\nA: b\nC: d\n",
	};
	static const char *const others[] = {
		ID_LINE "A: b\n", ID_LINE "C: d\nA: b\n", ID_LINE "A: b\nC: d\nStatusx: O\n", ID_LINE "A: b\n c\nC: d\n",
		"x-dedup-id:aabb0000000000000000000000000000\nA: b\nC: d\n",
	};
	struct witness seen;
	uint64_t start, end;
	unsigned char first[DIGEST_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		snprintf(text, sizeof(text), "From a\n%s\nbody\n", heads[i]);
		assert_true(look(text, strlen(text), &start, &end, &seen));
		check_digest(seen.head, ID_LINE "A: b\nC: d\n\n", strlen(ID_LINE) + 11);
	}
	memcpy(first, seen.head, sizeof(first));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(text, sizeof(text), "From a\n%s\nbody\n", others[i]);
		assert_true(look(text, strlen(text), &start, &end, &seen));
		assert_memory_not_equal(seen.head, first, sizeof(first));
	}
	memset(head, 'h', sizeof(head));		/* a line longer than what is looked at */
	head[sizeof(head) - 1] = '\0';
	snprintf(text, sizeof(text), "From a\n" ID_LINE "%s\n\nbody\n", head);
	assert_true(look(text, strlen(text), &start, &end, &seen));
	check_digest(seen.head, text + 7, strlen(text) - 7 - 5);
}

static void
test_not_found(void **state)
{
	static const char *const texts[] = {
		"", "From ", "From a\n", "From a\n" ID_LINE, "From a\n" ID_LINE "A: b", "From a\nA: b\n\n" ID_LINE "\nx\n",
		"x\nFrom a\n" ID_LINE "\nx\n", " From a\n" ID_LINE "\nx\n", "From a\nX-Dedup-Id: 0\n" ID_LINE "\nx\n",
		"from a\n" ID_LINE "\nx\n", "From a\n\n" ID_LINE "\nx\n", "From a\nX-Dedup-Ids" ID_LINE "\nx\n", ID_LINE "\nx\n",
		"From a\n " ID_LINE "\nx\n",
	};
	struct witness seen;
	uint64_t start, end;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(look(texts[i], strlen(texts[i]), &start, &end, &seen));
}

/* Newlines at the end of the body, few and many: counted only when something follows. */
static void
test_newline_runs(void **state)
{
	static const size_t runs[] = { 0, 1, 63, 64, 65, 66, 127, 128, 129, 1000, 70000 };
	static char text[300000];
	size_t i, j, n, body;
	uint64_t start, end;
	struct witness seen;

	(void)state;
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		for (j = 0; j < sizeof(runs) / sizeof(runs[0]); j++) {
			n = (size_t)snprintf(text, sizeof(text), "From a\n" ID_LINE "\n");
			body = n;
			text[n++] = 'x';
			memset(text + n, '\n', runs[i]);
			n += runs[i];
			text[n++] = 'y';
			memset(text + n, j % 2 == 0 ? '\n' : '\r', runs[j]);
			assert_true(look(text, n + runs[j], &start, &end, &seen));
			check_digest(seen.body, text + body, n - body);
			assert_int_equal(end, n + runs[j]);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_intent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_intents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_intents, setup, teardown),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_head_digest),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_newline_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
