/*
 * What the ledger keeps for one fingerprint, and its encoding: the same bytes in every store.
 *
 * Encoding, version 1, integers big-endian: version (1 byte), state (1), flags (2), first (8), decided (8), intent length (2),
 * intent, trace length (2), trace.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define INTENT_MAX 8192		/* bytes */
#define TRACE_MAX 1024		/* bytes */
#define RECORD_MAX (24 + INTENT_MAX + TRACE_MAX)

enum record_state {
	RECORD_PENDING = 1,	/* decided; the publication may or may not have happened: the intent tells how to finish it */
	RECORD_DELIVERED = 2	/* the publication was durable before this was written (I6) */
};

enum record_flag {
	RECORD_IMPORTED = 1	/* delivered without this ledger: `first` is the delivery's date, `decided` when it was imported */
};

/* The opaque bytes that let anyone finish a publication. Only the mailbox kind that wrote them reads them. */
struct intent {
	size_t len;
	unsigned char bytes[INTENT_MAX];
};

struct record {
	enum record_state state;
	uint16_t flags;		/* enum record_flag; unknown ones are kept as read */
	int64_t first;		/* seconds since 1970: the first decision; the window counts from here */
	int64_t decided;	/* seconds since 1970: when this intent was decided */
	size_t trace_len;
	unsigned char trace[TRACE_MAX];
	struct intent intent;	/* empty once delivered */
};

/* A record with neither intent nor trace. */
void record_begin(struct record *record, enum record_state state, int64_t first, int64_t decided);

/* Encode into buf (RECORD_MAX bytes); returns the length. */
size_t record_encode(const struct record *record, unsigned char *buf);
/* Returns 0, or -1 for bytes that are no record of a version we know. */
int record_decode(struct record *record, const void *buf, size_t len);
/* The same check without decoding all of it: returns its enum record_state, and when it was first decided, or -1. */
int record_look(const void *buf, size_t len, int64_t *first);

/* Seconds since the first decision; never negative. */
int64_t record_age(const struct record *record, int64_t now);

#endif
