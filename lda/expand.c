/*
 * Expansion of ~ and %-variables. A value is put in as it is and never expanded again.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "expand.h"

#define COMPONENT_MAX 255	/* bytes: NAME_MAX of every file system that holds mail */

struct output {
	const char *what;	/* is made of the text, for errors */
	size_t len;
	char text[EXPAND_MAX];
};

void
ascii_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

int
expand_check(const char *text, struct err *err)
{
	if (text[0] == '~' && text[1] != '\0' && text[1] != '/')
		return err_set(err, STATUS_CONFIG, "~ is only ~/: the home of another user can't be named");
	for (; *text != '\0'; text++) {
		if (is_control(*text))
			return err_set(err, STATUS_CONFIG, "control characters are not allowed");
		if (*text != '%')
			continue;
		text++;
		if (*text == '\0')
			return err_set(err, STATUS_CONFIG, "a single %% at the end: allowed are %%u %%n %%d %%h and %%%%");
		if (is_control(*text) || strchr("undh%", *text) == NULL)
			return err_set(err, STATUS_CONFIG, "unknown variable %%%c: allowed are %%u %%n %%d %%h and %%%%",
			    is_control(*text) ? '?' : *text);
	}
	return 0;
}

static int
put(struct output *out, const char *text, size_t len, struct err *err)
{
	if (len >= sizeof(out->text) - out->len)
		return err_set(err, STATUS_CONFIG, "the %s is longer than %d bytes", out->what, EXPAND_MAX - 1);
	memcpy(out->text + out->len, text, len);
	out->len += len;
	return 0;
}

static const char *
unfit(const char *value, size_t len)
{
	if (len == 0)
		return "is empty";
	if (len > COMPONENT_MAX)
		return "is too long";
	if (value[0] == '.')
		return "starts with a dot";
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '/')
			return "contains a slash";
		if (is_control(value[i]))
			return "contains a control character";
	}
	return NULL;
}

static int
put_value(struct output *out, char variable, const char *value, size_t len, bool lower, struct err *err)
{
	const char *why = unfit(value, len);
	size_t start = out->len;

	if (why != NULL)
		return err_set(err, STATUS_CONFIG, "%%%c can't be part of a %s: its value %s", variable, out->what, why);
	if (put(out, value, len, err) != 0)
		return -1;
	out->text[out->len] = '\0';
	if (lower)
		ascii_lower(out->text + start);
	return 0;
}

/* %n and %d: of the address, where there is one, or else of the user's name. */
static int
put_part(struct output *out, char variable, const struct identity *who, const char *delimiter, struct err *err)
{
	bool from_address = who->address != NULL && *who->address != '\0';
	struct address parts;

	address_split(&parts, from_address ? who->address : who->user, from_address ? delimiter : "");
	if (variable == 'd')
		return put_value(out, 'd', parts.domain, strlen(parts.domain), from_address, err);
	return put_value(out, 'n', parts.local, parts.local_len, from_address, err);
}

static int
put_home(struct output *out, const struct identity *who, struct err *err)
{
	if (who->home == NULL || who->home[0] != '/')
		return err_set(err, STATUS_TEMP, "the user has no home folder");
	return put(out, who->home, strlen(who->home), err);
}

static int
put_variable(struct output *out, char variable, const struct identity *who, const char *delimiter, struct err *err)
{
	switch (variable) {
	case 'u':
		return put_value(out, 'u', who->user, strlen(who->user), false, err);
	case 'h':
		return put_home(out, who, err);
	case '%':
		return put(out, "%", 1, err);
	default:
		return put_part(out, variable, who, delimiter, err);
	}
}

static int
expand(struct output *out, const char *text, const struct identity *who, const char *delimiter, struct err *err)
{
	if (expand_check(text, err) != 0)
		return -1;
	if (*text == '~') {
		if (put_home(out, who, err) != 0)
			return -1;
		text++;
	}
	while (*text != '\0') {
		size_t plain = strcspn(text, "%");

		if (put(out, text, plain, err) != 0)
			return -1;
		text += plain;
		if (*text == '\0')
			break;
		if (put_variable(out, text[1], who, delimiter, err) != 0)
			return -1;
		text += 2;
	}
	out->text[out->len] = '\0';
	return 0;
}

/* One spelling for one place, in place. */
static int
normalize(char *path, struct err *err)
{
	const char *from = path;
	char *to = path;

	if (*path != '/')
		return err_set(err, STATUS_CONFIG, "the path must be absolute: start it with / or ~/");
	while (*from != '\0') {
		size_t len;

		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (len == 2 && from[0] == '.' && from[1] == '.')
			return err_set(err, STATUS_CONFIG, "'..' is not allowed in a path");
		if (len > 0 && !(len == 1 && from[0] == '.')) {
			*to++ = '/';
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	*to = '\0';
	if (to == path)
		return err_set(err, STATUS_CONFIG, "the root folder can't be used here");
	for (to = path; *to != '\0'; to++)
		if (is_control(*to))
			return err_set(err, STATUS_CONFIG, "control characters are not allowed");
	return 0;
}

int
expand_path(char **path, const char *text, const struct identity *who, const char *delimiter, struct err *err)
{
	struct output out = { .what = "path" };

	*path = NULL;
	if (expand(&out, text, who, delimiter, err) != 0 || normalize(out.text, err) != 0)
		return -1;
	if ((*path = strdup(out.text)) == NULL)
		return err_sys(err, "strdup", NULL);
	return 0;
}

int
expand_word(char **word, const char *text, const struct identity *who, const char *delimiter, struct err *err)
{
	struct output out = { .what = "word" };

	*word = NULL;
	if (expand(&out, text, who, delimiter, err) != 0)
		return -1;
	if (out.text[0] == '-' && text[0] == '%')
		return err_set(err, STATUS_CONFIG, "%%%c can't begin a word: its value starts with '-'", text[1]);
	if ((*word = strdup(out.text)) == NULL)
		return err_sys(err, "strdup", NULL);
	return 0;
}
