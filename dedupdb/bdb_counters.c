/*
 * The counters of a ledger in Berkeley DB: one more value in its B-tree, under a key that sorts before all fingerprints. Walks and the
 * clock hand begin at the fingerprint of zeroes, so they never meet it.
 *
 * A ledger that a version without counters has filled is counted when somebody asks, in short sections. Until that has come to a key, what
 * happens to it is not counted: the count has yet to come there, and goes on after an interruption where it was.
 */
#include <string.h>

#include "bdb.h"

#define COUNTERS_MAGIC 0x436e7431U	/* its last digit grows with each change of struct bdb_counters */

static const unsigned char counters_key[1];	/* a zero: shorter than a fingerprint of zeroes, so before it */

/* Is anything there? */
static int
check_empty(struct bdb *b, DB_TXN *txn, bool *empty)
{
	DBT k = dbt_out(NULL, 0), v = dbt_out(NULL, 0);
	DBC *cursor;
	int r, ret = b->db->cursor(b->db, txn, &cursor, 0);

	if (ret != 0)
		return ret;
	k.flags = v.flags = DB_DBT_USERMEM | DB_DBT_PARTIAL;
	ret = cursor->get(cursor, &k, &v, DB_FIRST);
	*empty = ret == DB_NOTFOUND;
	r = cursor->close(cursor);
	return ret != 0 && ret != DB_NOTFOUND ? ret : r;
}

int
bdb_counters_read(struct bdb *b, DB_TXN *txn, struct bdb_counters *c, bool begin)
{
	DBT k = dbt_in(counters_key, sizeof(counters_key)), v = dbt_out(&c->kept, sizeof(c->kept));
	bool empty = false;
	int ret = b->db->get(b->db, txn, &k, &v, 0);

	c->changed = false;
	c->known = ret == 0 && v.size == sizeof(c->kept) && c->kept.magic == COUNTERS_MAGIC;
	if (c->known || (ret != 0 && ret != DB_NOTFOUND && ret != DB_BUFFER_SMALL))
		return ret;
	memset(&c->kept, 0, sizeof(c->kept));	/* nothing is counted */
	c->kept.magic = COUNTERS_MAGIC;
	if (ret != DB_NOTFOUND || !begin)
		return 0;
	ret = check_empty(b, txn, &empty);
	if (ret == 0 && empty) {	/* all of it, from the beginning on */
		memset(c->kept.upto, 0xff, sizeof(c->kept.upto));
		c->known = true;
	}
	return ret;
}

static bool
is_counted(const struct bdb_counters *c, const unsigned char *key)
{
	return c->known && memcmp(key, c->kept.upto, sizeof(c->kept.upto)) <= 0;
}

void
bdb_counters_add(struct bdb_counters *c, const unsigned char *key, const void *value, size_t len)
{
	if (!is_counted(c, key))
		return;
	counters_add(&c->kept.counters, value, len);
	c->changed = true;
}

void
bdb_counters_remove(struct bdb_counters *c, const unsigned char *key, const void *value, size_t len)
{
	if (!is_counted(c, key))
		return;
	counters_remove(&c->kept.counters, value, len);
	c->changed = true;
}

int
bdb_counters_write(struct bdb *b, DB_TXN *txn, const struct bdb_counters *c)
{
	DBT k = dbt_in(counters_key, sizeof(counters_key)), v = dbt_in(&c->kept, sizeof(c->kept));

	return c->changed ? b->db->put(b->db, txn, &k, &v, 0) : 0;
}

static bool
is_complete(const struct bdb_counters *c)
{
	size_t i;

	for (i = 0; i < sizeof(c->kept.upto); i++)
		if (c->kept.upto[i] != 0xff)
			return false;
	return c->known;
}

/* Count on from where the count is, for a short time. */
static int
count_on(struct bdb *b, DB_TXN *txn, struct bdb_counters *c)
{
	struct fingerprint key;
	struct store_value value;
	DBT k = dbt_out(key.bytes, sizeof(key.bytes)), v = dbt_out(value.bytes, sizeof(value.bytes));
	int64_t end = clock_ms() + BDB_SECTION_MS;
	size_t seen = 0;
	DBC *cursor;
	int r, ret = b->db->cursor(b->db, txn, &cursor, 0);

	if (ret != 0)
		return ret;
	memcpy(key.bytes, c->kept.upto, sizeof(key.bytes));
	k.size = sizeof(key.bytes);
	ret = cursor->get(cursor, &k, &v, DB_SET_RANGE);
	if (ret == 0 && c->known && memcmp(key.bytes, c->kept.upto, sizeof(key.bytes)) == 0)
		ret = cursor->get(cursor, &k, &v, DB_NEXT);
	c->known = c->changed = true;
	while (ret == 0) {
		counters_add(&c->kept.counters, value.bytes, v.size);
		memcpy(c->kept.upto, key.bytes, sizeof(key.bytes));
		if (++seen % 64 == 0 && clock_ms() >= end)
			break;
		ret = cursor->get(cursor, &k, &v, DB_NEXT);
	}
	if (ret == DB_NOTFOUND) {
		memset(c->kept.upto, 0xff, sizeof(c->kept.upto));
		ret = 0;
	}
	r = cursor->close(cursor);
	return ret != 0 ? ret : r;
}

static enum store_result
work_read(struct bdb *b, void *arg, struct err *err)
{
	struct bdb_counters *c = arg;
	int ret = bdb_counters_read(b, NULL, c, true);

	if (ret != 0)
		return bdb_fail(b, "read counters", ret, err);
	b->closing = is_complete(c);
	return STORE_OK;
}

static enum store_result
work_count(struct bdb *b, void *arg, struct err *err)
{
	struct bdb_counters *c = arg;
	DB_TXN *txn;
	int r, ret = b->env->txn_begin(b->env, NULL, &txn, 0);

	if (ret != 0)
		return bdb_fail(b, "begin", ret, err);
	ret = bdb_counters_read(b, txn, c, true);
	if (ret == 0 && !is_complete(c))	/* not counted by another one meanwhile */
		ret = count_on(b, txn, c);
	if (ret == 0)
		ret = bdb_counters_write(b, txn, c);
	r = ret == 0 ? txn->commit(txn, DB_TXN_WRITE_NOSYNC) : txn->abort(txn);
	if (ret == 0)
		ret = r;
	if (ret != 0)
		return bdb_fail(b, "count", ret, err);
	(void)b->env->txn_checkpoint(b->env, BDB_CHECKPOINT_KB, 0, 0);
	return STORE_OK;
}

int
bdb_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err)
{
	struct bdb *b = bdb_of(store);
	struct bdb_counters c;
	enum store_result result = bdb_section(b, work_read, &c, err);

	memset(counters, 0, sizeof(*counters));
	while (result == STORE_OK && !is_complete(&c)) {
		result = bdb_section(b, work_count, &c, err);
		if (result == STORE_OK && tick(arg, counters_records(&c.kept.counters)) != 0)
			break;
		if (!is_complete(&c))
			bdb_give_way(b);
	}
	if (result == STORE_OK)
		*counters = c.kept.counters;
	return result == STORE_OK || result == STORE_ABSENT ? 0 : -1;
}
