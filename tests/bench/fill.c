/*
 * fill FOLDER RECORDS SPAN: make a ledger as RECORDS deliveries within the last SPAN seconds would have left it, without their mail.
 *
 * As in a delivery each record is put pending, with an intent, and then replaced by one that says delivered, in random order of keys: how
 * full the pages are depends on that; and they are counted. But a section holds many records, and nothing is synced before the end.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"
#include "record.h"

#define PER_SECTION 2000
#define INTENT_BYTES 128	/* of a Maildir with a path of usual length */
#define CHECKPOINT_KB (64 * 1024)	/* deliveries do that 128 times as often, which takes longer but leaves the same */
#define WINDOW (7 * 86400)

struct fill {
	uint64_t done, records;
	int64_t now, span;
};

/* splitmix64: the key of record n is the same in every run. */
static uint64_t
mix(uint64_t n)
{
	n += 0x9e3779b97f4a7c15ULL;
	n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
	n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;
	return n ^ (n >> 31);
}

static void
make_key(struct fingerprint *key, uint64_t n)
{
	uint64_t words[FINGERPRINT_BYTES / sizeof(uint64_t)];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = mix(n * 4 + i + 1);
	memcpy(key->bytes, words, sizeof(words));
}

static int
put(struct bdb *b, DB_TXN *txn, struct fingerprint *key, const struct record *record, struct bdb_counters *counters)
{
	unsigned char bytes[RECORD_MAX];
	DBT k = { .data = key->bytes, .size = sizeof(key->bytes) }, v = { .data = bytes };

	v.size = (u_int32_t)record_encode(record, bytes);
	if (record->state == RECORD_DELIVERED)
		bdb_counters_add(counters, key->bytes, v.data, v.size);
	return b->db->put(b->db, txn, &k, &v, 0);
}

static int
put_delivery(struct bdb *b, DB_TXN *txn, const struct fill *f, uint64_t n, struct record *record, struct bdb_counters *counters)
{
	struct fingerprint key;
	int ret;

	make_key(&key, n);
	record->state = RECORD_PENDING;
	record->first = record->decided = f->now - f->span + (int64_t)((double)f->span * (double)n / (double)f->records);
	record->intent.len = INTENT_BYTES;
	ret = put(b, txn, &key, record, counters);
	if (ret != 0)
		return ret;
	record->state = RECORD_DELIVERED;
	record->intent.len = 0;
	return put(b, txn, &key, record, counters);
}

static enum store_result
work(struct bdb *b, void *arg, struct err *err)
{
	struct fill *f = arg;
	struct record *record = calloc(1, sizeof(*record));
	struct bdb_counters counters;
	DB_TXN *txn;
	uint64_t n;
	int ret = record == NULL ? ENOMEM : b->env->txn_begin(b->env, NULL, &txn, 0);

	if (ret == 0)
		ret = bdb_counters_read(b, txn, &counters, true);
	for (n = f->done; ret == 0 && n < f->records && n < f->done + PER_SECTION; n++)
		ret = put_delivery(b, txn, f, n, record, &counters);
	free(record);
	if (ret == 0)
		ret = bdb_counters_write(b, txn, &counters);
	if (ret == 0)
		ret = txn->commit(txn, DB_TXN_WRITE_NOSYNC);
	if (ret == 0)
		ret = b->env->txn_checkpoint(b->env, n < f->records ? CHECKPOINT_KB : 0, 0, 0);
	if (ret != 0)
		return bdb_fail(b, "fill", ret, err);
	f->done = n;
	return STORE_OK;
}

static int
sync_later(int fd)
{
	(void)fd;
	return 0;
}

int
main(int argc, char **argv)
{
	struct ledger_options options = { .window = WINDOW, .lock_timeout_ms = 60000, .create = true };
	struct store_options store_options = { .ledger = &options };
	struct fill f = { .now = clock_now() };
	struct err err = { .status = STATUS_OK };
	struct store *store;

	if (argc != 4) {
		fputs("usage: fill folder records span\n", stderr);
		return 1;
	}
	store_options.path = argv[1];
	f.records = strtoull(argv[2], NULL, 10);
	f.span = strtoll(argv[3], NULL, 10);
	if (db_env_set_func_fsync(sync_later) != 0 || store_bdb.open(&store, &store_options, &err) == -1) {
		fprintf(stderr, "fill: %s\n", err.text);
		return 1;
	}
	while (f.done < f.records)
		if (bdb_section((struct bdb *)store, work, &f, &err) != STORE_OK) {
			fprintf(stderr, "fill: %s\n", err.text);
			return 1;
		}
	store_bdb.close(&store);
	sync();
	return 0;
}
