/*
 * The server's end of one connection: bytes in and out, each with a deadline.
 *
 * Replies are collected and go out together before anything is waited for, as PIPELINING (RFC 2920) wants it.
 */
#ifndef LMTP_IO_H
#define LMTP_IO_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LMTP_IO_BYTES 65536

/* What the whole server knows. */
struct lmtp_weather {
	const volatile sig_atomic_t *stopping;	/* end when what was accepted is delivered */
	const atomic_bool *crowded;		/* others wait for a place: no patience with clients that say nothing */
	const sigset_t *signals;		/* the mask while waiting, so that a signal which sets `stopping` ends it; or NULL */
};

enum lmtp_io_result {
	LMTP_IO_OK,
	LMTP_IO_LATE,	/* the deadline is over, or patience is */
	LMTP_IO_STOP,	/* the server is to stop; only where that was asked for */
	LMTP_IO_GONE	/* the client has closed, or the connection broke */
};

struct lmtp_io {
	int in_fd, out_fd;
	const struct lmtp_weather *weather;
	int64_t heard_ms;	/* when bytes came last, replies were due, or the connection began; a clock_ms() */
	int64_t due_ms;		/* since when the first reply in `out` waits */
	bool gone;		/* nothing can be written any more */
	size_t at, end;		/* what of `in` is unread */
	size_t out_len;
	unsigned char in[LMTP_IO_BYTES];
	char out[4096];
};

/* Descriptors of a socket (or two), which have to be non-blocking; they stay the caller's. */
void lmtp_io_init(struct lmtp_io *io, int in_fd, int out_fd, const struct lmtp_weather *weather);

/* Wait for bytes until deadline_ms (clock_ms()) and take what there is. may_stop: also come back when the server is to stop. Sends
 * first what waits to be sent. With bytes unread it returns at once. */
enum lmtp_io_result lmtp_io_fill(struct lmtp_io *io, int64_t deadline_ms, bool may_stop);

/* The next line into line (size bytes), without CRLF or LF, not NUL-terminated; *len is its length, or size when it was longer and
 * is thrown away. */
enum lmtp_io_result lmtp_io_line(struct lmtp_io *io, char *line, size_t size, size_t *len, int64_t deadline_ms);

/* A reply, to which CRLF is added. */
void lmtp_io_reply(struct lmtp_io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Send what was collected; a client that does not take it until deadline_ms is gone. */
void lmtp_io_flush(struct lmtp_io *io, int64_t deadline_ms);
/* The same if it has waited for late_ms. */
void lmtp_io_flush_late(struct lmtp_io *io, int64_t late_ms, int64_t deadline_ms);

#endif
