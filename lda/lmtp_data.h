/*
 * The text of one message as it comes over LMTP: after DATA, or in the chunks of BDAT (RFC 3030), as a source for message_read_from().
 *
 * It becomes what an MTA writes into a pipe: each CRLF is a newline, dots that were added are gone (RFC 5321 section 4.5.2), and nothing
 * else is changed, so that a copy over LMTP and one through a pipe have one fingerprint and are stored alike. A CR or LF alone ends no
 * line here (section 2.3.8): only CRLF.CRLF ends the text, and what follows a bare LF is never taken for a dot line or a command.
 */
#ifndef LMTP_DATA_H
#define LMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmtp_io.h"
#include "message.h"

/* From lines as sent to lines as stored. */
struct lmtp_text {
	bool dots;		/* DATA; false: BDAT, where a dot is a dot */
	enum {
		TEXT_LINE,	/* a line begins */
		TEXT_DOT,	/* it began with a dot */
		TEXT_DOT_CR,	/* and a CR */
		TEXT_INSIDE,
		TEXT_CR,	/* a CR that is not out yet */
		TEXT_ENDED	/* the line with the dot alone is read */
	} state;
	uint64_t octets;	/* size of the message as RFC 1870 counts it, so far */
};

void lmtp_text_start(struct lmtp_text *t, bool dots);
/* Take bytes from in, *in_len of them, and set that to how many were taken; write up to out_len (2 at least) bytes to out. Returns
 * how many. Takes none only when there are none, or after the end. */
size_t lmtp_text_take(struct lmtp_text *t, const unsigned char *in, size_t *in_len, unsigned char *out, size_t out_len);
/* No more bytes come (BDAT): what is held, into out (1 byte). Returns how many. */
size_t lmtp_text_finish(struct lmtp_text *t, unsigned char *out);

enum lmtp_data_end {
	LMTP_DATA_OPEN,		/* more is to come */
	LMTP_DATA_ENDED,	/* read to its end: replies are due */
	LMTP_DATA_ABORTED,	/* RSET or QUIT between two chunks: no replies are due */
	LMTP_DATA_LATE,		/* the client was too slow */
	LMTP_DATA_GONE		/* the connection broke: the client has to send it again */
};

struct lmtp_data {
	struct source source;		/* read the message here */
	struct lmtp_io *io;
	struct lmtp_text text;
	uint64_t limit;			/* octets; 0: none */
	int64_t deadline_ms;		/* for the first bytes; see lmtp_data_deadline() */
	enum lmtp_data_end end;
	bool too_large;			/* it stops at the limit; the rest is still to be drained */
	bool failed;			/* nobody wants it any more: it is only drained */
	int64_t ended_ms;		/* when the last byte came */
	uint64_t chunk_left;		/* BDAT */
	bool last;
	/* BDAT: a chunk is taken; answer it and read commands up to the next one. Returns what becomes of the message. */
	enum lmtp_data_end (*next_chunk)(void *arg);
	void *arg;
};

/* DATA: the text follows. timeout_ms: how long the client may take, beside what its message needs at LMTP_DATA_RATE. */
void lmtp_data_start(struct lmtp_data *d, struct lmtp_io *io, uint64_t limit, int64_t timeout_ms);
/* BDAT: a chunk of that size follows. */
void lmtp_data_chunk(struct lmtp_data *d, uint64_t size, bool last);

#define LMTP_DATA_RATE 1024	/* bytes per second: who is slower for long only wants to hold a place */

/* Read and throw away what is left, so that commands can follow. Afterwards d->end is not LMTP_DATA_OPEN. */
void lmtp_data_drain(struct lmtp_data *d);

#endif
