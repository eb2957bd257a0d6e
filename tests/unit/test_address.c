/* Addresses: their parts, and how SMTP writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address.h"

static void
test_split(void **state)
{
	static const struct { const char *text, *delimiter, *local, *extension, *domain; } cases[] = {
		{ "joe@example.org", "+", "joe", NULL, "example.org" }, { "joe+x@example.org", "+", "joe", "x", "example.org" },
		{ "joe+x+y@d", "+", "joe", "x+y", "d" }, { "joe+@d", "+", "joe", "", "d" }, { "+joe@d", "+", "+joe", NULL, "d" },
		{ "joe+x@d", "", "joe+x", NULL, "d" }, { "joe-x@d", "-", "joe", "x", "d" }, { "joe", "+", "joe", NULL, "" },
		{ "joe+x", "+", "joe", "x", "" }, { "\"a@b\"@d", "+", "\"a@b\"", NULL, "d" }, { "", "+", "", NULL, "" },
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		address_split(&a, cases[i].text, cases[i].delimiter);
		assert_int_equal(a.local_len, strlen(cases[i].local));
		assert_memory_equal(a.local, cases[i].local, a.local_len);
		assert_string_equal(a.domain, cases[i].domain);
		assert_int_equal(a.extension == NULL, cases[i].extension == NULL);
		if (a.extension == NULL)
			continue;
		assert_int_equal(a.extension_len, strlen(cases[i].extension));
		assert_memory_equal(a.extension, cases[i].extension, a.extension_len);
	}
}

static void
test_path(void **state)
{
	static const struct { const char *address, *path; } cases[] = {
		{ "", "<>" }, { "joe@d", "<joe@d>" }, { "joe", "<joe>" }, { "o'brien+x@d", "<o'brien+x@d>" },
		{ "j\xc3\xb6@d", "<j\xc3\xb6@d>" }, { "a b@d", "<\"a b\"@d>" }, { "a..b@d", "<\"a..b\"@d>" }, { ".a@d", "<\".a\"@d>" },
		{ "a.@d", "<\"a.\"@d>" }, { "a\"b@d", "<\"a\\\"b\"@d>" }, { "a\\@d", "<\"a\\\\\"@d>" }, { "\"a b\"@d", "<\"a b\"@d>" },
		{ "\"a\\\"b\"@d", "<\"a\\\"b\"@d>" }, { "\"a\"b\"@d", "<\"\\\"a\\\"b\\\"\"@d>" }, { "\"@d", "<\"\\\"\"@d>" },
		{ "\"\\\"@d", "<\"\\\"\\\\\\\"\"@d>" }, { "a>b@d", "<\"a>b\"@d>" }, { "@d", "<\"\"@d>" },
		{ "a@[192.0.2.1]", "<a@[192.0.2.1]>" },
		{ "a\r\nRCPT TO:<b@d", NULL }, { "a\n", NULL }, { "a@b c", NULL }, { "a@d> SIZE=1", NULL }, { "a\x7f@d", NULL },
	};
	char path[ADDRESS_PATH_MAX], large[ADDRESS_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(address_path(path, cases[i].address), cases[i].path == NULL ? -1 : 0);
		if (cases[i].path != NULL)
			assert_string_equal(path, cases[i].path);
	}
	memset(large, '"', sizeof(large));	/* each of them becomes two */
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(address_path(path, large), -1);
	large[ADDRESS_PATH_MAX / 2 - 4] = '\0';
	assert_int_equal(address_path(path, large), 0);
}

static void
assert_text(char *got, const char *wanted)
{
	assert_non_null(got);
	assert_string_equal(got, wanted);
	free(got);
}

static void
test_folder_and_base(void **state)
{
	(void)state;
	assert_text(address_with_folder("joe@d", "work", "+"), "joe+work@d");
	assert_text(address_with_folder("joe+old@d", "work", "+"), "joe+work@d");
	assert_text(address_with_folder("joe", "work", "-"), "joe-work");
	assert_text(address_base("Joe+X@Example.ORG", "+"), "joe@example.org");
	assert_text(address_base("Joe+X", ""), "joe+x");
	assert_true(address_is_plain("a.b", 3));
	assert_false(address_is_plain("", 0) || address_is_plain("a b", 3) || address_is_plain("a@b", 3) || address_is_plain("a.", 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_folder_and_base),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
