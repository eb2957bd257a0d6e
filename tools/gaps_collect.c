/* From events to a report. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gaps.h"

/* One of these per copy, and one for each ledger's totals. They may come from processes that ran as other users. */
struct entry {
	bool is_copy;
	union {
		struct gaps_totals totals;
		struct gaps_copy copy;
	};
};

struct gathering {
	const struct gaps_query *query;
	FILE *to;
	struct gaps_totals totals;
	uint64_t lowest;	/* number of an event */
};

static bool
is_delivery(const struct event *event)
{
	return event->kind == EVENT_DELIVERED || event->kind == EVENT_HELPED || event->kind == EVENT_RECOVERED ||
	    event->kind == EVENT_UNRECORDED;
}

/* With duplicates = proven a separate copy is delivered, too: it was compared. */
static bool
is_copy(const struct event *event)
{
	switch (event->kind) {
	case EVENT_DUPLICATE:
	case EVENT_HELPED:
	case EVENT_TAGGED:
	case EVENT_FILED:
		return true;
	case EVENT_DELIVERED:
		return gaps_class_of(event->proof) != GAPS_UNKNOWN;
	default:
		return false;
	}
}

static bool
is_within(const char *name, const char *host)
{
	size_t n = strlen(name), h = strlen(host);

	return n >= h && strcasecmp(name + n - h, host) == 0 && (n == h || name[n - h - 1] == '.');
}

static bool
is_asked(const struct gaps_query *query, const struct event *event)
{
	return query->host == NULL || is_within(event->sender, query->host) || is_within(event->receiver, query->host);
}

/* A negative one is that of two clocks that differ. Our own MTA's second try is as late as it came to us. */
static int64_t
delay_of(const struct event *event)
{
	int64_t delay = event->gap;

	if (delay == GAP_UNKNOWN && gaps_class_of(event->proof) == GAPS_RETRY && event->first > 0 && event->time > event->first)
		delay = event->time - event->first;
	return delay < 0 ? GAP_UNKNOWN : delay;
}

static int
write_entry(FILE *to, const struct entry *entry, struct err *err)
{
	return fwrite(entry, sizeof(*entry), 1, to) == 1 ? 0 : err_set(err, STATUS_TEMP, "collect copies: no memory");
}

static int
gather_copy(struct gathering *g, const struct event *event, struct err *err)
{
	bool unknown = gaps_class_of(event->proof) == GAPS_UNKNOWN;
	struct entry entry;

	if (unknown ? g->query->host != NULL : !is_asked(g->query, event))
		return 0;
	g->totals.copies++;
	g->totals.unknown += unknown;
	if (unknown)
		return 0;
	memset(&entry, 0, sizeof(entry));
	entry.is_copy = true;
	entry.copy.time = event->time;
	entry.copy.delay = delay_of(event);
	entry.copy.proof = event->proof;
	memcpy(entry.copy.sender, event->sender, sizeof(entry.copy.sender));
	memcpy(entry.copy.receiver, event->receiver, sizeof(entry.copy.receiver));
	memcpy(entry.copy.queue_id, event->queue_id, sizeof(entry.copy.queue_id));
	return write_entry(g->to, &entry, err);
}

static int
visit(void *arg, const struct event *event, struct err *err)
{
	struct gathering *g = arg;
	struct gaps_totals *sum = &g->totals;

	sum->events++;
	if (!sum->has_oldest || event->time < sum->oldest)
		sum->oldest = event->time;
	sum->has_oldest = true;
	if (g->lowest == 0 || event->number < g->lowest)
		g->lowest = event->number;
	if (g->query->has_since && event->time < g->query->since)
		return 0;
	sum->deliveries += is_delivery(event);
	return is_copy(event) ? gather_copy(g, event, err) : 0;
}

static int
no_memory(void)
{
	return tool_fail(EX_TEMPFAIL, "collect copies: no memory");
}

/* One ledger's copies and, behind them, its totals. Returns an exit code. */
static int
gather(struct gathering *g, struct tool *t)
{
	struct entry entry;
	struct err err;

	if (ledger_each_event(t->ledger, visit, g, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	g->totals.cut = g->lowest > 1;	/* each event of a ledger has the next number */
	g->totals.whole = g->totals.oldest;
	memset(&entry, 0, sizeof(entry));
	entry.totals = g->totals;
	return write_entry(g->to, &entry, &err) == 0 ? EX_OK : tool_err(&err, EX_TEMPFAIL);
}

/* Nothing is told of a ledger that can't be read to its end. */
int
gaps_gather(struct tool *t, const struct gaps_query *query)
{
	struct gathering g = { .query = query, .totals = { .ledgers = 1 } };
	char *bytes = NULL;
	size_t len = 0;
	int rc;

	g.to = open_memstream(&bytes, &len);
	if (g.to == NULL)
		return no_memory();
	rc = gather(&g, t);
	if (fclose(g.to) == EOF && rc == EX_OK)
		rc = no_memory();
	if (rc == EX_OK && (fwrite(bytes, len, 1, t->gathered) != 1 || fflush(t->gathered) == EOF))
		rc = no_memory();
	free(bytes);
	return rc;
}

static void
add_totals(struct gaps_totals *sum, const struct gaps_totals *one)
{
	sum->ledgers += one->ledgers;
	sum->events += one->events;
	sum->deliveries += one->deliveries;
	sum->copies += one->copies;
	sum->unknown += one->unknown;
	if (one->has_oldest && (!sum->has_oldest || one->oldest < sum->oldest))
		sum->oldest = one->oldest;
	sum->has_oldest |= one->has_oldest;
	if (one->cut && (!sum->cut || one->whole > sum->whole))
		sum->whole = one->whole;
	sum->cut |= one->cut;
}

static int
add_copy(struct gaps_report *r, const struct gaps_copy *copy)
{
	struct gaps_copy *grown;

	if (gaps_class_of(copy->proof) == GAPS_UNKNOWN)
		return 0;	/* nobody writes that, and it is no number to count with */
	if (r->n == r->room) {
		r->room = r->room == 0 ? 64 : 2 * r->room;
		grown = reallocarray(r->copies, r->room, sizeof(*grown));
		if (grown == NULL)
			return -1;
		r->copies = grown;
	}
	r->copies[r->n] = *copy;
	r->copies[r->n].sender[EVENT_NAME - 1] = '\0';
	r->copies[r->n].receiver[EVENT_NAME - 1] = '\0';
	r->copies[r->n].queue_id[EVENT_QUEUE - 1] = '\0';
	r->n++;
	return 0;
}

int
gaps_read(struct gaps_report *r, const struct tool *t, const struct gaps_query *query)
{
	struct entry entry;
	int ret = 0;

	memset(r, 0, sizeof(*r));
	r->query = *query;
	r->now = t->now;
	rewind(t->gathered);
	while (ret == 0 && fread(&entry, sizeof(entry), 1, t->gathered) == 1) {
		if (entry.is_copy)
			ret = add_copy(r, &entry.copy);
		else
			add_totals(&r->totals, &entry.totals);
	}
	if (ferror(t->gathered))
		return tool_fail(EX_TEMPFAIL, "collect copies: read error");
	r->has_from = query->has_since || r->totals.has_oldest;
	r->from = r->totals.oldest;
	if (query->has_since && (!r->totals.has_oldest || query->since > r->from))
		r->from = query->since;
	if (ret == 0)
		ret = gaps_judge(r);
	return ret == 0 ? EX_OK : tool_fail(EX_TEMPFAIL, "no memory for %zu copies", r->n);
}

void
gaps_free(struct gaps_report *r)
{
	free(r->copies);
	free(r->hops);
}
