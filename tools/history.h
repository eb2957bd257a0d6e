/*
 * What was done with a message, as far back as the ledger's events reach.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "output.h"
#include "tool.h"

#define HISTORY_TEXT 640	/* bytes */

struct history {
	/* what was asked for: the messages in the order of their first events, and all events of them */
	struct fingerprint *messages;
	size_t messages_len, messages_room;
	struct event *events;
	size_t events_len, events_room;
	/* imports and restores: each stands for many messages, that are not told one by one */
	struct event *sums;
	size_t sums_len, sums_room;
	/* all that the ledger has */
	uint64_t known;
	int64_t oldest;		/* s since 1970; valid when known > 0 */
};

/* Every message with this Message-ID (with or without <>), or whose fingerprint starts with these hex digits; one of both is NULL.
 * Without a ledger there is none. Returns an exit code; history_free() in any case. */
int history_find(struct history *h, struct tool *t, const char *id, const char *digits);
void history_free(struct history *h);

/* One more message: its record is there, and no event of it. Returns 0 or -1. */
int history_add(struct history *h, const struct fingerprint *fp, struct err *err);
/* Write down that so many records came from there by other ways than deliveries; nothing if there are none. */
void history_sum(struct tool *t, enum event_kind kind, uint64_t count, const char *place);
/* The newest of h->sums in words, with "; " after them; "" if there is none. */
void history_sum_words(const struct history *h, char text[HISTORY_TEXT]);

/* The first event of the message that has a Message-ID, or NULL. */
const struct event *history_named(const struct history *h, const struct fingerprint *fp);
/* The events of one message, an array in o. What an import recorded has no event of its own: its record tells when that was. NULL: there
 * is no record. */
void history_print(const struct history *h, const struct fingerprint *fp, const struct record *record, const struct tool *t, struct out *o);
/* One event in plain words. */
void history_words(const struct event *event, char text[HISTORY_TEXT]);

#endif
