/* Two hosts, "a" and "b", that share a ledger: what each makes of the other's pending records, where they share the mailbox and where not. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>

#include "fingerprint_lock.h"
#include "mail_fixture.h"
#include "mailbox.h"
#include "maildir_intent.h"
#include "maildir_name.h"
#include "mbox_entry.h"
#include "target.h"

#define DAY (24 * 3600)
#define TEXT "Message-ID: <a@b>\n\nhi\n"

struct fixture {
	char folder[64], path[80], away[80];
	struct mailbox_options options;
	struct message *m;
	struct record record;
	int64_t now;
	struct err err;
};

static char undo[2][400];	/* what fsync() finds undone: a file server was started anew */
static int undo_at;		/* at the n-th fsync() from now */
static int syncs;

int
fsync(int fd)
{
	syncs++;
	if (undo_at > 0 && --undo_at == 0)
		assert_int_equal(rename(undo[0], undo[1]), 0);
	return (int)syscall(SYS_fsync, fd);
}

static const struct fingerprint fp = { { 0xab, 0xab } };

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	strcpy(f->folder, "/tmp/dedup-hosts.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return -1;
	f->m = message_text(TEXT);
	snprintf(f->path, sizeof(f->path), "%s/M", f->folder);
	snprintf(f->away, sizeof(f->away), "%s/away", f->folder);
	f->options = (struct mailbox_options){ .path = f->path, .host = "a", .head = "", .locks = { MBOX_LOCK_FCNTL }, .lock_timeout_ms = 60,
		.lock_folder = -1 };
	f->now = clock_now();
	f->record.state = RECORD_PENDING;
	f->record.decided = f->record.first = f->now;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int ret = folder_remove(f->folder);

	message_free(&f->m);
	free(f);
	return ret;
}

static struct mailbox *
open_as(struct fixture *f, const struct mailbox_ops *ops, const char *host)
{
	struct mailbox *box = NULL;

	f->options.host = host;
	if (ops->open(&box, &f->options, &f->err) == -1 || (ops->lock != NULL && ops->lock(box, &fp, &f->err) == -1))
		fail_msg("%s", f->err.text);
	return box;
}

/* That host stages and decides, and is killed. */
static void
decide_as(struct fixture *f, const struct mailbox_ops *ops, const char *host)
{
	struct mailbox *box = open_as(f, ops, host);

	if (ops->stage(box, f->m, &fp, &f->record.intent, &f->err) == -1)
		fail_msg("%s", f->err.text);
	ops->close(&box);
}

static enum settled
settle_as(struct fixture *f, const struct mailbox_ops *ops, const char *host, int64_t later)
{
	struct mailbox *box = open_as(f, ops, host);
	enum settled settled;

	f->err.text[0] = '\0';
	settled = ops->settle(box, &f->record, f->m, f->now + later, &f->err);
	ops->close(&box);
	return settled;
}

/* The other host's mailbox, under the same path: away, and back. */
static void
swap(const struct fixture *f)
{
	char between[96];

	snprintf(between, sizeof(between), "%s/between", f->folder);
	assert_int_equal(rename(f->path, between), 0);
	if (access(f->away, F_OK) == 0)
		assert_int_equal(rename(f->away, f->path), 0);
	assert_int_equal(rename(between, f->away), 0);
}

/* A ledger of one host's own: not one system call more, and the intent of old. */
static void
test_alone(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;

	decide_as(f, &maildir_ops, NULL);
	assert_int_equal(files(f->path, "tmp"), 1);
	assert_int_equal(f->record.intent.bytes[1], 1);
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	assert_string_equal(in.host, "");
	assert_int_equal(in.marker, 0);
	assert_int_equal(settle_as(f, &maildir_ops, NULL, 1), SETTLED);
	assert_int_equal(take_files(f->path, "new"), 1);
	assert_int_equal(settle_as(f, &maildir_ops, NULL, 1), SETTLED);
	/* The same record in a ledger that others use: device and inode could be another host's. */
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_GONE);
}

static void
test_shared_maildir_is_helped(void **state)
{
	struct fixture *f = *state;

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(f->record.intent.bytes[1], 2);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLED);
	assert_int_equal(files(f->path, "new"), 1);
	assert_int_equal(settle_as(f, &maildir_ops, "a", 2), SETTLED);
	assert_int_equal(take_files(f->path, "new"), 1);
	/* A reader took it: the marker is the proof, on either host, for a day. */
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY - 1), SETTLED);
	assert_int_equal(settle_as(f, &maildir_ops, "a", DAY - 1), SETTLED);
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY), SETTLE_GONE);
	assert_int_equal(settle_as(f, &maildir_ops, "a", DAY), SETTLE_GONE);
	/* Without it there is none. */
	assert_int_equal(take_files(f->path, "tmp"), 1);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_int_equal(settle_as(f, &maildir_ops, "a", 1), SETTLE_GONE);
}

static void
test_other_maildir_is_left(void **state)
{
	struct fixture *f = *state;

	decide_as(f, &maildir_ops, "host-one");
	swap(f);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_int_equal(f->err.status, STATUS_TEMP);
	assert_non_null(strstr(f->err.text, "host host-one "));
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY - 1), SETTLE_ELSEWHERE);
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY), SETTLE_GONE);
	assert_int_equal(files(f->path, "new"), 0);
	swap(f);
	assert_int_equal(settle_as(f, &maildir_ops, "host-one", 1), SETTLED);
	assert_int_equal(files(f->path, "new"), 1);
}

/* What a copy of the tree has, even with the marker's very name, proves nothing; nor does the same folder in an older state. */
static void
test_a_copied_marker_proves_nothing(void **state)
{
	struct fixture *f = *state;
	char marker[MAILDIR_MARKER_MAX], path[512];
	struct maildir_intent in;
	int fd;

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	maildir_marker_name(marker, in.name);
	swap(f);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, marker);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	swap(f);
	assert_int_equal(take_files(f->path, "tmp"), 2);	/* a snapshot of this very folder, from before */
	assert_int_equal(settle_as(f, &maildir_ops, "a", 1), SETTLE_GONE);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
}

/* A snapshot of a stage on its way in. */
static void
test_torn_stage(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;
	char path[512];

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, in.name);
	assert_int_equal(truncate(path, (off_t)strlen(TEXT) - 1), 0);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_int_equal(settle_as(f, &maildir_ops, "a", 1), SETTLE_GONE);
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY), SETTLE_GONE);
	assert_int_equal(files(f->path, "new"), 0);
	assert_int_equal(files(f->path, "tmp"), 2);
}

/* Another host's process renamed it, and the file server's power was cut before our fsync. */
static void
test_undone(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;
	struct mailbox *box;
	int i;

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	snprintf(undo[0], sizeof(undo[0]), "%s/new/%s,S=22", f->path, in.name);
	snprintf(undo[1], sizeof(undo[1]), "%s/tmp/%s", f->path, in.name);
	for (i = 0; i < 2; i++) {	/* proved, and found */
		assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLED);
		undo_at = 1;
		assert_int_equal(settle_as(f, &maildir_ops, "a", i * DAY), SETTLE_FAILED);
		assert_non_null(strstr(f->err.text, "undone"));
		assert_int_equal(settle_as(f, &maildir_ops, "a", 1), SETTLED);
		syncs = 0;
		assert_int_equal(settle_as(f, &maildir_ops, "a", i * DAY), SETTLED);
		assert_int_equal(syncs, 2);
	}
	assert_int_equal(files(f->path, "new"), 1);

	box = open_as(f, &maildir_ops, "a");		/* and while its writer is at work */
	box->recorded = true;
	assert_int_equal(maildir_ops.stage(box, f->m, &fp, &f->record.intent, NULL), 0);
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	snprintf(undo[0], sizeof(undo[0]), "%s/new/%s,S=22", f->path, in.name);
	snprintf(undo[1], sizeof(undo[1]), "%s/tmp/%s", f->path, in.name);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLED);
	undo_at = 1;
	assert_int_equal(maildir_ops.publish(box, &f->err), -1);
	assert_int_equal(maildir_ops.publish(box, &f->err), 0);
	maildir_ops.close(&box);
	assert_int_equal(files(f->path, "new"), 2);
}

/* A mailbox that is replicated: found is published, wherever it came from. */
static void
test_found_is_published(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;
	char path[512];
	int fd;

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	swap(f);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	snprintf(path, sizeof(path), "%s/cur", f->path);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/cur/%s,S=22:2,S", f->path, in.name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLED);
}

/* The marker goes when the record is marked delivered, whoever did that; when the stage is discarded; and when nothing is recorded. */
static void
test_marker_goes(void **state)
{
	struct fixture *f = *state;
	struct mailbox *box = open_as(f, &maildir_ops, "a");

	assert_int_equal(maildir_ops.stage(box, f->m, &fp, &f->record.intent, NULL), 0);
	assert_int_equal(files(f->path, "tmp"), 2);
	maildir_ops.discard(box);
	assert_int_equal(files(f->path, "tmp"), 0);
	assert_int_equal(maildir_ops.stage(box, f->m, &fp, &f->record.intent, NULL), 0);
	box->recorded = true;
	assert_int_equal(maildir_ops.publish(box, NULL), 0);
	assert_int_equal(files(f->path, "tmp"), 1);
	maildir_ops.marked(box);
	assert_int_equal(files(f->path, "tmp"), 0);
	box->recorded = false;
	assert_int_equal(maildir_ops.stage(box, f->m, &fp, &f->record.intent, NULL), 0);
	assert_int_equal(maildir_ops.publish(box, NULL), 0);
	assert_int_equal(files(f->path, "tmp"), 0);
	maildir_ops.close(&box);

	decide_as(f, &maildir_ops, "a");
	box = open_as(f, &maildir_ops, "b");
	assert_int_equal(maildir_ops.settle(box, &f->record, NULL, f->now, NULL), SETTLED);
	assert_int_equal(files(f->path, "tmp"), 1);
	maildir_ops.marked(box);
	assert_int_equal(files(f->path, "tmp"), 0);
	maildir_ops.close(&box);
}

static void
test_folder_is_missing_here(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;

	decide_as(f, &maildir_ops, "a");
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	strcat(in.path, "/.elsewhere");
	assert_int_equal(maildir_intent_encode(&in, &f->record.intent), 0);
	assert_int_equal(settle_as(f, &maildir_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_non_null(strstr(f->err.text, "host a "));
	assert_int_equal(settle_as(f, &maildir_ops, "a", 1), SETTLE_FAILED);	/* it may not be mounted */
	assert_int_equal(settle_as(f, &maildir_ops, "b", DAY), SETTLE_GONE);
}

static void
test_mbox(void **state)
{
	struct fixture *f = *state;
	struct mailbox *box;

	decide_as(f, &mbox_ops, "a");
	assert_int_equal(settle_as(f, &mbox_ops, "b", 1), SETTLE_GONE);		/* the same file, and our lock: that writer is gone */
	swap(f);
	assert_int_equal(settle_as(f, &mbox_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_non_null(strstr(f->err.text, "host a "));
	assert_int_equal(settle_as(f, &mbox_ops, "a", 1), SETTLE_GONE);
	assert_int_equal(settle_as(f, &mbox_ops, NULL, 1), SETTLE_GONE);
	assert_int_equal(settle_as(f, &mbox_ops, "b", DAY), SETTLE_GONE);
	swap(f);

	box = open_as(f, &mbox_ops, "a");
	assert_int_equal(mbox_ops.stage(box, f->m, &fp, &f->record.intent, NULL), 0);
	assert_int_equal(mbox_ops.publish(box, NULL), 0);
	mbox_ops.close(&box);
	assert_int_equal(settle_as(f, &mbox_ops, "b", 1), SETTLED);
}

/* Nothing is cut off another host's mbox, which may happen to look like ours. */
static void
test_mbox_of_another_host_is_not_cut(void **state)
{
	struct fixture *f = *state;
	static struct mbox_entry e;
	struct stat st;
	int fd;

	decide_as(f, &mbox_ops, "a");
	assert_int_equal(entry_decode(&e, &f->record.intent), 0);
	swap(f);
	fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fs_write(fd, e.head, e.head_len, NULL, f->path, NULL), 0);
	assert_int_equal(settle_as(f, &mbox_ops, "b", 1), SETTLE_ELSEWHERE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, e.head_len);
	assert_int_equal(settle_as(f, &mbox_ops, "a", 1), SETTLE_GONE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

static enum settled
hand_over_as(struct fixture *f, const char *host, int lock, int64_t later)
{
	struct target t;

	f->options.host = host;
	target_init(&t, &lmtp_ops, &f->options);
	t.lock = lock;
	return lmtp_ops.settle(&t.base, &f->record, f->m, f->now + later, &f->err);
}

/* A lock is for one host, so another one's process may be at work as long as its time-limit is not over. */
static void
test_hand_over(void **state)
{
	struct fixture *f = *state;
	struct target t;
	int folder = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = fingerprint_lock(folder, &fp, 0, &f->err);
	char host[HOST_SIZE];

	assert_int_not_equal(lock, -1);
	f->options.path = "unix:/run/x";
	f->options.time_limit_s = 300;
	f->options.host = "a";
	target_init(&t, &lmtp_ops, &f->options);
	assert_int_equal(target_stage(&t, f->m, &f->record.intent, &f->err), 0);
	intent_host(&f->record.intent, host);
	assert_string_equal(host, "a");
	assert_int_equal(hand_over_as(f, "a", lock, 1), SETTLE_GONE);
	assert_int_equal(hand_over_as(f, "b", lock, 1), SETTLE_ELSEWHERE);
	assert_non_null(strstr(f->err.text, "host a "));
	assert_int_equal(hand_over_as(f, "b", lock, 300), SETTLE_ELSEWHERE);	/* two clocks */
	assert_int_equal(hand_over_as(f, "b", lock, 361), SETTLE_GONE);
	/* A ledger that has no folder for locks. */
	assert_int_equal(hand_over_as(f, "a", -1, 1), SETTLE_ELSEWHERE);
	assert_int_equal(hand_over_as(f, "a", -1, 361), SETTLE_GONE);
	assert_int_equal(hand_over_as(f, NULL, lock, 1), SETTLE_GONE);
	close(lock);
	close(folder);
}

static void
test_intent(void **state)
{
	struct maildir_intent in = { .device = 1, .inode = 2, .size = 3, .path = "/x", .name = "n", .marker = 77, .host = "mx-1.example_org" };
	static const char *const bad[] = { "a b", "a/b", "a\n", "", "a:b", "\303\244" };
	char host[HOST_SIZE], name[HOST_SIZE + 1];
	struct maildir_intent out;
	struct intent intent = { .len = 0 }, cut;
	size_t i;

	(void)state;
	assert_int_equal(maildir_intent_encode(&in, &intent), 0);
	assert_int_equal(maildir_intent_decode(&out, &intent), 0);
	assert_string_equal(out.host, in.host);
	assert_int_equal(out.marker, 77);
	for (i = 0; i < intent.len; i++) {
		cut = intent;
		cut.len = i;
		assert_int_equal(maildir_intent_decode(&out, &cut), -1);
	}
	intent_host(&intent, host);
	assert_string_equal(host, in.host);
	assert_true(intent_is_foreign(&intent, "b"));
	assert_false(intent_is_foreign(&intent, in.host));
	assert_false(intent_is_foreign(&intent, NULL));
	intent.bytes[4] = ' ';			/* in the host's name, which goes to a log line */
	assert_int_equal(maildir_intent_decode(&out, &intent), -1);
	intent_host(&intent, host);
	assert_string_equal(host, "");
	intent.bytes[1] = 3;
	assert_int_equal(maildir_intent_decode(&out, &intent), -1);
	intent.len = 0;
	intent_host(&intent, host);
	assert_string_equal(host, "");

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(intent_host_is_valid(bad[i]));
	memset(name, 'x', sizeof(name));
	name[HOST_SIZE] = '\0';
	assert_false(intent_host_is_valid(name));
	name[HOST_SIZE - 1] = '\0';
	assert_true(intent_host_is_valid(name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_maildir_is_helped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_maildir_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_copied_marker_proves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_found_is_published, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marker_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_is_missing_here, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mbox, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mbox_of_another_host_is_not_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hand_over, setup, teardown),
		cmocka_unit_test(test_intent),
	};

	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
