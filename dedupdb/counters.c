/* How many records there are and how old. See counters.h. */
#include <string.h>

#include "counters.h"
#include "record.h"

#define STEP 3600	/* s: a span that is longer comes from joining */

static uint32_t
clamp(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

/* The newest span that does not lie after t. */
static uint32_t
place(const struct counters_span *spans, uint32_t used, uint32_t t)
{
	uint32_t i = 0;

	while (i < used && spans[i].from > t)
		i++;
	return i;
}

static void
close_gap(struct counters_span *spans, uint32_t *used, uint32_t i)
{
	(*used)--;
	memmove(&spans[i], &spans[i + 1], (*used - i) * sizeof(*spans));
}

/* Among equals the older ones. */
static void
join_closest(struct counters_span *spans, uint32_t *used)
{
	uint32_t i, best = 0, width, least = UINT32_MAX;

	for (i = 0; i + 1 < *used; i++) {
		width = spans[i].to - spans[i + 1].from;
		if (width <= least) {
			least = width;
			best = i;
		}
	}
	spans[best].from = spans[best + 1].from;
	spans[best].records += spans[best + 1].records;
	close_gap(spans, used, best + 1);
}

/* Into the span that holds t, or that may grow to hold it; there is none such: false. */
static bool
add_to_span(struct counters_span *spans, uint32_t used, uint32_t t)
{
	uint32_t i = place(spans, used, t);

	if (i < used && (t <= spans[i].to || t - spans[i].from <= STEP)) {
		if (t > spans[i].to)
			spans[i].to = t;
	} else if (i > 0 && spans[i - 1].to - t <= STEP)
		spans[--i].from = t;
	else
		return false;
	spans[i].records++;
	return true;
}

static void
add_time(struct counters_span *spans, uint32_t *used, uint32_t room, uint32_t t)
{
	uint32_t i;

	if (add_to_span(spans, *used, t))
		return;
	if (*used == room) {
		join_closest(spans, used);
		if (add_to_span(spans, *used, t))
			return;
	}
	i = place(spans, *used, t);
	memmove(&spans[i + 1], &spans[i], (*used - i) * sizeof(*spans));
	spans[i] = (struct counters_span){ t, t, 1 };
	(*used)++;
}

static void
remove_time(struct counters_span *spans, uint32_t *used, uint32_t t)
{
	uint32_t i = place(spans, *used, t);

	if (i < *used && t <= spans[i].to && --spans[i].records == 0)
		close_gap(spans, used, i);
}

void
counters_add(struct counters *c, const void *value, size_t len)
{
	int64_t first;
	int state = record_look(value, len, &first);

	if (state == -1) {
		c->damaged++;
		return;
	}
	add_time(c->first, &c->first_spans, COUNTERS_FIRST, clamp(first));
	if (state == RECORD_PENDING)
		add_time(c->pending, &c->pending_spans, COUNTERS_PENDING, clamp(first));
}

void
counters_remove(struct counters *c, const void *value, size_t len)
{
	int64_t first;
	int state = record_look(value, len, &first);

	if (state == -1) {
		if (c->damaged > 0)
			c->damaged--;
		return;
	}
	remove_time(c->first, &c->first_spans, clamp(first));
	if (state == RECORD_PENDING)
		remove_time(c->pending, &c->pending_spans, clamp(first));
}

/* Of the spans that end before t. */
static uint64_t
sum(const struct counters_span *spans, uint32_t used, int64_t t)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < used; i++)
		if (spans[i].to < t)
			n += spans[i].records;
	return n;
}

uint64_t
counters_records(const struct counters *c)
{
	return c->damaged + sum(c->first, c->first_spans, INT64_MAX);
}

uint64_t
counters_pending(const struct counters *c)
{
	return sum(c->pending, c->pending_spans, INT64_MAX);
}

uint64_t
counters_pending_before(const struct counters *c, int64_t t)
{
	return sum(c->pending, c->pending_spans, t);
}

uint64_t
counters_delivered_before(const struct counters *c, int64_t t)
{
	uint64_t all = sum(c->first, c->first_spans, t), pending = 0;
	uint32_t i;

	for (i = 0; i < c->pending_spans; i++)	/* of which some may be among these */
		if (c->pending[i].from < t)
			pending += c->pending[i].records;
	return all > pending ? all - pending : 0;
}

bool
counters_range(const struct counters *c, int64_t *oldest, int64_t *newest)
{
	if (c->first_spans == 0)
		return false;
	*oldest = c->first[c->first_spans - 1].from;
	*newest = c->first[0].to;
	return true;
}
