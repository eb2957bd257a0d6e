/*
 * The sandbox: what a process can still do in it, and what not. Each test enters it in a child.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox.h"

#define NO_SANDBOX 2	/* of a child */
#define ABI_REFER 2		/* the first that is used: see lda/sandbox.c */
#define ABI_TRUNCATE 3	/* Linux 6.2; an older kernel leaves this open */
#define ABI_TCP 4	/* Linux 6.7 */

/* box/ is allowed, out/ is not; each has folder/ and file. The links link and way lead out of box/. */
struct fixture {
	char top[64];
	int box, open_file, tcp;
	struct sockaddr_in port;
	unsigned int allowed;	/* port; 0: none */
};

static void
make(const char *name)
{
	int fd = openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd != -1 && write(fd, "text", 4) == 4);
	close(fd);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(f->port);

	assert_non_null(f);
	*state = f;
	snprintf(f->top, sizeof(f->top), "/tmp/dedup-sandbox.XXXXXX");
	assert_non_null(mkdtemp(f->top));
	assert_int_equal(chdir(f->top), 0);
	assert_int_equal(mkdir("box", 0700) | mkdir("out", 0700) | mkdir("box/folder", 0700) | mkdir("out/folder", 0700), 0);
	make("box/file");
	make("out/file");
	assert_int_equal(symlink("../out/file", "box/link") | symlink("../out", "box/way"), 0);
	f->box = open("box", O_RDONLY | O_DIRECTORY);
	f->open_file = open("out/file", O_RDWR);
	f->tcp = socket(AF_INET, SOCK_STREAM, 0);
	f->port.sin_family = AF_INET;
	f->port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(f->tcp, (struct sockaddr *)&f->port, sizeof(f->port)) | listen(f->tcp, 1), 0);
	assert_int_equal(getsockname(f->tcp, (struct sockaddr *)&f->port, &len), 0);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = { "box/file", "box/link", "box/way", "box/new", "out/file", "out/new" };
	static const char *const folders[] = { "box/folder", "box/made", "box", "out/folder", "out/made", "out" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		rmdir(folders[i]);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(f->top), 0);
	close(f->box);
	close(f->open_file);
	close(f->tcp);
	free(f);
	return 0;
}

/* Which version of Landlock can be used; below 1: none. */
static long
abi_here(void)
{
#if defined(SYS_landlock_create_ruleset) && !defined(WITHOUT_LANDLOCK)
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
#else
	return -1;
#endif
}

/* Run the check in a child that has entered the sandbox: it returns NULL, or what was wrong. Where the kernel can't do it there is nothing
 * to be checked; not skip(), since cmocka 1.1 reports that as "not ok". */
static void
inside(struct fixture *f, long abi, const char *(*check)(struct fixture *f))
{
	int folders[] = { f->box, -1 }, status;
	const char *wrong;
	pid_t pid;

	if (abi_here() < ABI_REFER)
		assert_int_equal(sandbox_enter(folders, 2, &f->allowed, 1), SANDBOX_UNAVAILABLE);
	if (abi_here() < abi) {
		print_message("# no Landlock with ABI %ld here\n", abi);
		return;
	}
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		if (sandbox_enter(folders, 2, &f->allowed, 1) != SANDBOX_ON)
			_exit(NO_SANDBOX);
		wrong = check(f);
		if (wrong != NULL)
			fprintf(stderr, "# %s: %s\n", wrong, strerror(errno));
		_exit(wrong != NULL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

#define REFUSED(call) ((call) == -1 && (errno == EACCES || errno == EXDEV || errno == EPERM))
#define WRONG_UNLESS(what) \
	do { \
		if (!(what)) \
			return #what; \
	} while (0)

static const char *
check_inside(struct fixture *f)
{
	(void)f;
	WRONG_UNLESS(opens("box", O_RDONLY | O_DIRECTORY));
	WRONG_UNLESS(opens("box/file", O_RDWR));
	WRONG_UNLESS(opens("box/new", O_WRONLY | O_CREAT | O_EXCL));
	WRONG_UNLESS(rename("box/new", "box/folder/new") == 0);
	WRONG_UNLESS(link("box/folder/new", "box/new") == 0);
	WRONG_UNLESS(unlink("box/folder/new") == 0);
	WRONG_UNLESS(truncate("box/new", 0) == 0);
	WRONG_UNLESS(mkdir("box/made", 0700) == 0);
	WRONG_UNLESS(rmdir("box/made") == 0);
	WRONG_UNLESS(opens("box", O_RDWR | O_TMPFILE));
	return NULL;
}

static const char *
check_outside(struct fixture *f)
{
	(void)f;
	WRONG_UNLESS(!opens("out/file", O_RDONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("out/file", O_WRONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("out/file", O_RDWR | O_TRUNC) && errno == EACCES);
	WRONG_UNLESS(!opens("out", O_RDONLY | O_DIRECTORY) && errno == EACCES);
	WRONG_UNLESS(!opens("out/new", O_WRONLY | O_CREAT) && errno == EACCES);
	WRONG_UNLESS(!opens("out", O_RDWR | O_TMPFILE) && errno == EACCES);
	WRONG_UNLESS(!opens("/etc/passwd", O_RDONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("/dev/null", O_WRONLY) && errno == EACCES);
	WRONG_UNLESS(REFUSED(rename("out/file", "out/new")));
	WRONG_UNLESS(REFUSED(rename("box/file", "out/new")));
	WRONG_UNLESS(REFUSED(rename("out/file", "box/new")));
	WRONG_UNLESS(REFUSED(link("box/file", "out/new")));
	WRONG_UNLESS(REFUSED(link("out/file", "box/new")));
	WRONG_UNLESS(REFUSED(symlink("x", "out/new")));
	WRONG_UNLESS(REFUSED(mkfifo("out/new", 0600)));
	WRONG_UNLESS(REFUSED(unlink("out/file")));
	WRONG_UNLESS(REFUSED(mkdir("out/made", 0700)));
	WRONG_UNLESS(REFUSED(rmdir("out/folder")));
	WRONG_UNLESS(access("out/file", F_OK) == 0 && access("out/new", F_OK) == -1);
	return NULL;
}

/* Links that lead out of the folder, and what neither mailbox nor ledger is made of. */
static const char *
check_ways_out(struct fixture *f)
{
	(void)f;
	WRONG_UNLESS(!opens("box/link", O_WRONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("box/way/file", O_RDONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("box/way/new", O_WRONLY | O_CREAT) && errno == EACCES);
	WRONG_UNLESS(!opens("box/../out/file", O_RDONLY) && errno == EACCES);
	WRONG_UNLESS(REFUSED(symlink("x", "box/new")));
	WRONG_UNLESS(REFUSED(mkfifo("box/new", 0600)));
	WRONG_UNLESS(REFUSED(execl("/bin/true", "true", (char *)NULL)));
	return NULL;
}

static const char *
check_truncate(struct fixture *f)
{
	(void)f;
	WRONG_UNLESS(REFUSED(truncate("out/file", 0)));
	return NULL;
}

static const char *
check_network(struct fixture *f)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	WRONG_UNLESS(REFUSED(connect(fd, (const struct sockaddr *)&f->port, sizeof(f->port))));
	any.sin_port = htons(54321);
	WRONG_UNLESS(REFUSED(bind(fd, (const struct sockaddr *)&any, sizeof(any))));
	return NULL;
}

/* One port is let through, for an LMTP server, and no other; nor can anything be bound to it. */
static const char *
check_port(struct fixture *f)
{
	struct sockaddr_in other = f->port;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	other.sin_port = htons((uint16_t)(f->allowed == 54321 ? 54322 : 54321));
	WRONG_UNLESS(REFUSED(connect(fd, (const struct sockaddr *)&other, sizeof(other))));
	WRONG_UNLESS(REFUSED(bind(fd, (const struct sockaddr *)&f->port, sizeof(f->port))));
	WRONG_UNLESS(connect(fd, (const struct sockaddr *)&f->port, sizeof(f->port)) == 0);
	return NULL;
}

/* What was opened before stays open: the log file, for one. */
static const char *
check_open(struct fixture *f)
{
	char text[4];

	WRONG_UNLESS(pread(f->open_file, text, 4, 0) == 4 && memcmp(text, "text", 4) == 0);
	WRONG_UNLESS(pwrite(f->open_file, text, 4, 0) == 4);
	return NULL;
}

/* There is no way back, and a second sandbox can only take more away. */
static const char *
check_for_good(struct fixture *f)
{
	int out = open("out", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)f;
	WRONG_UNLESS(out != -1);
	WRONG_UNLESS(sandbox_enter(&out, 1, NULL, 0) == SANDBOX_ON);
	WRONG_UNLESS(!opens("out/file", O_RDONLY) && errno == EACCES);
	WRONG_UNLESS(!opens("box/file", O_RDONLY) && errno == EACCES);
	return NULL;
}

/* Before it is entered all of this works: the tests above can fail. */
static void
control(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_null(check_inside(f));
	assert_non_null(check_outside(f));
	assert_non_null(check_ways_out(f));
	assert_non_null(check_truncate(f));
	assert_int_equal(connect(fd, (const struct sockaddr *)&f->port, sizeof(f->port)), 0);
	close(fd);
}

static void
test_inside(void **state)
{
	inside(*state, ABI_REFER, check_inside);
}

static void
test_outside(void **state)
{
	inside(*state, ABI_REFER, check_outside);
}

static void
test_ways_out(void **state)
{
	inside(*state, ABI_REFER, check_ways_out);
}

static void
test_truncate(void **state)
{
	inside(*state, ABI_TRUNCATE, check_truncate);
}

static void
test_network(void **state)
{
	inside(*state, ABI_TCP, check_network);
}

static void
test_port(void **state)
{
	struct fixture *f = *state;

	f->allowed = ntohs(f->port.sin_port);
	inside(f, ABI_TCP, check_port);
}

static void
test_open(void **state)
{
	inside(*state, ABI_REFER, check_open);
}

static void
test_for_good(void **state)
{
	inside(*state, ABI_REFER, check_for_good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(control, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_network, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_for_good, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
