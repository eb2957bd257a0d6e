/* Times after 2038 and files above 4 GiB, which on 32 bit are there only if they are asked for. */
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs.h"

#define YEAR_2100 INT64_C(4102444800)
#define LARGE INT64_C(5000000000)

static void
test_late_times(void **state)
{
	const struct timespec times[] = { { .tv_sec = (time_t)YEAR_2100 }, { .tv_sec = (time_t)YEAR_2100 } };
	char text[CLOCK_TEXT];
	struct stat st;
	int fd;

	(void)state;
	clock_text(text, YEAR_2100);
	assert_string_equal(text, "2100-01-01T00:00:00Z");
	fd = fs_temporary(NULL);
	assert_int_not_equal(fd, -1);
	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((int64_t)st.st_mtime == YEAR_2100);
	close(fd);
}

static void
test_large_files(void **state)
{
	struct err err = { .text = "" };
	struct stat st;
	char byte = 0;
	int fd = fs_temporary(&err);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)LARGE), 1);	/* all before it is a hole */
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((int64_t)st.st_size == LARGE + 1);
	assert_int_equal(fs_pread(fd, &byte, 1, (off_t)LARGE, "a large file", &err), 1);
	assert_int_equal(byte, 'x');
	close(fd);
}

static void
test_open_to_read(void **state)
{
	struct err err = { .text = "" };
	char byte = 0;
	int fd = fs_temporary(&err), other;

	(void)state;
	assert_int_equal(fs_write(fd, "x", 1, NULL, "a file", &err), 0);
	other = fs_open_to_read(fd);
	assert_int_not_equal(other, -1);
	assert_int_equal(fs_pread(other, &byte, 1, 0, "a file", &err), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(fs_write(other, "y", 1, NULL, "a file", NULL), -1);
	close(other);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_times),
		cmocka_unit_test(test_large_files),
		cmocka_unit_test(test_open_to_read),
	};

	return cmocka_run_group_tests_name("times, sizes and descriptors", tests, NULL, NULL);
}
