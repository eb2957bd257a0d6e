/*
 * One delivery: stdin -> message -> fingerprint -> ledger -> mailbox -> ledger.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <stdbool.h>

#include "config.h"
#include "dedupdb.h"
#include "log.h"

struct delivery {
	const struct config *config;
	struct log *log;
	struct ledger *ledger;	/* NULL: deliver without one */
	const char *user;
	const char *sender;	/* envelope sender without <>, "" is the null sender; NULL: not told */
	const char *address;	/* original recipient, or NULL */
	const char *folder;	/* -m; "" or NULL: the inbox */
	const char *received;	/* a Received field to add, with its newline, or NULL */
	bool confine;		/* deliver_message(): give up the rest of the file system first, as deliver() always does */
};

/* Deliver the message on fd. Returns 0: it is durably in the mailbox, or a duplicate of one that is; -1: try again later. Logs either. */
int deliver(const struct delivery *d, int fd, struct err *err);

/* What was done. */
struct delivered {
	const char *action;	/* as in the log */
	bool without_ledger;	/* there is one, and it could not be used */
};

/* The same for a message that has been read already, as identify_read() reads it for this configuration, and can be replayed. It
 * stays the caller's, so that many recipients can share it. */
int deliver_message(const struct delivery *d, struct message *m, struct delivered *done, struct err *err);

/* Say on standard output what deliver() would do and why, and change nothing. Returns 0 or -1. */
int deliver_explain(const struct delivery *d, int fd, struct err *err);

#endif
