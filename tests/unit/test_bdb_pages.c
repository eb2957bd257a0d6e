/* Every page of a sound database looks sound, of whatever kind it is, and one changed bit is seen. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>

#include "bdb.h"
#include "ledger_fixture.h"

#define LATER 4000000000LL	/* recent by the real clock, or the clock hand would tidy up */

static const DB_LSN no_end = { UINT32_MAX, UINT32_MAX };

static enum bdb_pages
look(const struct bdb *b, const DB_LSN *end, bool whole)
{
	struct err err = { .text = "" };
	enum bdb_pages found;

	if (bdb_pages_look(b, end, whole, &found, &err) == -1)
		fail_msg("%s", err.text);
	return found;
}

static enum store_result
work_close(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	b->closing = true;
	return b->env->txn_checkpoint(b->env, 0, 0, DB_FORCE) == 0 ? STORE_OK : bdb_fail(b, "checkpoint", EIO, err);
}

static void
write_all_pages(const char *folder)
{
	struct ledger_options lo = { .lock_timeout_ms = 1000 };
	struct store_options so = { .path = folder, .ledger = &lo };
	struct store *store;

	assert_int_equal(store_bdb.open(&store, &so, NULL), 0);
	assert_int_equal(bdb_section((struct bdb *)store, work_close, NULL, NULL), STORE_OK);
	store_bdb.close(&store);
}

/* Leaves and what is above them, values that are longer than a page, and free pages. */
static void
make_pages(struct fixture *f, struct bdb *b, char path[256])
{
	struct intent intent = { .len = INTENT_MAX };
	struct claim claim;
	unsigned int i;
	uint64_t deleted;

	for (i = 0; i < 600; i++)
		deliver_one(f, i * 7919 % 100003, i < 500 ? LATER : LATER + 10);
	assert_int_equal(ledger_prune(f->ledger, LATER + 1, 0, &deleted, NULL), 0);
	for (i = 0; i < 3; i++) {
		memset(intent.bytes, 'a' + (int)i, intent.len);
		claim_as(f, 200000 + i, LATER, CLAIM_NEW, &claim);
		assert_int_equal(ledger_decide(f->ledger, &claim, &intent, NULL, LATER, NULL), 0);
	}
	ledger_close(&f->ledger);
	snprintf(path, 256, "%s/L", f->folder);
	write_all_pages(path);
	b->path = path;
	b->dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(b->dir, -1);
}

static void
test_sound(void **state)
{
	struct fixture *f = *state;
	struct bdb b = { .path = NULL };
	DB_LSN begin = { 1, 28 };
	char path[256];

	make_pages(f, &b, path);
	assert_int_equal(look(&b, &no_end, true), BDB_PAGES_SOUND);
	assert_int_equal(look(&b, &no_end, false), BDB_PAGES_SOUND);
	assert_int_equal(look(&b, &begin, true), BDB_PAGES_LATER);
	assert_int_equal(look(&b, &begin, false), BDB_PAGES_LATER);
	close(b.dir);
}

static void
test_strange(void **state)
{
	static const unsigned char zeroes[BDB_PAGE_BYTES];
	struct fixture *f = *state;
	struct bdb b = { .path = NULL };
	unsigned char was[BDB_PAGE_BYTES], is[BDB_PAGE_BYTES];
	unsigned int at = 5;
	struct stat st;
	char path[256];
	off_t page;
	int fd;

	make_pages(f, &b, path);
	fd = openat(b.dir, "env/" BDB_FILE, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size > 20 * (off_t)BDB_PAGE_BYTES);
	for (page = BDB_PAGE_BYTES; page < st.st_size; page += BDB_PAGE_BYTES) {
		assert_int_equal(pread(fd, was, sizeof(was), page), sizeof(was));
		memcpy(is, was, sizeof(is));
		at = at * 1103515245U + 12345U;
		is[(at >> 8) % BDB_PAGE_BYTES] ^= (unsigned char)(1U << (at >> 24) % 8);
		assert_int_equal(pwrite(fd, is, sizeof(is), page), sizeof(is));
		assert_int_equal(look(&b, &no_end, true), BDB_PAGES_STRANGE);
		assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), page), sizeof(zeroes));
		assert_int_equal(look(&b, &no_end, true), BDB_PAGES_STRANGE);
		assert_int_equal(look(&b, &no_end, false), BDB_PAGES_STRANGE);
		assert_int_equal(pwrite(fd, was, sizeof(was), page), sizeof(was));
	}
	assert_int_equal(look(&b, &no_end, true), BDB_PAGES_SOUND);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	assert_int_equal(look(&b, &no_end, true), BDB_PAGES_STRANGE);
	assert_int_equal(unlinkat(b.dir, "env/" BDB_FILE, 0), 0);
	assert_int_equal(look(&b, &no_end, true), BDB_PAGES_SOUND);	/* a ledger whose database is yet to be made */
	close(fd);
	close(b.dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { BDB(test_sound), BDB(test_strange) };

	return cmocka_run_group_tests_name("bdb_pages", tests, NULL, NULL);
}
