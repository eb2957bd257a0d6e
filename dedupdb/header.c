/* The header of a message. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header.h"

#define LETTER_CASE 0x20	/* the bit by which ASCII letters differ from their capitals */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
header_start(struct header *h, const char *const *wanted, struct err *err)
{
	static const char *const none[] = { NULL };
	size_t n = 0;

	memset(h, 0, offsetof(struct header, line));
	h->wanted = wanted == NULL ? none : wanted;
	h->top = true;
	while (h->wanted[n] != NULL)
		n++;
	h->seen = calloc(n + 1, sizeof(*h->seen));
	return h->seen == NULL ? err_sys(err, "read message", NULL) : 0;
}

void
fields_free(struct field *fields, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(fields[i].name);
		free(fields[i].value);
	}
	free(fields);
}

void
header_drop(struct header *h)
{
	free(h->envelope);
	fields_free(h->fields, h->count);
	free(h->seen);
	h->envelope = NULL;
	h->fields = NULL;
	h->seen = NULL;
	h->count = h->room = 0;
}

/* Keep the open field, if there is one. */
static int
field_close(struct header *h, struct err *err)
{
	struct field *fields, *f;
	size_t room;

	if (h->name == NULL)
		return 0;
	if (h->count == h->room) {
		room = h->room == 0 ? 8 : 2 * h->room;
		fields = realloc(h->fields, room * sizeof(*fields));
		if (fields == NULL)
			return err_sys(err, "read message", NULL);
		h->fields = fields;
		h->room = room;
	}
	f = &h->fields[h->count++];	/* counted first, so that header_drop() frees what there is */
	f->len = h->value_len;
	f->name = strdup(h->name);
	f->value = malloc(h->value_len + 1);
	h->name = NULL;
	if (f->name == NULL || f->value == NULL)
		return err_sys(err, "read message", NULL);
	memcpy(f->value, h->value, h->value_len);
	f->value[h->value_len] = '\0';
	return 0;
}

/* Most fields are not wanted, which the first letter tells. */
static bool
is_name(const char *wanted, const char *name, size_t n)
{
	return ((wanted[0] ^ name[0]) & ~LETTER_CASE) == 0 && strncasecmp(wanted, name, n) == 0 && wanted[n] == '\0';
}

/* Open the field whose name and colon are in h->line. */
static void
field_open(struct header *h)
{
	size_t i, n = h->line_len - 1;

	while (is_blank(h->line[n - 1]))
		n--;
	h->part = HEADER_VALUE;
	h->top = h->cr = h->blank = h->full = false;
	h->inside = true;
	h->value_len = 0;
	for (i = 0; h->wanted[i] != NULL; i++)
		if (is_name(h->wanted[i], h->line, n))
			break;
	if (h->wanted[i] == NULL || (h->count >= MESSAGE_FIELDS_MAX && h->seen[i]))
		return;
	h->seen[i] = true;
	h->name = h->wanted[i];
}

static void
value_put(struct header *h, char c)
{
	bool blank = h->blank && h->value_len > 0;

	if (h->value_len + blank + 1 > sizeof(h->value))
		h->full = true;
	if (h->full)
		return;
	if (blank)
		h->value[h->value_len++] = ' ';
	h->value[h->value_len++] = c;
	h->blank = false;
}

static void
value_byte(struct header *h, char c)
{
	if (h->cr && c != '\n')
		value_put(h, '\r');
	h->cr = c == '\r';
	if (c == '\r' || c == '\n')
		return;
	if (is_blank(c))
		h->blank = true;
	else
		value_put(h, c);
}

/* The bytes that are kept as they are, up to the first that may not be; returns how many. */
static size_t
value_run(struct header *h, const char *p, size_t len)
{
	size_t i, room = sizeof(h->value) - h->value_len;

	if (h->cr || h->blank)
		return 0;
	if (len > room)
		len = room;
	for (i = 0; i < len && !is_blank(p[i]) && p[i] != '\r' && p[i] != '\n'; i++)
		h->value[h->value_len + i] = p[i];
	h->value_len += i;
	return i;
}

/* A value's bytes up to the line end or the end of the piece; returns how many. */
static size_t
value_add(struct header *h, const char *p, size_t len)
{
	const char *lf = memchr(p, '\n', len);
	size_t i, n = lf == NULL ? len : (size_t)(lf - p) + 1;

	for (i = 0; h->name != NULL && !h->full && i < n; i++) {
		i += value_run(h, p + i, n - i);
		if (i < n)
			value_byte(h, p[i]);
	}
	if (lf == NULL)
		return n;
	h->cr = false;
	h->part = HEADER_LINE;
	return n;
}

static int
envelope_close(struct header *h, struct err *err)
{
	h->part = HEADER_LINE;
	if (h->envelope != NULL)
		return 0;
	h->envelope = malloc(h->value_len + 1);
	if (h->envelope == NULL)
		return err_sys(err, "read message", NULL);
	memcpy(h->envelope, h->value, h->value_len);
	h->envelope[h->value_len] = '\0';
	return 0;
}

/* The same for an envelope line. */
static int
envelope_add(struct header *h, const char *p, size_t len, size_t *used, struct err *err)
{
	const char *lf = memchr(p, '\n', len);
	size_t n = lf == NULL ? len : (size_t)(lf - p);
	size_t keep = MESSAGE_ENVELOPE_MAX - h->value_len;

	*used = lf == NULL ? n : n + 1;
	if (n > keep)
		h->full = true;
	else
		keep = n;
	memcpy(h->value + h->value_len, p, keep);
	h->value_len += keep;
	if (lf == NULL)
		return 0;
	if (!h->full && h->value[h->value_len - 1] == '\r')
		h->value_len--;
	return envelope_close(h, err);
}

static void
envelope_open(struct header *h)
{
	h->part = HEADER_ENVELOPE;
	h->full = false;
	h->value_len = sizeof("From ") - 1;
	memcpy(h->value, "From ", h->value_len);
}

enum line_kind { LINE_UNKNOWN, LINE_ENVELOPE, LINE_FIELD, LINE_EMPTY, LINE_OTHER };

/* What h->line is, now that its last byte has come. */
static enum line_kind
line_kind(const struct header *h)
{
	const char *line = h->line;
	size_t len = h->line_len;
	char c = line[len - 1];

	if (h->top && ((len == 5 && memcmp(line, "From ", 5) == 0) || (len == 6 && memcmp(line, ">From ", 6) == 0)))
		return LINE_ENVELOPE;
	if (line[0] == '\r' && len == 2)
		return c == '\n' ? LINE_EMPTY : LINE_OTHER;
	if (len == 1 && (c == '\n' || c == '\r'))
		return c == '\n' ? LINE_EMPTY : LINE_UNKNOWN;
	if (c == ':')
		return len > 1 ? LINE_FIELD : LINE_OTHER;
	if (len == sizeof(h->line))
		return LINE_OTHER;
	if (is_blank(c))
		return len > 1 ? LINE_UNKNOWN : LINE_OTHER;
	if (c < 33 || c > 126 || (len > 1 && is_blank(line[len - 2])))
		return LINE_OTHER;
	return LINE_UNKNOWN;
}

/* One byte of a line whose kind is not known yet. */
static int
line_byte(struct header *h, char c, struct err *err)
{
	if (h->line_len == 0) {
		if (h->inside && is_blank(c)) {
			h->part = HEADER_VALUE;
			h->blank = true;
			return 0;
		}
		if (field_close(h, err) == -1)
			return -1;
	}
	h->line[h->line_len++] = c;
	switch (line_kind(h)) {
	case LINE_UNKNOWN:
		break;
	case LINE_ENVELOPE:
		envelope_open(h);
		h->line_len = 0;
		break;
	case LINE_FIELD:
		field_open(h);
		h->line_len = 0;
		break;
	case LINE_EMPTY:
		h->line_len = 0;
		h->part = HEADER_ENDED;
		break;
	case LINE_OTHER:
		h->part = HEADER_ENDED;
		break;
	}
	return 0;
}

int
header_add(struct header *h, const char *p, size_t len, size_t *used, struct err *err)
{
	size_t n;

	for (*used = 0; *used < len && h->part != HEADER_ENDED; *used += n) {
		n = 1;
		if (h->part == HEADER_VALUE)
			n = value_add(h, p + *used, len - *used);
		else if (h->part == HEADER_ENVELOPE) {
			if (envelope_add(h, p + *used, len - *used, &n, err) == -1)
				return -1;
		} else if (line_byte(h, p[*used], err) == -1)
			return -1;
	}
	return 0;
}

int
header_end(struct header *h, struct err *err)
{
	if (h->part == HEADER_ENVELOPE && envelope_close(h, err) == -1)
		return -1;
	if (h->part == HEADER_VALUE && h->name != NULL && h->cr)
		value_put(h, '\r');
	h->part = HEADER_ENDED;
	return field_close(h, err);
}
