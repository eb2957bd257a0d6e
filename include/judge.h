/*
 * What a message is to the ledger: new, a duplicate, another copy's unfinished delivery, or, with duplicates = proven, a separate copy.
 * The same for a delivery, for -n and for the tools that ask about a file.
 *
 * A message is looked up under its fingerprint. With duplicates = proven that record counts only if its trace proves that this is a copy
 * of the recorded one; if it does not, the copy is separate and has a record of its own (trace_key), in which the same protocol runs.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "dedupdb.h"
#include "message.h"
#include "trace.h"

struct judgement {
	const struct config *config;
	struct trace trace;		/* of this copy */
	struct trace_copy copy;
	struct fingerprint fp;
	struct fingerprint own;		/* its key as a separate copy; only with duplicates = proven */
	bool passed;			/* set by the caller: the pending record of fp has been settled, and proves nothing */

	/* the answer */
	bool separate;			/* the claim is of own, or of another separate copy of which this one is proved to be a copy */
	bool compared;			/* what follows is valid: there was a record to compare with */
	struct verdict verdict;
	int64_t first;			/* s since 1970: when that other copy was decided, */
	int64_t age;			/* s ago */
	struct claim claim;		/* of fp, or of a separate copy */
};

/* Fields that a message must keep for this (identify's `also`). */
extern const char *const judge_fields[];

/* m is borrowed as long as the judgement is in use. address: the original recipient, or NULL. */
void judge_begin(struct judgement *j, const struct config *config, const struct message *m, const struct fingerprint *fp,
    const char *address);

/* Ask the ledger. Changes nothing. Returns 0, or -1: it can't be used now. A claim that is CLAIM_PENDING is to be settled whatever the
 * verdict says; judge_accepts tells whether this copy is done with that. */
int judge_ask(struct judgement *j, struct ledger *ledger, int64_t now, struct err *err);

/* Is the record in the claim one of which this is a copy? */
bool judge_accepts(const struct judgement *j);

#endif
