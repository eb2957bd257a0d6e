/* Copies sorted into hops, and what their delays look like. */
#include <stdlib.h>
#include <string.h>

#include "gaps.h"

#define JUST_OVER 10	/* a delay is just over a timeout if it is no more than a tenth longer */
#define CLOCK_SLACK 2	/* s: both acceptances are stamped in whole seconds, and the first one perhaps a little late */
#define SHORT 60	/* s */

const int64_t gaps_edges[GAPS_BUCKETS] = { 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 420, 600, 900, 1200, 1800, 2700,
	3600, 5400, 7200, 10800, 18000, 25200, 36000, 54000, 86400, 129600, 172800, 259200, 432000, 604800 };
const int64_t gaps_marks[GAPS_MARKS] = { 60, 120, RFC1047_WAIT, RFC5321_WAIT };

enum gaps_class
gaps_class_of(unsigned int proof)
{
	switch (proof & ~(unsigned int)PROOF_SURE) {
	case PROOF_SAME_CHAIN:
		return GAPS_RETRY;
	case PROOF_QUEUE_ID:
	case PROOF_SENDER:
		return GAPS_GAP;
	case PROOF_FORK:
		return GAPS_FORK;
	case PROOF_LOOP:
		return GAPS_LOOP;
	case PROOF_SEPARATE:
		return GAPS_SEPARATE;
	default:
		return GAPS_UNKNOWN;
	}
}

int
gaps_mark_at(size_t bucket)
{
	int i;

	for (i = 0; i < GAPS_MARKS; i++)
		if (gaps_edges[bucket] == gaps_marks[i])
			return i;
	return -1;
}

static size_t
bucket_of(int64_t delay)
{
	size_t i = GAPS_BUCKETS - 1;

	while (i > 0 && delay < gaps_edges[i])
		i--;
	return i;
}

void
gaps_range(const struct gaps_report *r, size_t *first, size_t *last)
{
	size_t i;

	*first = bucket_of(gaps_marks[0]) - 1;
	*last = bucket_of(gaps_marks[GAPS_MARKS - 1]);
	for (i = 0; i < GAPS_BUCKETS; i++) {
		if (r->buckets[i] == 0)
			continue;
		if (i < *first)
			*first = i;
		if (i > *last)
			*last = i;
	}
}

uint64_t
gaps_highest(const struct gaps_report *r)
{
	uint64_t highest = 0;
	size_t i;

	for (i = 0; i < GAPS_BUCKETS; i++)
		if (r->buckets[i] > highest)
			highest = r->buckets[i];
	return highest;
}

static int
compare_hops(const struct gaps_copy *a, const struct gaps_copy *b)
{
	enum gaps_class x = gaps_class_of(a->proof), y = gaps_class_of(b->proof);
	int order = strcmp(a->sender, b->sender);

	if (order == 0)
		order = strcmp(a->receiver, b->receiver);
	return order != 0 ? order : (x > y) - (x < y);
}

/* Hop by hop; within one the shortest delay first. */
static int
by_hop(const void *a, const void *b)
{
	const struct gaps_copy *x = a, *y = b;
	int order = compare_hops(x, y);

	if (order != 0 || x->delay == y->delay)
		return order;
	if (x->delay == GAP_UNKNOWN || y->delay == GAP_UNKNOWN)
		return x->delay == GAP_UNKNOWN ? 1 : -1;
	return x->delay < y->delay ? -1 : 1;
}

static int
by_copies(const void *a, const void *b)
{
	const struct gaps_hop *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return compare_hops(x->copies, y->copies);
}

/* Is the delay what it takes to wait for so long, and to come again at once? */
static bool
is_just_over(int64_t delay, int64_t mark)
{
	return delay >= mark - CLOCK_SLACK && delay <= mark + mark / JUST_OVER;
}

/* Half of the copies, and more than one, are just over one of the known timeouts. */
static bool
find_timeout(struct gaps_hop *hop)
{
	size_t i, k, n;

	for (i = 0; i < GAPS_MARKS; i++) {
		n = 0;
		for (k = 0; k < hop->dated; k++)
			n += is_just_over(hop->copies[k].delay, gaps_marks[i]);
		if (n > hop->at_mark) {
			hop->mark = i;
			hop->at_mark = n;
		}
	}
	return hop->at_mark > 1 && 2 * hop->at_mark >= hop->dated;
}

static enum gaps_cause
find_cause(struct gaps_hop *hop)
{
	switch (hop->class) {
	case GAPS_RETRY:
		return CAUSE_RETRY;
	case GAPS_FORK:
		return CAUSE_FORK;
	case GAPS_LOOP:
		return CAUSE_LOOP;
	case GAPS_SEPARATE:
	case GAPS_UNKNOWN:
		return CAUSE_SEPARATE;
	case GAPS_GAP:
		break;
	}
	if (find_timeout(hop))
		return CAUSE_TIMEOUT;
	return hop->dated > 0 && hop->median < SHORT ? CAUSE_BREAK : CAUSE_NO_REPLY;
}

/* Into the place that its time gives it among the newest. */
static void
keep_newest(struct gaps_hop *hop, const struct gaps_copy *copy)
{
	size_t at;

	if (hop->newest_n < GAPS_NEWEST)
		hop->newest_n++;
	else if (hop->newest[GAPS_NEWEST - 1]->time >= copy->time)
		return;
	for (at = hop->newest_n - 1; at > 0 && hop->newest[at - 1]->time < copy->time; at--)
		hop->newest[at] = hop->newest[at - 1];
	hop->newest[at] = copy;
}

static void
measure(struct gaps_hop *hop)
{
	const struct gaps_copy *c = hop->copies;
	size_t n = hop->dated;

	if (n == 0)
		return;
	hop->shortest = c[0].delay;
	hop->longest = c[n - 1].delay;
	hop->median = c[(n - 1) / 2].delay;
	hop->median += (c[n / 2].delay - hop->median) / 2;	/* of an even number, the middle between two */
}

static void
describe(struct gaps_hop *hop, uint64_t buckets[GAPS_BUCKETS])
{
	const struct gaps_copy *c;

	for (c = hop->copies; c < hop->copies + hop->n; c++) {
		hop->proofs[c->proof & ~(unsigned int)PROOF_SURE]++;
		hop->sure += (c->proof & PROOF_SURE) != 0;
		keep_newest(hop, c);
		if (c->delay == GAP_UNKNOWN)
			continue;
		hop->dated++;
		if (hop->class == GAPS_GAP) {
			hop->within_5 += c->delay < RFC1047_WAIT;
			hop->within_10 += c->delay < RFC5321_WAIT;
		}
		if (hop->class == GAPS_GAP || hop->class == GAPS_RETRY)
			buckets[bucket_of(c->delay)]++;
	}
	measure(hop);
	hop->cause = find_cause(hop);
}

int
gaps_judge(struct gaps_report *r)
{
	struct gaps_hop *hop;
	size_t i;

	if (r->n == 0)
		return 0;
	qsort(r->copies, r->n, sizeof(*r->copies), by_hop);
	for (i = 0; i < r->n; i++)
		r->hops_n += i == 0 || compare_hops(&r->copies[i], &r->copies[i - 1]) != 0;
	r->hops = hop = calloc(r->hops_n, sizeof(*r->hops));
	if (hop == NULL)
		return -1;
	for (i = 0; i < r->n; i++) {
		if (i > 0 && compare_hops(&r->copies[i], &r->copies[i - 1]) != 0)
			hop++;
		if (hop->n++ == 0) {
			hop->copies = &r->copies[i];
			hop->class = gaps_class_of(r->copies[i].proof);
		}
	}
	for (i = 0; i < r->hops_n; i++)
		describe(&r->hops[i], r->buckets);
	for (i = 0; i < GAPS_BUCKETS; i++)
		r->in_buckets += r->buckets[i];
	qsort(r->hops, r->hops_n, sizeof(*r->hops), by_copies);
	return 0;
}
