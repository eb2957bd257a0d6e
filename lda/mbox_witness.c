/* Finding an entry again in an mbox. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mbox_witness.h"

#define FROM "From "
#define FROM_LEN (sizeof(FROM) - 1)

void
witness_id(const unsigned char id[MBOX_ID_BYTES], char hex[MBOX_ID_HEX])
{
	size_t i;

	for (i = 0; i < MBOX_ID_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

void
witness_start(struct witness_reader *r, const unsigned char id[MBOX_ID_BYTES], const struct witness *want)
{
	memset(r, 0, sizeof(*r));
	witness_id(id, r->id);
	r->want = want;
	r->after_empty = true;
}

static bool
is_newline(char b)
{
	return b == '\n' || b == '\r';
}

/* Bytes of a wanted body. Newlines are kept back, since they don't count if nothing follows; where they are too many to be kept,
 * the digest up to them is. */
static void
body_add(struct witness_reader *r, const char *p, size_t len)
{
	size_t end = len;

	while (end > 0 && is_newline(p[end - 1]))
		end--;
	if (end > 0) {
		if (r->tail_len <= sizeof(r->tail))
			digest_add(&r->body, r->tail, r->tail_len);
		r->tail_len = 0;
		digest_add(&r->body, p, end);
	}
	p += end;
	len -= end;
	if (r->tail_len <= sizeof(r->tail) && len > sizeof(r->tail) - r->tail_len) {
		r->cut = r->body;
		digest_add(&r->body, r->tail, r->tail_len);
		r->tail_len = sizeof(r->tail) + 1;
	}
	if (r->tail_len > sizeof(r->tail)) {
		digest_add(&r->body, p, len);
		return;
	}
	memcpy(r->tail + r->tail_len, p, len);
	r->tail_len += len;
}

static void
entry_close(struct witness_reader *r, uint64_t end)
{
	struct digest *body = r->tail_len > sizeof(r->tail) ? &r->cut : &r->body;

	if (r->part != WITNESS_BODY || !r->id_ok || r->spoiled)
		return;		/* a header without its end is a torn one */
	digest_end(&r->head, r->seen.head);
	digest_end(body, r->seen.body);
	if (r->want == NULL || memcmp(r->want, &r->seen, sizeof(r->seen)) == 0) {
		r->found = true;
		r->start = r->entry;
		r->end = end;
	}
}

static void
entry_open(struct witness_reader *r, uint64_t start)
{
	r->part = WITNESS_FROM;
	r->entry = start;
	r->id_seen = r->id_ok = r->spoiled = false;
}

/* Fields in which mail readers keep what they know of a message. */
static bool
is_readers(const char *name, size_t len)
{
	static const char *const names[] = {
		"status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase", "x-label", "content-length", "lines",
		"x-mozilla-status", "x-mozilla-status2", "x-mozilla-keys", "x-evolution", "x-evolution-source",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
			return true;
	return false;
}

static bool
has_id(const struct witness_reader *r, size_t colon)
{
	size_t from = colon + 1, end = r->line_len;

	while (end > from && (is_newline(r->line[end - 1]) || r->line[end - 1] == ' ' || r->line[end - 1] == '\t'))
		end--;
	while (from < end && (r->line[from] == ' ' || r->line[from] == '\t'))
		from++;
	return end - from == MBOX_ID_HEX - 1 && memcmp(r->line + from, r->id, end - from) == 0;
}

/* The line in r->line is whole, or too long to be one of interest: what is it? */
static void
line_name(struct witness_reader *r)
{
	const char *colon = memchr(r->line, ':', r->line_len);
	size_t len = colon == NULL ? 0 : (size_t)(colon - r->line);

	r->named = true;
	if (r->line[0] != ' ' && r->line[0] != '\t')	/* else it shares the fate of the line before */
		r->counts = !is_readers(r->line, len);
	if (!r->id_seen && len == sizeof(MBOX_ID_FIELD) - 1 && strncasecmp(r->line, MBOX_ID_FIELD, len) == 0) {
		r->id_seen = true;
		r->id_ok = has_id(r, len);
		if (r->id_ok)
			digest_start(&r->head);
	}
	if (r->counts && r->id_ok)
		digest_add(&r->head, r->line, r->line_len);
}

/* A piece of a header line. */
static void
header_add(struct witness_reader *r, const char *p, size_t len, bool ended)
{
	size_t n = sizeof(r->line) - r->line_len;

	if (n > len)
		n = len;
	if (!r->named) {
		memcpy(r->line + r->line_len, p, n);
		r->line_len += n;
		if (ended || r->line_len == sizeof(r->line))
			line_name(r);
	} else
		n = 0;
	if (r->named && r->counts && r->id_ok)
		digest_add(&r->head, p + n, len - n);
	if (ended) {
		r->named = false;
		r->line_len = 0;
	}
}

/* The line ended: what comes next? */
static void
line_end(struct witness_reader *r)
{
	bool empty = r->column == 1 || (r->column == 2 && r->first == '\r');

	if (r->part == WITNESS_FROM) {
		r->part = WITNESS_HEADER;
		r->named = false;
		r->counts = true;
		r->line_len = 0;
	} else if (r->part == WITNESS_HEADER && empty) {
		r->part = WITNESS_BODY;
		r->tail_len = 0;
		if (r->id_ok)
			digest_start(&r->body);
	}
	r->after_empty = empty;
	r->column = 0;
}

/* A piece of one line. */
static void
line_add(struct witness_reader *r, const char *p, size_t len)
{
	bool ended = p[len - 1] == '\n';

	if (r->column == 0)
		r->first = p[0];
	r->column += len;
	if (r->part == WITNESS_FROM && memchr(p, '\0', len) != NULL)
		r->spoiled = true;	/* by a power cut: readers would not see that a message begins here */
	if (r->part == WITNESS_HEADER)
		header_add(r, p, len, ended);
	else if (r->part == WITNESS_BODY && r->id_ok)
		body_add(r, p, len);
	if (ended)
		line_end(r);
}

/* This line may be a separator: take one byte if it still looks like that. */
static bool
separator_byte(struct witness_reader *r, char b)
{
	if (b != FROM[r->matched])
		return false;
	if (++r->matched < FROM_LEN)
		return true;
	r->matched = 0;
	r->after_empty = false;
	entry_close(r, r->offset + 1 - FROM_LEN);
	entry_open(r, r->offset + 1 - FROM_LEN);
	r->column = FROM_LEN;
	r->first = 'F';
	return true;
}

void
witness_add(struct witness_reader *r, const void *buf, size_t len)
{
	const char *p = buf, *nl;
	size_t n, matched;

	for (; len > 0 && !r->found; p += n, len -= n, r->offset += n) {
		n = 1;
		if (r->after_empty && r->column == 0) {
			if (separator_byte(r, *p))
				continue;
			matched = r->matched;
			r->matched = 0;
			if (matched > 0)
				line_add(r, FROM, matched);
		}
		nl = memchr(p, '\n', len);
		n = nl == NULL ? len : (size_t)(nl - p) + 1;
		line_add(r, p, n);
	}
}

void
witness_end(struct witness_reader *r)
{
	if (!r->found && r->matched > 0)
		line_add(r, FROM, r->matched);
	if (!r->found)
		entry_close(r, r->offset);
}
