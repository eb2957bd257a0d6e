/* Dotlocks where a file can't be made without a name, or not be linked: the kernel of this program says so when told to. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/syscall.h>

#include <dirent.h>

#include "lock_fixture.h"

static int unnamed_error;		/* what openat() says to O_TMPFILE, or 0 */
static int unnamed_link_error;		/* what linkat() says to a file without a name */
static int link_error;			/* what it says after a link by name was made, as over NFS */
static unsigned int named;		/* temporary files that were made */

int
openat(int at, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (unnamed_error != 0 && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = unnamed_error;
		return -1;
	}
	named += strncmp(name, ".dedup-lda.", 11) == 0;
	return (int)syscall(SYS_openat, at, name, flags, mode);
}

int
linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	int error = (flags & AT_SYMLINK_FOLLOW) != 0 ? unnamed_link_error : 0, ret;

	if (error != 0) {
		errno = error;
		return -1;
	}
	ret = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
	if (ret == -1 || link_error == 0 || (flags & AT_SYMLINK_FOLLOW) != 0)
		return ret;
	errno = link_error;
	return -1;
}

static int
setup_kernel(void **state)
{
	unnamed_error = unnamed_link_error = link_error = 0;
	named = 0;
	return setup(state);
}

static unsigned int
entries(void)
{
	const struct dirent *entry;
	unsigned int n = 0;
	DIR *d = opendir(folder);

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.' || strncmp(entry->d_name, ".dedup-lda.", 11) == 0;
	closedir(d);
	return n;
}

/* Taken: our words are in the dotlock, and nothing but it and the mbox is in the folder. */
static void
check_taken(unsigned int names)
{
	char text[DOTLOCK_MAX + 1] = { 0 };
	int in;

	named = 0;
	assert_int_equal(take(), 0);
	assert_int_equal(named, names);
	in = open(dotlock, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(in, -1);
	assert_true(read(in, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, ours((long)getpid(), NULL, NULL, 0));
	close(in);
	assert_int_equal(entries(), 2);
	lock_release(&lock);
	assert_int_equal(entries(), 1);
}

static void
test_no_unnamed_files(void **state)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL, ENOENT };
	size_t i;

	(void)state;
	check_taken(0);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		unnamed_error = errors[i];
		check_taken(1);
	}
}

/* The folder /proc is not mounted, or the file system links no such files. */
static void
test_unnamed_files_without_links(void **state)
{
	(void)state;
	unnamed_link_error = ENOENT;
	check_taken(1);
	unnamed_link_error = EXDEV;
	check_taken(1);
}

static void
test_link_that_says_it_failed(void **state)
{
	(void)state;
	unnamed_error = EOPNOTSUPP;
	link_error = EEXIST;
	check_taken(1);
}

static void
test_busy(void **state)
{
	(void)state;
	unnamed_error = EOPNOTSUPP;
	check_respected("1:elsewhere:00:1\n", 0);
	assert_int_equal(entries(), 1);
	check_broken(ours(dead_pid(), NULL, NULL, 0), 0);
	assert_int_equal(entries(), 1);
}

static void
test_other_errors_are_told(void **state)
{
	(void)state;
	unnamed_error = EIO;
	assert_int_equal(take(), -1);
	assert_false(lock_held(&lock));
	assert_int_equal(named, 0);
	unnamed_error = 0;
	unnamed_link_error = EIO;
	assert_int_equal(take(), -1);
	assert_int_equal(entries(), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_unnamed_files, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_unnamed_files_without_links, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_link_that_says_it_failed, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_other_errors_are_told, setup_kernel, teardown),
	};

	return cmocka_run_group_tests_name("lock, by name", tests, NULL, NULL);
}
