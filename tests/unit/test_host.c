/* Connections: what is waited for, and what is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "host.h"

#define WAITING_MAX 16

static char folder[64], path[80];
static struct host_addresses to;

/* A socket at which nobody is taken, and so many wait that there is room for no more. Returns it. */
static int
crowd(int waiting[WAITING_MAX], size_t *n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&to, 0, sizeof(to));
	assert_int_equal(host_unix(&to, path), 0);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&to.at[0], to.len[0]), 0);
	assert_int_equal(listen(fd, 1), 0);
	for (*n = 0; *n < WAITING_MAX && host_connect(&waiting[*n], &to.at[0], to.len[0], 0) == 0; ++*n)
		;
	assert_in_range(*n, 1, WAITING_MAX - 1);
	return fd;
}

static void
leave(int fd, const int waiting[WAITING_MAX], size_t n)
{
	while (n > 0)
		close(waiting[--n]);
	close(fd);
}

static void
test_no_room(void **state)
{
	int waiting[WAITING_MAX], fd, s;
	size_t n;

	(void)state;
	s = crowd(waiting, &n);
	assert_int_equal(host_connect(&fd, &to.at[0], to.len[0], clock_ms() + 100), EAGAIN);
	assert_int_equal(fd, -1);
	leave(s, waiting, n);
}

static void
test_room_in_time(void **state)
{
	int waiting[WAITING_MAX], fd, s, status;
	size_t n;
	pid_t pid;

	(void)state;
	s = crowd(waiting, &n);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		clock_sleep_ms(200);
		_exit(accept(s, NULL, NULL) == -1);
	}
	assert_int_equal(host_connect(&fd, &to.at[0], to.len[0], clock_ms() + 60000), 0);
	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	leave(s, waiting, n);
}

static void
test_nobody(void **state)
{
	int64_t before = clock_ms();
	int fd;

	(void)state;
	(void)unlink(path);
	memset(&to, 0, sizeof(to));
	assert_int_equal(host_unix(&to, path), 0);
	assert_int_equal(host_connect(&fd, &to.at[0], to.len[0], before + 60000), ENOENT);
	assert_true(clock_ms() < before + 30000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_room), cmocka_unit_test(test_room_in_time), cmocka_unit_test(test_nobody) };
	int failed;

	snprintf(folder, sizeof(folder), "/tmp/test_host.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/s", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(folder);
	return failed;
}
