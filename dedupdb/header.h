/*
 * The header of a message, read in pieces of any size: RFC 5322 section 2.2, with the obsolete blanks before the colon.
 *
 * The header ends at the first empty line, or before the first line that is no field: one that starts with a blank with no field
 * before it, or has no colon after a name within HEADER_NAME_MAX bytes.
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

#define HEADER_NAME_MAX 1000	/* bytes before and with the colon */

struct header {
	const char *const *wanted;
	bool *seen;			/* one for each wanted name */
	struct field *fields;		/* what was found so far; the caller may take them after header_end() */
	size_t count, room;
	char *envelope;			/* the same */
	enum { HEADER_LINE, HEADER_ENVELOPE, HEADER_VALUE, HEADER_ENDED } part;
	bool top;			/* nothing but envelope lines so far */
	bool inside;			/* there was a field, so a blank continues it */
	bool cr;			/* a CR was read: part of a line end, or of the value */
	bool blank;			/* white space was read inside the value */
	bool full;			/* the rest of the value is not looked at */
	const char *name;		/* of the open field, one of wanted, or NULL */
	size_t line_len;		/* the start of a line whose kind is not known yet; after the end: the body's first bytes */
	size_t value_len;
	char line[HEADER_NAME_MAX];
	char value[MESSAGE_FIELD_MAX];	/* of the open field or envelope line */
};

/* wanted is borrowed. Returns 0 or -1. */
int header_start(struct header *h, const char *const *wanted, struct err *err);
/* Read some of the header; *used bytes of it are done with. Fewer than len: the header has ended, and the body is h->line and the
 * bytes that are left. Returns 0, or -1 without memory. */
int header_add(struct header *h, const char *p, size_t len, size_t *used, struct err *err);
/* The message has ended; the header may have ended before. What h->line holds is body, if header_add has not shown it before. */
int header_end(struct header *h, struct err *err);
void header_drop(struct header *h);

/* For lists taken from a header. */
void fields_free(struct field *fields, size_t count);

#endif
