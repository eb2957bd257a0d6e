/*
 * One message, read once from a descriptor: its header fields, its size and the digest of its body.
 *
 * Any bytes are a message: NUL, CRLF or LF, no last newline, no header, nothing at all. A message of up to MESSAGE_MEMORY bytes
 * stays in memory; a larger one is handed on while it is read, so that a process needs the same memory for 1 GiB as for 1 MiB.
 *
 * The header ends at the first empty line, or before the first line that is no header field. Leading "From " and ">From " lines
 * are the envelope's: they are kept apart and are not part of the message.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define MESSAGE_MEMORY (256 * 1024)	/* bytes */
#define MESSAGE_FIELD_MAX 8192		/* bytes of one field's value that are looked at; the rest is not */
#define MESSAGE_FIELDS_MAX 256		/* fields that are kept; the first ones */
#define MESSAGE_ENVELOPE_MAX 1024	/* bytes of an envelope line that are kept */
#define BODY_DIGEST_BYTES 32

/* RFC 6376 section 3.4: how white space counts in the body digest. */
enum body_form { BODY_RELAXED, BODY_SIMPLE };

/* Where bytes go. write returns 0 or -1. */
struct sink {
	int (*write)(void *arg, const void *buf, size_t len, struct err *err);
	void *arg;
};

/* Where bytes come from. read returns how many, 0 at the end, or -1. */
struct source {
	ssize_t (*read)(void *arg, void *buf, size_t len, struct err *err);
	void *arg;
};

/* A field as read: unfolded, runs of white space as one blank, no blanks at the ends, case kept. */
struct field {
	char *name;	/* lower case */
	char *value;	/* NUL-terminated; a NUL in the message is kept and counted in len */
	size_t len;
};

struct message_options {
	const char *const *fields;	/* names of the fields to keep, lower case, NULL at the end */
	enum body_form body;
	/* Takes a message that outgrows MESSAGE_MEMORY, from its first byte, as it is read. With NULL it goes to an unnamed
	 * temporary file instead and can be replayed. */
	const struct sink *spill;
};

struct message;

/* Read fd to its end. Returns 0, or -1 when reading, memory or the spill failed: nothing may be delivered then. fd is not closed.
 * *m is set before the spill is written to for the first time, so that a spill can ask for the fields read so far. */
int message_read(struct message **m, int fd, const struct message_options *options, struct err *err);
/* The same from elsewhere, such as the middle of an mbox; and a descriptor, borrowed, as such a source. */
int message_read_from(struct message **m, const struct source *from, const struct message_options *options, struct err *err);
struct source message_source(int *fd);
void message_free(struct message **m);

uint64_t message_size(const struct message *m);		/* bytes read, with the envelope lines */
const char *message_envelope(const struct message *m);	/* the first "From ..." line without '>' and newline, or NULL */
const unsigned char *message_body_digest(const struct message *m);	/* BODY_DIGEST_BYTES: bh= of a DKIM signature, decoded */

/* The n-th field (0: the first) of that name, or NULL. Only names given in the options can be asked for. Of two fields of a message the
 * one that stands above the other has the lower address. */
const struct field *message_field(const struct message *m, const char *name, size_t n);

/* The temporary file in which a large message is, the message's, or -1. Its offset is nowhere in particular. */
int message_file(const struct message *m);
/* Was the message handed to the spill sink? Then it can not be replayed. */
int message_was_spilled(const struct message *m);
/* Push the bytes as read into a sink, as often as wanted. Returns 0, or -1 with the sink's error or a read error. */
int message_replay(const struct message *m, const struct sink *to, struct err *err);

#endif
