/* Big and old ledgers in Berkeley DB: they are counted while mail is delivered, and what is pruned makes room. */
#include <sys/stat.h>

#include "bdb.h"
#include "ledger_fixture.h"

#define LATER 4000000000LL	/* recent by the real clock, or the clock hand would tidy up before us */
#define CROWD 60000		/* more than one section counts */
#define MANY 10000		/* sections, also where each has time for little: under valgrind */

static enum store_result
work_crowd(struct bdb *b, void *arg, struct err *err)
{
	static struct record record = { .state = RECORD_DELIVERED, .first = LATER, .decided = LATER };
	unsigned char bytes[RECORD_MAX];
	DBT k, v = dbt_in(bytes, record_encode(&record, bytes));
	struct fingerprint key;
	DB_TXN *txn;
	unsigned int i;
	int ret = b->env->txn_begin(b->env, NULL, &txn, 0);

	(void)arg;
	for (i = 0; ret == 0 && i < CROWD; i++) {
		key = fingerprint_of(2000 + 2 * i);
		k = dbt_in(key.bytes, sizeof(key.bytes));
		ret = b->db->put(b->db, txn, &k, &v, 0);
	}
	if (ret == 0)
		ret = txn->commit(txn, 0);
	b->closing = true;
	return ret == 0 ? STORE_OK : bdb_fail(b, "crowd", ret, err);
}

/* As a version without counters leaves a ledger. */
static void
make_old(struct fixture *f)
{
	struct ledger_options lo = { .lock_timeout_ms = 1000, .create = true };
	char path[256];
	struct store_options so = { .path = path, .ledger = &lo };
	struct store *store;
	struct err err = { .text = "" };

	ledger_close(&f->ledger);
	fixture_path(f, "", path);
	assert_int_equal(store_bdb.open(&store, &so, &err), 0);
	if (bdb_section((struct bdb *)store, work_crowd, NULL, &err) != STORE_OK)
		fail_msg("%s", err.text);
	store_bdb.close(&store);
	fixture_open(f);
}

struct beside {
	struct fixture *f;
	unsigned int n;
	uint64_t done;
};

/* Deliveries beside the count: where it has been, and where it has yet to come. */
static int
deliver_beside(void *arg, uint64_t done)
{
	struct beside *b = arg;

	deliver_one(b->f, b->n++, LATER);
	deliver_one(b->f, 1000000 + b->n++, LATER);
	b->done = done;
	return 1;
}

static void
test_old_ledger_is_counted(void **state)
{
	struct fixture *f = *state;
	struct beside beside = { .f = f };
	struct counters c;
	unsigned int rounds = 0;

	make_old(f);
	deliver_one(f, 1999, LATER);
	do {	/* interrupted after each section, and perhaps killed */
		assert_int_equal(ledger_count(f->ledger, &c, deliver_beside, &beside, NULL), 0);
		assert_true(counters_records(&c) >= beside.done);
		fixture_reopen(f);
	} while (++rounds < MANY && counters_records(&c) < CROWD);
	assert_in_range(rounds, 2, MANY - 1);
	check_counters(f, CROWD + 1 + beside.n);
}

/* Bytes that are no counters count as none. */
static enum store_result
work_spoil(struct bdb *b, void *arg, struct err *err)
{
	unsigned char zero[1] = { 0 };
	DBT k = dbt_in(zero, sizeof(zero)), v = dbt_in(arg, strlen(arg));
	int ret = b->db->put(b->db, NULL, &k, &v, 0);

	b->closing = true;
	return ret == 0 ? STORE_OK : bdb_fail(b, "spoil", ret, err);
}

static void
test_other_counters(void **state)
{
	static char few[] = "few", many[4000];
	char *texts[] = { few, many };
	struct fixture *f = *state;
	struct ledger_options lo = { .lock_timeout_ms = 1000 };
	char path[256];
	struct store_options so = { .path = path, .ledger = &lo };
	struct store *store;
	unsigned int i;

	memset(many, '?', sizeof(many) - 1);
	fixture_path(f, "", path);
	for (i = 0; i < 2; i++) {
		deliver_one(f, 10 * i, LATER);
		ledger_close(&f->ledger);
		assert_int_equal(store_bdb.open(&store, &so, NULL), 0);
		assert_int_equal(bdb_section((struct bdb *)store, work_spoil, texts[i], NULL), STORE_OK);
		store_bdb.close(&store);
		fixture_open(f);
		deliver_one(f, 10 * i + 1, LATER);
		check_counters(f, 2 * (i + 1));
	}
}

/* The window passes again and again, and the file stays as large as it was. */
static void
test_pages_are_used_again(void **state)
{
	struct fixture *f = *state;
	unsigned int i, round;
	uint64_t deleted;
	struct stat st;
	off_t size = 0;
	char path[256];

	fixture_path(f, "env/ledger.db", path);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 600; i++)
			deliver_one(f, (round * 600 + i) * 7919 % 1000003, LATER);
		assert_int_equal(ledger_prune(f->ledger, LATER + 1, 0, &deleted, NULL), 0);
		assert_int_equal(deleted, 600);
		ledger_close(&f->ledger);
		remove_regions(f);	/* so that all pages are in the file */
		fixture_open(f);
		check_counters(f, 0);
		assert_int_equal(stat(path, &st), 0);
		if (round == 0)
			size = st.st_size;
	}
	assert_in_range(st.st_size, 1, size * 3 / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BDB(test_old_ledger_is_counted),
		BDB(test_other_counters),
		BDB(test_pages_are_used_again),
	};

	return cmocka_run_group_tests_name("bdb_counters", tests, NULL, NULL);
}
