/*
 * A store in memory, for unit tests of what is built on stores. Nothing survives the process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct entry {
	struct fingerprint key;
	struct store_value value;
	bool pending;
};

struct memory {
	struct store base;
	struct entry **entries;	/* in key order */
	size_t len, size;
	uint64_t duplicates;
	struct event *events;	/* a ring */
	uint32_t history;
	uint64_t noted;		/* events, ever */
	store_expired *expired;
	void *expired_arg;
};

static struct memory *
memory_of(struct store *store)
{
	return (struct memory *)store;
}

/* The first entry whose key is not below this one. */
static size_t
find(const struct memory *m, const struct fingerprint *key, bool *found)
{
	size_t low = 0, high = m->len, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(m->entries[mid]->key.bytes, key->bytes, FINGERPRINT_BYTES) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < m->len && memcmp(m->entries[low]->key.bytes, key->bytes, FINGERPRINT_BYTES) == 0;
	return low;
}

static int
memory_open(struct store **store, const struct store_options *options, struct err *err)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_sys(err, "open ledger", options->path);
	m->history = options->ledger->history;
	m->events = calloc(m->history, sizeof(*m->events));
	if (m->events == NULL)
		m->history = 0;
	m->base.ops = &store_memory;
	m->expired = options->expired;
	m->expired_arg = options->expired_arg;
	*store = &m->base;
	return 0;
}

static void
memory_close(struct store **store)
{
	struct memory *m = memory_of(*store);
	size_t i;

	for (i = 0; i < m->len; i++)
		free(m->entries[i]);
	free(m->entries);
	free(m->events);
	free(m);
	*store = NULL;
}

static int
memory_prepare(struct store *store, struct ledger_needs *needs, struct err *err)
{
	(void)store;
	(void)needs;
	(void)err;
	return 0;
}

static enum store_result
memory_get(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	struct memory *m = memory_of(store);
	bool found;
	size_t i = find(m, key, &found);

	(void)err;
	if (found)
		*value = m->entries[i]->value;
	return found ? STORE_OK : STORE_ABSENT;
}

static enum store_result
compare(const struct entry *entry, const struct store_value *expected, struct store_value *now)
{
	if (expected != NULL && expected->len == entry->value.len &&
	    memcmp(expected->bytes, entry->value.bytes, expected->len) == 0)
		return STORE_OK;
	if (now != NULL)
		*now = entry->value;
	return STORE_CONFLICT;
}

static enum store_result
insert(struct memory *m, size_t i, const struct fingerprint *key, struct err *err)
{
	struct entry **grown, *fresh;
	size_t at, size;

	if (m->len == m->size) {
		size = m->size == 0 ? 64 : 2 * m->size;
		grown = reallocarray(m->entries, size, sizeof(struct entry *));
		if (grown == NULL) {
			err_sys(err, "ledger in memory", NULL);
			return STORE_FAILED;
		}
		m->entries = grown;
		m->size = size;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (fresh == NULL) {
		err_sys(err, "ledger in memory", NULL);
		return STORE_FAILED;
	}
	fresh->key = *key;
	for (at = m->len++; at > i; at--)
		m->entries[at] = m->entries[at - 1];
	m->entries[i] = fresh;
	return STORE_OK;
}

static void
write_event(struct memory *m, const struct event *event)
{
	struct event *slot;

	if (m->history == 0 || event == NULL)
		return;
	slot = &m->events[m->noted++ % m->history];
	*slot = *event;
	slot->number = m->noted;
}

static enum store_result
memory_put(struct store *store, const struct fingerprint *key, const struct store_value *expected, const struct store_value *value,
    bool durable, bool pending, struct store_value *now, struct err *err)
{
	struct memory *m = memory_of(store);
	enum store_result result;
	bool found;
	size_t i = find(m, key, &found);

	(void)durable;
	if (found)
		result = compare(m->entries[i], expected, now);
	else
		result = expected != NULL ? STORE_ABSENT : insert(m, i, key, err);
	if (result == STORE_OK) {
		m->entries[i]->value = *value;
		m->entries[i]->pending = pending;
	}
	if (result != STORE_FAILED)
		write_event(m, store->event);
	return result;
}

static int
memory_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err)
{
	struct memory *m = memory_of(store);
	struct store_value value;
	struct fingerprint key;
	size_t i, at;
	bool found;

	for (i = 0; i < n; i++) {
		item(arg, i, &key, &value);
		at = find(m, &key, &found);
		if (found && !m->expired(m->expired_arg, m->entries[at]->value.bytes, m->entries[at]->value.len))
			continue;
		if (!found && insert(m, at, &key, err) != STORE_OK)
			return -1;
		m->entries[at]->value = value;
		m->entries[at]->pending = false;
		(*added)++;
	}
	return 0;
}

static void
take_out(struct memory *m, size_t i)
{
	free(m->entries[i]);
	for (m->len--; i < m->len; i++)
		m->entries[i] = m->entries[i + 1];
}

static enum store_result
memory_remove(struct store *store, const struct fingerprint *key, const struct store_value *expected, struct err *err)
{
	struct memory *m = memory_of(store);
	enum store_result result;
	bool found;
	size_t i = find(m, key, &found);

	(void)err;
	if (!found)
		return STORE_ABSENT;
	result = compare(m->entries[i], expected, NULL);
	if (result == STORE_OK) {
		take_out(m, i);
		write_event(m, store->event);
	}
	return result;
}

/* The visitor may change the store: go on by key, not by place. */
static int
visit_range(struct memory *m, const struct fingerprint *from, const struct fingerprint *to, bool pending_only,
    store_visit *visit, void *arg, struct err *err)
{
	struct entry entry;
	bool found;
	size_t i = find(m, from, &found);
	int ret = 0;

	while (ret == 0 && i < m->len && memcmp(&m->entries[i]->key, to, sizeof(*to)) <= 0) {
		entry = *m->entries[i];
		if (!pending_only || entry.pending)
			ret = visit(arg, &entry.key, &entry.value, err);
		i = find(m, &entry.key, &found);
		i += found ? 1 : 0;
	}
	return ret;
}

static int
memory_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg,
    struct err *err)
{
	return visit_range(memory_of(store), from, to, false, visit, arg, err);
}

static int
memory_recent_pending(struct store *store, store_visit *visit, void *arg, struct err *err)
{
	struct fingerprint from = { { 0 } }, to;

	memset(&to, 0xff, sizeof(to));
	return visit_range(memory_of(store), &from, &to, true, visit, arg, err);
}

static int
memory_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err)
{
	const struct memory *m = memory_of(store);
	size_t i;

	(void)tick;
	(void)arg;
	(void)err;
	memset(counters, 0, sizeof(*counters));
	for (i = 0; i < m->len; i++)
		counters_add(counters, m->entries[i]->value.bytes, m->entries[i]->value.len);
	return 0;
}

static int
memory_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err)
{
	struct memory *m = memory_of(store);
	size_t i = 0;

	(void)err;
	while (i < m->len) {
		if (expired(arg, m->entries[i]->value.bytes, m->entries[i]->value.len)) {
			take_out(m, i);
			(*deleted)++;
		} else
			i++;
	}
	return 0;
}

static void
memory_note(struct store *store, const struct event *event)
{
	memory_of(store)->duplicates += event->kind == EVENT_DUPLICATE;
	write_event(memory_of(store), event);
}

static int
memory_each_event(struct store *store, event_visit *visit, void *arg, struct err *err)
{
	const struct memory *m = memory_of(store);
	uint64_t i = m->noted > m->history ? m->noted - m->history : 0;
	int ret = 0;

	while (ret == 0 && i < m->noted)
		ret = visit(arg, &m->events[i++ % m->history], err);
	return ret == -1 ? -1 : 0;
}

static int
memory_stat(struct store *store, struct ledger_stat *stat, struct err *err)
{
	struct memory *m = memory_of(store);

	(void)err;
	stat->duplicates = m->duplicates;
	stat->bytes = m->len * sizeof(struct entry);
	stat->exists = true;
	return 0;
}

static void
memory_crashed(const struct store *store)
{
	(void)store;
}

static int
memory_sync(struct store *store, struct err *err)
{
	(void)store;
	(void)err;
	return 0;
}

const struct store_ops store_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.prepare = memory_prepare,
	.get = memory_get,
	.put = memory_put,
	.sync = memory_sync,
	.remove = memory_remove,
	.fill = memory_fill,
	.count = memory_count,
	.each = memory_each,
	.recent_pending = memory_recent_pending,
	.prune = memory_prune,
	.note = memory_note,
	.each_event = memory_each_event,
	.stat = memory_stat,
	.crashed = memory_crashed,
};
