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
	const char *folder;	/* -m, or NULL */
};

/* Deliver the message on fd. Returns 0: it is durably in the mailbox, or a duplicate of one that is; -1: try again later. Logs either. */
int deliver(const struct delivery *d, int fd, struct err *err);

/* Say on standard output what deliver() would do and why, and change nothing. Returns 0 or -1. */
int deliver_explain(const struct delivery *d, int fd, struct err *err);

#endif
