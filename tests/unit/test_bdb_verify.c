/* A sound tree passes; one whose pages are whole, each with its right sum, but do not hang together, is found, and the look ends. */
#include <sys/stat.h>

#include <fcntl.h>

#include "bdb.h"
#include "ledger_fixture.h"

#define RECORDS 2000	/* of many leaves */
#define NEXT_AT 16
#define ENTRIES_AT 20
#define LEVEL_AT 24
#define TYPE_AT 25
#define SUM_AT 28
#define PLACES_AT 32
#define CHILD_AT 4	/* in an entry of an internal page */
#define INTERNAL 3
#define LEAF 5

struct tree {
	char folder[256];
	int fd;
	unsigned char page[BDB_PAGE_BYTES];
	uint32_t number;	/* of the page */
};

/* As Berkeley DB sums a page up: each byte is added to 33 times the sum before. */
static uint32_t
sum_of(const unsigned char *page)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < BDB_PAGE_BYTES; i++)
		sum = 33 * sum + (i >= SUM_AT && i < SUM_AT + 4 ? 0 : page[i]);
	return sum;
}

static uint32_t
get32(const unsigned char *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static uint16_t
get16(const unsigned char *at)
{
	uint16_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static void
read_page(struct tree *t, uint32_t number)
{
	t->number = number;
	assert_int_equal(pread(t->fd, t->page, BDB_PAGE_BYTES, (off_t)number * BDB_PAGE_BYTES), BDB_PAGE_BYTES);
	assert_int_equal(get32(t->page + SUM_AT), sum_of(t->page));	/* or this test does not know how to make one */
}

static void
write_page(struct tree *t)
{
	uint32_t sum = sum_of(t->page);

	memcpy(t->page + SUM_AT, &sum, sizeof(sum));
	assert_int_equal(pwrite(t->fd, t->page, BDB_PAGE_BYTES, (off_t)t->number * BDB_PAGE_BYTES), BDB_PAGE_BYTES);
}

/* The first page of that type, from `from` on, that has something in it and, for a leaf, one after it. */
static void
find_page(struct tree *t, unsigned char type, uint32_t from)
{
	do
		read_page(t, from++);
	while (t->page[TYPE_AT] != type || get16(t->page + ENTRIES_AT) < 4 || (type == LEAF && get32(t->page + NEXT_AT) == 0));
}

static bool
passes(const struct tree *t)
{
	struct bdb b = { .path = (char *)(uintptr_t)t->folder };
	struct err err;
	int ret;

	assert_int_equal(db_env_create(&b.env, 0), 0);
	assert_int_equal(b.env->open(b.env, t->folder, DB_CREATE | DB_PRIVATE | DB_INIT_MPOOL, 0), 0);
	b.env->set_errfile(b.env, NULL);
	assert_int_equal(db_create(&b.db, b.env, 0), 0);
	assert_int_equal(b.db->open(b.db, NULL, BDB_FILE, NULL, DB_BTREE, DB_RDONLY, 0), 0);
	ret = bdb_verify(&b, &err);
	assert_int_equal(b.db->close(b.db, 0), 0);
	assert_int_equal(b.env->close(b.env, 0), 0);
	return ret == 0;
}

static enum store_result
work_close(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	b->closing = true;
	return b->env->txn_checkpoint(b->env, 0, 0, DB_FORCE) == 0 ? STORE_OK : STORE_FAILED;
}

static void
make_tree(struct fixture *f, struct tree *t)
{
	struct ledger_options lo = { .lock_timeout_ms = 1000 };
	struct store_options so = { .ledger = &lo };
	struct imported items[RECORDS];
	struct store *store;
	uint64_t added;
	unsigned int i;

	for (i = 0; i < RECORDS; i++)
		items[i] = (struct imported){ fingerprint_of(i), NOW };
	assert_int_equal(ledger_import(f->ledger, items, RECORDS, NOW, &added, NULL), 0);
	ledger_close(&f->ledger);
	snprintf(t->folder, sizeof(t->folder), "%s/L", f->folder);
	so.path = t->folder;
	assert_int_equal(store_bdb.open(&store, &so, NULL), 0);
	assert_int_equal(bdb_section((struct bdb *)store, work_close, NULL, NULL), STORE_OK);
	store_bdb.close(&store);
	snprintf(t->folder, sizeof(t->folder), "%s/L/copy", f->folder);
	assert_int_equal(mkdir(t->folder, 0700), 0);
	snprintf(t->folder, sizeof(t->folder), "cp %s/L/env/" BDB_FILE " %s/L/copy", f->folder, f->folder);
	assert_int_equal(system(t->folder), 0);
	snprintf(t->folder, sizeof(t->folder), "%s/L/copy", f->folder);
	t->fd = open(strcat(t->folder, "/" BDB_FILE), O_RDWR);
	assert_int_not_equal(t->fd, -1);
	*strrchr(t->folder, '/') = '\0';
	assert_true(passes(t));
}

/* Every way to spoil it is taken back, so that the next one is found for itself. */
static void
spoiled(struct tree *t, const unsigned char *was)
{
	write_page(t);
	assert_false(passes(t));
	memcpy(t->page, was, BDB_PAGE_BYTES);
	write_page(t);
	assert_true(passes(t));
}

static void
test_order(void **state)
{
	unsigned char was[BDB_PAGE_BYTES], place[2];
	struct tree t = { .fd = -1 };

	make_tree(*state, &t);
	find_page(&t, LEAF, 1);
	memcpy(was, t.page, sizeof(was));
	/* Two keys change places. */
	memcpy(place, t.page + PLACES_AT, 2);
	memcpy(t.page + PLACES_AT, t.page + PLACES_AT + 4, 2);
	memcpy(t.page + PLACES_AT + 4, place, 2);
	spoiled(&t, was);
	/* A key is there twice. */
	memcpy(t.page + PLACES_AT + 4, t.page + PLACES_AT, 2);
	spoiled(&t, was);
	close(t.fd);
}

static void
test_ways(void **state)
{
	unsigned char was[BDB_PAGE_BYTES];
	uint32_t number, first;
	struct tree t = { .fd = -1 };

	make_tree(*state, &t);
	find_page(&t, LEAF, 1);
	first = t.number;
	find_page(&t, LEAF, first + 1);
	memcpy(was, t.page, sizeof(was));
	/* The next leaf is this one: a walk would never end. */
	memcpy(t.page + NEXT_AT, &t.number, sizeof(t.number));
	spoiled(&t, was);
	/* It is one that was before. */
	memcpy(t.page + NEXT_AT, &first, sizeof(first));
	spoiled(&t, was);
	/* It is no leaf, but the page above all. */
	number = 1;
	memcpy(t.page + NEXT_AT, &number, sizeof(number));
	spoiled(&t, was);
	/* It is after the end of the file. */
	number = 1000000;
	memcpy(t.page + NEXT_AT, &number, sizeof(number));
	spoiled(&t, was);
	/* The page says of itself that it is no leaf. */
	t.page[LEVEL_AT] = 7;
	spoiled(&t, was);
	/* A whole page that belongs elsewhere. */
	number = t.number;
	read_page(&t, first);
	t.number = number;
	spoiled(&t, was);
	close(t.fd);
}

static void
test_children(void **state)
{
	unsigned char was[BDB_PAGE_BYTES];
	struct tree t = { .fd = -1 };
	uint16_t place;

	make_tree(*state, &t);
	find_page(&t, INTERNAL, 1);
	memcpy(was, t.page, sizeof(was));
	place = get16(t.page + PLACES_AT + 2);
	/* A page below is this one: a look-up would never end. */
	memcpy(t.page + place + CHILD_AT, &t.number, sizeof(t.number));
	spoiled(&t, was);
	/* An entry is not on the page. */
	place = BDB_PAGE_BYTES - 1;
	memcpy(t.page + PLACES_AT, &place, sizeof(place));
	spoiled(&t, was);
	/* More entries than have room. */
	place = UINT16_MAX;
	memcpy(t.page + ENTRIES_AT, &place, sizeof(place));
	spoiled(&t, was);
	close(t.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { BDB(test_order), BDB(test_ways), BDB(test_children) };

	return cmocka_run_group_tests_name("bdb_verify", tests, NULL, NULL);
}
