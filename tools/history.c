/*
 * Events as an administrator asks for them. Two walks: the first finds out which messages are meant, since an event of recover or
 * forget knows the fingerprint alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "trace.h"

struct search {
	struct history *h;
	const char *id, *digits;
	char *bracketed;	/* <id> */
};

/* Room for one more of so many. */
static int
grow(void **list, size_t len, size_t *room, size_t size, struct err *err)
{
	void *grown;

	if (len < *room)
		return 0;
	*room = *room == 0 ? 16 : 2 * *room;
	grown = reallocarray(*list, *room, size);
	if (grown == NULL)
		return err_set(err, STATUS_TEMP, "no memory for events");
	*list = grown;
	return 0;
}

/* The record of a separate copy, of which `dedupdb recover` and `forget` know nothing else, has the first digits of the message's. */
static bool
same_message(const struct fingerprint *a, const struct fingerprint *b)
{
	return memcmp(a->bytes, b->bytes, FINGERPRINT_TAG / 2) == 0;
}

static bool
same_id(const struct event *event, const char *id)
{
	size_t len = strlen(id);

	return len > 0 && event->id_whole == len && memcmp(event->id, id, event->id_len) == 0;
}

static bool
is_meant(const struct search *s, const struct event *event)
{
	char hex[FINGERPRINT_HEX];

	if (s->id != NULL)
		return same_id(event, s->id) || same_id(event, s->bracketed);
	fingerprint_hex(&event->fp, hex);
	return strncmp(hex, s->digits, FINGERPRINT_TAG) == 0;
}

static bool
is_found(const struct history *h, const struct fingerprint *fp)
{
	size_t i;

	for (i = 0; i < h->messages_len; i++)
		if (same_message(&h->messages[i], fp))
			return true;
	return false;
}

static bool
is_sum(const struct event *event)
{
	return event->count > 0 && (event->kind == EVENT_IMPORTED || event->kind == EVENT_RESTORED);
}

int
history_add(struct history *h, const struct fingerprint *fp, struct err *err)
{
	if (grow((void **)&h->messages, h->messages_len, &h->messages_room, sizeof(*h->messages), err) == -1)
		return -1;
	h->messages[h->messages_len++] = *fp;
	return 0;
}

static int
find_message(void *arg, const struct event *event, struct err *err)
{
	struct search *s = arg;
	struct history *h = s->h;

	if (h->known++ == 0 || event->time < h->oldest)
		h->oldest = event->time;
	if (is_sum(event)) {
		if (grow((void **)&h->sums, h->sums_len, &h->sums_room, sizeof(*h->sums), err) == -1)
			return -1;
		h->sums[h->sums_len++] = *event;
		return 0;
	}
	return !is_meant(s, event) || is_found(h, &event->fp) ? 0 : history_add(h, &event->fp, err);
}

static int
collect(void *arg, const struct event *event, struct err *err)
{
	struct search *s = arg;
	struct history *h = s->h;

	if (!is_found(h, &event->fp))
		return 0;
	if (grow((void **)&h->events, h->events_len, &h->events_room, sizeof(*h->events), err) == -1)
		return -1;
	h->events[h->events_len++] = *event;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

int
history_find(struct history *h, struct tool *t, const char *id, const char *digits)
{
	struct search s = { .h = h, .id = id, .digits = digits };
	struct err err;
	int rc = EX_OK;

	memset(h, 0, sizeof(*h));
	if (t->ledger == NULL)
		return EX_OK;
	if (id != NULL && asprintf(&s.bracketed, "<%s>", id) == -1)
		return tool_fail(EX_TEMPFAIL, "no memory");
	if (ledger_each_event(t->ledger, find_message, &s, &err) == -1 ||
	    (h->messages_len > 0 && ledger_each_event(t->ledger, collect, &s, &err) == -1))
		rc = tool_err(&err, EX_UNAVAILABLE);
	free(s.bracketed);
	if (h->events_len > 0)
		qsort(h->events, h->events_len, sizeof(*h->events), by_number);
	return rc;
}

void
history_free(struct history *h)
{
	free(h->messages);
	free(h->events);
	free(h->sums);
}

void
history_sum(struct tool *t, enum event_kind kind, uint64_t count, const char *place)
{
	static const struct fingerprint none;
	struct event event;
	char *whole;
	size_t len;

	if (count == 0)
		return;
	whole = realpath(place, NULL);
	place = whole != NULL ? whole : place;
	len = strlen(place);
	event_begin(&event, kind, &none, t->now);
	event.count = count;
	/* the end of a long path says more than its beginning */
	snprintf(event.place, sizeof(event.place), "%s", place + (len < sizeof(event.place) ? 0 : len + 1 - sizeof(event.place)));
	ledger_note(t->ledger, &event);
	free(whole);
}

void
history_sum_words(const struct history *h, char text[HISTORY_TEXT])
{
	const struct event *sum = NULL;
	char time[AGE_TEXT];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < h->sums_len; i++)
		if (sum == NULL || h->sums[i].number > sum->number)
			sum = &h->sums[i];
	if (sum == NULL)
		return;
	time_text(sum->time, false, time);
	snprintf(text, HISTORY_TEXT, "%s at %s from %s: %llu record%s, without Message-IDs; ", event_name(sum->kind), time, sum->place,
	    (unsigned long long)sum->count, sum->count == 1 ? "" : "s");
}

const struct event *
history_named(const struct history *h, const struct fingerprint *fp)
{
	size_t i;

	for (i = 0; i < h->events_len; i++)
		if (h->events[i].id_len > 0 && same_message(&h->events[i].fp, fp))
			return &h->events[i];
	return NULL;
}

/* How long after the first copy. */
static void
after_text(const struct event *event, char text[AGE_TEXT])
{
	age_text(event->time - event->first, text);
}

/* A copy that was delivered has been compared as well, if it was known and nothing proved it. */
static const char *
although(const struct event *event)
{
	return event->proof == PROOF_NONE ? "" : ", although known: nothing proves that it was copied on the way";
}

static void
action_words(const struct event *event, char text[HISTORY_TEXT])
{
	char after[AGE_TEXT], size[AGE_TEXT];
	const char *place = event->place, *of = place[0] != '\0' ? ", for the folder " : "";

	after_text(event, after);
	size_text(event->size, size);
	switch (event->kind) {
	case EVENT_DELIVERED:
		snprintf(text, HISTORY_TEXT, "delivered: %s%s%s%s", size, of, place, although(event));
		break;
	case EVENT_DUPLICATE:
		snprintf(text, HISTORY_TEXT, "duplicate: another copy came %s after the first one and was discarded", after);
		break;
	case EVENT_HELPED:
		snprintf(text, HISTORY_TEXT, "helped: another copy came after %s and finished the first delivery, which had not ended",
		    after);
		break;
	case EVENT_TAGGED:
		snprintf(text, HISTORY_TEXT, "tagged: another copy came %s after the first one and was delivered with a tag", after);
		break;
	case EVENT_FILED:
		snprintf(text, HISTORY_TEXT, "filed: another copy came %s after the first one and went to the folder %s", after, place);
		break;
	case EVENT_RECOVERED:
		snprintf(text, HISTORY_TEXT, "recovered: the first delivery had not ended and was finished after %s, without a copy",
		    after);
		break;
	case EVENT_DROPPED:
		snprintf(text, HISTORY_TEXT, "dropped: the first delivery had not ended, could not be finished, and was given up after %s",
		    after);
		break;
	case EVENT_UNRECORDED:
		snprintf(text, HISTORY_TEXT, "unrecorded: delivered%s%s while the ledger could not be used; another copy may have come, too",
		    of, place);
		break;
	case EVENT_FORGOTTEN:
		snprintf(text, HISTORY_TEXT, "forgotten: its record was deleted by 'dedupdb forget'");
		break;
	case EVENT_IMPORTED:
		snprintf(text, HISTORY_TEXT, "imported: recorded from %s, without a delivery", place[0] != '\0' ? place : "a mailbox");
		break;
	case EVENT_RESTORED:	/* of no single message */
		snprintf(text, HISTORY_TEXT, "restored: %llu record%s, from %s", (unsigned long long)event->count,
		    event->count == 1 ? "" : "s", place);
		break;
	}
}

void
history_words(const struct event *event, char text[HISTORY_TEXT])
{
	char way[TRACE_WORDS];
	size_t n;

	action_words(event, text);
	trace_words(event, way);
	n = strlen(text);
	if (way[0] != '\0')
		snprintf(text + n, HISTORY_TEXT - n, "; %s", way);
}

/* Where the copy was made. */
static void
print_way(const struct event *event, struct out *o)
{
	if ((event->proof & ~(unsigned int)PROOF_SURE) == PROOF_NONE)
		return;
	out_text(o, "proof", trace_proof_name(event->proof));
	out_flag(o, "sure", (event->proof & PROOF_SURE) != 0);
	if (event->gap != GAP_UNKNOWN)
		out_span(o, "gap", event->gap);
	if (event->sender[0] != '\0')
		out_text(o, "sender", event->sender);
	if (event->receiver[0] != '\0')
		out_text(o, "receiver", event->receiver);
	if (event->queue_id[0] != '\0')
		out_bytes(o, "queue_id", event->queue_id, strlen(event->queue_id));
}

static void
print_event(const struct event *event, struct out *o)
{
	char words[HISTORY_TEXT], time[AGE_TEXT];
	struct out item;

	history_words(event, words);
	out_item(&item, o, "events");
	if (item.object == NULL) {
		item.indent += 2;
		time_text(event->time, false, time);
		out_text(&item, time, words);
		return;
	}
	out_time(&item, "time", event->time, event->time);
	out_text(&item, "action", event_name(event->kind));
	if (event->first != 0)
		out_time(&item, "first", event->first, event->time);
	if (event->size != 0)
		out_size(&item, "size", event->size);
	if (event->place[0] != '\0')
		out_text(&item, event->kind == EVENT_IMPORTED ? "mailbox" : "folder", event->place);
	print_way(event, &item);
	out_text(&item, "words", words);
}

/* The import that made the record: all of a run have its time. Of several mailboxes nobody knows which. */
static void
print_import(const struct history *h, const struct fingerprint *fp, const struct record *record, struct out *o)
{
	struct event event;
	size_t i, n = 0;

	event_begin(&event, EVENT_IMPORTED, fp, record->decided);
	event.first = record->first;
	for (i = 0; i < h->sums_len; i++)
		if (h->sums[i].kind == EVENT_IMPORTED && h->sums[i].time == record->decided) {
			memcpy(event.place, h->sums[i].place, sizeof(event.place));
			n++;
		}
	if (n > 1)
		event.place[0] = '\0';
	print_event(&event, o);
}

void
history_print(const struct history *h, const struct fingerprint *fp, const struct record *record, const struct tool *t, struct out *o)
{
	size_t i, n = 0;

	out_array(o, "events");
	if (record != NULL && record->state == RECORD_DELIVERED && (record->flags & RECORD_IMPORTED) != 0) {
		n++;
		if (!t->json)
			printf("%*sevents\n", o->indent, "");
		print_import(h, fp, record, o);
	}
	for (i = 0; i < h->events_len; i++) {
		if (!same_message(&h->events[i].fp, fp))
			continue;
		if (n++ == 0 && !t->json)
			printf("%*sevents\n", o->indent, "");
		print_event(&h->events[i], o);
	}
	if (n == 0 && !t->json)
		out_text(o, "events", NULL);
}
