/* The ledger in Berkeley DB: a B-tree of fingerprints. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"

#define CHECKPOINT_EVERY 64
#define HAND_STEPS 4		/* values looked at per insert: dead ones stay under a third of the live ones */
#define WRITE_OUT_AFTER 256	/* changes that come together */
#define CLOSE_TIMEOUT_MS 1000	/* nothing depends on what is done then */

static enum store_result
work_close(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	b->closing = true;
	return STORE_OK;
}

/* What an open handle holds in shared memory is given back; if the lock can't be had, the next recovery does that. */
static void
bdb_close(struct store **store)
{
	struct bdb *b = bdb_of(*store);

	b->timeout_ms = CLOSE_TIMEOUT_MS;
	if (b->env != NULL && !bdb_is_moved(b))
		(void)bdb_section(b, work_close, NULL, NULL);
	bdb_env_abandon(b);
	if (b->lock != -1)
		close(b->lock);
	if (b->dir != -1)
		close(b->dir);
	free(b->path);
	free(b->env_path);
	free(b);
	*store = NULL;
}

static int
bdb_open(struct store **store, const struct store_options *options, struct err *err)
{
	struct bdb *b;

	if (options->path[0] != '/')
		return err_set(err, STATUS_CONFIG, "ledger bdb:%s: the path must be absolute", options->path);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return err_sys(err, "open ledger", options->path);
	b->base.ops = &store_bdb;
	b->dir = b->lock = b->log = -1;
	b->timeout_ms = options->ledger->lock_timeout_ms;
	b->strict = options->ledger->strict;
	b->create = options->ledger->create;
	b->history = options->ledger->history;
	b->many = options->ledger->many;
	b->bulk = options->ledger->bulk;
	b->notice = options->ledger->notice;
	b->notice_arg = options->ledger->notice_arg;
	b->expired = options->expired;
	b->expired_arg = options->expired_arg;
	b->path = strdup(options->path);
	*store = &b->base;
	if (b->path == NULL || asprintf(&b->env_path, "%s/env", options->path) == -1) {
		b->env_path = NULL;
		bdb_close(store);
		return err_sys(err, "open ledger", options->path);
	}
	return 0;
}

static int
bdb_prepare(struct store *store, struct ledger_needs *needs, struct err *err)
{
	struct bdb *b = bdb_of(store);

	if (bdb_folder(b, err) == -1)
		return -1;
	needs->folder = b->dir;
	return 0;
}

/* What is there, borrowed. Values that are longer than ours were never written by us. */
static enum store_result
look_up(struct bdb *b, DB_TXN *txn, const struct fingerprint *key, DBT *there, struct err *err)
{
	DBT k = dbt_in(key->bytes, sizeof(key->bytes));
	int ret;

	*there = dbt_borrowed();
	ret = b->db->get(b->db, txn, &k, there, 0);
	if (ret == DB_NOTFOUND)
		return STORE_ABSENT;
	if (ret == 0 && there->size > RECORD_MAX)
		ret = DB_BUFFER_SMALL;
	return ret == 0 ? STORE_OK : bdb_fail(b, "get", ret, err);
}

static void
take_value(struct store_value *value, const DBT *there)
{
	value->len = there->size;
	memcpy(value->bytes, there->data, there->size);
}

struct get {
	const struct fingerprint *key;
	struct store_value *value;
};

/* A delivery that finds its key has a duplicate, as a rule, and no more to ask. */
static enum store_result
work_get(struct bdb *b, void *arg, struct err *err)
{
	struct get *get = arg;
	DBT there;
	enum store_result result = look_up(b, NULL, get->key, &there, err);

	if (result == STORE_OK)
		take_value(get->value, &there);
	b->closing = result == STORE_OK && !b->many;
	return result;
}

static enum store_result
bdb_get(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	struct get get = { key, value };

	return bdb_section(bdb_of(store), work_get, &get, err);
}

struct change {
	const struct fingerprint *key;
	const struct store_value *expected;	/* NULL: absence */
	const struct store_value *value;	/* NULL: remove */
	struct store_value *now;
	bool durable, pending;
	bool write_out;		/* many changes have come together */
};

/* Compare inside the transaction that changes. */
static enum store_result
compare(struct bdb *b, DB_TXN *txn, const struct change *c, struct err *err)
{
	DBT there;
	enum store_result result = look_up(b, txn, c->key, &there, err);

	if (result == STORE_ABSENT)
		return c->expected == NULL ? STORE_OK : STORE_ABSENT;
	if (result != STORE_OK)
		return result;
	if (c->expected != NULL && there.size == c->expected->len && memcmp(there.data, c->expected->bytes, there.size) == 0)
		return STORE_OK;
	if (c->now != NULL)
		take_value(c->now, &there);
	return STORE_CONFLICT;
}

static enum store_result
apply(struct bdb *b, DB_TXN *txn, const struct change *c, struct bdb_counters *counters, struct err *err)
{
	DBT k = dbt_in(c->key->bytes, sizeof(c->key->bytes)), v;
	int ret;

	if (c->expected != NULL)
		bdb_counters_remove(counters, c->key->bytes, c->expected->bytes, c->expected->len);
	if (c->value != NULL)
		bdb_counters_add(counters, c->key->bytes, c->value->bytes, c->value->len);
	if (c->value == NULL)
		ret = b->db->del(b->db, txn, &k, 0);
	else {
		v = dbt_in(c->value->bytes, c->value->len);
		ret = b->db->put(b->db, txn, &k, &v, 0);
	}
	return ret == 0 ? STORE_OK : bdb_fail(b, c->value == NULL ? "delete" : "put", ret, err);
}

/*
 * The clock hand: look at the next few values, drop the expired ones, and leave the hand behind them. Every insert pays for a
 * little tidying, so the file stays near its live size and nobody needs a cron job.
 */
static int
turn_hand(struct bdb *b, DB_TXN *txn, struct bdb_counters *counters)
{
	unsigned char key[FINGERPRINT_BYTES];
	DBT k = dbt_out(key, sizeof(key)), v = dbt_borrowed();
	DBC *cursor;
	int i, r, ret = b->db->cursor(b->db, txn, &cursor, 0);

	if (ret != 0)
		return ret;
	memcpy(key, b->header.hand, sizeof(key));
	k.size = sizeof(key);
	ret = cursor->get(cursor, &k, &v, DB_SET_RANGE);
	for (i = 0; ret == 0 && i < HAND_STEPS; i++) {
		if (b->expired(b->expired_arg, v.data, v.size)) {
			bdb_counters_remove(counters, key, v.data, v.size);
			ret = cursor->del(cursor, 0);
		}
		if (ret == 0)
			ret = cursor->get(cursor, &k, &v, DB_NEXT);
	}
	if (ret == 0 && k.size == sizeof(key))
		memcpy(b->header.hand, key, sizeof(key));
	else if (ret == DB_NOTFOUND) {	/* once round */
		memset(b->header.hand, 0, sizeof(b->header.hand));
		ret = 0;
	}
	r = cursor->close(cursor);
	return ret != 0 ? ret : r;
}

static void
hint(struct bdb *b, const unsigned char *key, bool pending)
{
	static const unsigned char none[FINGERPRINT_BYTES];
	int i, slot = -1;

	for (i = 0; i < BDB_HINTS; i++) {
		if (memcmp(b->header.hints[i], key, FINGERPRINT_BYTES) == 0) {
			slot = i;
			break;
		}
		if (slot == -1 && memcmp(b->header.hints[i], none, sizeof(none)) == 0)
			slot = i;
	}
	if (pending) {
		if (slot == -1) {	/* full: the oldest hint goes */
			slot = BDB_HINTS - 1;
			memmove(b->header.hints[0], b->header.hints[1], (size_t)slot * FINGERPRINT_BYTES);
		}
		memcpy(b->header.hints[slot], key, FINGERPRINT_BYTES);
	} else if (i < BDB_HINTS)
		memset(b->header.hints[i], 0, FINGERPRINT_BYTES);
}

/* Only shortens the next recovery: what it could fail with is said again there. It looks about on disk even when there is nothing to do,
 * so it is not asked every time: CHECKPOINT_EVERY small changes fill a fraction of BDB_CHECKPOINT_KB. */
static void
checkpoint(struct bdb *b)
{
	if (++b->header.changes < CHECKPOINT_EVERY)
		return;
	b->header.changes = 0;
	(void)b->env->txn_checkpoint(b->env, BDB_CHECKPOINT_KB, 0, 0);
}

/* Once this was called the change may survive, whatever it returns. */
static enum store_result
commit(struct bdb *b, DB_TXN *txn, bool durable, struct err *err)
{
	int ret = txn->commit(txn, DB_TXN_WRITE_NOSYNC);

	if (ret != 0)
		bdb_fail(b, "commit", ret, err);
	return ret == 0 && (!durable || bdb_log_note(b, err) == STORE_OK) ? STORE_OK : STORE_UNDECIDED;
}

/* The change, what an insert tidies, and the counters of both. */
static enum store_result
change(struct bdb *b, DB_TXN *txn, const struct change *c, struct err *err)
{
	bool insert = c->value != NULL && c->expected == NULL;
	struct bdb_counters counters;
	enum store_result result;
	int ret = bdb_counters_read(b, txn, &counters, insert);

	if (ret != 0)
		return bdb_fail(b, "read counters", ret, err);
	result = apply(b, txn, c, &counters, err);
	if (result != STORE_OK)
		return result;
	if (insert && (ret = turn_hand(b, txn, &counters)) != 0)
		return bdb_fail(b, "tidy", ret, err);
	ret = bdb_counters_write(b, txn, &counters);
	return ret == 0 ? STORE_OK : bdb_fail(b, "count", ret, err);
}

static enum store_result
work_change(struct bdb *b, void *arg, struct err *err)
{
	struct change *c = arg;
	enum store_result result;
	DB_TXN *txn;
	int ret = b->env->txn_begin(b->env, NULL, &txn, 0);

	if (ret != 0)
		return bdb_fail(b, "begin", ret, err);
	result = compare(b, txn, c, err);
	if (result == STORE_OK)
		result = change(b, txn, c, err);
	if (result != STORE_OK) {
		txn->abort(txn);
		if (result != STORE_FAILED && c->value != NULL)		/* others did the same: both are worth a word */
			bdb_event(b, b->base.event);
		return result;
	}
	result = commit(b, txn, c->durable, err);
	if (result == STORE_OK) {
		bdb_event(b, b->base.event);
		b->closing = !c->pending && !b->many;	/* a delivery has nothing to ask any more */
		hint(b, c->key->bytes, c->pending);
		if (b->bulk)
			c->write_out = ++b->unwritten >= WRITE_OUT_AFTER || bdb_portion_done(b);
		else
			checkpoint(b);
	}
	return result;
}

static enum store_result
bdb_put(struct store *store, const struct fingerprint *key, const struct store_value *expected, const struct store_value *value,
    bool durable, bool pending, struct store_value *now, struct err *err)
{
	struct change c = { key, expected, value, now, durable, pending, false };
	struct bdb *b = bdb_of(store);
	enum store_result result = bdb_section(b, work_change, &c, err);

	if (bdb_log_sync(b, err) == -1 && result == STORE_OK)
		result = STORE_UNDECIDED;
	if (result == STORE_OK && c.write_out) {
		b->unwritten = 0;
		if (bdb_write_out(b, err) == -1)
			result = STORE_UNDECIDED;
	} else if (b->bulk)
		bdb_give_way(b);
	return result;
}

static enum store_result
bdb_remove(struct store *store, const struct fingerprint *key, const struct store_value *expected, struct err *err)
{
	struct change c = { key, expected, NULL, NULL, false, false, false };
	enum store_result result = bdb_section(bdb_of(store), work_change, &c, err);

	return result == STORE_UNDECIDED ? STORE_FAILED : result;
}

static enum store_result
work_hints(struct bdb *b, void *arg, struct err *err)
{
	(void)err;
	memcpy(arg, b->header.hints, sizeof(b->header.hints));
	return STORE_ABSENT;	/* nothing to write */
}

static int
bdb_recent_pending(struct store *store, store_visit *visit, void *arg, struct err *err)
{
	struct fingerprint hints[BDB_HINTS];
	static const struct fingerprint none;
	struct store_value value;
	enum store_result result;
	int i, ret = 0;

	memset(hints, 0, sizeof(hints));
	result = bdb_header_section(bdb_of(store), bdb_of(store)->timeout_ms, work_hints, hints, err);
	if (result != STORE_ABSENT)
		return -1;
	for (i = 0; ret == 0 && i < BDB_HINTS; i++) {
		if (memcmp(&hints[i], &none, sizeof(none)) == 0)
			continue;
		result = bdb_get(store, &hints[i], &value, err);
		if (result == STORE_OK)
			ret = visit(arg, &hints[i], &value, err);
		else if (result != STORE_ABSENT)
			ret = -1;
	}
	return ret;
}

static void
bdb_crashed(const struct store *store)
{
	const struct bdb *b = (const struct bdb *)store;

	/* what a full disk does to mapped files is no damage */
	if (b->working && !bdb_is_full(b->lock))
		(void)!pwrite(b->lock, &b->blame, sizeof(b->blame), 0);
}

const struct store_ops store_bdb = {
	.name = "bdb",
	.open = bdb_open,
	.close = bdb_close,
	.prepare = bdb_prepare,
	.get = bdb_get,
	.put = bdb_put,
	.sync = bdb_sync,
	.remove = bdb_remove,
	.fill = bdb_fill,
	.count = bdb_count,
	.each = bdb_each,
	.recent_pending = bdb_recent_pending,
	.prune = bdb_prune,
	.copy = bdb_copy,
	.note = bdb_note,
	.each_event = bdb_each_event,
	.stat = bdb_stat,
	.crashed = bdb_crashed,
};
