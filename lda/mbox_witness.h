/*
 * Finding an entry again in an mbox that a reader has rewritten since.
 *
 * The witness of an entry is its X-Dedup-Id, which must be the first field of that name, and two digests: of the header as written
 * without the fields in which readers keep their state, and of the body as written without the newlines at its end. A reader may
 * move the entry and mark it; a torn entry, or one whose text was changed, is not found.
 */
#ifndef MBOX_WITNESS_H
#define MBOX_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"

#define MBOX_ID_BYTES 16
#define MBOX_ID_HEX (2 * MBOX_ID_BYTES + 1)	/* bytes, with the final NUL */
#define MBOX_ID_FIELD "X-Dedup-Id"

struct witness {
	unsigned char head[DIGEST_BYTES];
	unsigned char body[DIGEST_BYTES];
};

/* Reads an mbox in pieces of any size. An entry begins with "From " at offset 0 or after an empty line. */
struct witness_reader {
	/* found: an entry with the id (and the wanted digests), at [start, end). Nothing is read any more then. */
	uint64_t start, end;
	struct witness seen;
	bool found;

	/* private */
	bool spoiled;			/* there are NULs in the open entry's From_ line */
	bool id_seen, id_ok;		/* in the open entry's header */
	bool named, counts;		/* this header line's field is known; it belongs to the digest */
	bool after_empty;		/* the line before this one is empty */
	char first;			/* byte of this line */
	char id[MBOX_ID_HEX];
	char line[128];			/* the start of a header line */
	char tail[64];			/* newlines at the end of the body so far */
	enum { WITNESS_OUTSIDE, WITNESS_FROM, WITNESS_HEADER, WITNESS_BODY } part;
	const struct witness *want;
	uint64_t offset;		/* of the next byte */
	uint64_t entry;			/* where the open entry began */
	uint64_t column;		/* bytes of this line so far */
	size_t matched;			/* bytes of "From " that this line began with */
	size_t line_len, tail_len;
	struct digest head, body, cut;	/* cut: the body without the newlines at its end, when they are too many for tail */
};

void witness_id(const unsigned char id[MBOX_ID_BYTES], char hex[MBOX_ID_HEX]);

/* want NULL: the first entry with that id will do. want is borrowed. */
void witness_start(struct witness_reader *r, const unsigned char id[MBOX_ID_BYTES], const struct witness *want);
void witness_add(struct witness_reader *r, const void *buf, size_t len);
/* All was added: r->found is right. */
void witness_end(struct witness_reader *r);

#endif
