/* What the kinds that hand over have in common: the lock on a fingerprint, the intent, and what is left of a crash. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>

#include "fingerprint_lock.h"
#include "mail_fixture.h"
#include "mailbox.h"
#include "target.h"

static char path[64];
static int folder = -1;
static const struct fingerprint a = { { 1, 2, 3 } }, b = { { 1, 2, 3, 0, 0, 0, 0, 4 } };

static int
setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/dedup-target.XXXXXX");
	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(folder, -1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(folder);
	return folder_remove(path);
}

/* Does another process get the lock? Another descriptor would do for locks of open file descriptions, and for no others. */
static int
other_process(const struct fingerprint *fp, int timeout_ms)
{
	struct err err = { .text = "" };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (fingerprint_lock(folder, fp, timeout_ms, &err) != -1)
			_exit(0);
		_exit(err.status == STATUS_TEMP && strstr(err.text, "another copy") != NULL ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* One at a time, each fingerprint by itself. */
static void
test_lock(void **state)
{
	struct err err = { .text = "" };
	int first = fingerprint_lock(folder, &a, 0, &err);
	int64_t began = clock_ms();

	(void)state;
	assert_int_not_equal(first, -1);
	assert_int_equal(other_process(&a, 0), 1);
	assert_int_equal(other_process(&a, 60), 1);
	assert_true(clock_ms() - began >= 60);
	assert_int_equal(other_process(&b, 0), 0);
	assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(first);
	assert_int_equal(other_process(&a, 0), 0);
	assert_int_equal(faccessat(folder, "handing", F_OK, 0), 0);
}

/* kill -9 frees it. */
static void
test_killed(void **state)
{
	struct err err = { .text = "" };
	int ready[2], fd;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (fingerprint_lock(folder, &a, 0, &err) != -1 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(fingerprint_lock(folder, &a, 0, &err), -1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd = fingerprint_lock(folder, &a, 0, &err);
	assert_int_not_equal(fd, -1);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void
test_odd_file(void **state)
{
	struct err err = { .text = "" };

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", folder, "handing"), 0);
	assert_int_equal(fingerprint_lock(folder, &a, 0, &err), -1);
	assert_int_equal(unlinkat(folder, "handing", 0), 0);
	assert_int_equal(mkfifoat(folder, "handing", 0600), 0);
	assert_int_equal(fingerprint_lock(folder, &a, 0, &err), -1);
	assert_non_null(strstr(err.text, "no regular file"));
}

/* The intent tells the target to whoever asks, and nobody can finish it. */
static void
test_intent(void **state)
{
	const struct mailbox_ops *all[] = { &lmtp_ops, &pipe_ops };
	struct mailbox_options options = { .path = "unix:/run/x", .head = "" };
	struct target t;
	struct record record = { .state = RECORD_PENDING };
	struct err err = { .text = "" };
	char text[64];
	size_t i, len;

	(void)state;
	for (i = 0; i < 2; i++) {
		target_init(&t, all[i], &options);
		assert_int_equal(target_stage(&t, (const struct message *)path, &record.intent, &err), 0);
		assert_ptr_equal(mailbox_of_intent(&record.intent), all[i]);
		assert_int_equal(all[i]->intent_path(&record.intent, text, sizeof(text)), 0);
		assert_string_equal(text, "unix:/run/x");
		assert_int_equal(all[i]->intent_path(&record.intent, text, strlen("unix:/run/x")), -1);
		assert_int_equal(all[i]->look(&record, &err), LOOKED_ABSENT);
		assert_false(t.retried);
		assert_int_equal(all[i]->settle(&t.base, &record, NULL, 0, &err), SETTLE_GONE);
		assert_false(t.retried);
		assert_int_equal(all[i]->settle(&t.base, &record, (const struct message *)path, 0, &err), SETTLE_GONE);
		assert_true(t.retried);
		len = record.intent.len;
		for (record.intent.len = 0; record.intent.len < len; record.intent.len++)
			assert_int_equal(all[i]->intent_path(&record.intent, text, sizeof(text)), -1);
		record.intent.bytes[record.intent.len++] = 0;
		assert_int_equal(all[i]->intent_path(&record.intent, text, sizeof(text)), -1);
	}
}

/* A command whose message is taken back never runs. */
static void
test_discard(void **state)
{
	char made[128], shell[] = "/bin/sh", flag[] = "-c", code[160];
	char *command[] = { shell, flag, code, NULL };
	struct mailbox_options options = { .path = "x", .head = "", .user = "joe", .recipient = "joe", .delimiter = "+", .command = command,
		.lock_folder = -1 };
	struct err err = { .text = "" };
	struct mailbox *box = NULL;
	struct message *m = message_text("");
	struct intent intent;

	(void)state;
	snprintf(made, sizeof(made), "%s/made", path);
	snprintf(code, sizeof(code), "echo x >%s", made);
	assert_int_equal(pipe_ops.open(&box, &options, &err), 0);
	assert_int_equal(pipe_ops.publish(box, &err), -1);
	assert_int_equal(pipe_ops.stage(box, m, &a, &intent, &err), 0);
	pipe_ops.discard(box);
	assert_int_equal(pipe_ops.publish(box, &err), -1);
	assert_non_null(strstr(err.text, "nothing is staged"));
	pipe_ops.close(&box);
	assert_null(box);
	assert_int_equal(access(made, F_OK), -1);
	/* The same goes through when it is not. */
	assert_int_equal(pipe_ops.open(&box, &options, &err), 0);
	assert_int_equal(pipe_ops.stage(box, m, &a, &intent, &err), 0);
	assert_int_equal(pipe_ops.publish(box, &err), 0);
	assert_int_equal(access(made, F_OK), 0);
	pipe_ops.close(&box);
	message_free(&m);
}

/* Without a folder, as without a ledger, and without a fingerprint nobody is kept out. */
static void
test_no_lock(void **state)
{
	struct mailbox_options options = { .path = "x", .lock_folder = -1 };
	struct target t;
	struct err err = { .text = "" };

	(void)state;
	target_init(&t, &pipe_ops, &options);
	assert_int_equal(target_lock(&t.base, &a, &err), 0);
	assert_int_equal(t.lock, -1);
	options.lock_folder = folder;
	assert_int_equal(target_lock(&t.base, NULL, &err), 0);
	assert_int_equal(t.lock, -1);
	assert_int_equal(target_lock(&t.base, &a, &err), 0);
	assert_int_equal(target_lock(&t.base, &a, &err), 0);
	assert_int_equal(other_process(&a, 0), 1);
	target_release(&t);
	assert_int_equal(other_process(&a, 0), 0);
	assert_int_equal(t.lock, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_lock, setup, teardown),
	};

	return cmocka_run_group_tests_name("targets", tests, NULL, NULL);
}
