/* The command of a pipe: words, variables, programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command.h"
#include "string_list.h"

static const struct identity joe = { .user = "joe", .home = "/home/joe", .address = "Jane Doe;x+y@example.org" };

/* Words with a bar after each; NULL: it is refused. */
static void
assert_words(const char *text, const char *wanted)
{
	struct err err = { .text = "" };
	char **words, all[256] = "";
	int ret = command_make(&words, text, &joe, "+", &err);

	if ((ret == 0) != (wanted != NULL))
		fail_msg("%s: %d %s", text, ret, err.text);
	assert_int_equal(command_check(text, &err), ret);
	if (ret == -1) {
		assert_null(words);
		assert_int_equal(err.status, STATUS_CONFIG);
		return;
	}
	for (size_t i = 0; words[i] != NULL; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s|", words[i]);
	strings_free(&words);
	assert_string_equal(all, wanted);
}

static void
test_words(void **state)
{
	(void)state;
	assert_words("/bin/x", "/bin/x|");
	assert_words("  a  b\tc ", "a|b|c|");
	assert_words("a 'b c' \"d e\" f' 'g", "a|b c|d e|f g|");
	assert_words("a '' \"\"", "a|||");
	assert_words("a 'b\\c' \"\\\"\\\\\\n\" \\'\\ \\\"", "a|b\\c|\"\\\\n|' \"|");
	assert_words("a \"it's\" 'say \"hi\"'", "a|it's|say \"hi\"|");
	assert_words("a $HOME `b` *;|&", "a|$HOME|`b`|*;|&|");
	assert_words("a 'b", NULL);
	assert_words("a \"b\\", NULL);
	assert_words("a \\", NULL);
	assert_words("", NULL);
	assert_words("''", NULL);
}

/* A value stays in its word, whatever is in it. */
static void
test_variables(void **state)
{
	(void)state;
	assert_words("a %u --to=%n@%d ~/x %h/y b~ 100%%", "a|joe|--to=jane doe;x@example.org|/home/joe/x|/home/joe/y|b~|100%|");
	assert_words("a '%n'", "a|jane doe;x|");
	assert_words("a %", NULL);
	assert_words("a %q", NULL);
	assert_words("a ~bob", NULL);
	assert_words("%u", NULL);
	assert_words("/opt/%n/x", NULL);
	assert_words("%h/bin/x", "/home/joe/bin/x|");
}

/* Code that a shell would make of an address. */
static void
test_code(void **state)
{
	static const char *const bad[] = { "sh -c 'x %n'", "/bin/bash -lc 'x %d'", "env sh -ec %u", "nice -n5 sh -c \"%n\"",
		"/bin/sh -c -e %n", "sh -c +e %n", "sh -ce %u", "bash -co pipefail %n", "bash -c --norc x %n", "nice -c sh -c %n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_words(bad[i], NULL);
	assert_words("sh -c 'x \"$1\"' sh %n", "sh|-c|x \"$1\"|sh|jane doe;x|");
	assert_words("sh -c 'x %%n'", "sh|-c|x %n|");
	assert_words("x -c %h/y", "x|-c|/home/joe/y|");
	assert_words("x -2c %n -- %n", "x|-2c|jane doe;x|--|jane doe;x|");
}

static void
test_many(void **state)
{
	char text[2 * COMMAND_WORDS_MAX + 4] = "", *large = malloc(5000);

	(void)state;
	assert_non_null(large);
	for (int i = 0; i < COMMAND_WORDS_MAX; i++)
		strcat(text, "a ");
	assert_int_equal(command_check(text, NULL), 0);
	assert_int_equal(command_check(strcat(text, "a"), NULL), -1);
	memset(large, 'x', 5000);
	large[4096] = '\0';
	assert_int_equal(command_check(large, NULL), -1);
	large[4000] = '\0';
	assert_int_equal(command_check(large, NULL), 0);
	free(large);
}

static void
test_program(void **state)
{
	struct err err = { .text = "" };
	char *path = command_program("sh", &err);

	(void)state;
	assert_non_null(path);
	assert_non_null(strstr(path, "/bin/sh"));
	free(path);
	path = command_program("/bin/sh", &err);
	assert_string_equal(path, "/bin/sh");
	free(path);
	assert_null(command_program("no-such-program", &err));
	assert_non_null(strstr(err.text, COMMAND_PATH));
	assert_null(command_program("/etc/passwd", &err));
	assert_null(command_program("/bin", &err));
	assert_int_equal(err.status, STATUS_TEMP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
