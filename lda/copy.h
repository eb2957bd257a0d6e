/*
 * The one way from a message as it came to a message as a mailbox holds it.
 *
 * A copier is a filter: bytes go in in pieces of any size, and come out at a sink with the envelope lines removed, the added header
 * lines in front, old Return-Path fields left out and, for mbox, lines that look like separators quoted (mboxrd). It never changes
 * the body otherwise. Where the message begins with a blank and so has no header (see message.h), an empty line ends the added one:
 * otherwise that line would continue the last of the added fields.
 */
#ifndef COPY_H
#define COPY_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"
#include "status.h"

#define COPY_BUFFER 65536	/* bytes */
#define COPY_NAME_MAX 1000	/* bytes of a field name with its colon, as in the library's own reading of a header */

struct copy_options {
	const char *head;	/* header lines that come first; "" for none */
	bool follows;		/* header lines are there already */
	bool drop_return_path;
	bool quote_from;	/* mboxrd: one more '>' before ^>*From */
};

struct copier {
	struct sink in;			/* push the message here */
	const struct copy_options *options;
	const struct sink *out;
	enum { COPY_ENVELOPE, COPY_HEADER, COPY_DROP, COPY_BODY } part;
	bool started;			/* the head is out */
	bool inside;			/* there was a field, so a blank continues it */
	enum { LINE_START, LINE_NAME, LINE_BLANKS, LINE_REST } line;	/* where in a header line */
	size_t name_len;		/* bytes of this line up to here, while it may be a field */
	size_t held_len;
	char held[COPY_NAME_MAX];	/* the start of a line that may have to be left out */
	bool in_line;			/* this line of the copy is no separator */
	size_t quotes, matched;		/* how many '>' it has begun with, and how much of "From " came after them */
	int last;			/* last byte out, -1 before the first */
	size_t len;
	unsigned char buf[COPY_BUFFER];
};

/* out and options are borrowed until copier_finish. */
void copier_init(struct copier *c, const struct copy_options *options, const struct sink *out);
/* Push out what is held and buffered. Returns 0 or -1. c->last is then the last byte of the copy. */
int copier_finish(struct copier *c, struct err *err);

/* The whole copy of a message that can be replayed. */
int copy_message(const struct message *m, const struct copy_options *options, const struct sink *out, struct err *err);

#endif
