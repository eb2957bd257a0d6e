/* Pieces of an mbox that is replaced, shortened or unreadable meanwhile: said, and nothing is made up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mbox_fixture.h"

#include "../../lda/mbox_file.h"

#define LARGE 200000	/* bytes: more than one block */

static int fd, unreadable;

static int
setup_file(void **state)
{
	if (setup(state) == -1)
		return -1;
	file_text("0123456789\n");
	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	unreadable = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd == -1 || unreadable == -1 ? -1 : 0;
}

static int
teardown_file(void **state)
{
	close(fd);
	close(unreadable);
	return teardown(state);
}

static void
check_missing(const char *text, int want)
{
	file_text(text);
	assert_int_equal(mbox_newlines_missing(fd, strlen(text), path, &err), want);
}

/* What a file needs to end in an empty line, for the ends that mbox files have. */
static void
test_newlines_missing(void **state)
{
	(void)state;
	check_missing("", 0);
	check_missing("a", 2);
	check_missing("a\n", 1);
	check_missing("a\n\n", 0);
	check_missing("\n", 0);
	check_missing("a\r\n", 1);
	check_missing("a\r\n\r\n", 0);
	check_missing("\r\n", 0);
	check_missing("a\n\r\n", 0);
	file_text("short\n");
	assert_int_equal(mbox_newlines_missing(fd, 100, path, &err), -1);
	assert_non_null(strstr(err.text, "became shorter"));
	assert_int_equal(mbox_newlines_missing(unreadable, 6, path, &err), -1);
	assert_non_null(strstr(err.text, path));
}

static void
test_digest(void **state)
{
	unsigned char whole[DIGEST_BYTES], parts[DIGEST_BYTES];
	struct digest d;

	(void)state;
	digest_start(&d);
	digest_add(&d, "3456", 4);
	digest_end(&d, whole);
	assert_int_equal(mbox_digest(fd, 3, 4, parts, path, &err), 1);
	assert_memory_equal(whole, parts, DIGEST_BYTES);
	assert_int_equal(mbox_digest(fd, 3, 40, parts, path, &err), 0);
	assert_int_equal(mbox_digest(unreadable, 3, 4, parts, path, &err), -1);
	assert_non_null(strstr(err.text, path));
}

/* The same bytes at the same place, and the file appends as before. */
static void
test_rewrite(void **state)
{
	char *bytes = malloc(LARGE);
	size_t i;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < LARGE; i++)
		bytes[i] = (char)(i * 7 % 251);
	file_put(bytes, LARGE);
	assert_int_equal(mbox_rewrite(fd, 3, LARGE, path, &err), 0);
	file_check(bytes, LARGE);
	assert_int_equal(mbox_rewrite(fd, 3, LARGE + 1, path, &err), -1);
	assert_non_null(strstr(err.text, "became shorter"));
	file_check(bytes, LARGE);
	assert_int_equal(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	assert_int_equal(mbox_rewrite(unreadable, 3, 8, path, &err), -1);
	assert_int_equal(mbox_rewrite(-1, 3, 8, path, &err), -1);
	assert_non_null(strstr(err.text, path));
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_newlines_missing, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(test_digest, setup_file, teardown_file),
		cmocka_unit_test_setup_teardown(test_rewrite, setup_file, teardown_file),
	};

	return cmocka_run_group_tests_name("mbox, pieces", tests, NULL, NULL);
}
