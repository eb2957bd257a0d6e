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
	/* all that the ledger has */
	uint64_t known;
	int64_t oldest;		/* s since 1970; valid when known > 0 */
};

/* Every message with this Message-ID (with or without <>), or whose fingerprint starts with these hex digits; one of both is NULL.
 * Without a ledger there is none. Returns an exit code; history_free() in any case. */
int history_find(struct history *h, struct tool *t, const char *id, const char *digits);
void history_free(struct history *h);

/* The first event of the message that has a Message-ID, or NULL. */
const struct event *history_named(const struct history *h, const struct fingerprint *fp);
/* The events of one message, an array in o. */
void history_print(const struct history *h, const struct fingerprint *fp, const struct tool *t, struct out *o);
/* One event in plain words. */
void history_words(const struct event *event, char text[HISTORY_TEXT]);

#endif
