/* A copy of the database that is made while it changes is, in the end, the file as it is under the lock. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>

#include "bdb_copy.h"
#include "ledger_fixture.h"

#define LATER 4000000000LL	/* recent by the real clock, or the clock hand would tidy up */
#define SPREAD 7919U

static struct store *
open_store(const struct fixture *f)
{
	static char path[128];
	struct ledger_options lo = { .lock_timeout_ms = 10000 };
	struct store_options so = { .path = path, .ledger = &lo };
	struct store *store;
	struct ledger_needs needs;

	snprintf(path, sizeof(path), "%s/L", f->folder);
	assert_int_equal(store_bdb.open(&store, &so, NULL), 0);
	assert_int_equal(store_bdb.prepare(store, &needs, NULL), 0);
	return store;
}

static void
deliver_some(struct fixture *f, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		deliver_one(f, from * SPREAD % 100003, LATER);
}

/* All pages that are in the cache only. */
static enum store_result
work_write_all(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	return b->env->txn_checkpoint(b->env, 0, 0, DB_FORCE) == 0 ? STORE_OK : bdb_fail(b, "checkpoint", 0, err);
}

static void
write_all(struct fixture *f)
{
	struct store *store = open_store(f);

	assert_int_equal(bdb_section((struct bdb *)store, work_write_all, NULL, NULL), STORE_OK);
	store_bdb.close(&store);
}

static unsigned char *
map(const char *folder, const char *name, size_t *size)
{
	char path[256];
	struct stat st;
	void *bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	bytes = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(bytes != MAP_FAILED);
	close(fd);
	return bytes;
}

static bool
same_files(const struct fixture *f)
{
	size_t size, copied;
	unsigned char *ledger = map(f->folder, "L/env/" BDB_FILE, &size), *copy = map(f->folder, BDB_FILE, &copied);
	bool same = size == copied && memcmp(ledger, copy, size) == 0;

	munmap(ledger, size);
	munmap(copy, copied);
	return same;
}

struct copying {
	const struct fixture *f;
	struct page_copy *copy;
	bool of_it, same;
};

static enum store_result
work_finish(struct bdb *b, void *arg, struct err *err)
{
	struct copying *c = arg;
	int env = openat(b->dir, "env", O_RDONLY | O_DIRECTORY);

	(void)err;
	c->of_it = bdb_page_copy_is_of(c->copy, env);
	close(env);
	c->same = c->of_it && bdb_page_copy_finish(c->copy, NULL) == 0 && same_files(c->f);
	return STORE_ABSENT;
}

static struct copying
begin(const struct fixture *f, const struct store *store)
{
	struct copying c = { .f = f };
	char path[256];
	int folder = open(f->folder, O_RDONLY | O_DIRECTORY);

	snprintf(path, sizeof(path), "%s/" BDB_FILE, f->folder);
	(void)unlink(path);
	assert_int_equal(bdb_page_copy_begin(&c.copy, (const struct bdb *)store, folder, NULL), 0);
	close(folder);
	return c;
}

static void
finish(struct copying *c, struct store *store)
{
	assert_int_equal(bdb_header_section((struct bdb *)store, 10000, work_finish, c, NULL), STORE_ABSENT);
	bdb_page_copy_end(&c->copy);
	assert_null(c->copy);
}

/* What changes after the beginning: pages of old ones, new pages, pages that become free. */
static void
test_changes_between(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct copying c;
	uint64_t deleted;

	deliver_some(f, 0, 600);
	write_all(f);
	store = open_store(f);
	c = begin(f, store);
	assert_true(same_files(f));
	finish(&c, store);
	assert_true(c.same);

	c = begin(f, store);
	deliver_some(f, 600, 1200);
	write_all(f);
	assert_false(same_files(f));
	finish(&c, store);
	assert_true(c.same);

	c = begin(f, store);
	assert_int_equal(ledger_prune(f->ledger, LATER + 1, 0, &deleted, NULL), 0);
	assert_int_equal(deleted, 1200);
	write_all(f);
	finish(&c, store);
	assert_true(c.same);
	store_bdb.close(&store);
}

static void
spoil(const struct fixture *f, off_t at)
{
	char path[256];
	int fd;

	fixture_path(f, "env/" BDB_FILE, path);
	fd = open(path, O_RDWR);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, "damage", 6, at), 6);
	close(fd);
}

/* Damage is copied as it is: verify is there to find it. A file that ends in the middle of a page, too. */
static void
test_damage(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct copying c;
	struct stat st;
	char path[256];

	deliver_some(f, 0, 300);
	write_all(f);
	fixture_path(f, "env/" BDB_FILE, path);
	assert_int_equal(stat(path, &st), 0);
	spoil(f, 2 * BDB_PAGE_BYTES + 1000);
	store = open_store(f);
	c = begin(f, store);
	spoil(f, 2 * BDB_PAGE_BYTES + 2000);	/* the head says nothing of that, but the page was never whole */
	spoil(f, 100);				/* nor is it known of the first one */
	finish(&c, store);
	assert_true(c.same);

	c = begin(f, store);
	assert_int_equal(truncate(path, st.st_size - 1000), 0);
	finish(&c, store);
	assert_true(c.same);
	c = begin(f, store);
	finish(&c, store);
	assert_true(c.same);
	store_bdb.close(&store);
}

/* What is the database by then is another file, or none. */
static void
test_replaced(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct copying c;
	char path[256], other[256];

	deliver_some(f, 0, 20);
	fixture_path(f, "env/" BDB_FILE, path);
	snprintf(other, sizeof(other), "%s/other", f->folder);
	store = open_store(f);
	c = begin(f, store);
	assert_int_equal(rename(path, other), 0);
	finish(&c, store);
	assert_false(c.of_it);
	c = begin(f, store);
	assert_int_equal(rename(other, path), 0);
	finish(&c, store);
	assert_false(c.of_it);
	store_bdb.close(&store);
}

/* Begun at any moment of a writer's work, torn pages and all. */
static void
test_writer_at_work(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	struct copying c;
	pid_t child;
	unsigned int n;
	int i, waits;

	deliver_some(f, 0, 500);
	child = fork();
	if (child == 0)
		for (n = 500;; n++) {
			deliver_one(f, n * SPREAD % 100003, LATER);
			if (n % 8 == 0)
				write_all(f);
		}
	store = open_store(f);
	for (i = 0; i < 10; i++) {
		c = begin(f, store);
		for (waits = 0; waits < 6000 && same_files(f); waits++)
			clock_sleep_ms(10);
		assert_int_not_equal(waits, 6000);
		finish(&c, store);
		assert_true(c.same);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	store_bdb.close(&store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_between, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_replaced, setup_bdb, teardown),
		cmocka_unit_test_setup_teardown(test_writer_at_work, setup_bdb, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
