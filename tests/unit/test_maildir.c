/* The Maildir writer without a ledger: stage, publish, settle in every state that a crash can leave, sweep. */
#include <sys/file.h>
#include <sys/stat.h>

#include <fcntl.h>

#include "mail_fixture.h"
#include "mailbox.h"
#include "maildir_intent.h"
#include "maildir_name.h"

#define DAY (24 * 3600)
#define TEXT "Message-ID: <a@b>\n\nhi\n"

struct fixture {
	char folder[64], path[80];
	struct mailbox_options options;
	struct mailbox *box;
	struct message *m;
	struct fingerprint fp;
	struct record record;
	int64_t now;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/dedup-maildir.XXXXXX");
	assert_non_null(f);
	*state = f;
	if (mkdtemp(f->folder) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/M", f->folder);
	f->options.path = f->path;
	f->options.head = "";
	memset(&f->fp, 0xab, sizeof(f->fp));
	f->now = clock_now();
	f->record.decided = f->record.first = f->now;
	f->m = message_text(TEXT);
	return maildir_ops.open(&f->box, &f->options, NULL);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int ret = folder_remove(f->folder);

	if (f->box != NULL)
		maildir_ops.close(&f->box);
	message_free(&f->m);
	free(f);
	return ret;
}

static void
stage(struct fixture *f)
{
	assert_int_equal(maildir_ops.stage(f->box, f->m, &f->fp, &f->record.intent, NULL), 0);
	assert_int_equal(files(f->path, "tmp"), 1);
	assert_int_equal(files(f->path, "new"), 0);
}

/* The writer dies: another process takes over. */
static void
crash(struct fixture *f)
{
	maildir_ops.close(&f->box);
	assert_int_equal(maildir_ops.open(&f->box, &f->options, NULL), 0);
}

static enum settled
settle(struct fixture *f, int64_t later)
{
	struct err err = { .text = "" };

	return maildir_ops.settle(f->box, &f->record, f->m, f->now + later, &err);
}

static void
test_publish(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1], path[400], bytes[100];
	int fd;

	stage(f);
	f->box->recorded = true;
	assert_int_equal(maildir_ops.publish(f->box, NULL), 0);
	assert_int_equal(files(f->path, "tmp"), 0);
	assert_int_equal(folder_look(f->path, "new", false, name), 1);
	assert_non_null(strstr(name, "Fabababababababab."));
	assert_string_equal(strchr(name, ','), ",S=22");
	snprintf(path, sizeof(path), "%s/new/%s", f->path, name);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), strlen(TEXT));
	assert_memory_equal(bytes, TEXT, strlen(TEXT));
	close(fd);
}

static void
test_discard(void **state)
{
	struct fixture *f = *state;

	stage(f);
	maildir_ops.discard(f->box);
	assert_int_equal(files(f->path, "tmp"), 0);
}

static void
test_helper_publishes_once(void **state)
{
	struct fixture *f = *state;

	stage(f);
	crash(f);
	assert_int_equal(settle(f, 1), SETTLED);
	assert_int_equal(files(f->path, "new"), 1);
	assert_int_equal(settle(f, 2), SETTLED);	/* proved: tmp/ is the recorded one, and the stage is gone from it */
	assert_int_equal(files(f->path, "new"), 1);
}

static void
test_slow_writer_is_helped(void **state)
{
	struct fixture *f = *state;
	struct mailbox *helper;

	stage(f);
	assert_int_equal(maildir_ops.open(&helper, &f->options, NULL), 0);
	assert_int_equal(maildir_ops.settle(helper, &f->record, NULL, f->now, NULL), SETTLED);
	maildir_ops.close(&helper);
	f->box->recorded = true;
	assert_int_equal(maildir_ops.publish(f->box, NULL), 0);
	assert_int_equal(files(f->path, "new"), 1);
}

/* Without a record nobody can have helped: a missing stage is a lost message. */
static void
test_unrecorded_stage_missing(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1], path[400];

	stage(f);
	folder_look(f->path, "tmp", false, name);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(maildir_ops.publish(f->box, NULL), -1);
}

/* A helper published it and the user deleted it at once, or a process slept for days and somebody cleaned tmp/ meanwhile. */
static void
test_recorded_stage_missing(void **state)
{
	struct fixture *f = *state;
	struct timespec times[2] = { { .tv_sec = f->now - 2 * DAY }, { .tv_sec = f->now - 2 * DAY } };
	char name[NAME_MAX + 1], path[400];

	f->box->recorded = true;
	stage(f);
	folder_look(f->path, "tmp", false, name);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(maildir_ops.publish(f->box, NULL), 0);
	crash(f);
	f->box->recorded = true;
	stage(f);
	folder_look(f->path, "tmp", false, name);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(maildir_ops.publish(f->box, NULL), -1);
}

static void
test_user_moved_it(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1], from[400], to[400];

	stage(f);
	crash(f);
	assert_int_equal(settle(f, 1), SETTLED);
	folder_look(f->path, "new", false, name);
	snprintf(from, sizeof(from), "%s/new/%s", f->path, name);
	snprintf(to, sizeof(to), "%s/cur/%s:2,S", f->path, name);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(settle(f, 2), SETTLED);
	assert_int_equal(settle(f, DAY + 1), SETTLED);	/* no proof any more, but there it is */
	assert_int_equal(unlink(to), 0);
	assert_int_equal(settle(f, 3), SETTLED);
	assert_int_equal(settle(f, DAY + 1), SETTLE_GONE);
}

static void
test_restored_mailbox(void **state)
{
	struct fixture *f = *state;
	char old[128];

	stage(f);
	maildir_ops.close(&f->box);
	snprintf(old, sizeof(old), "%s/old", f->folder);
	assert_int_equal(rename(f->path, old), 0);
	assert_int_equal(maildir_ops.open(&f->box, &f->options, NULL), 0);
	assert_int_equal(settle(f, 1), SETTLE_GONE);	/* another tmp/: it proves nothing */
}

static void
test_folder_gone(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;

	stage(f);
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	strcat(in.path, "/.elsewhere");
	assert_int_equal(maildir_intent_encode(&in, &f->record.intent), 0);
	assert_int_equal(settle(f, 1), SETTLE_FAILED);		/* perhaps not mounted */
	assert_int_equal(settle(f, DAY), SETTLE_GONE);
}

static void
test_intent_is_checked(void **state)
{
	struct fixture *f = *state;
	struct maildir_intent in;
	struct intent cut = { .len = 0 };
	size_t i;

	stage(f);
	for (i = 0; i < f->record.intent.len; i++) {
		cut = f->record.intent;
		cut.len = i;
		assert_int_equal(maildir_intent_decode(&in, &cut), -1);
	}
	assert_int_equal(maildir_intent_decode(&in, &f->record.intent), 0);
	strcpy(in.name, "../../x");
	assert_int_equal(maildir_intent_encode(&in, &cut), 0);
	assert_int_equal(maildir_intent_decode(&in, &cut), -1);
	strcpy(in.name, "x");
	strcpy(in.path, "relative");
	assert_int_equal(maildir_intent_encode(&in, &cut), 0);
	assert_int_equal(maildir_intent_decode(&in, &cut), -1);
}

static int
named(void *arg, const char *digits)
{
	(void)digits;
	return *(int *)arg;
}

static void
make_file(const struct fixture *f, const char *name, int age)
{
	struct timespec times[2] = { { .tv_sec = f->now - age }, { .tv_sec = f->now - age } };
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void
test_sweep(void **state)
{
	struct fixture *f = *state;
	static const char *const foreign[] = {	/* whose name is nearly one of ours */
		"1234.foreign.host", "x.M000001P1R01234567.host", "1.M00001P1R01234567.host", "1.M000001P1R0123456.host",
		"1.M000001P1R01234567", "1.M000001P1R01234567.", "1.M000001P1R01234567Fabababab.elsewhe.host",
		"1.M000001P1R01234567FababababababababAB.host",
	};
	const int others = (int)(sizeof(foreign) / sizeof(foreign[0]));
	char with[MAILDIR_NAME_MAX], without[MAILDIR_NAME_MAX], young[MAILDIR_NAME_MAX], locked[MAILDIR_NAME_MAX], path[400];
	struct err err;
	int answer, fd;
	size_t i;

	maildir_name_make(with, &f->fp);
	maildir_name_make(without, NULL);
	maildir_name_make(young, &f->fp);
	maildir_name_make(locked, &f->fp);
	make_file(f, with, 37 * 3600);
	make_file(f, without, 37 * 3600);
	make_file(f, young, 35 * 3600);
	make_file(f, locked, 37 * 3600);
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		make_file(f, foreign[i], 1000 * 3600);
	snprintf(path, sizeof(path), "%s/tmp/%s", f->path, locked);
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);	/* its writer lives */
	answer = 1;
	assert_int_equal(maildir_ops.sweep(f->box, f->now, named, &answer, NULL), 1);	/* only the one that no record can name */
	answer = -1;
	assert_int_equal(maildir_ops.sweep(f->box, f->now, named, &answer, NULL), 0);
	answer = 0;
	assert_int_equal(maildir_ops.sweep(f->box, f->now, named, &answer, NULL), 1);
	assert_int_equal(files(f->path, "tmp"), 2 + others);
	close(fd);
	assert_int_equal(maildir_ops.sweep(f->box, f->now, named, &answer, NULL), 1);
	assert_int_equal(files(f->path, "tmp"), 1 + others);
	snprintf(path, sizeof(path), "%s/tmp", f->path);
	assert_int_equal(chmod(path, 0), 0);
	if (geteuid() != 0)
		assert_int_equal(maildir_ops.sweep(f->box, f->now, named, &answer, &err), -1);
	assert_int_equal(chmod(path, 0700), 0);
}

#define TEST(test) { #test, test, setup, teardown, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_publish),
		TEST(test_discard),
		TEST(test_helper_publishes_once),
		TEST(test_slow_writer_is_helped),
		TEST(test_unrecorded_stage_missing),
		TEST(test_recorded_stage_missing),
		TEST(test_user_moved_it),
		TEST(test_restored_mailbox),
		TEST(test_folder_gone),
		TEST(test_intent_is_checked),
		TEST(test_sweep),
	};

	return cmocka_run_group_tests_name("maildir", tests, NULL, NULL);
}
