/*
 * One LMTP session (RFC 2033) over one connection: what may follow what, and the replies. What becomes of recipients and messages is up to
 * the handler.
 *
 * Each accepted recipient gets one reply to a message, in the order of RCPT, sent as soon as the handler has delivered to it: a 250 is said
 * only about what is durable. When the connection breaks while a message comes, nothing of it is delivered; when it breaks
 * afterwards, it is delivered all the same, and the client, which has to send it again, is told of duplicates.
 */
#ifndef LMTP_SESSION_H
#define LMTP_SESSION_H

#include "lmtp_command.h"
#include "lmtp_io.h"
#include "message.h"

#define LMTP_REPLY_MAX 320	/* bytes of a reply, with the final NUL and without CRLF */
#define LMTP_ID_MAX 40

struct lmtp_settings {
	const char *hostname;		/* ours */
	uint64_t max_size;		/* octets; 0: none */
	size_t max_recipients;
	int64_t timeout_ms;		/* for a command */
	int64_t data_timeout_ms;	/* see lmtp_data_start() */
};

/* Of one message. */
struct lmtp_envelope {
	const char *client;		/* who the client says it is; printable ASCII */
	struct lmtp_address sender;
	char id[LMTP_ID_MAX];		/* ours for this message, for logs and the Received field */
	void **recipients;		/* the handler's */
	size_t count;
};

struct lmtp_handler {
	/* RCPT. Returns what the handler calls this recipient by, or NULL when it is refused; fills the reply in both cases. */
	void *(*recipient)(void *arg, const struct lmtp_address *to, char reply[LMTP_REPLY_MAX]);
	void (*forget)(void *arg, void *recipient);
	/* Read the message from the source, to its end, and keep it until it is dropped. Returns 0 or -1. */
	int (*read)(void *arg, const struct lmtp_envelope *envelope, const struct source *from, struct err *err);
	/* Deliver it to this recipient and fill the reply. */
	void (*deliver)(void *arg, const struct lmtp_envelope *envelope, void *recipient, char reply[LMTP_REPLY_MAX]);
	/* All replies are sent, the last one gap_ms after the end of the message came. Returns whether another message may come. */
	bool (*answered)(void *arg, const struct lmtp_envelope *envelope, int64_t gap_ms);
	/* After read: the message is not needed any more. */
	void (*drop)(void *arg);
	void *arg;
};

struct lmtp_session;

/* Talk until the client quits, hangs up, or is silent for too long, or the server is to stop. Returns 0, or -1 without memory. */
int lmtp_session_run(struct lmtp_io *io, const struct lmtp_settings *settings, const struct lmtp_handler *handler);

#endif
