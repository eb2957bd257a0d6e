/*
 * The one way from a message as it came to a message as a mailbox holds it.
 *
 * A copier is a filter: bytes go in in pieces of any size, and come out at a sink with the envelope lines removed, the added header
 * lines in front, old Return-Path fields left out and, for mbox, lines that look like separators quoted (mboxrd). It never changes
 * the body otherwise.
 */
#ifndef COPY_H
#define COPY_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"
#include "status.h"

#define COPY_BUFFER 65536	/* bytes */

struct copy_options {
	const char *head;	/* header lines that come first; "" for none */
	bool drop_return_path;
	bool quote_from;	/* mboxrd: one more '>' before ^>*From */
};

struct copier {
	struct sink in;			/* push the message here */
	const struct copy_options *options;
	const struct sink *out;
	enum { COPY_ENVELOPE, COPY_HEADER, COPY_DROP, COPY_BODY } part;
	bool started;			/* the head is out */
	bool line_start;
	size_t held_len;
	char held[64];			/* the start of a line that is not yet known for what it is */
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
