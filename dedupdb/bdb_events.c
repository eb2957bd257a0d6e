/* The history of a ledger in Berkeley DB: the ring is beside the database, the lock file knows its next number. */
#include "bdb.h"

void
bdb_event(struct bdb *b, const struct event *event)
{
	uint64_t next = b->header.events;

	if (event == NULL)
		return;
	events_write(b->dir, b->history, &next, event);
	b->header.events = next > UINT32_MAX ? 0 : (uint32_t)next;
}

static enum store_result
work_note(struct bdb *b, void *arg, struct err *err)
{
	const struct event *const *event = arg;

	(void)err;
	b->header.duplicates += (*event)->kind == EVENT_DUPLICATE;
	bdb_event(b, *event);
	b->closing = true;
	return STORE_OK;
}

/* Without the database, which is in trouble; whoever died in it may have written an event. */
static enum store_result
work_note_trouble(struct bdb *b, void *arg, struct err *err)
{
	const struct event *const *event = arg;

	(void)err;
	if (b->header.dirty != 0)
		b->header.events = 0;
	bdb_event(b, *event);
	return STORE_OK;
}

void
bdb_note(struct store *store, const struct event *event)
{
	struct err err;

	if (event->kind == EVENT_UNRECORDED)
		(void)bdb_header_section(bdb_of(store), 0, work_note_trouble, &event, &err);
	else
		(void)bdb_section(bdb_of(store), work_note, &event, NULL);
}

int
bdb_each_event(struct store *store, event_visit *visit, void *arg, struct err *err)
{
	struct bdb *b = bdb_of(store);
	int got = bdb_folder(b, err);

	return got != 1 ? got : events_each(b->dir, b->path, visit, arg, err);
}
