/* What the tests of events share: events that are told by their times, and what was seen of them. */
#ifndef EVENT_FIXTURE_H
#define EVENT_FIXTURE_H

#include "ledger_fixture.h"

#define SLOTS 8

/* Event n has the time NOW + n. */
static inline struct event
event_of(unsigned int n)
{
	struct fingerprint fp = fingerprint_of(n);
	struct event event;

	event_begin(&event, EVENT_DELIVERED, &fp, NOW + n);
	return event;
}

struct seen {
	char text[512];		/* which events, as "3 4 5" */
	unsigned int len;
	uint64_t last;
	unsigned int disorder;
};

static inline int
see(void *arg, const struct event *event, struct err *err)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	(void)err;
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s%d", len > 0 ? " " : "", (int)(event->time - NOW));
	seen->disorder += event->number <= seen->last;
	seen->last = event->number;
	seen->len++;
	return 0;
}

#endif
