/* A pending record met under the mbox lock: every row of the recovery table, and what must not count as one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mbox_fixture.h"

#define OLDER "From old@x Thu Jan  1 00:00:00 1970\nSubject: older\n\nolder\n"
#define FOREIGN "From other@x Thu Jan  1 00:00:00 1970\nSubject: foreign\n\nforeign\n\n"
#define MINE ENVELOPE "Received: first\nSubject: mine\n\nmy text\n>From me\n\nend"

static struct message *m, *retry;	/* the same message, and a copy that took another way */
static char entry[1024];		/* as deliver() writes it behind OLDER */
static size_t entry_len;

static int
setup_entry(void **state)
{
	size_t len;
	char *bytes;

	if (setup(state) == -1)
		return -1;
	m = message_text(MINE);
	retry = message_text(ENVELOPE "Received: second\nSubject: mine\n\nmy text\n>From me\n\nend");
	file_text(OLDER);
	deliver(m);
	bytes = file_get(&len);
	entry_len = len - strlen(OLDER);
	assert_true(entry_len < sizeof(entry));
	memcpy(entry, bytes + strlen(OLDER), entry_len + 1);
	free(bytes);
	syncs = 0;
	return 0;
}

static int
teardown_entry(void **state)
{
	message_free(&m);
	message_free(&retry);
	return teardown(state);
}

/* The file: OLDER, then so much of the entry, then more. */
static void
file_torn(size_t len, const char *more, size_t more_len)
{
	char bytes[4096];

	memcpy(bytes, OLDER, strlen(OLDER));
	memcpy(bytes + strlen(OLDER), entry, len);
	memcpy(bytes + strlen(OLDER) + len, more, more_len);
	file_put(bytes, strlen(OLDER) + len + more_len);
}

/* Settle; the file must not change, but be synced. */
static void
check_kept(const struct message *with, enum settled want)
{
	size_t before_len;
	char *before = file_get(&before_len);

	syncs = 0;
	assert_int_equal(settle(with), want);
	assert_true(syncs > 0);
	file_check(before, before_len);
	free(before);
}

static void
check_all_keep(enum settled want)
{
	check_kept(NULL, want);
	check_kept(m, want);
	check_kept(retry, want);
}

/* Found: its bytes were written again, so that the fsync means something. */
static void
test_whole(void **state)
{
	struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat st;

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	check_all_keep(SETTLED);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_mtim.tv_sec > 1);
	file_torn(entry_len, FOREIGN, strlen(FOREIGN));
	check_all_keep(SETTLED);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	file_text(FOREIGN);
	check_all_keep(SETTLE_GONE);
}

static void
test_failing_sync(void **state)
{
	(void)state;
	failing_syncs = 1;
	assert_int_equal(settle(m), SETTLE_FAILED);
	assert_int_equal(err.status, STATUS_TEMP);
	assert_int_equal(settle(m), SETTLED);
	file_torn(0, "", 0);
	failing_syncs = 1;
	assert_int_equal(settle(m), SETTLE_FAILED);
	assert_int_equal(settle(m), SETTLE_GONE);
	file_torn(20, "", 0);
	failing_syncs = 1;
	assert_int_equal(settle(m), SETTLE_FAILED);
	file_text(FOREIGN);
	failing_syncs = 1;
	assert_int_equal(settle(NULL), SETTLE_FAILED);
}

/* Nothing was appended: decide again, with the same id. */
static void
test_nothing(void **state)
{
	char id[MBOX_ID_HEX], again[MBOX_ID_HEX];
	struct mailbox *box;

	(void)state;
	recorded_id(id);
	file_torn(0, "", 0);
	check_all_keep(SETTLE_GONE);
	box = box_locked();
	assert_int_equal(mbox_ops.settle(box, &record, retry, 0, &err), SETTLE_GONE);
	stage(box, retry);
	assert_int_equal(mbox_ops.publish(box, &err), 0);
	mbox_ops.close(&box);
	recorded_id(again);
	assert_string_equal(id, again);
	check_kept(NULL, SETTLED);
	/* somebody else's record leaves no id behind */
	box = box_locked();
	file_torn(0, "", 0);
	assert_int_equal(mbox_ops.settle(box, &record, NULL, 0, &err), SETTLE_GONE);
	stage(box, m);
	mbox_ops.close(&box);
	recorded_id(again);
	assert_string_not_equal(id, again);
}

/* Every torn tail is cut, zeros included, if the message at hand is the recorded one. */
static void
test_torn(void **state)
{
	static const char zeros[sizeof(entry)];
	size_t len, text = entry_len;

	(void)state;
	while (entry[text - 1] == '\n')
		text--;
	for (len = 0; len < text; len++) {
		file_torn(len, "", 0);
		assert_int_equal(settle(m), SETTLE_GONE);
		file_check(OLDER, strlen(OLDER));
		file_torn(len, zeros, entry_len - len);
		assert_int_equal(settle(m), SETTLE_GONE);
		file_check(OLDER, strlen(OLDER));
		file_torn(len, "", 0);
		check_kept(NULL, SETTLE_GONE);
		check_kept(retry, SETTLE_GONE);
	}
	for (; len <= entry_len; len++) {		/* only newlines at the end are missing: whole by its witness */
		file_torn(len, "", 0);
		check_all_keep(SETTLED);
	}
}

/* A block in the middle that was not written. */
static void
test_holes(void **state)
{
	size_t at, whole = entry_len;
	char saved[sizeof(entry)];

	(void)state;
	memcpy(saved, entry, whole);
	for (at = 0; at + 10 < whole; at += 7) {
		memset(entry + at, 0, 10);
		file_torn(whole, "", 0);
		assert_int_equal(settle(m), SETTLE_GONE);
		file_check(OLDER, strlen(OLDER));
		file_torn(whole, FOREIGN, strlen(FOREIGN));
		check_all_keep(SETTLE_GONE);
		memcpy(entry, saved, whole);
	}
}

static void
test_foreign_tail(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len < entry_len - 3; len += 11) {
		file_torn(len, "x", 1);
		check_all_keep(SETTLE_GONE);
		file_torn(len, "\n\n" FOREIGN, strlen(FOREIGN) + 2);
		check_all_keep(SETTLE_GONE);
	}
	file_torn(0, FOREIGN, 20);
	check_all_keep(SETTLE_GONE);
	file_torn(entry_len - 20, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21);	/* one byte longer than the entry */
	check_all_keep(SETTLE_GONE);
}

/* The bytes before S0 are others: what follows may be anybody's. */
static void
test_prefix(void **state)
{
	char bytes[2048];

	(void)state;
	memcpy(bytes, OLDER, strlen(OLDER));
	memcpy(bytes + strlen(OLDER), entry, entry_len);
	bytes[3] = 'n';
	file_put(bytes, strlen(OLDER) + 40);
	check_all_keep(SETTLE_GONE);
	file_put(bytes, strlen(OLDER));
	check_all_keep(SETTLE_GONE);
	file_put(bytes, strlen(OLDER) + entry_len);	/* the search finds it all the same */
	check_all_keep(SETTLED);
	file_put(bytes, strlen(OLDER) - 1);
	check_all_keep(SETTLE_GONE);
	file_text("");
	check_all_keep(SETTLE_GONE);
}

/* A file that holds only what `format` says: %s is the entry's own header lines after From_, then its body. */
static char *
head_and_body(const char **body)
{
	static char head[1024];
	char *end;

	snprintf(head, sizeof(head), "%s", strchr(entry + 1, '\n') + 1);
	end = strstr(head, "\n\n");
	assert_non_null(end);
	end[1] = '\0';
	*body = end + 2;
	return head;
}

static void
file_rebuilt(const char *before, const char *head, const char *status, const char *body, const char *after)
{
	char bytes[4096];

	snprintf(bytes, sizeof(bytes), "%sFrom changed Fri Jan  2 00:00:00 1970\n%s%s\n%s%s", before, head, status, body, after);
	unlink(path);		/* readers rename, too */
	file_text(bytes);
}

static void
test_moved(void **state)
{
	const char *body;
	char *head = head_and_body(&body);

	(void)state;
	assert_string_equal(body, "my text\n>>From me\n\nend\n\n");
	file_rebuilt("", head, "", body, "");
	check_all_keep(SETTLED);
	file_rebuilt("", head, "Status: RO\nX-Status: A\nContent-Length: 17\nX-Keywords: a\n b\n", body, "");
	check_all_keep(SETTLED);
	file_rebuilt(FOREIGN, head, "X-UID: 7\n", body, FOREIGN);
	check_all_keep(SETTLED);
	file_rebuilt(FOREIGN FOREIGN "\n\n", head, "Status: O\n", body, "\n\n\n" FOREIGN);
	check_all_keep(SETTLED);
	file_rebuilt("", head, "Status: RO\n", "my text\n>>From me\n\nend\n", "");
	check_all_keep(SETTLED);
	file_rebuilt(OLDER, head, "", body, "");	/* does not begin after an empty line */
	check_all_keep(SETTLE_GONE);
}

/* The id alone proves nothing: a reader may have saved a torn entry. */
static void
test_torn_and_saved(void **state)
{
	const char *body;
	char *head = head_and_body(&body), *line;

	(void)state;
	file_rebuilt("", head, "Status: O\n", "my te", "");
	check_all_keep(SETTLE_GONE);
	file_rebuilt("", head, "Status: O\n", "my te", "\n\n" FOREIGN);
	check_all_keep(SETTLE_GONE);
	file_rebuilt("", head, "", "", "");
	check_all_keep(SETTLE_GONE);
	file_rebuilt("", head, "", "my text\n>>From me\n\nend\n\nand more\n", "");
	check_all_keep(SETTLE_GONE);
	line = strstr(head, "Subject: mine\n");
	assert_non_null(line);
	*line = '\0';
	file_rebuilt("", head, "", body, "");
	check_all_keep(SETTLE_GONE);
}

/* A message without a body: the header alone must tell a torn entry from a whole one. */
static void
test_no_body(void **state)
{
	struct message *bare = message_text(ENVELOPE "Subject: nothing but a header\n");
	size_t len, whole;
	char *bytes;

	(void)state;
	file_text("");
	deliver(bare);
	bytes = file_get(&whole);
	for (len = strlen(ENVELOPE) + 50; len < whole - 3; len++) {
		file_put(bytes, len);
		assert_int_equal(settle(NULL), SETTLE_GONE);
		memcpy(entry, bytes, len);
		strcpy(entry + len, "\n\n" FOREIGN);
		file_text(entry);
		check_kept(bare, SETTLE_GONE);
	}
	file_put(bytes, whole);
	check_kept(NULL, SETTLED);
	free(bytes);
	message_free(&bare);
}

static void
test_forged(void **state)
{
	const char *body;
	char *head = head_and_body(&body), copy[1024], id[MBOX_ID_HEX];

	(void)state;
	recorded_id(id);
	snprintf(copy, sizeof(copy), "X-Dedup-Id: 00000000000000000000000000000000\n%s", head);	/* another's entry that quotes ours */
	file_rebuilt("", copy, "", body, "");
	check_all_keep(SETTLE_GONE);
	file_rebuilt("", "Subject: bounce\n", "", head, body);
	check_all_keep(SETTLE_GONE);
	snprintf(copy, sizeof(copy), "Subject: bounce\n\nFrom: forged\n%s\n%s", head, body);
	file_rebuilt("", copy, "", "", "");
	check_all_keep(SETTLE_GONE);
	snprintf(copy, sizeof(copy), "X-Dedup-Id: %.31s\nReceived: first\nSubject: mine\n", id);
	file_rebuilt("", copy, "", body, "");
	check_all_keep(SETTLE_GONE);
	snprintf(copy, sizeof(copy), "X-Dedup-Id: %s0\nReceived: first\nSubject: mine\n", id);
	file_rebuilt("", copy, "", body, "");
	check_all_keep(SETTLE_GONE);
	snprintf(copy, sizeof(copy), "X-Dedup-Id : %s\nReceived: first\nSubject: mine\n", id);
	file_rebuilt("", copy, "", body, "");
	check_all_keep(SETTLE_GONE);
}

/* A message that holds a whole forged entry with an id of its own: quoted, so it is body and nothing else. */
static void
test_hostile_message(void **state)
{
	struct message *hostile = message_text(ENVELOPE "X-Dedup-Id: 11111111111111111111111111111111\nSubject: x\n\n\n"
	    "From evil@x Thu Jan  1 00:00:00 1970\nX-Dedup-Id: 22222222222222222222222222222222\nSubject: y\n\nz\n");
	char *bytes;
	size_t len;

	(void)state;
	file_text(OLDER);
	deliver(hostile);
	check_kept(NULL, SETTLED);
	bytes = file_get(&len);
	assert_non_null(strstr(bytes, "\n\n>From evil@x"));
	file_put(bytes + strlen(OLDER), len - strlen(OLDER));
	check_kept(NULL, SETTLED);
	file_put(bytes, len - 5);
	check_kept(NULL, SETTLE_GONE);
	free(bytes);
	message_free(&hostile);
}

/* With other added lines at the retry the record's own count, and Return-Path fields are treated as they were. */
static void
test_options_changed(void **state)
{
	struct message *with = message_text(ENVELOPE "Return-Path: <old@x>\nSubject: mine\n\nmy text\n");

	(void)state;
	options.head = "Return-Path: <a@b>\n";
	options.drop_return_path = true;
	file_text(OLDER);
	deliver(with);
	options.head = "Delivered-To: me\n";
	options.drop_return_path = false;
	assert_int_equal(truncate(path, (off_t)strlen(OLDER) + 100), 0);
	assert_int_equal(settle(with), SETTLE_GONE);
	file_check(OLDER, strlen(OLDER));
	message_free(&with);
}

static void
test_unreadable_record(void **state)
{
	(void)state;
	record.intent.len -= 1;
	check_all_keep(SETTLE_GONE);
	assert_int_equal(notices, 3);
	record.intent.len = 0;
	check_all_keep(SETTLE_GONE);
	failing_syncs = 1;
	assert_int_equal(settle(m), SETTLE_FAILED);
}

/* Kill after every byte of the append, deliver again: one whole entry, and the others as they were. */
static void
test_again(void **state)
{
	const struct message *copies[2] = { m, retry };
	struct record first = record;
	struct mailbox *box;
	enum settled settled;
	char id[MBOX_ID_HEX], line[64], *bytes, *found;
	size_t len, got, copy;

	(void)state;
	recorded_id(id);
	snprintf(line, sizeof(line), "\nX-Dedup-Id: %s\n", id);
	for (len = 0; len <= entry_len; len++) {
		for (copy = 0; copy < 2; copy++) {
			record = first;
			file_torn(len, "", 0);
			box = box_locked();
			settled = mbox_ops.settle(box, &record, copies[copy], 0, &err);
			assert_int_not_equal(settled, SETTLE_FAILED);
			if (settled == SETTLE_GONE) {
				stage(box, copies[copy]);
				assert_int_equal(mbox_ops.publish(box, &err), 0);
			}
			mbox_ops.close(&box);
			check_kept(NULL, SETTLED);
			bytes = file_get(&got);
			assert_memory_equal(bytes, OLDER "\n", strlen(OLDER) + (len > 0 || settled == SETTLE_GONE));
			found = strstr(bytes, "my text\n>>From me\n\nend");
			assert_non_null(found);
			assert_null(strstr(found + 1, "my text\n>>From me\n\nend"));
			assert_non_null(strstr(bytes, line));
			free(bytes);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_failing_sync, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_nothing, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_torn, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_holes, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_foreign_tail, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_prefix, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_moved, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_torn_and_saved, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_no_body, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_forged, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_hostile_message, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_options_changed, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_unreadable_record, setup_entry, teardown_entry),
		cmocka_unit_test_setup_teardown(test_again, setup_entry, teardown_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
