/*
 * What one worker of the LMTP server delivers with, and how an address becomes a delivery. Private to the server.
 *
 * Virtual recipients are delivered to by the worker itself: the configuration is parsed once and only expanded for each of them. Recipients
 * who are users of this system are delivered to by a child of the worker's monitor (lmtpd_monitor.h), which becomes that user for good before it
 * opens anything.
 */
#ifndef LMTPD_SITE_H
#define LMTPD_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "dedupdb.h"
#include "deliver.h"
#include "lmtp_session.h"
#include "lmtpd_board.h"
#include "log.h"

#define LMTPD_LEDGERS 4		/* that a worker keeps open; others are opened again */
#define LMTPD_PEER_MAX 64
#define LMTPD_MESSAGES_MAX 5000	/* then a new process takes over: nothing may grow for ever */

struct lmtpd_ledger {
	char *url;
	struct ledger *ledger;
};

struct lmtpd_site {
	/* set by whoever makes it; all borrowed */
	struct config *config;			/* the system's */
	const char *file;			/* -c, or NULL */
	const char *const *assignments;		/* -o */
	const char *hostname;
	bool verbose;
	bool system;				/* recipients are users of this system; otherwise they are virtual */
	struct lmtpd_place *place;
	const int *foreign;			/* descriptors that a monitor may not keep, -1 at the end */
	int monitor;				/* the worker's end of the socket to it; system */

	struct log *log;			/* the server's own */
	bool one_log;				/* and that of every delivery */
	struct lmtpd_ledger ledgers[LMTPD_LEDGERS];
	size_t next_ledger;			/* whose place the next one takes */
	bool lost_ledger;			/* it could not be used: this process may never be able to */
	bool trouble;				/* that, or something could not be opened or written: a new worker may be better off */

	/* of this connection and this message */
	char peer[LMTPD_PEER_MAX];		/* for a Received field: "([192.0.2.1])"; "" for a socket in the file system */
	struct message *message;
	int shared;				/* a file with the same bytes, or -1: not yet */
	unsigned int delivered, duplicates, failed;

	unsigned int messages;		/* that were answered in all */
};

struct lmtpd_recipient {
	struct lmtp_address address;
	char *user;		/* without the extension, in lower case; with the domain if there are no users of this system */
	char *folder;		/* the extension, or NULL */
};

enum lmtpd_result {
	RESULT_DELIVERED, RESULT_DUPLICATE, RESULT_DEFERRED, RESULT_OVER_QUOTA, RESULT_REFUSED_QUOTA, RESULT_REFUSED_USER, RESULT_REFUSED
};

/* How a delivery ended. A child hands it over a pipe, a monitor over its socket, as it stands. */
struct lmtpd_outcome {
	enum lmtpd_result result;
	char text[ERR_TEXT];	/* what was done, or why not */
};

/* Open the log of the server's own lines. *one: it is that of every delivery as well; otherwise the log depends on the recipient and is opened
 * for each delivery, and the server's own lines go to syslog. Returns 0 or -1. */
int lmtpd_log_open(struct log **log, bool *one, const struct config *config, bool system, bool verbose, struct err *err);
/* The same for a worker. */
int lmtpd_site_open(struct lmtpd_site *site, struct err *err);
void lmtpd_site_close(struct lmtpd_site *site);
/* Open the ledger, if a server keeps it: before a sandbox keeps everybody from looking up its host. Returns false if that is still to be
 * done. */
bool lmtpd_site_prepare(struct lmtpd_site *site);
/* What the session calls. */
void lmtpd_site_handler(struct lmtpd_site *site, struct lmtp_handler *handler);

/* RCPT. Returns the recipient, or NULL with a reply that refuses. Accepted is only who could have a mailbox; with unknown-user = reject, only who
 * has one. */
struct lmtpd_recipient *lmtpd_recipient_new(struct lmtpd_site *site, const struct lmtp_address *to, char reply[LMTP_REPLY_MAX]);
void lmtpd_recipient_free(struct lmtpd_recipient **r);
/* How the configuration calls a recipient; the strings are the recipient's. */
struct identity lmtpd_identity(const struct lmtpd_recipient *r);

/* Deliver site->message in this process, as config says: resolved for this recipient. Its time limit still runs afterwards. */
void lmtpd_deliver(struct lmtpd_site *site, const struct config *config, const struct delivery *with, struct lmtpd_outcome *outcome);
/* The same in a child of the monitor, which becomes the recipient first. */
void lmtpd_deliver_as_user(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with,
    struct lmtpd_outcome *outcome);
/* For exit_on_crash(): blames the ledger that is in use. */
void lmtpd_on_crash(void);

/* The Received field of RFC 5321 section 4.4 for this message, folded, with its newline, to be freed; to: the only recipient, or NULL. NULL without
 * memory. */
char *lmtpd_received(const struct lmtp_envelope *e, const char *peer, const char *hostname, const char *to, int64_t now);

#endif
