/* Verdicts for people. */
#include <stdio.h>

#include "trace.h"

const char *
trace_proof_name(unsigned int proof)
{
	static const char *const names[] = { [PROOF_SAME_CHAIN] = "same-chain", [PROOF_QUEUE_ID] = "queue-id",
		[PROOF_SENDER] = "sender", [PROOF_FORK] = "fork", [PROOF_LOOP] = "loop", [PROOF_SEPARATE] = "separate" };

	proof &= ~(unsigned int)PROOF_SURE;
	return proof != PROOF_NONE && proof < sizeof(names) / sizeof(names[0]) ? names[proof] : "none";
}

static const char *
named(const char *host)
{
	return host[0] != '\0' ? host : "an unknown host";
}

/* `before` the number, if there is one. */
static void
seconds(char *text, size_t size, const char *before, const struct event *e, const char *after)
{
	text[0] = '\0';
	if (e->gap != GAP_UNKNOWN)
		snprintf(text, size, "%s%lld s%s", before, (long long)e->gap, after);
}

static void
queue_words(const struct event *e, char text[TRACE_WORDS])
{
	char gap[48];
	const char *id = e->queue_id;

	seconds(gap, sizeof(gap), ", ", e, " apart");
	snprintf(text, TRACE_WORDS, "copied between %s and %s%s: it was taken there twice%s%s", named(e->sender), named(e->receiver), gap,
	    id[0] != '\0' ? ", this time as " : "", id);
}

static void
loop_words(const struct event *e, char text[TRACE_WORDS])
{
	if (e->sender[0] == '\0')
		snprintf(text, TRACE_WORDS, "it goes round in a circle, and was here before");
	else
		snprintf(text, TRACE_WORDS, "it goes round in a circle: what had come to %s was sent on to %s and came back", e->sender,
		    named(e->receiver));
}

static void
fork_words(const struct event *e, char text[TRACE_WORDS])
{
	snprintf(text, TRACE_WORDS, "two ways led from %s, this one to %s: a list, an alias or a forwarder made the copy", named(e->sender),
	    e->receiver[0] != '\0' ? e->receiver : "this mailbox");
}

static void
certain_words(const struct event *e, char text[TRACE_WORDS])
{
	char gap[48];

	switch (e->proof & ~(unsigned int)PROOF_SURE) {
	case PROOF_SAME_CHAIN:
		seconds(gap, sizeof(gap), ", ", e, " after the first time");
		snprintf(text, TRACE_WORDS, "copied here: %s handed it over again%s", e->sender[0] != '\0' ? e->sender : "the MTA", gap);
		break;
	case PROOF_QUEUE_ID:
		queue_words(e, text);
		break;
	case PROOF_SENDER:
		seconds(gap, sizeof(gap), ", ", e, " apart");
		snprintf(text, TRACE_WORDS, "%s gave it to %s twice%s: again after a lost answer, or on purpose", named(e->sender),
		    named(e->receiver), gap);
		break;
	case PROOF_FORK:
		fork_words(e, text);
		break;
	case PROOF_LOOP:
		loop_words(e, text);
		break;
	case PROOF_SEPARATE:
		snprintf(text, TRACE_WORDS, "its Received fields do not tell where it was copied: sent twice, or forged");
		break;
	default:
		text[0] = '\0';
	}
}

void
trace_words(const struct event *event, char text[TRACE_WORDS])
{
	unsigned int proof = event->proof & ~(unsigned int)PROOF_SURE;
	size_t n;

	certain_words(event, text);
	for (n = 0; text[n] != '\0'; n++)
		;
	if (proof > PROOF_SAME_CHAIN && proof < PROOF_SEPARATE && (event->proof & PROOF_SURE) == 0)
		snprintf(text + n, TRACE_WORDS - n, " (as hosts say that need not be believed)");
}
