/*
 * From a message in a file to its fingerprint and what the ledger would say to a copy of it now. Records nothing.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "fingerprint.h"
#include "message.h"
#include "tool.h"

#define LOOKUP_WHY 256	/* bytes */

struct lookup {
	struct message *m;
	bool identified;	/* else fp and claim are not set */
	bool known;		/* there is a ledger: claim holds its answer */
	struct fingerprint fp;
	struct claim claim;
};

/* Read the message in `file` ("-": standard input) and look it up. explain, when not NULL, sees every input of the fingerprint.
 * Returns an exit code. */
int lookup_message(struct lookup *l, struct tool *t, const char *file, fingerprint_input *explain, void *arg);
/* The same for a fingerprint; nothing needs to be freed. */
int lookup_fingerprint(struct lookup *l, struct tool *t, const struct fingerprint *fp);
void lookup_free(struct lookup *l);

/* One word: new, duplicate, pending, unidentified, or unknown without a ledger. */
const char *lookup_verdict(const struct lookup *l);
/* What would happen to a copy that comes now, and why: one line. */
void lookup_why(const struct lookup *l, const struct tool *t, char why[LOOKUP_WHY]);

#endif
