/* Walks through a ledger in Berkeley DB, in short sections. */
#include <stdlib.h>
#include <string.h>

#include "bdb.h"

#define BATCH_VALUES 512	/* values copied in one section of a walk */
#define BATCH_BYTES (256 * 1024)
#define LOOK_EVERY 16		/* values between two looks at how many pages have changed */

/* A batch of a walk: values are copied in a section and visited outside of it, so that deliveries never wait for a visitor. */
struct batch {
	struct fingerprint from;	/* the first key to look at */
	bool after;			/* not that key itself, but the next one */
	bool end;
	size_t used, len;		/* bytes and values in buf: key, length, value */
	unsigned char *buf;
	store_expired *expired;		/* prune: delete these instead of copying */
	void *expired_arg;
	struct bdb_counters counters;	/* prune: in one section */
	int64_t until;			/* clock_ms() at which a section ends */
	uint64_t deleted;
};

static void
batch_add(struct batch *batch, const unsigned char *key, const unsigned char *value, size_t len)
{
	unsigned char *p = batch->buf + batch->used;

	memcpy(p, key, FINGERPRINT_BYTES);
	memcpy(p + FINGERPRINT_BYTES, &len, sizeof(len));
	memcpy(p + FINGERPRINT_BYTES + sizeof(len), value, len);
	batch->used += FINGERPRINT_BYTES + sizeof(len) + len;
	batch->len++;
}

static bool
batch_full(struct bdb *b, const struct batch *batch, size_t seen)
{
	if (clock_ms() >= batch->until)
		return true;
	if (batch->expired != NULL)
		return seen % LOOK_EVERY == 0 && bdb_portion_done(b);
	return seen == BATCH_VALUES ||
	    batch->used + FINGERPRINT_BYTES + sizeof(size_t) + RECORD_MAX > BATCH_BYTES;
}

static int
batch_walk(struct bdb *b, DBC *cursor, struct batch *batch)
{
	struct store_value value;
	DBT k = dbt_out(batch->from.bytes, sizeof(batch->from.bytes)), v = dbt_out(value.bytes, sizeof(value.bytes));
	struct fingerprint start = batch->from;
	size_t seen = 0;
	int ret;

	k.size = sizeof(batch->from.bytes);
	ret = cursor->get(cursor, &k, &v, DB_SET_RANGE);
	if (ret == 0 && batch->after && memcmp(batch->from.bytes, start.bytes, sizeof(start.bytes)) == 0)
		ret = cursor->get(cursor, &k, &v, DB_NEXT);
	while (ret == 0) {
		if (batch->expired == NULL)
			batch_add(batch, batch->from.bytes, value.bytes, v.size);
		else if (batch->expired(batch->expired_arg, value.bytes, v.size)) {
			bdb_counters_remove(&batch->counters, batch->from.bytes, value.bytes, v.size);
			ret = cursor->del(cursor, 0);
			batch->deleted++;
		}
		if (ret != 0 || batch_full(b, batch, ++seen))
			break;
		ret = cursor->get(cursor, &k, &v, DB_NEXT);
	}
	batch->after = true;
	if (ret == DB_NOTFOUND) {
		batch->end = true;
		ret = 0;
	}
	return ret;
}

static enum store_result
work_batch(struct bdb *b, void *arg, struct err *err)
{
	struct batch *batch = arg;
	struct batch before = *batch;
	DB_TXN *txn = NULL;
	DBC *cursor;
	int r, ret = 0;

	batch->until = clock_ms() + BDB_SECTION_MS;
	if (batch->expired != NULL) {
		ret = b->env->txn_begin(b->env, NULL, &txn, 0);
		if (ret == 0)
			ret = bdb_counters_read(b, txn, &batch->counters, false);
	}
	if (ret == 0)
		ret = b->db->cursor(b->db, txn, &cursor, 0);
	if (ret == 0) {
		ret = batch_walk(b, cursor, batch);
		r = cursor->close(cursor);
		ret = ret != 0 ? ret : r;
	}
	if (txn != NULL) {
		if (ret == 0)
			ret = bdb_counters_write(b, txn, &batch->counters);
		r = ret == 0 ? txn->commit(txn, DB_TXN_WRITE_NOSYNC) : txn->abort(txn);
		ret = ret != 0 ? ret : r;
	}
	if (ret != 0) {
		*batch = before;	/* the section may be run again */
		return bdb_fail(b, "walk", ret, err);
	}
	return STORE_OK;
}

static int
visit_batch(const struct batch *batch, const struct fingerprint *to, store_visit *visit, void *arg, struct err *err)
{
	const unsigned char *p = batch->buf;
	struct fingerprint key;
	struct store_value value;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < batch->len; i++) {
		memcpy(key.bytes, p, FINGERPRINT_BYTES);
		if (memcmp(&key, to, sizeof(key)) > 0)
			return 1;
		memcpy(&value.len, p + FINGERPRINT_BYTES, sizeof(value.len));
		p += FINGERPRINT_BYTES + sizeof(value.len);
		memcpy(value.bytes, p, value.len);
		p += value.len;
		ret = visit(arg, &key, &value, err);
	}
	return ret;
}

int
bdb_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg, struct err *err)
{
	struct batch batch = { .from = *from };
	enum store_result result;
	int ret = 0;

	batch.buf = malloc(BATCH_BYTES);
	if (batch.buf == NULL)
		return err_sys(err, "read ledger", bdb_of(store)->path);
	while (ret == 0 && !batch.end) {
		batch.used = batch.len = 0;
		result = bdb_section(bdb_of(store), work_batch, &batch, err);
		if (result == STORE_ABSENT)
			break;
		ret = result == STORE_OK ? visit_batch(&batch, to, visit, arg, err) : -1;
		if (ret == 0 && !batch.end)
			bdb_give_way(bdb_of(store));
	}
	free(batch.buf);
	return ret;
}

int
bdb_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err)
{
	struct batch batch = { .expired = expired, .expired_arg = arg };
	enum store_result result = STORE_OK;

	while (result == STORE_OK && !batch.end) {
		result = bdb_portion(bdb_of(store), work_batch, &batch, err);
		*deleted = batch.deleted;
	}
	return result == STORE_OK || result == STORE_ABSENT ? 0 : -1;
}
