/* Whatever is done to the files of a Berkeley DB ledger, and by whom: it heals, and what comes after the damage is not forgotten. */
#include <sys/stat.h>

#include <fcntl.h>

#include "fs.h"
#include "ledger_fixture.h"

static void
overwrite(const char *path, off_t size)
{
	unsigned char noise[4096];
	int fd = open(path, O_WRONLY);
	off_t at;
	size_t i;

	assert_int_not_equal(fd, -1);
	for (i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)(i * 2654435761U >> 13);
	for (at = 0; at < size; at += (off_t)sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
}

static void
damage(const struct fixture *f, const char *name, int how)
{
	char path[256];
	struct stat st;

	fixture_path(f, name, path);
	assert_int_equal(stat(path, &st), 0);
	switch (how) {
	case 0:
		assert_int_equal(unlink(path), 0);
		break;
	case 1:
		assert_int_equal(truncate(path, 0), 0);
		break;
	case 2:
		assert_int_equal(truncate(path, st.st_size / 2), 0);
		break;
	default:
		overwrite(path, st.st_size);
	}
}

/* Whatever is done to whatever file at rest: the next delivery works, and the one after it finds that one. */
static void
test_every_file_damaged(void **state)
{
	static const char *const names[] = { "lock", "env/ledger.db", "env/log.0000000001", "env/__db.001", "env/__db.002",
		"env/__db.003" };
	struct fixture *f = *state;
	struct claim claim;
	unsigned int n = 0;
	size_t i;
	int how;

	deliver_one(f, n++, NOW);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (how = 0; how < 4; how++) {
			char command[256];

			ledger_close(&f->ledger);
			snprintf(command, sizeof(command), "rm -rf %s/L", f->folder);
			assert_int_equal(system(command), 0);
			fixture_open(f);
			deliver_one(f, n++, NOW);
			ledger_close(&f->ledger);
			damage(f, names[i], how);
			fixture_open(f);
			deliver_one(f, n, NOW);
			fixture_reopen(f);
			claim_as(f, n++, NOW, CLAIM_DUPLICATE, &claim);
		}
	}
}

/* Region files cost nothing to make again: no record is lost with them. */
static void
test_regions_lost(void **state)
{
	static const char *const names[] = { "env/__db.001", "env/__db.002", "env/__db.003" };
	struct fixture *f = *state;
	struct claim claim;
	size_t i;
	int how;

	deliver_one(f, 1, NOW);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (how = 0; how < 4; how++) {
			ledger_close(&f->ledger);
			damage(f, names[i], how);
			fixture_open(f);
			claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
		}
	assert_int_equal(f->notices, 12);
}

/* A damaged database or log is found out before anything new is recorded in it: what comes after the damage survives a recovery. */
static void
test_damage_is_seen_at_once(void **state)
{
	static const char *const names[] = { "env/ledger.db", "env/log.0000000001" };
	struct fixture *f = *state;
	struct claim claim;
	unsigned int n = 0, i;
	size_t j;
	int how;

	for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
		for (how = 0; how < 4; how++) {
			for (i = 0; i < 100; i++)
				deliver_one(f, n++, NOW);
			ledger_close(&f->ledger);
			remove_regions(f);
			fixture_open(f);	/* recovers, and writes the database */
			deliver_one(f, n++, NOW);
			ledger_close(&f->ledger);
			damage(f, names[j], how);
			fixture_open(f);
			deliver_one(f, n, NOW);
			ledger_close(&f->ledger);
			remove_regions(f);
			fixture_open(f);
			claim_as(f, n++, NOW, CLAIM_DUPLICATE, &claim);
		}
	}
}

/* Berkeley DB takes a page of zeroes for one that was never written, and looks for a key in it for ever. */
static void
test_pages_of_zeroes(void **state)
{
	static const char zeroes[4096];
	struct fixture *f = *state;
	struct claim claim;
	struct stat st;
	char path[256];
	unsigned int i;
	off_t at;
	int fd;

	alarm(600);
	for (i = 0; i < 200; i++)
		deliver_one(f, i, NOW);
	ledger_close(&f->ledger);
	remove_regions(f);
	fixture_open(f);
	deliver_one(f, i, NOW);
	ledger_close(&f->ledger);
	fixture_path(f, "env/ledger.db", path);
	fd = open(path, O_WRONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size > 4 * (off_t)sizeof(zeroes));
	for (at = 2 * (off_t)sizeof(zeroes); at < st.st_size; at += (off_t)sizeof(zeroes))
		assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), at), sizeof(zeroes));
	close(fd);
	fixture_open(f);
	deliver_one(f, 1000, NOW);
	for (i = 0; i < 200; i++)
		claim_as(f, i, NOW, CLAIM_NEW, &claim);
	alarm(0);
}

/* Each page in turn becomes noise, zeroes, or the page after it: neither the sums nor the way from page to page would do alone, and
 * Berkeley DB's verification never comes back from some of it. The next delivery works, and the one after it finds that one. */
static void
test_each_page_damaged(void **state)
{
	enum { NOISE, ZEROES, ANOTHER, KINDS };
	unsigned char page[4096], other[4096];
	struct fixture *f = *state;
	struct claim claim;
	char path[256], command[600];
	unsigned int n, kind;
	struct stat st;
	size_t i;
	off_t at;
	int fd;

	alarm(600);
	for (n = 0; n < 400; n++)
		deliver_one(f, n, NOW);
	ledger_close(&f->ledger);
	remove_regions(f);
	fixture_open(f);
	deliver_one(f, n++, NOW);
	ledger_close(&f->ledger);
	snprintf(command, sizeof(command), "cp -a %s/L %s/whole", f->folder, f->folder);
	assert_int_equal(system(command), 0);
	fixture_path(f, "env/ledger.db", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 8 * (off_t)sizeof(page));
	snprintf(command, sizeof(command), "rm -rf %s/L && cp -a %s/whole %s/L", f->folder, f->folder, f->folder);
	for (at = 0; at + (off_t)sizeof(page) < st.st_size; at += (off_t)sizeof(page))
		for (kind = 0; kind < KINDS; kind++) {
			assert_int_equal(system(command), 0);
			fd = open(path, O_RDWR);
			assert_int_equal(pread(fd, other, sizeof(other), at + (off_t)sizeof(page)), sizeof(other));
			for (i = 0; i < sizeof(page); i++)
				page[i] = kind == NOISE ? (unsigned char)((i + (size_t)at) * 2654435761U >> 13) : kind == ZEROES ? 0 : other[i];
			assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
			close(fd);
			fixture_open(f);
			deliver_one(f, 1000, NOW);
			claim_as(f, 1000, NOW, CLAIM_DUPLICATE, &claim);
			deliver_one(f, 1001, NOW);
			ledger_close(&f->ledger);
			fixture_open(f);
			claim_as(f, 1000, NOW, CLAIM_DUPLICATE, &claim);
			claim_as(f, 1001, NOW, CLAIM_DUPLICATE, &claim);
			ledger_close(&f->ledger);
		}
	fixture_open(f);
	alarm(0);
}

/* The log goes on in a new file, which begins in shared memory: that is no damage. */
static void
test_log_goes_on(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	struct stat st;
	char path[256];
	unsigned int n;

	fixture_path(f, "env/log.0000000004", path);
	for (n = 0; stat(path, &st) == -1 && n < 20000; n++) {
		fixture_reopen(f);
		deliver_one(f, n, NOW);
	}
	assert_in_range(n, 1000, 19999);
	fixture_reopen(f);
	claim_as(f, n - 1, NOW, CLAIM_DUPLICATE, &claim);
	assert_int_equal(f->notices, 0);
}

static bool
is_there(const struct fixture *f, unsigned int log, char path[256])
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "env/log.%010u", log);
	fixture_path(f, name, path);
	return stat(path, &st) == 0;
}

/* What is delivered after the damage survives a recovery. */
static void
assert_kept(struct fixture *f, unsigned int n)
{
	struct claim claim;

	fixture_open(f);
	deliver_one(f, n, NOW);
	ledger_close(&f->ledger);
	remove_regions(f);
	fixture_open(f);
	claim_as(f, n, NOW, CLAIM_DUPLICATE, &claim);
}

/* The last checkpoint is in a log file that has lost its content, and the log goes on in another one: what comes after the damage survives
 * a recovery. */
static void
test_log_without_its_checkpoint(void **state)
{
	struct fixture *f = *state;
	char path[256];
	unsigned int older, n = 0;
	int i;

	for (older = 0; !is_there(f, older, path) && n < 20000; older++) {
		while (!is_there(f, older + 2, path) && n < 20000)
			deliver_one(f, n++, NOW);
		for (i = 0; i < 20; i++)
			deliver_one(f, n++, NOW);
	}
	ledger_close(&f->ledger);
	assert_int_equal(truncate(path, 0), 0);
	remove_regions(f);	/* only a recovery reads that file */
	assert_kept(f, n);
}

/* A log file that is not the last one any more is damaged at rest: that is found out before anything new is recorded. */
static void
test_older_log_damaged(void **state)
{
	struct fixture *f = *state;
	char path[256], last[256];
	unsigned int n = 0;

	while (!is_there(f, 2, last) && n < 20000)
		deliver_one(f, n++, NOW);
	deliver_one(f, n++, NOW);
	ledger_close(&f->ledger);
	assert_true(is_there(f, 1, path));
	overwrite(path, 4096);
	assert_kept(f, n);
}

/* Berkeley DB would wait for somebody who writes into it. */
static void
test_fifo_in_place_of_a_file(void **state)
{
	static const char *const names[] = { "env/ledger.db", "env/log.0000000001", "env/__db.001" };
	struct fixture *f = *state;
	struct claim claim;
	char path[256];
	unsigned int i;

	alarm(600);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		deliver_one(f, 2 * i, NOW);
		ledger_close(&f->ledger);
		damage(f, names[i], 0);
		fixture_path(f, names[i], path);
		assert_int_equal(mkfifo(path, 0600), 0);
		fixture_open(f);
		deliver_one(f, 2 * i + 1, NOW);
		fixture_reopen(f);
		claim_as(f, 2 * i + 1, NOW, CLAIM_DUPLICATE, &claim);
	}
	alarm(0);
}

/* Another process repaired while we had the environment open: our handles are worthless, our next answer is not. */
static void
test_repaired_by_another(void **state)
{
	struct fixture *f = *state;
	struct fixture other = *f;
	struct claim claim, theirs;

	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	other.ledger = NULL;
	damage(f, "env/__db.002", 3);
	fixture_open(&other);
	deliver_one(&other, 2, NOW);
	claim_as(&other, 3, NOW, CLAIM_NEW, &theirs);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
	claim_as(f, 2, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(&other, 1, NOW, CLAIM_PENDING, &claim);
	ledger_close(&other.ledger);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BDB(test_every_file_damaged),
		BDB(test_regions_lost),
		BDB(test_damage_is_seen_at_once),
		BDB(test_pages_of_zeroes),
		BDB(test_each_page_damaged),
		BDB(test_log_goes_on),
		BDB(test_log_without_its_checkpoint),
		BDB(test_older_log_damaged),
		BDB(test_fifo_in_place_of_a_file),
		BDB(test_repaired_by_another),
	};

	return cmocka_run_group_tests_name("bdb_damage", tests, NULL, NULL);
}
