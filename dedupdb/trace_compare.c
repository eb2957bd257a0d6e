/*
 * Two copies' ways, compared from the oldest hop on. Where they part, the message was copied.
 */
#include <bsd/string.h>
#include <ctype.h>
#include <string.h>

#include "received.h"
#include "trace.h"
#include "trace_way.h"
#include "trust.h"

/* The first copy's trace, and the copy. */
struct pair {
	struct trace first;
	const struct trace_copy *copy;
	struct verdict *v;
};

/* So that no name can look like anything else in a log line or an event. */
static void
put_name(char to[EVENT_NAME], const char *name)
{
	size_t i;

	for (i = 0; i < EVENT_NAME - 1 && name[i] != '\0'; i++)
		to[i] = isalnum((unsigned char)name[i]) || strchr("-._:[]", name[i]) != NULL ? name[i] : '?';
	to[i] = '\0';
}

/* Hop i of the copy, 0 the oldest. */
static void
hop_of(const struct trace_copy *copy, size_t i, struct hop *hop)
{
	const struct field *f = message_field(copy->m, "received", copy->trace->hops - 1 - i);

	received_parse(hop, f == NULL ? "" : f->value, f == NULL ? 0 : f->len);
}

static void
put_receiver(char to[EVENT_NAME], const struct trace_copy *copy, size_t i)
{
	struct hop hop;

	hop_of(copy, i, &hop);
	put_name(to, hop.by);
}

/* It came to host A and was handed on from there by two ways; the copy's went to the next hop. */
static void
parted_after(const struct pair *p, size_t common, enum trace_proof proof, bool sure)
{
	p->v->proof = proof;
	p->v->sure = sure;
	put_receiver(p->v->sender, p->copy, common - 1);
	if (common < p->copy->trace->hops)
		put_receiver(p->v->receiver, p->copy, common);
}

static void
parted_at(const struct pair *p, size_t i, enum trace_proof proof, bool sure)
{
	char sender[HOP_NAME];
	struct hop hop;

	hop_of(p->copy, i, &hop);
	p->v->proof = proof;
	p->v->sure = sure;
	put_name(p->v->sender, received_sender(&hop, sender));
	if (p->v->sender[0] == '\0' && i > 0)	/* the host that had it before */
		put_receiver(p->v->sender, p->copy, i - 1);
	put_name(p->v->receiver, hop.by);
	strlcpy(p->v->queue_id, hop.id, sizeof(p->v->queue_id));
}

/* Were both of these hops written by hosts that are believed? */
static bool
is_believed(const struct pair *p, size_t i)
{
	const struct trace *a = &p->first, *b = p->copy->trace;

	return i + a->believed >= a->hops && i + b->believed >= b->hops;
}

/* The sender's number says that it is the same. That counts if a receiver saw it: its address, or a name it looked up. */
static bool
is_seen(const struct pair *p, size_t i, bool same_sender)
{
	struct hop hop;

	hop_of(p->copy, i, &hop);
	return same_sender ? hop.address[0] != '\0' || hop.name[0] != '\0' : trust_pool(p->copy->trusted, hop.name);
}

static void
measure(struct verdict *v, const struct trace_hop *a, const struct trace_hop *b)
{
	if (a->time != 0 && b->time != 0)
		v->gap = a->time < b->time ? b->time - a->time : a->time - b->time;
}

/* All before hop i is the same, and i is not. */
static void
part(const struct pair *p, size_t i, const struct trace_hop *a, const struct trace_hop *b)
{
	bool same = a->sender == b->sender && (i > 0 || a->sender != 0);
	bool alike = same || (a->pool == b->pool && a->pool != 0), by = a->by == b->by && a->by != 0;

	if (alike && by) {
		parted_at(p, i, i > 0 ? PROOF_QUEUE_ID : PROOF_SENDER, is_believed(p, i) && is_seen(p, i, same));
		measure(p->v, a, b);
	} else if (p->copy->loops || (p->copy->trace->circles && !p->first.circles))
		p->v->proof = PROOF_LOOP;
	else if (alike && i > 0) {	/* another machine of the receiver's, whose clock is another */
		parted_at(p, i, PROOF_QUEUE_ID, false);
		measure(p->v, a, b);
	} else if (i > 0) {
		parted_after(p, i, PROOF_FORK, is_believed(p, i));
		if (by)
			measure(p->v, a, b);
	} else
		p->v->proof = PROOF_SEPARATE;
}

/* How many of the oldest hops are the same. */
static size_t
common_hops(const struct trace *a, const struct trace *b)
{
	const struct trace_hop *x, *y;
	size_t n = a->hops < b->hops ? a->hops : b->hops;

	for (; n > 0; n--) {
		x = trace_at(a, n - 1);
		y = trace_at(b, n - 1);
		if (x != NULL && y != NULL && x->chain == y->chain)
			break;
	}
	return n;
}

void
trace_compare(struct verdict *v, const struct record *first, const struct trace_copy *copy, int64_t now)
{
	struct pair p = { .copy = copy, .v = v };
	const struct trace *a = &p.first, *b = copy->trace;
	const struct trace_hop *x, *y;
	size_t n;

	memset(v, 0, sizeof(*v));
	v->gap = GAP_UNKNOWN;
	if (trace_decode(&p.first, first->trace, first->trace_len) == -1)
		return;
	n = common_hops(a, b);
	x = trace_at(a, n);
	y = trace_at(b, n);
	if (n == a->hops && n == b->hops) {	/* by our own clock */
		v->proof = PROOF_SAME_CHAIN;
		v->gap = record_age(first, now);
		v->sure = n > 0;	/* without Received fields it is only likely */
		if (n > 0)
			put_receiver(v->sender, copy, n - 1);
	} else if (n > 0 && n == a->hops) {
		parted_after(&p, n, PROOF_LOOP, true);
		v->gap = record_age(first, now);
	} else if (n > 0 && n == b->hops)
		parted_after(&p, n, PROOF_FORK, true);
	else if (x != NULL && y != NULL)
		part(&p, n, x, y);
	else
		v->proof = copy->loops ? PROOF_LOOP : PROOF_SEPARATE;
}

bool
trace_proves(const struct verdict *v)
{
	return v->proof == PROOF_SAME_CHAIN || (v->proof == PROOF_QUEUE_ID && v->sure);
}

void
trace_tell(struct event *event, const struct verdict *v)
{
	event->proof = (unsigned int)v->proof | (v->sure ? PROOF_SURE : 0);
	event->gap = v->gap;
	memcpy(event->sender, v->sender, sizeof(event->sender));
	memcpy(event->receiver, v->receiver, sizeof(event->receiver));
	memcpy(event->queue_id, v->queue_id, sizeof(event->queue_id));
}
