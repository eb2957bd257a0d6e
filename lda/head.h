/*
 * The header lines that a delivery adds: Return-Path, Delivered-To, and the mark of a tagged duplicate.
 */
#ifndef HEAD_H
#define HEAD_H

#include "config.h"
#include "fingerprint.h"

struct head_options {
	const struct config *config;
	const char *sender;	/* envelope sender without <>, "" is the null sender; NULL: not told */
	const char *address;	/* original recipient, or NULL */
	bool relay;		/* the other side is told of both and adds the lines itself */
	const char *received;	/* a Received field that this hop adds, with its newline, or NULL */
};

/* Fields of the message that decide what is added: names for message_options.fields. */
extern const char *const head_fields[];

/* Does the message's own Return-Path go? Only where a better one takes its place, here or on the other side (RFC 5321 section 4.4: there
 * is one). */
bool head_drops_return_path(const struct head_options *options);

/* Has the message been delivered to this recipient before, as a Delivered-To field that it brought along tells? */
bool head_tells_loop(const struct head_options *options, const struct message *m);

/* The sender that the MTA's "From sender date" line tells, into `sender`; "" is the null sender. Returns whether there is such a line. */
bool head_envelope_sender(const struct message *m, char *sender, size_t size);

/* The lines, each with its newline, to be freed with free(); NULL without memory. */
char *head_make(const struct head_options *options, const struct message *m);
/* The line that marks a duplicate: X-Dedup-Lda: duplicate; first=TIME; fingerprint=HEX. */
char *head_tag(int64_t first, const struct fingerprint *fp);

#endif
