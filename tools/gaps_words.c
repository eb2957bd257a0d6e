/* What a hop's numbers mean, in plain words: the same in the terminal, in JSON and on the page. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gaps.h"

static const char *const cause_names[] = {
	[CAUSE_RETRY] = "retry", [CAUSE_TIMEOUT] = "timeout", [CAUSE_BREAK] = "break", [CAUSE_NO_REPLY] = "no-reply", [CAUSE_FORK] = "fork",
	[CAUSE_LOOP] = "loop", [CAUSE_SEPARATE] = "separate",
};

static const char *const proof_words[GAPS_PROOFS] = {
	[PROOF_SAME_CHAIN] = "both copies came by the same hops",
	[PROOF_QUEUE_ID] = "the older hops are the same, then the receiver accepted it twice",
	[PROOF_SENDER] = "the same sender at the first hop; nothing older to compare, so it may also have been sent twice",
	[PROOF_FORK] = "the older hops are the same, then two ways part",
	[PROOF_LOOP] = "it went through the same host twice",
	[PROOF_SEPARATE] = "no hop in common",
};

const char *
gaps_cause_name(enum gaps_cause cause)
{
	return cause_names[cause];
}

const char *
gaps_sender(const struct gaps_hop *hop)
{
	if (hop->copies->sender[0] != '\0')
		return hop->copies->sender;
	return hop->class == GAPS_RETRY ? "(our MTA)" : "(not known)";
}

const char *
gaps_receiver(const struct gaps_hop *hop)
{
	if (hop->copies->receiver[0] != '\0')
		return hop->copies->receiver;
	return hop->class == GAPS_RETRY || hop->class == GAPS_FORK ? "(this mailbox)" : "(not known)";
}

const char *
gaps_plural(uint64_t n, const char *one, const char *more)
{
	return n == 1 ? one : more;
}

static void add(char text[GAPS_WORDS], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
add(char text[GAPS_WORDS], const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, GAPS_WORDS - len, fmt, ap);
	va_end(ap);
}

static void
timeout_words(const struct gaps_hop *hop, char text[GAPS_WORDS])
{
	int minutes = (int)(gaps_marks[hop->mark] / 60);

	add(text, "the sender gives up waiting for the reply after %d %s at most, and tries again: %zu of %zu delays are just over that",
	    minutes, gaps_plural((uint64_t)minutes, "minute", "minutes"), hop->at_mark, hop->dated);
}

void
gaps_cause_words(const struct gaps_hop *hop, char text[GAPS_WORDS])
{
	text[0] = '\0';
	switch (hop->cause) {
	case CAUSE_RETRY:
		add(text, "our own MTA handed it over again: a crash, a time limit, an exit status that it did not get, "
		    "or a second address of this mailbox");
		break;
	case CAUSE_TIMEOUT:
		timeout_words(hop, text);
		break;
	case CAUSE_BREAK:
		add(text, "the connection broke between the final dot and the reply, or two machines of a pool sent it");
		break;
	case CAUSE_NO_REPLY:
		add(text, "the reply to the final dot did not reach the sender, or not in time, and it tried again later");
		break;
	case CAUSE_FORK:
		add(text, "a mailing list, an alias or a forwarder made the copy");
		break;
	case CAUSE_LOOP:
		add(text, "a mail loop: a forwarding that leads back");
		break;
	case CAUSE_SEPARATE:
		add(text, "sent twice, or forged");
		break;
	}
}

void
gaps_proof_words(const struct gaps_hop *hop, char text[GAPS_WORDS])
{
	const char *between = "";
	size_t i;

	text[0] = '\0';
	for (i = 1; i < GAPS_PROOFS; i++) {
		if (hop->proofs[i] == 0)
			continue;
		add(text, "%s%s", between, proof_words[i]);
		if (hop->proofs[i] < hop->n)
			add(text, " (%zu)", hop->proofs[i]);
		between = "; ";
	}
	if (hop->class == GAPS_SEPARATE)
		return;
	if (hop->sure == hop->n)
		add(text, "; this is sure");
	else if (hop->sure > 0)
		add(text, "; sure for %zu of %zu", hop->sure, hop->n);
	else
		add(text, "; not sure, since no trusted host says so");
}

/* The delay is the sender's wait and the time until its next try: only an upper bound of the wait. */
void
gaps_wait_words(const struct gaps_hop *hop, char text[GAPS_WORDS])
{
	text[0] = '\0';
	if (hop->class != GAPS_GAP || hop->within_10 == 0)
		return;
	if (hop->n == 1)
		add(text, "The copy came within 10 minutes: the sender");
	else if (hop->within_10 == hop->n)
		add(text, "All copies came within 10 minutes: the sender");
	else
		add(text, "%zu of %zu copies came within 10 minutes: there the sender", hop->within_10, hop->n);
	add(text, " lost the connection, or did not wait the 10 minutes of RFC 5321, 4.5.3.2.6");
	if (hop->within_5 == hop->within_10)
		add(text, ", nor the 5 minutes of RFC 1047");
	else if (hop->within_5 > 0)
		add(text, ", and in %zu %s not even the 5 minutes of RFC 1047", hop->within_5,
		    gaps_plural(hop->within_5, "case", "cases"));
	if (hop->proofs[PROOF_SENDER] > 0)
		add(text, "; unless it was sent twice on purpose.");
	else
		add(text, hop->sure == 0 ? "; if what these hosts say is true." : ".");
}

void
gaps_range_words(const struct gaps_hop *hop, char text[GAPS_SPAN])
{
	char shortest[AGE_TEXT], longest[AGE_TEXT];

	age_text(hop->shortest, shortest);
	age_text(hop->longest, longest);
	if (hop->dated == 0)
		snprintf(text, GAPS_SPAN, "not known");
	else if (strcmp(shortest, longest) == 0)
		snprintf(text, GAPS_SPAN, "%s", shortest);
	else
		snprintf(text, GAPS_SPAN, "%s - %s", shortest, longest);
}
