/*
 * From a message as it came to a message as a mailbox holds it.
 *
 * Two filters in a row, each of which can stop after any byte: the first knows envelope lines, fields and the body and leaves lines
 * out; the second sees what is left and quotes separators.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "copy.h"

#define FROM "From "
#define FROM_LEN (sizeof(FROM) - 1)
#define RETURN_PATH "Return-Path"
#define RETURN_PATH_LEN (sizeof(RETURN_PATH) - 1)

static int
flush(struct copier *c, struct err *err)
{
	size_t len = c->len;

	c->len = 0;
	return len == 0 ? 0 : c->out->write(c->out->arg, c->buf, len, err);
}

static int
emit(struct copier *c, const char *p, size_t len, struct err *err)
{
	if (len == 0)
		return 0;
	c->last = (unsigned char)p[len - 1];
	if (len > sizeof(c->buf) - c->len) {
		if (flush(c, err) == -1)
			return -1;
		if (len >= sizeof(c->buf))
			return c->out->write(c->out->arg, p, len, err);
	}
	memcpy(c->buf + c->len, p, len);
	c->len += len;
	return 0;
}

/* Put out the start of a line that quote() has only counted. */
static int
emit_counted(struct copier *c, struct err *err)
{
	static const char quotes[] = ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>";
	size_t n, matched = c->matched;

	if (matched == FROM_LEN && emit(c, ">", 1, err) == -1)
		return -1;
	for (; c->quotes > 0; c->quotes -= n) {
		n = c->quotes < sizeof(quotes) - 1 ? c->quotes : sizeof(quotes) - 1;
		if (emit(c, quotes, n, err) == -1)
			return -1;
	}
	c->matched = 0;
	return emit(c, FROM, matched, err);
}

/* The length of the lines, or the piece of a line, that need no closer look. */
static size_t
plain_run(const char *p, size_t len, bool *ends_line)
{
	const char *end = p + len, *nl, *from = p;

	*ends_line = false;
	while ((nl = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		from = nl + 1;
		if (from == end || *from == '>' || *from == 'F') {
			*ends_line = true;
			return (size_t)(from - p);
		}
	}
	return len;
}

/* The second filter. */
static int
put(struct copier *c, const char *p, size_t len, struct err *err)
{
	bool ends_line;
	size_t n;

	if (!c->options->quote_from)
		return emit(c, p, len, err);
	while (len > 0) {
		n = 1;
		if (c->in_line) {
			n = plain_run(p, len, &ends_line);
			if (emit(c, p, n, err) == -1)
				return -1;
			c->in_line = !ends_line;
		} else if (c->matched == 0 && *p == '>') {
			c->quotes++;
		} else if (*p == FROM[c->matched]) {
			if (++c->matched == FROM_LEN) {
				c->in_line = true;
				if (emit_counted(c, err) == -1)
					return -1;
			}
		} else {
			n = 0;
			c->in_line = true;
			if (emit_counted(c, err) == -1)
				return -1;
		}
		p += n;
		len -= n;
	}
	return 0;
}

static int
put_held(struct copier *c, struct err *err)
{
	size_t len = c->held_len;

	c->held_len = 0;
	return put(c, c->held, len, err);
}

static bool
is_blank(char b)
{
	return b == ' ' || b == '\t';
}

/* Is what is held, with b behind it, the start of a Return-Path field? */
static bool
may_be_return_path(const struct copier *c, char b)
{
	char start[RETURN_PATH_LEN + 1];

	if (!c->options->drop_return_path || c->held_len != c->name_len)
		return false;
	if (c->held_len >= RETURN_PATH_LEN)
		return is_blank(b) || b == ':';
	memcpy(start, c->held, c->held_len);
	start[c->held_len] = b;
	return strncasecmp(start, RETURN_PATH, c->held_len + 1) == 0;
}

/* One byte of a name or of the blanks after it. */
static int
name_byte(struct copier *c, char b, struct err *err)
{
	if (b == ':' && c->held_len >= RETURN_PATH_LEN) {
		c->held_len = 0;
		c->inside = true;
		c->part = COPY_DROP;
		c->line = LINE_REST;
		return 0;
	}
	if (may_be_return_path(c, b))
		c->held[c->held_len++] = b;
	else if (put_held(c, err) == -1 || put(c, &b, 1, err) == -1)
		return -1;
	c->name_len++;
	if (b == ':') {
		c->inside = true;
		c->line = LINE_REST;
	} else if (is_blank(b))
		c->line = LINE_BLANKS;
	else if (c->line == LINE_BLANKS || b < 33 || b > 126)
		c->part = COPY_BODY;
	if (c->line != LINE_REST && c->name_len == COPY_NAME_MAX)
		c->part = COPY_BODY;
	return c->part == COPY_BODY ? put_held(c, err) : 0;
}

/* What kind of line b begins; only a line that a field can begin is looked at more closely. */
static int
line_start(struct copier *c, char b, struct err *err)
{
	bool lines = c->options->follows || c->options->head[0] != '\0';

	c->part = b > 32 && b < 127 && b != ':' ? COPY_HEADER : COPY_BODY;
	c->line = LINE_NAME;
	c->name_len = 0;
	return is_blank(b) && !c->inside && lines ? put(c, "\n", 1, err) : 0;
}

/* Bytes of the header; *used of them are done with. */
static int
header(struct copier *c, const char *p, size_t len, size_t *used, struct err *err)
{
	const char *nl;

	*used = 0;
	if (c->line == LINE_START && c->inside && is_blank(*p))
		c->line = LINE_REST;
	if (c->line == LINE_START)
		return line_start(c, *p, err);
	if (c->line != LINE_REST) {
		*used = 1;
		return name_byte(c, *p, err);
	}
	nl = memchr(p, '\n', len);
	*used = nl == NULL ? len : (size_t)(nl - p) + 1;
	if (nl != NULL)
		c->line = LINE_START;
	return c->part == COPY_DROP ? 0 : put(c, p, *used, err);
}

static int copy_bytes(struct copier *, const char *, size_t, struct err *);

/* It was no envelope line after all: what is held is the message's first bytes. */
static int
envelope_over(struct copier *c, struct err *err)
{
	char first[FROM_LEN + 1];
	size_t len = c->held_len;

	memcpy(first, c->held, len);
	c->held_len = 0;
	c->part = COPY_HEADER;
	return copy_bytes(c, first, len, err);
}

/* The same for lines at the very top. */
static int
envelope(struct copier *c, const char *p, size_t len, size_t *used, struct err *err)
{
	const char *nl;
	size_t n = c->held_len;

	if (c->line == LINE_REST) {
		nl = memchr(p, '\n', len);
		*used = nl == NULL ? len : (size_t)(nl - p) + 1;
		if (nl != NULL)
			c->line = LINE_START;
		return 0;
	}
	*used = 0;
	c->held[n] = *p;
	if (strncmp(c->held, FROM, n + 1) != 0 && strncmp(c->held, ">" FROM, n + 1) != 0)
		return envelope_over(c, err);
	*used = 1;
	c->held_len++;
	if (c->held_len == FROM_LEN + (c->held[0] == '>')) {
		c->held_len = 0;
		c->line = LINE_REST;
	}
	return 0;
}

/* The first filter. */
static int
copy_bytes(struct copier *c, const char *p, size_t len, struct err *err)
{
	size_t used;
	int ret = 0;

	for (; len > 0 && ret == 0; p += used, len -= used) {
		if (c->part == COPY_BODY)
			return put(c, p, len, err);
		if (c->part == COPY_ENVELOPE)
			ret = envelope(c, p, len, &used, err);
		else
			ret = header(c, p, len, &used, err);
	}
	return ret;
}

static int
copier_start(struct copier *c, struct err *err)
{
	if (c->started)
		return 0;
	c->started = true;
	return put(c, c->options->head, strlen(c->options->head), err);
}

static int
copier_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct copier *c = arg;

	return copier_start(c, err) == -1 ? -1 : copy_bytes(c, buf, len, err);
}

void
copier_init(struct copier *c, const struct copy_options *options, const struct sink *out)
{
	memset(c, 0, offsetof(struct copier, buf));
	c->in.write = copier_write;
	c->in.arg = c;
	c->options = options;
	c->out = out;
	c->last = -1;
}

int
copier_finish(struct copier *c, struct err *err)
{
	if (copier_start(c, err) == -1)
		return -1;
	if (c->part == COPY_ENVELOPE && envelope_over(c, err) == -1)
		return -1;
	if (put_held(c, err) == -1 || emit_counted(c, err) == -1)
		return -1;
	return flush(c, err);
}

int
copy_message(const struct message *m, const struct copy_options *options, const struct sink *out, struct err *err)
{
	struct copier *c = malloc(sizeof(*c));
	int ret = -1;

	if (c == NULL)
		return err_sys(err, "copy message", NULL);
	copier_init(c, options, out);
	if (message_replay(m, &c->in, err) == 0)
		ret = copier_finish(c, err);
	free(c);
	return ret;
}
