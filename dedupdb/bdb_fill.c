/* Puts many values into a ledger in Berkeley DB, many in each section. */
#include "bdb.h"

#define LOOK_EVERY 8	/* values between two looks at how many pages have changed; each may be on one of its own */

struct fill {
	size_t n, next;
	store_item *item;
	void *arg;
	uint64_t added;
	int64_t until;		/* clock_ms() at which this section ends */
	struct bdb_counters counters;	/* in one section */
};

/* Put one value. Returns what Berkeley DB does; *put says whether it is there now. */
static int
fill_one(struct bdb *b, DB_TXN *txn, struct fill *fill, size_t i, bool *put)
{
	struct store_value value, there;
	struct fingerprint key;
	DBT k, v, old = dbt_out(there.bytes, sizeof(there.bytes));
	int ret;

	fill->item(fill->arg, i, &key, &value);
	k = dbt_in(key.bytes, sizeof(key.bytes));
	v = dbt_in(value.bytes, value.len);
	*put = false;
	ret = b->db->put(b->db, txn, &k, &v, DB_NOOVERWRITE);
	if (ret == DB_KEYEXIST) {
		ret = b->db->get(b->db, txn, &k, &old, 0);
		if (ret != 0 || !b->expired(b->expired_arg, there.bytes, old.size))
			return ret;
		bdb_counters_remove(&fill->counters, key.bytes, there.bytes, old.size);
		ret = b->db->put(b->db, txn, &k, &v, 0);
	}
	if (ret == 0) {
		bdb_counters_add(&fill->counters, key.bytes, value.bytes, value.len);
		*put = true;
	}
	return ret;
}

static int
fill_some(struct bdb *b, DB_TXN *txn, struct fill *fill, size_t *next, uint64_t *added)
{
	bool put = false;
	int ret = 0;

	while (*next < fill->n) {
		ret = fill_one(b, txn, fill, *next, &put);
		if (ret != 0)
			break;
		*added += put;
		++*next;
		if (clock_ms() >= fill->until || (*next % LOOK_EVERY == 0 && bdb_portion_done(b)))
			break;
	}
	return ret;
}

static enum store_result
work_fill(struct bdb *b, void *arg, struct err *err)
{
	struct fill *fill = arg;
	size_t next = fill->next;
	uint64_t added = 0;
	DB_TXN *txn = NULL;
	int r, ret = b->env->txn_begin(b->env, NULL, &txn, 0);

	if (ret != 0)
		return bdb_fail(b, "begin", ret, err);
	fill->until = clock_ms() + BDB_SECTION_MS;
	ret = bdb_counters_read(b, txn, &fill->counters, true);
	if (ret == 0)
		ret = fill_some(b, txn, fill, &next, &added);
	if (ret == 0)
		ret = bdb_counters_write(b, txn, &fill->counters);
	r = ret == 0 ? txn->commit(txn, DB_TXN_WRITE_NOSYNC) : txn->abort(txn);
	ret = ret != 0 ? ret : r;
	if (ret != 0)
		return bdb_fail(b, "fill", ret, err);
	fill->next = next;
	fill->added += added;
	return STORE_OK;
}

int
bdb_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err)
{
	struct bdb *b = bdb_of(store);
	struct fill fill = { .n = n, .item = item, .arg = arg };
	enum store_result result;
	uint64_t before;

	while (fill.next < n) {
		before = fill.added;
		result = bdb_portion(b, work_fill, &fill, err);
		if (result == STORE_ABSENT)
			return err_set(err, STATUS_TEMP, "ledger %s: does not exist", b->path);
		*added += fill.added - before;
		if (result != STORE_OK)
			return -1;
	}
	return 0;
}
