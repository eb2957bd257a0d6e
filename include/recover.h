/*
 * Finishing what a crash left, without the message at hand: `dedupdb recover`, and every delivery to an mbox.
 */
#ifndef RECOVER_H
#define RECOVER_H

#include <stdint.h>

#include "dedupdb.h"
#include "mailbox.h"

enum recovered {
	RECOVER_SETTLED,	/* published (now or before) and marked delivered */
	RECOVER_LEFT,		/* not known, another host's, or the next copy has to decide: the record stays pending */
	RECOVER_DROPPED,	/* it can't be finished any more and is older than the window: forgotten */
	RECOVER_CHANGED		/* somebody else settled it meanwhile */
};

/* Settle one pending record. base gives locks, time-outs and notices; the path comes from the intent. Never cuts anything from an
 * mbox. Returns 0, or -1 with RECOVER_LEFT: err says what was in the way. */
int recover_record(struct ledger *ledger, struct claim *claim, const struct mailbox_options *base, int64_t now, int64_t window,
    enum recovered *result, struct err *err);

/* Prepare what ledger_delivered() or ledger_forget() write down of a claimed record whose message is not at hand; event is borrowed
 * by the claim until then. */
void recover_event(struct event *event, enum event_kind kind, struct claim *claim, int64_t now);

/* Remove left-over stages of this mailbox that no record of the ledger names (I4), where its kind leaves any. Returns how many, or -1. */
int recover_sweep(struct ledger *ledger, struct mailbox *box, int64_t now, struct err *err);

#endif
