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

/* Without the database, so without a mark that somebody is at work: until the event is written, its number is not known. It is not known
 * either when somebody died at work, who may have written one. */
static enum store_result
work_note_alone(struct bdb *b, void *arg, struct err *err)
{
	uint32_t next = b->header.dirty == 0 ? b->header.events : 0;

	b->header.events = 0;
	if (bdb_header_write(b, err) == -1)
		return STORE_FAILED;
	b->header.events = next;
	return work_note(b, arg, err);
}

/* The database may be in trouble. Or a section of ours has seen that the header is not older than the files, and has closed them, as it does
 * when a duplicate is found: nothing is left to be done there. */
void
bdb_note(struct store *store, const struct event *event)
{
	struct bdb *b = bdb_of(store);
	bool trouble = event->kind == EVENT_UNRECORDED;
	struct err err;

	if (trouble || (b->generation != 0 && (b->env == NULL || b->many)))
		(void)bdb_header_section(b, trouble ? 0 : b->timeout_ms, work_note_alone, &event, &err);
	else
		(void)bdb_section(b, work_note, &event, NULL);
}

int
bdb_each_event(struct store *store, event_visit *visit, void *arg, struct err *err)
{
	struct bdb *b = bdb_of(store);
	int got = bdb_folder(b, err);

	return got != 1 ? got : events_each(b->dir, b->path, visit, arg, err);
}
