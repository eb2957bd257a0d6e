/* Delivery into an mbox: what is appended, where, and what an error leaves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include <signal.h>
#include <time.h>

#include "mbox_fixture.h"

/* Deliver behind `before`; the file must then be `before` and `after`, in which %s stands for the id. */
static void
check_append(const char *before, const char *in, size_t in_len, const char *after, size_t after_len)
{
	static char want[65536];
	char id[MBOX_ID_HEX];
	const char *mark;
	struct message *m = message_of(in, in_len);
	size_t n = strlen(before), at;

	file_text(before);
	deliver(m);
	message_free(&m);
	recorded_id(id);
	memcpy(want, before, n);
	mark = memmem(after, after_len, "%s", 2);
	assert_non_null(mark);
	at = (size_t)(mark - after);
	memcpy(want + n, after, at);
	memcpy(want + n + at, id, MBOX_ID_HEX - 1);
	memcpy(want + n + at + MBOX_ID_HEX - 1, mark + 2, after_len - at - 2);
	file_check(want, n + after_len - 2 + MBOX_ID_HEX - 1);
}

static void
check(const char *before, const char *in, const char *after)
{
	check_append(before, in, strlen(in), after, strlen(after));
}

static void
test_new_file(void **state)
{
	struct message *m = message_text(ENVELOPE "Subject: x\n\ny\n");
	char want[256], id[MBOX_ID_HEX];
	struct stat st;

	(void)state;
	deliver(m);
	recorded_id(id);
	snprintf(want, sizeof(want), ENVELOPE "X-Dedup-Id: %s\nSubject: x\n\ny\n\n", id);
	file_check(want, strlen(want));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(syncs, 2);		/* the file and its entry in the folder */
	message_free(&m);
}

static void
test_separation(void **state)
{
	static const char *const in = ENVELOPE "A: b\n\nc\n";
	static const struct { const char *before, *after; } files[] = {
		{ "", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "\r\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x\n\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x\n\r\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x\n", "\n" ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x\r\n", "\n" ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x", "\n\n" ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
		{ "x\n\nFrom y\n\ntorn in the mid", "\n\n" ENVELOPE "X-Dedup-Id: %s\nA: b\n\nc\n\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		check(files[i].before, in, files[i].after);
}

static void
test_messages(void **state)
{
	static const char nul[] = ENVELOPE "A: \0b\n\n\0c\0\n", nul_after[] = ENVELOPE "X-Dedup-Id: %s\nA: \0b\n\n\0c\0\n\n";

	(void)state;
	check("", ENVELOPE "A: b\n\nno newline", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nno newline\n\n");
	check("", ENVELOPE "A: b\n\nempty lines\n\n\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\nempty lines\n\n\n\n");
	check("", ENVELOPE, ENVELOPE "X-Dedup-Id: %s\n\n");
	check("", ENVELOPE "no header", ENVELOPE "X-Dedup-Id: %s\nno header\n\n");
	check("", ENVELOPE "A: b\r\n\r\nc\r\n", ENVELOPE "X-Dedup-Id: %s\nA: b\r\n\r\nc\r\n\n");
	check("", "From a@b Thu Jan  1 00:00:00 1970\r\nA: b\n", ENVELOPE "X-Dedup-Id: %s\nA: b\n\n");
	check("", ENVELOPE ">From z\nA: b\n\n>>>From z\nFrom y\n\n>From x\nFrom\n",
	    ENVELOPE "X-Dedup-Id: %s\nA: b\n\n>>>>From z\n>From y\n\n>>From x\nFrom\n\n");
	check_append("", nul, sizeof(nul) - 1, nul_after, sizeof(nul_after) - 1);
	check("", "From a\x01\x7f b  c \nA: b\n", "From a__ b  c\nX-Dedup-Id: %s\nA: b\n\n");
}

static void
test_added_lines(void **state)
{
	(void)state;
	options.head = "Return-Path: <a@b>\nDelivered-To: c@d\n";
	check("", ENVELOPE "Return-Path: <old@x>\nA: b\n\nc\n",
	    ENVELOPE "X-Dedup-Id: %s\nReturn-Path: <a@b>\nDelivered-To: c@d\nReturn-Path: <old@x>\nA: b\n\nc\n\n");
	options.drop_return_path = true;
	check("", ENVELOPE "Return-Path: <old@x>\nA: b\n\nc\n",
	    ENVELOPE "X-Dedup-Id: %s\nReturn-Path: <a@b>\nDelivered-To: c@d\nA: b\n\nc\n\n");
	options.head = "From x\n";
	check("", ENVELOPE "A: b\n\nc\n", ENVELOPE "X-Dedup-Id: %s\n>From x\nA: b\n\nc\n\n");
}

static void
check_from_line(const char *sender, const char *in, const char *want)
{
	struct message *m = message_text(in);
	size_t len, n = strlen(want);
	char *bytes, *date;
	struct tm tm;
	int64_t now = clock_now();

	unlink(path);
	options.sender = sender;
	deliver(m);
	bytes = file_get(&len);
	assert_true(len > n + 26);
	assert_memory_equal(bytes, want, n);
	assert_int_equal(bytes[n], ' ');
	memset(&tm, 0, sizeof(tm));
	date = strptime(bytes + n + 1, "%a %b %d %H:%M:%S %Y", &tm);
	assert_non_null(date);
	assert_ptr_equal(date, bytes + n + 25);
	assert_int_equal(*date, '\n');
	assert_true(timegm(&tm) - now <= 2 && timegm(&tm) >= now);
	free(bytes);
	message_free(&m);
}

static void
test_from_line(void **state)
{
	char sender[2000], want[600];

	(void)state;
	check_from_line("c@d", "A: b\n", "From c@d");
	check_from_line("c@d", "From \nA: b\n", "From c@d");
	check_from_line(NULL, "A: b\n", "From MAILER-DAEMON");
	check_from_line("", "A: b\n", "From MAILER-DAEMON");
	check_from_line("<>", "A: b\n", "From MAILER-DAEMON");
	check_from_line("\"a b\"\t\n\r\x7f@c", "A: b\n", "From \"a_b\"____@c");
	memset(sender, 's', sizeof(sender) - 1);
	sender[sizeof(sender) - 1] = '\0';
	snprintf(want, sizeof(want), "From %.512s", sender);
	check_from_line(sender, "A: b\n", want);
}

static void
check_refused(void)
{
	struct mailbox *box = NULL;

	assert_int_equal(mbox_ops.open(&box, &options, &err), -1);
	assert_null(box);
	assert_int_equal(err.status, STATUS_TEMP);
	assert_non_null(strstr(err.text, options.path));
}

static void
test_odd_files(void **state)
{
	char other[160];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(symlink(other, path), 0);
	check_refused();
	assert_int_equal(access(other, F_OK), -1);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_refused();
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	check_refused();
	rmdir(path);
	file_text("x");
	assert_int_equal(link(path, other), 0);
	check_refused();
	unlink(other);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
		check_refused();
	}
	unlink(path);
	options.path = "/dev/null";
	check_refused();
	snprintf(other, sizeof(other), "%s/missing/box", folder);
	options.path = other;
	assert_int_equal(mbox_ops.open(&(struct mailbox *){ NULL }, &options, &err), -1);
	assert_int_equal(err.status, STATUS_TEMP);
	snprintf(other, sizeof(other), "%s/missing", folder);
	assert_int_equal(access(other, F_OK), -1);
}

static void
test_folder_ignored(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n");

	(void)state;
	options.folder = "work";
	deliver(m);
	assert_int_equal(notices, 1);
	message_free(&m);
}

static void
test_unlocked(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n");
	struct mailbox *box;

	(void)state;
	assert_int_equal(mbox_ops.open(&box, &options, &err), 0);
	assert_int_equal(mbox_ops.stage(box, m, NULL, &record.intent, &err), -1);
	assert_int_equal(mbox_ops.publish(box, &err), -1);
	assert_int_equal(mbox_ops.settle(box, &record, m, 0, &err), SETTLE_FAILED);
	mbox_ops.close(&box);
	mbox_ops.close(&box);
	message_free(&m);
}

/* A reader replaced the file between open and lock. */
static void
test_replaced(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n");
	struct mailbox *box;
	char *bytes;
	size_t len;

	(void)state;
	file_text("old\n");
	assert_int_equal(mbox_ops.open(&box, &options, &err), 0);
	unlink(path);
	file_text("new\n");
	assert_int_equal(mbox_ops.lock(box, NULL, &err), 0);
	stage(box, m);
	assert_int_equal(mbox_ops.publish(box, &err), 0);
	mbox_ops.close(&box);
	bytes = file_get(&len);
	assert_memory_equal(bytes, "new\n\nFrom ", 10);
	free(bytes);
	message_free(&m);
}

static void
test_second_waits(void **state)
{
	struct mailbox *first = box_locked(), *second;

	(void)state;
	assert_int_equal(mbox_ops.open(&second, &options, &err), 0);
	assert_int_equal(mbox_ops.lock(second, NULL, &err), -1);
	assert_int_equal(err.status, STATUS_TEMP);
	mbox_ops.close(&first);
	assert_int_equal(mbox_ops.lock(second, NULL, &err), 0);
	mbox_ops.close(&second);
}

static void
check_not_published(const struct message *m, rlim_t room)
{
	struct mailbox *box = box_locked();
	struct rlimit old, limit;

	stage(box, m);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = room;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(mbox_ops.publish(box, &err), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	mbox_ops.close(&box);
}

static void
test_no_room(void **state)
{
	struct message *small = message_text(ENVELOPE "A: b\n\nbody\n"), *large;
	size_t len = 2 * 1024 * 1024;
	char *bytes = malloc(len);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', len);
	memcpy(bytes, "A: b\n\n", 6);
	large = message_of(bytes, len);
	file_text("kept\n");
	signal(SIGXFSZ, SIG_IGN);
	check_not_published(small, 50);
	assert_non_null(strstr(err.text, "write"));
	file_check("kept\n", 5);
	check_not_published(large, 1024 * 1024 + 17);
	assert_non_null(strstr(err.text, "write"));
	file_check("kept\n", 5);
	free(bytes);
	message_free(&small);
	message_free(&large);
}

static void
test_failing_sync(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n\nbody\n");

	(void)state;
	file_text("kept\n");
	failing_syncs = 1;
	check_not_published(m, RLIM_INFINITY);
	assert_int_equal(err.status, STATUS_TEMP);
	assert_int_equal(syncs, 2);
	file_check("kept\n", 5);
	unlink(path);
	options.strict = true;
	deliver(m);
	syncs = 0;
	deliver(m);
	assert_int_equal(syncs, 2);
	message_free(&m);
}

static void
test_intruders(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n\nbody\n");
	struct mailbox *box;
	size_t len;
	char *bytes;

	(void)state;
	/* between the decision and the append */
	file_text("kept\n");
	box = box_locked();
	stage(box, m);
	file_text("kept\nintruder\n");
	assert_int_equal(mbox_ops.publish(box, &err), -1);
	mbox_ops.close(&box);
	file_check("kept\nintruder\n", 14);
	/* just before the append: ours is readable */
	file_text("kept\n");
	box = box_locked();
	stage(box, m);
	intruder = "\nFrom x\n\nintruder\n";
	assert_int_equal(mbox_ops.publish(box, &err), 0);
	mbox_ops.close(&box);
	bytes = file_get(&len);
	assert_memory_equal(bytes, "kept\n\nFrom x\n\nintruder\n\nFrom a@b", 32);
	free(bytes);
	/* just before the append: ours is part of its last line */
	file_text("kept\n");
	box = box_locked();
	stage(box, m);
	intruder = "\nFrom x\n\nintruder";
	assert_int_equal(mbox_ops.publish(box, &err), -1);
	mbox_ops.close(&box);
	bytes = file_get(&len);
	assert_int_equal(len, 22 + 92);
	assert_memory_equal(bytes, "kept\n\nFrom x\n\nintruder\nFrom a@b", 31);
	free(bytes);
	message_free(&m);
}

static void
test_discard(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n");
	struct mailbox *box = box_locked();

	(void)state;
	stage(box, m);
	mbox_ops.discard(box);
	assert_int_equal(mbox_ops.publish(box, &err), -1);
	stage(box, m);
	mbox_ops.close(&box);
	file_check("", 0);
	message_free(&m);
}

static void
test_parallel(void **state)
{
	struct message *m = message_text(ENVELOPE "A: b\n\nbody\n");
	char *bytes, *p;
	size_t len, n = 0;
	int i, status;

	(void)state;
	options.lock_timeout_ms = 20000;
	for (i = 0; i < 8; i++) {
		if (fork() == 0) {
			for (i = 0; i < 10; i++)
				deliver(m);
			_exit(0);
		}
	}
	for (i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	bytes = file_get(&len);
	for (p = bytes; *p != '\0'; n++) {
		assert_memory_equal(p, ENVELOPE "X-Dedup-Id: ", sizeof(ENVELOPE) + 11);
		p += sizeof(ENVELOPE) + 11 + MBOX_ID_HEX - 1;
		assert_memory_equal(p, "\nA: b\n\nbody\n\n", 13);
		p += 13;
	}
	assert_int_equal(n, 80);
	free(bytes);
	message_free(&m);
}

static void
test_large(void **state)
{
	size_t i, n, len = 20 * 1024 * 1024;
	char *in = malloc(len), *bytes, id[MBOX_ID_HEX], head[128];
	struct message *m;

	(void)state;
	assert_non_null(in);
	for (i = 0; i < len; i++)
		in[i] = (char)(i % 76 == 75 ? '\n' : 'A' + i % 23 % 5);
	memcpy(in, "Subject: large\n\n", 16);
	m = message_of(in, len);
	options.sender = "a@b";
	deliver(m);
	recorded_id(id);
	bytes = file_get(&n);
	snprintf(head, sizeof(head), "\nX-Dedup-Id: %s\n", id);
	assert_memory_equal(bytes + strlen("From a@b Thu Jan  1 00:00:00 1970"), head, strlen(head));
	i = strlen(ENVELOPE) + strlen(head) - 1;
	assert_int_equal(n, i + len + (in[len - 1] == '\n' ? 1 : 2));
	assert_memory_equal(bytes + i, in, len);
	free(bytes);
	assert_int_equal(settle(NULL), SETTLED);
	assert_int_equal(truncate(path, 10 * 1024 * 1024), 0);
	assert_int_equal(settle(m), SETTLE_GONE);
	file_check("", 0);
	message_free(&m);
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_separation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_added_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unlocked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intruders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parallel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
