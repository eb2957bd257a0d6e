/*
 * What can be told of a ledger without a walk through it: how many records there are, how many are pending, and how old they are.
 *
 * A store keeps one of these beside its records and changes it in the transaction that changes a record, so it is exact after any crash.
 * Ages are a histogram of spans of time that do not overlap. A span grows to an hour; when there is room for no more, the two that lie
 * closest together are joined. So each record stays in the span that holds its time, and can be taken out again; a week's mail has spans
 * of a few hours, and few records are known to the second.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTERS_FIRST 64
#define COUNTERS_PENDING 6

/* s since 1970, both included; what is before 1970 or after 2106 counts as these. */
struct counters_span {
	uint32_t from, to;
	uint32_t records;
};

struct counters {
	uint64_t damaged;	/* records that do not decode: they have no time */
	uint32_t pending_spans, first_spans;	/* how many are in use; the newest is the first */
	struct counters_span pending[COUNTERS_PENDING];	/* the first decision of pending records */
	struct counters_span first[COUNTERS_FIRST];	/* of all records */
};

/* A record is there now, or no more. A record that is replaced goes and another comes. */
void counters_add(struct counters *c, const void *value, size_t len);
void counters_remove(struct counters *c, const void *value, size_t len);

uint64_t counters_records(const struct counters *c);
uint64_t counters_pending(const struct counters *c);
/* So many at least were first seen before t: a span in which t lies does not count. */
uint64_t counters_pending_before(const struct counters *c, int64_t t);
uint64_t counters_delivered_before(const struct counters *c, int64_t t);
/* When the oldest and the newest record were first seen; false without any. The oldest may be earlier by as much as its span is long. */
bool counters_range(const struct counters *c, int64_t *oldest, int64_t *newest);

#endif
