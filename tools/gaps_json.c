/* The report for programs. */
#include <string.h>

#include "gaps.h"

static void
maybe_time(struct out *o, const char *key, bool known, int64_t t)
{
	if (known)
		out_time(o, key, t, t);
	else
		out_text(o, key, NULL);
}

static void
add_name(struct out *o, const char *key, const char *name)
{
	out_bytes(o, key, name, strlen(name));
}

static void
add_newest(struct out *o, const struct gaps_copy *copy)
{
	struct out item;

	out_item(&item, o, "newest");
	out_time(&item, "time", copy->time, copy->time);
	if (copy->delay != GAP_UNKNOWN)
		out_span(&item, "delay", copy->delay);
	else
		out_text(&item, "delay", NULL);
	add_name(&item, "queue_id", copy->queue_id);
	out_text(&item, "proof", trace_proof_name(copy->proof));
	out_flag(&item, "sure", (copy->proof & PROOF_SURE) != 0);
}

static void
add_delay(struct out *o, const struct gaps_hop *hop)
{
	struct out delay;

	if (hop->dated == 0) {
		out_text(o, "delay", NULL);
		return;
	}
	out_nest(&delay, o, "delay");
	out_count(&delay, "known", hop->dated);
	out_span(&delay, "shortest", hop->shortest);
	out_span(&delay, "median", hop->median);
	out_span(&delay, "longest", hop->longest);
}

static void
add_hop(struct out *o, const struct gaps_hop *hop)
{
	struct out item, proof;
	char words[GAPS_WORDS];
	unsigned int i;

	out_item(&item, o, "hops");
	add_name(&item, "sender", hop->copies->sender);
	add_name(&item, "receiver", hop->copies->receiver);
	out_count(&item, "copies", hop->n);
	add_delay(&item, hop);
	out_text(&item, "cause", gaps_cause_name(hop->cause));
	gaps_cause_words(hop, words);
	out_text(&item, "words", words);
	if (hop->cause == CAUSE_TIMEOUT)
		out_span(&item, "timeout", gaps_marks[hop->mark]);
	else
		out_text(&item, "timeout", NULL);
	out_count(&item, "within_300", hop->within_5);
	out_count(&item, "within_600", hop->within_10);
	for (i = 1; i < GAPS_PROOFS; i++) {
		if (hop->proofs[i] == 0)
			continue;
		out_item(&proof, &item, "proofs");
		out_text(&proof, "proof", trace_proof_name(i));
		out_count(&proof, "copies", hop->proofs[i]);
	}
	out_count(&item, "sure", hop->sure);
	for (i = 0; i < hop->newest_n; i++)
		add_newest(&item, hop->newest[i]);
}

static void
add_bucket(struct out *o, const struct gaps_report *r, size_t i)
{
	struct out item;

	out_item(&item, o, "histogram");
	out_span(&item, "from", gaps_edges[i]);
	if (i + 1 < GAPS_BUCKETS)
		out_span(&item, "below", gaps_edges[i + 1]);
	else
		out_text(&item, "below", NULL);
	out_count(&item, "copies", r->buckets[i]);
}

void
gaps_json(const struct gaps_report *r)
{
	const struct gaps_totals *sum = &r->totals;
	struct out o;
	size_t i;

	out_begin(&o, true);
	maybe_time(&o, "since", r->has_from, r->from);
	out_time(&o, "until", r->now, r->now);
	maybe_time(&o, "complete_since", sum->has_oldest, sum->cut ? sum->whole : sum->oldest);
	out_text(&o, "host", r->query.host);
	out_count(&o, "ledgers", sum->ledgers);
	out_count(&o, "events", sum->events);
	out_count(&o, "deliveries", sum->deliveries);
	out_count(&o, "copies", sum->copies);
	out_count(&o, "hop_unknown", sum->unknown);
	out_array(&o, "hops");
	for (i = 0; i < r->hops_n; i++)
		add_hop(&o, &r->hops[i]);
	for (i = 0; i < GAPS_BUCKETS; i++)
		add_bucket(&o, r, i);
	out_end(&o);
}
