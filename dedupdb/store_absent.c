/*
 * What stands for a kind of ledger that this program was linked without. It can be configured and opened, and then always fails, so that
 * on-ledger-failure decides about mail.
 */
#include <stdlib.h>

#include "store.h"

static int
absent(struct err *err)
{
	return err_set(err, STATUS_TEMP, "ledger: the program dedup-lda-redis is not installed, or this one was built with WITH_REDIS=no");
}

static int
absent_open(struct store **store, const struct store_options *options, struct err *err)
{
	*store = calloc(1, sizeof(**store));
	if (*store == NULL)
		return err_sys(err, "open ledger", options->path);
	(*store)->ops = &store_absent;
	return 0;
}

static void
absent_close(struct store **store)
{
	free(*store);
	*store = NULL;
}

static int
absent_prepare(struct store *store, struct ledger_needs *needs, struct err *err)
{
	(void)store;
	(void)needs;
	return absent(err);
}

static enum store_result
absent_get(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	(void)store;
	(void)key;
	(void)value;
	(void)absent(err);
	return STORE_FAILED;
}

static enum store_result
absent_put(struct store *store, const struct fingerprint *key, const struct store_value *expected, const struct store_value *value,
    bool durable, bool pending, struct store_value *now, struct err *err)
{
	(void)expected;
	(void)durable;
	(void)pending;
	(void)value;
	return absent_get(store, key, now, err);
}

static int
absent_sync(struct store *store, struct err *err)
{
	(void)store;
	return absent(err);
}

static enum store_result
absent_remove(struct store *store, const struct fingerprint *key, const struct store_value *expected, struct err *err)
{
	(void)expected;
	return absent_get(store, key, NULL, err);
}

static int
absent_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err)
{
	(void)store;
	(void)counters;
	(void)tick;
	(void)arg;
	return absent(err);
}

static int
absent_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err)
{
	(void)store;
	(void)n;
	(void)item;
	(void)arg;
	(void)added;
	return absent(err);
}

static int
absent_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg,
    struct err *err)
{
	(void)store;
	(void)from;
	(void)to;
	(void)visit;
	(void)arg;
	return absent(err);
}

static int
absent_recent_pending(struct store *store, store_visit *visit, void *arg, struct err *err)
{
	return absent_each(store, NULL, NULL, visit, arg, err);
}

static int
absent_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err)
{
	(void)store;
	(void)expired;
	(void)arg;
	(void)deleted;
	return absent(err);
}

static void
absent_note(struct store *store, const struct event *event)
{
	(void)store;
	(void)event;
}

static int
absent_each_event(struct store *store, event_visit *visit, void *arg, struct err *err)
{
	(void)store;
	(void)visit;
	(void)arg;
	return absent(err);
}

static int
absent_stat(struct store *store, struct ledger_stat *stat, struct err *err)
{
	(void)store;
	(void)stat;
	return absent(err);
}

static void
absent_crashed(const struct store *store)
{
	(void)store;
}

const struct store_ops store_absent = {
	.name = "redis",
	.open = absent_open,
	.close = absent_close,
	.prepare = absent_prepare,
	.get = absent_get,
	.put = absent_put,
	.sync = absent_sync,
	.remove = absent_remove,
	.count = absent_count,
	.fill = absent_fill,
	.each = absent_each,
	.recent_pending = absent_recent_pending,
	.prune = absent_prune,
	.note = absent_note,
	.each_event = absent_each_event,
	.stat = absent_stat,
	.crashed = absent_crashed,
};
