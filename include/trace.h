/*
 * Where was a message copied? Two copies' chains of Received fields, compared.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

/* What the comparison found: struct event keeps it in `proof`, with PROOF_SURE or without. The numbers are in ledgers: they never change. */
enum trace_proof {
	PROOF_NONE = 0,		/* not compared: no trace of the first copy was kept */
	PROOF_SAME_CHAIN = 1,	/* every hop is the same: our own MTA handed the message over again */
	PROOF_QUEUE_ID = 2,	/* older hops are the same, then one host accepted it twice from the same sender: the gap of RFC 1047 */
	PROOF_SENDER = 3,	/* the same at the first hop, with nothing older to compare: a gap, or sent again on purpose */
	PROOF_FORK = 4,		/* older hops are the same, then two ways: a list, an alias or a forwarder made the copy */
	PROOF_LOOP = 5,		/* the copy has gone through what we had delivered before, or through a host twice */
	PROOF_SEPARATE = 6	/* nothing in common: sent twice, or forged */
};
#define PROOF_SURE 0x80		/* told by hosts that the administrator trusts, or by our own MTA alone */

#define GAP_UNKNOWN INT64_MIN	/* in event.gap: a date could not be read, or there is nothing to measure */

/* The word for it: same-chain, queue-id, sender, fork, loop, separate; "none" for any other number. Ignores PROOF_SURE. */
const char *trace_proof_name(unsigned int proof);

#endif
