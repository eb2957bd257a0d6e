/*
 * Where was a message copied? Two copies' chains of Received fields, compared.
 *
 * Of the copy that is recorded a trace is kept: a few numbers for each hop, the oldest hop first. What is compared with it is a message at
 * hand. All of it comes from the message, and whoever wrote a field may have lied: which hops are believed is part of the trace.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "events.h"
#include "fingerprint.h"
#include "message.h"
#include "record.h"

/* What the comparison found: struct event keeps it in `proof`, with PROOF_SURE or without. The numbers are in ledgers and never change. */
enum trace_proof {
	PROOF_NONE = 0,		/* not compared: no trace of the first copy was kept */
	PROOF_SAME_CHAIN = 1,	/* every hop is the same: our own MTA handed the message over again */
	PROOF_QUEUE_ID = 2,	/* older hops are the same, then one host accepted it twice from the same sender: the gap of RFC 1047 */
	PROOF_SENDER = 3,	/* the same at the first hop, with nothing older to compare: a gap, or sent again on purpose */
	PROOF_FORK = 4,		/* older hops are the same, then two ways: a list, an alias or a forwarder made the copy */
	PROOF_LOOP = 5,		/* the copy has gone through what we had delivered before, or through a host twice */
	PROOF_SEPARATE = 6	/* nothing in common: sent twice, or forged */
};
#define PROOF_SURE 0x80		/* told by hosts that the administrator trusts, or by our own MTA alone */

#define GAP_UNKNOWN INT64_MIN	/* in event.gap: a date could not be read, or there is nothing to measure */

#define TRACE_HOPS 31		/* hops of which something is kept: of a longer chain the oldest and the newest ones */
#define TRACE_WORDS 384		/* bytes */

/* One hop. The numbers are beginnings of SHA-256, but for `by`; sender and pool are salted with all older fields. */
struct trace_hop {
	uint64_t chain;		/* this field and all older ones: two chains that agree here agree before */
	uint64_t sender;	/* its IP address, else its looked-up name, else its own word for itself; and for whom it sent.
				 * 0: it has none of these */
	uint64_t pool;		/* the same of its looked-up name without the first label; 0: there is none */
	uint32_t by;		/* the receiver's name, pack_checksum() folded; 0: there is none */
	uint32_t time;		/* s since 1970; 0: not known */
};

struct trace {
	uint16_t hops;		/* of the message */
	uint16_t believed;	/* so many of the newest ones were written by our own MTA, or by hosts that are trusted */
	bool circles;		/* it came through a host twice, with another one between */
	struct trace_hop hop[TRACE_HOPS];
	unsigned char chain[DIGEST_BYTES];	/* all fields; of a message at hand only, not encoded */
};

/* The trace of a message that keeps its "received" fields. trusted: host names, names with a dot in front for all hosts of a domain, IP
 * addresses and networks in CIDR, NULL at the end; or NULL. */
void trace_make(struct trace *t, const struct message *m, const char *const *trusted);

/* As a record keeps it: version (1 byte), circles (1), hops (2), believed (2), then for each kept hop chain (8), sender (8), pool (8),
 * by (4), time (4); integers big-endian. Returns the length. */
size_t trace_encode(const struct trace *t, unsigned char bytes[TRACE_MAX]);
/* Returns 0, or -1 for bytes that are no trace of a version we know: then there is none. */
int trace_decode(struct trace *t, const unsigned char *bytes, size_t len);

/* The record's key of a copy that is not taken for one of the message fp: made of fp and the whole chain. Its first FINGERPRINT_TAG digits
 * are those of fp, so that whoever looks for a prefix of fp finds it as well. */
void trace_key(struct fingerprint *key, const struct fingerprint *fp, const struct trace *t);

struct verdict {
	enum trace_proof proof;
	bool sure;
	int64_t gap;		/* s, or GAP_UNKNOWN; never negative */
	char sender[EVENT_NAME], receiver[EVENT_NAME];	/* the hop; "": not known. Letters, digits and -._:[], and ? for the rest */
	char queue_id[EVENT_QUEUE];	/* the copy's */
};

/* The message at hand. */
struct trace_copy {
	const struct message *m;
	const struct trace *trace;	/* of m */
	const char *const *trusted;	/* as for trace_make */
	bool loops;			/* its Delivered-To fields say that it was here before */
};

/* Compare what the record says of the first copy's way with the copy's. */
void trace_compare(struct verdict *v, const struct record *first, const struct trace_copy *copy, int64_t now);

/* Does it prove that this is a copy that was made on the way, by which nobody can suppress another message? */
bool trace_proves(const struct verdict *v);

/* Write the verdict into an event. */
void trace_tell(struct event *event, const struct verdict *v);

/* The word for it: same-chain, queue-id, sender, fork, loop, separate; "none" for any other number. Ignores PROOF_SURE. */
const char *trace_proof_name(unsigned int proof);
/* What an event's proof, hop and gap mean, in plain words; "" for PROOF_NONE. */
void trace_words(const struct event *event, char text[TRACE_WORDS]);

#endif
