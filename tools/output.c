/*
 * One object as text or JSON. See output.h; how times and sizes are written is in format.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base64.h"
#include "output.h"

#define LABEL_WIDTH 20	/* columns for the keys */

static _Noreturn void
no_memory(void)
{
	fprintf(stderr, "%s: no memory\n", program_invocation_short_name);
	_exit(EX_TEMPFAIL);
}

static json_t *
must(json_t *value)
{
	if (value == NULL)
		no_memory();
	return value;
}

void
out_begin(struct out *o, bool json)
{
	o->object = json ? must(json_object()) : NULL;
	o->indent = 0;
}

void
out_end(struct out *o)
{
	if (o->object == NULL)
		return;
	/* a write error stays in stdout, and main tells it; any other means memory */
	if (json_dumpf(o->object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) == -1 && !ferror(stdout))
		no_memory();
	putchar('\n');
	json_decref(o->object);
	o->object = NULL;
}

static void
add(struct out *o, const char *key, json_t *value)
{
	if (json_object_set_new(o->object, key, must(value)) == -1)
		no_memory();
}

static void
label(const struct out *o, const char *key)
{
	int width = LABEL_WIDTH - o->indent - (int)strlen(key);

	printf("%*s", o->indent, "");
	escaped_text(stdout, key);
	printf("%*s ", width > 0 ? width : 0, "");
}

static void
text_line(const struct out *o, const char *key, const char *text)
{
	label(o, key);
	escaped_text(stdout, text);
	putchar('\n');
}

/* Returns a string to be freed. */
static char *
base64(const unsigned char *in, size_t len)
{
	char *text = malloc(BASE64_TEXT(len));

	if (text == NULL)
		no_memory();
	base64_text(in, len, text);
	return text;
}

static json_t *
json_escaped(const void *bytes, size_t len)
{
	json_t *value = NULL;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f != NULL) {
		escaped(f, bytes, len);
		if (fclose(f) == 0)
			value = json_string(text);
	}
	free(text);
	return must(value);
}

/* A path need not be UTF-8 but JSON must be. */
static json_t *
json_bytes(const void *bytes, size_t len)
{
	json_t *value = json_stringn(bytes, len);

	return value != NULL ? value : json_escaped(bytes, len);
}

void
out_append(json_t *array, const char *text)
{
	if (json_array_append_new(array, must(json_bytes(text, strlen(text)))) == -1)
		no_memory();
}

void
out_text(struct out *o, const char *key, const char *text)
{
	if (o->object != NULL)
		add(o, key, text == NULL ? json_null() : json_bytes(text, strlen(text)));
	else
		text_line(o, key, text == NULL ? "none" : text);
}

/* JSON strings hold Unicode only: what is something else comes escaped, and exactly as base64 beside it. */
void
out_bytes(struct out *o, const char *key, const void *bytes, size_t len)
{
	json_t *value;
	char *text, name[64];

	if (o->object == NULL) {
		label(o, key);
		escaped(stdout, bytes, len);
		putchar('\n');
		return;
	}
	value = json_stringn(bytes, len);
	if (value != NULL) {
		add(o, key, value);
		return;
	}
	add(o, key, json_escaped(bytes, len));
	text = base64(bytes, len);
	snprintf(name, sizeof(name), "%s_base64", key);
	add(o, name, json_string(text));
	free(text);
}

void
out_digest(struct out *o, const char *key, const unsigned char *bytes, size_t len)
{
	struct out inner;
	char *text = base64(bytes, len), *hex = malloc(2 * len + 1);
	size_t i;

	if (hex == NULL)
		no_memory();
	for (i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	out_nest(&inner, o, key);
	out_text(&inner, "base64", text);
	out_text(&inner, "hex", hex);
	free(text);
	free(hex);
}

void
out_count(struct out *o, const char *key, uint64_t n)
{
	char text[AGE_TEXT];

	if (o->object != NULL) {
		add(o, key, json_integer((json_int_t)n));
		return;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	text_line(o, key, text);
}

void
out_flag(struct out *o, const char *key, bool yes)
{
	if (o->object != NULL)
		add(o, key, json_boolean(yes));
	else
		text_line(o, key, yes ? "yes" : "no");
}

void
out_size(struct out *o, const char *key, uint64_t bytes)
{
	char text[AGE_TEXT];

	size_text(bytes, text);
	if (o->object != NULL)
		add(o, key, json_integer((json_int_t)bytes));
	else
		text_line(o, key, text);
}

void
out_span(struct out *o, const char *key, int64_t seconds)
{
	char text[AGE_TEXT];

	age_text(seconds, text);
	if (o->object != NULL)
		add(o, key, json_integer(seconds));
	else
		text_line(o, key, text);
}

void
out_seconds(struct out *o, const char *key, int64_t us)
{
	char text[AGE_TEXT];

	if (us < 0) {
		out_text(o, key, NULL);
		return;
	}
	if (o->object != NULL) {
		add(o, key, json_real((double)us / 1000000));
		return;
	}
	snprintf(text, sizeof(text), "%.4f s", (double)us / 1000000);
	text_line(o, key, text);
}

void
out_time(struct out *o, const char *key, int64_t t, int64_t now)
{
	char text[AGE_TEXT], age[AGE_TEXT];

	time_text(t, o->object != NULL, text);
	if (o->object != NULL) {
		add(o, key, json_string(text));
		return;
	}
	age_text(t > now ? t - now : now - t, age);
	label(o, key);
	printf(t > now ? "%s (in %s)\n" : "%s (%s ago)\n", text, age);
}

void
out_nest(struct out *inner, struct out *o, const char *key)
{
	inner->indent = o->indent + 2;
	inner->object = NULL;
	if (o->object != NULL) {
		inner->object = must(json_object());
		add(o, key, inner->object);
		return;
	}
	printf("%*s", o->indent, "");
	escaped_text(stdout, key);
	putchar('\n');
}

void
out_array(struct out *o, const char *key)
{
	if (o->object != NULL && json_object_get(o->object, key) == NULL)
		add(o, key, json_array());
}

void
out_item(struct out *inner, struct out *o, const char *key)
{
	inner->indent = o->indent;
	inner->object = NULL;
	if (o->object == NULL)
		return;
	out_array(o, key);
	inner->object = must(json_object());
	if (json_array_append_new(json_object_get(o->object, key), inner->object) == -1)
		no_memory();
}
