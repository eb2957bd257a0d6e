/*
 * The client's side of LMTP (RFC 2033): one connection, one message after the other, each for one recipient.
 *
 * Every wait has the limit of RFC 5321 section 4.5.3.2, and ends at the caller's deadline. Whatever the other side sends or leaves out, the
 * result is one of: taken, refused in a way that status tells, or STATUS_TEMP. Nothing of what it says is repeated but printable ASCII.
 */
#ifndef LMTP_CLIENT_H
#define LMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lmtp_server.h"
#include "message.h"
#include "status.h"

struct lmtp;

struct lmtp_transaction {
	const char *sender;	/* paths, as "<a@b>" */
	const char *recipient;
	uint64_t size;		/* as lmtp_size() counts, or 0: not known */
};

/* Connect and say LHLO. name is what errors call the server, borrowed. deadline_ms: of clock_ms(), or 0. Returns 0, or -1 with *c NULL. */
int lmtp_connect(struct lmtp **c, const struct lmtp_server *server, const char *name, int64_t deadline_ms, struct err *err);
/* Does the server want to know the size before it takes the message? */
bool lmtp_wants_size(const struct lmtp *c);
/* MAIL and RCPT, in one go where the server offers PIPELINING. Returns 0, or -1: nothing was handed over. */
int lmtp_begin(struct lmtp *c, const struct lmtp_transaction *e, struct err *err);

/* After the envelope: DATA. Then push the message into the sink, with LF or CRLF, and end with lmtp_end(). Until that sends the dot, the
 * server has not got the message, and forgets it when the connection ends. */
int lmtp_data(struct lmtp *c, struct err *err);
const struct sink *lmtp_sink(struct lmtp *c);
/* The dot, and what the server says of it. Returns 0: it has taken the message; -1 with another status than STATUS_TEMP: it has not; with
 * STATUS_TEMP: it may have. */
int lmtp_end(struct lmtp *c, struct err *err);

/* QUIT, if the dialogue is where that can be said; the answer is waited for only a moment. */
void lmtp_close(struct lmtp **c);

/* How many bytes a message has on its way (RFC 1870 section 5): `copy` pushes it into the sink that it is given. Returns 0 or -1. */
int lmtp_size(uint64_t *size, int (*copy)(void *arg, const struct sink *to, struct err *err), void *arg, struct err *err);

#endif
