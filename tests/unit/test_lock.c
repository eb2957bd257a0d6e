/* The locks of an mbox: what counts as left over, who may break it, what is given back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/file.h>
#include <sys/wait.h>

#include <signal.h>

#include "lock_fixture.h"

static void
test_both(void **state)
{
	char text[DOTLOCK_MAX + 1] = { 0 };
	int other = open(path, O_RDWR | O_CLOEXEC), in;
	struct err err;

	(void)state;
	assert_int_equal(take(), 0);
	assert_true(lock_held(&lock));
	assert_int_equal(fs_try_lock(other, path, &err), 0);
	in = open(dotlock, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(in, -1);
	assert_true(read(in, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, ours((long)getpid(), NULL, NULL, 0));
	assert_int_equal(atoi(text), getpid());
	close(in);
	lock_release(&lock);
	assert_false(lock_held(&lock));
	assert_false(exists());
	assert_int_equal(fs_try_lock(other, path, &err), 1);
	close(other);
	lock_release(&lock);
}

static void
test_one_kind(void **state)
{
	int other = open(path, O_RDWR | O_CLOEXEC);
	struct err err;

	(void)state;
	options.locks[0] = MBOX_LOCK_NONE;
	assert_int_equal(take(), 0);
	assert_true(exists());
	assert_int_equal(fs_try_lock(other, path, &err), 1);
	lock_release(&lock);
	assert_false(exists());
	options.locks[1] = MBOX_LOCK_FCNTL;
	assert_int_equal(take(), -1);
	fs_unlock(other);
	assert_int_equal(take(), 0);
	assert_false(exists());
	close(other);
}

static void
test_none(void **state)
{
	struct err err;

	(void)state;
	options.locks[0] = options.locks[1] = MBOX_LOCK_NONE;
	assert_int_equal(lock_init(&lock, &options, dir, "box", &err), -1);
	assert_int_equal(err.status, STATUS_CONFIG);
}

/* Whoever waits holds nothing. */
static void
test_busy_holds_nothing(void **state)
{
	int other = open(path, O_RDWR | O_CLOEXEC);
	struct err err;
	int64_t begin = clock_ms();

	(void)state;
	plant(ours((long)getpid(), NULL, NULL, 0), 0);
	assert_int_equal(lock_take(&lock, fd, clock_ms() + 60, &err), -1);
	assert_true(clock_ms() - begin >= 60);
	assert_int_equal(err.status, STATUS_TEMP);
	assert_non_null(strstr(err.text, "dotlock"));
	assert_int_equal(fs_try_lock(other, path, &err), 1);
	unlink(dotlock);
	assert_int_equal(lock_take(&lock, fd, clock_ms(), &err), -1);
	assert_non_null(strstr(err.text, "fcntl"));
	options.locks[0] = MBOX_LOCK_DOTLOCK;
	options.locks[1] = MBOX_LOCK_FCNTL;
	assert_int_equal(lock_take(&lock, fd, clock_ms(), &err), -1);
	assert_false(exists());
	close(other);
}

#ifndef WITHOUT_OFD_LOCKS	/* Linux's flock(2) does not see these */
/* A program that takes POSIX locks, in a process of its own. */
static void
test_posix_lock(void **state)
{
	struct flock posix = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2], hold[2], other;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		other = open(path, O_RDWR);
		if (fcntl(other, F_SETLK, &posix) == -1 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(take(), -1);
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(take(), 0);
	close(hold[0]);
	close(ready[0]);
	close(ready[1]);
}
#endif

static void
test_ours(void **state)
{
	static const char *boot = "0123456789abcdef0123456789abcdef";
	long self = (long)getpid();
	size_t order;

	(void)state;
	for (order = 0; order < 2; order++) {
		options.locks[order] = MBOX_LOCK_FCNTL;
		options.locks[1 - order] = MBOX_LOCK_DOTLOCK;
		check_broken(ours(dead_pid(), NULL, NULL, 0), 0);
		check_broken(ours(self, NULL, boot, 0), 0);
		check_broken(ours(self, NULL, NULL, 0), OLD);
		check_respected(ours(self, NULL, NULL, 0), STALE / 2);
		check_respected(ours(self, NULL, NULL, 0), -OLD);
		check_respected(ours(dead_pid(), "elsewhere", NULL, 0), STALE / 2);
		check_respected(ours(dead_pid(), "elsewhere", boot, 0), STALE / 2);
		check_broken(ours(self, "elsewhere", boot, 0), OLD);
		check_respected(ours(dead_pid(), NULL, NULL, 12345), STALE / 2);
		check_broken(ours(dead_pid(), NULL, NULL, 12345), OLD);
	}
}

static void
test_foreign(void **state)
{
	static const char *const garbage[] = {
		"", "0", "garbage", "-1", "99999999999999999999", "12x", ":::", "0:host:boot:1\n", "\n\n",
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		check_respected(garbage[i], STALE / 2);
		check_broken(garbage[i], OLD);
	}
	snprintf(text, sizeof(text), "%10ld\n", (long)getpid());
	check_respected(text, OLD);
	snprintf(text, sizeof(text), "%ld:somehost", (long)getpid());
	check_respected(text, OLD);
	snprintf(text, sizeof(text), "%ld:host:short:1\n", dead_pid());
	check_respected(text, STALE / 2);
	check_broken(text, OLD);
	snprintf(text, sizeof(text), "%ld", dead_pid());
	check_respected(text, STALE / 2);
	check_broken(text, OLD);
}

/* Without the fcntl lock nothing is broken, whatever the order. */
static void
test_break_needs_fcntl(void **state)
{
	int other = open(path, O_RDWR | O_CLOEXEC);
	struct err err;
	size_t order;

	(void)state;
	assert_int_equal(fs_try_lock(other, path, &err), 1);
	for (order = 0; order < 3; order++) {
		options.locks[0] = order == 0 ? MBOX_LOCK_FCNTL : MBOX_LOCK_DOTLOCK;
		options.locks[1] = order == 0 ? MBOX_LOCK_DOTLOCK : order == 1 ? MBOX_LOCK_FCNTL : MBOX_LOCK_NONE;
		check_respected(ours(dead_pid(), NULL, NULL, 0), OLD);
	}
	close(other);
	check_broken(ours(dead_pid(), NULL, NULL, 0), OLD);
}

/* The fcntl lock of a file that was replaced keeps nobody out. */
static void
test_break_needs_current_file(void **state)
{
	char aside[160];

	(void)state;
	snprintf(aside, sizeof(aside), "%s.old", path);
	assert_int_equal(rename(path, aside), 0);
	close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	check_respected(ours(dead_pid(), NULL, NULL, 0), OLD);
	unlink(aside);
}

static void
test_odd_dotlocks(void **state)
{
	(void)state;
	assert_int_equal(symlink("/nowhere", dotlock), 0);
	assert_int_equal(take(), -1);
	assert_true(exists());
	options.stale_lock_s = -1;
	assert_int_equal(take(), 0);
	lock_release(&lock);
	assert_int_equal(mkdir(dotlock, 0700), 0);
	assert_int_equal(take(), -1);
	assert_int_equal(rmdir(dotlock), 0);
	assert_int_equal(mkfifo(dotlock, 0600), 0);
	options.stale_lock_s = STALE;
	assert_int_equal(take(), -1);
}

/* Somebody broke our dotlock and made one: it stays. */
static void
test_release_leaves_others(void **state)
{
	(void)state;
	assert_int_equal(take(), 0);
	assert_int_equal(unlink(dotlock), 0);
	plant("4711\n", 0);
	lock_release(&lock);
	assert_true(exists());
}

/* It can't be removed, and who made it lives on: it counts as left over. */
static void
test_release_fails(void **state)
{
	(void)state;
	assert_int_equal(take(), 0);
	assert_int_equal(chmod(folder, 0500), 0);
	lock_release(&lock);
	assert_int_equal(chmod(folder, 0700), 0);
	assert_true(exists() || geteuid() == 0);
	assert_int_equal(take(), 0);
}

static void
in_unwritable_folder(void)
{
	if (lock_take(&lock, fd, clock_ms(), NULL) != 0 || notices != 1 || strstr(noticed, "fcntl alone") == NULL)
		_exit(1);
	lock_release(&lock);
	if (lock_take(&lock, fd, clock_ms(), NULL) != 0 || notices != 1)
		_exit(2);
	lock_release(&lock);
	options.locks[0] = MBOX_LOCK_NONE;
	if (lock_take(&lock, fd, clock_ms(), NULL) != -1)
		_exit(3);
	_exit(0);
}

static void
test_unwritable_folder(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(chmod(folder, 0555), 0);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
			_exit(9);
		in_unwritable_folder();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A killed holder's dotlock is whole and left over at once, and its fcntl lock is free. */
static void
test_killed_holder(void **state)
{
	int ready[2], other;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		other = open(path, O_RDWR);
		if (lock_take(&lock, other, clock_ms(), NULL) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(take(), -1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(take(), 0);
	close(ready[0]);
	close(ready[1]);
}

/* Many at once, half of them in the opposite order, some killed while they hold it: never two inside, and all come through. */
static void
contend(int number, int inside)
{
	struct err err;
	int i, mine;

	for (i = 0; i < 2; i++)
		options.locks[i] = (i + number) % 2 == 0 ? MBOX_LOCK_FCNTL : MBOX_LOCK_DOTLOCK;
	mine = open(path, O_RDWR | O_CLOEXEC);
	for (i = 0; i < 30; i++) {
		if (lock_take(&lock, mine, clock_ms() + 20000, &err) != 0)
			_exit(1);
		if (flock(inside, LOCK_EX | LOCK_NB) == -1)
			_exit(2);
		if (number % 3 == 2 && i == 10)
			raise(SIGKILL);
		flock(inside, LOCK_UN);
		lock_release(&lock);
	}
	_exit(0);
}

static void
test_contention(void **state)
{
	char name[160];
	int i, status, inside, killed = 0;
	pid_t pid;

	(void)state;
	snprintf(name, sizeof(name), "%s/inside", folder);
	close(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	for (i = 0; i < 12; i++) {
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			inside = open(name, O_RDWR | O_CLOEXEC);
			contend(i, inside);
		}
	}
	for (i = 0; i < 12; i++) {
		assert_true(wait(&status) > 0);		/* in any order: a zombie counts as alive */
		killed += WIFSIGNALED(status);
		if (!WIFSIGNALED(status))
			assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_int_equal(killed, 4);
	unlink(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_holds_nothing, setup, teardown),
#ifndef WITHOUT_OFD_LOCKS
		cmocka_unit_test_setup_teardown(test_posix_lock, setup, teardown),
#endif
		cmocka_unit_test_setup_teardown(test_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_break_needs_fcntl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_break_needs_current_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_dotlocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release_leaves_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritable_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_holder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contention, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
