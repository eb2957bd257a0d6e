/*
 * The command of a pipe, of any bytes: an error, or words. How many there are never depends on an address, nor does what program runs; and
 * words that are quoted come back as they are.
 *
 * Input: the command, a NUL, an address.
 */
#include "command.h"
#include "fuzz.h"
#include "string_list.h"

static const struct identity plain = { .user = "user", .home = "/home/user", .address = "a@b" };

static size_t
count(char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

/* What an address can do: nothing but change the words that name it. */
static void
check_address(const char *text, char *const *words, const char *address)
{
	const struct identity who = { .user = "user", .home = "/home/user", .address = address };
	struct err err = { .text = "" };
	char **other;

	if (command_make(&other, text, &who, "+", &err) == -1) {
		must(other == NULL && err.text[0] != '\0');
		return;
	}
	must(count(other) == count(words) && strcmp(other[0], words[0]) == 0);
	for (size_t i = 0; words[i] != NULL; i++)
		must(strcmp(other[i], words[i]) == 0 || strchr(text, '%') != NULL);
	strings_free(&other);
}

/* In single quotes, and with each % doubled, a word stands for itself. */
static void
check_quoted(char *const *words)
{
	struct bytes text = { 0 };
	struct err err = { .text = "" };
	char **again;
	size_t i;

	for (i = 0; words[i] != NULL; i++) {
		bytes_text(&text, i == 0 ? "'" : " '");
		for (const char *p = words[i]; *p != '\0'; p++)
			if (*p == '\'')
				bytes_text(&text, "'\\''");
			else if (*p == '%')
				bytes_text(&text, "%%");
			else
				bytes_add(&text, p, 1);
		bytes_text(&text, "'");
	}
	bytes_add(&text, "", 1);
	if (command_make(&again, text.p, &plain, "+", &err) == 0) {
		for (i = 0; words[i] != NULL; i++)
			must(again[i] != NULL && (strcmp(again[i], words[i]) == 0 || words[i][0] == '~'));
		must(again[i] == NULL);
		strings_free(&again);
	} else
		must(strstr(err.text, "~") != NULL || strstr(err.text, "longer") != NULL);
	bytes_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *text = input_text(&in), *address = input_text(&in), **words;
	struct err err = { .text = "" };

	if (command_make(&words, text, &plain, "+", &err) == 0) {
		must(words[0] != NULL && words[0][0] != '\0' && count(words) <= COMMAND_WORDS_MAX);
		check_address(text, words, address);
		check_quoted(words);
		strings_free(&words);
	} else
		must(words == NULL && err.status == STATUS_CONFIG);
	free(text);
	free(address);
	return 0;
}
