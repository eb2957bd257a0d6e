/*
 * From a message in a file to its fingerprint and what the ledger would say to a copy of it now. Records nothing.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "fingerprint.h"
#include "judge.h"
#include "message.h"
#include "tool.h"

#define LOOKUP_WHY 768	/* bytes */

struct lookup {
	struct message *m;
	bool identified;	/* else nothing below is set */
	bool known;		/* there is a ledger: what follows is its answer */
	struct fingerprint fp;
	struct claim claim;	/* the record of fp */
	struct judgement judged;	/* what a copy would be; of a fingerprint alone, what one would be that is proved */
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
