/* What only the Berkeley DB store promises: it stays small, and it never hangs on a process that died. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>

#include "fs.h"
#include "ledger_fixture.h"

/* An older environment that is whole is as good as it was then. */
static void
test_older_environment(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	char command[512];

	deliver_one(f, 1, NOW);
	ledger_close(&f->ledger);
	snprintf(command, sizeof(command), "cp -R %s/L/env %s/older", f->folder, f->folder);
	assert_int_equal(system(command), 0);
	fixture_open(f);
	deliver_one(f, 2, NOW);
	ledger_close(&f->ledger);
	snprintf(command, sizeof(command), "rm -r %s/L/env && mv %s/older %s/L/env", f->folder, f->folder, f->folder);
	assert_int_equal(system(command), 0);
	fixture_open(f);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
}

static void
run(const struct fixture *f, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", f->folder, command);
	assert_int_equal(system(line), 0);
}

static void
keep_open(struct fixture *f)
{
	ledger_close(&f->ledger);
	f->many = true;
	fixture_open(f);
}

/* Another process, which knows what is on the disk alone. */
static void
leave_to_another(struct fixture *f)
{
	ledger_close(&f->ledger);
	f->many = false;
	fixture_open(f);
}

/* A server's ledger is moved away, and later comes back: the next delivery is where the path says. */
static void
test_moved_folder(void **state)
{
	struct fixture *f = *state;
	struct ledger_needs needs;
	struct claim claim;

	keep_open(f);
	deliver_one(f, 1, NOW);
	run(f, "mv L L.old");
	assert_int_equal(ledger_prepare(f->ledger, &needs, NULL), 0);
	deliver_one(f, 1, NOW);
	deliver_one(f, 2, NOW);
	run(f, "mv L L.new && mv L.old L");
	assert_int_equal(ledger_prepare(f->ledger, &needs, NULL), 0);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	deliver_one(f, 3, NOW);
	leave_to_another(f);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	claim_as(f, 3, NOW, CLAIM_DUPLICATE, &claim);
	run(f, "rm -r L");
	keep_open(f);
	assert_int_equal(ledger_prepare(f->ledger, &needs, NULL), 0);
	claim_as(f, 3, NOW, CLAIM_NEW, &claim);
}

/* A log file may begin with what is in shared memory only, such as that somebody has closed the database: not with a commit. So before the
 * log's next file, of 1 MB, the ledger is opened and closed in small steps, while a crash has left a record pending. */
static void
test_log_files(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	unsigned int i;

	claim_as(f, 0, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "intent", NOW, CLAIM_WON);
	for (i = 1; i <= 680; i++)
		deliver_one(f, i, NOW);
	for (i = 0; i < 1200; i++) {
		claim_as(f, 0, NOW, CLAIM_PENDING, &claim);
		fixture_reopen(f);
	}
}

/* Processes that die between two sections keep handles in the shared memory, which has room for 4,900. */
static void
test_dead_handles(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	unsigned int i;
	int status;
	pid_t pid;

	deliver_one(f, 1, NOW);
	ledger_close(&f->ledger);
	for (i = 0; i < 6000; i++) {
		pid = fork();
		if (pid == 0) {
			fixture_open(f);
			claim_as(f, 2, NOW, CLAIM_NEW, &claim);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	fixture_open(f);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
}

/* Header and environment come back from a backup while a server has the ledger open. */
static void
test_older_header(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	deliver_one(f, 1, NOW);
	ledger_close(&f->ledger);
	run(f, "cp -Rp L backup");
	fixture_open(f);
	remove_regions(f);
	keep_open(f);
	deliver_one(f, 2, NOW);
	run(f, "cp -p backup/lock L/lock.new && mv L/lock.new L/lock && mv L/env away && mv backup/env L/env");
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	deliver_one(f, 3, NOW);
	leave_to_another(f);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	claim_as(f, 3, NOW, CLAIM_DUPLICATE, &claim);
}

static int
count(void *arg, struct claim *claim, struct err *err)
{
	unsigned int *n = arg;

	(void)claim;
	(void)err;
	(*n)++;
	return 0;
}

/* A process that dies in a section leaves no lock and no lost record. */
static void
test_killed_at_work(void **state)
{
	struct fixture *f = *state;
	struct claim claim;
	unsigned int i, n;
	int status;
	pid_t pid;

	deliver_one(f, 1, NOW);
	ledger_close(&f->ledger);
	for (i = 0; i < 40; i++) {
		pid = fork();
		if (pid == 0) {
			fixture_open(f);
			for (n = 0;;)
				deliver_one(f, 1000 * (i + 1) + n++, NOW);
		}
		clock_sleep_ms(3 + (int)(i % 7));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fixture_open(f);
		claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
		deliver_one(f, 500 + i, NOW);
		ledger_close(&f->ledger);
	}
	fixture_open(f);
	for (i = 0; i < 40; i++)
		claim_as(f, 500 + i, NOW, CLAIM_DUPLICATE, &claim);
	n = 0;
	assert_int_equal(ledger_each(f->ledger, NOW, count, &n, NULL), 0);
	check_counters(f, n);
}

/* No cron job: inserts drop what expired. */
static void
test_clock_hand(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_now();
	unsigned int i, n = 0;

	for (i = 0; i < 400; i++)
		deliver_one(f, i * 10, now - 2 * WINDOW);
	for (i = 0; i < 400; i++)
		deliver_one(f, i * 10 + 5, now);
	assert_int_equal(ledger_each(f->ledger, now, count, &n, NULL), 0);
	assert_in_range(n, 400, 533);
	check_counters(f, n);
}

static bool
never(void *arg, const void *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	return false;
}

/* What another version wrote, or nobody: not understood, so it does not keep a message out. */
static void
test_undecodable_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct ledger_options lo = { .url = f->url, .lock_timeout_ms = 1000, .create = true };
	char path[256];
	struct store_options so = { .path = path, .ledger = &lo, .expired = never };
	struct store_value value = { .len = 3, .bytes = "\xff??" };
	struct fingerprint fp = fingerprint_of(1);
	struct store *store;
	struct claim claim;
	struct err err;

	snprintf(path, sizeof(path), "%s/L", f->folder);
	assert_int_equal(store_bdb.open(&store, &so, &err), 0);
	assert_int_equal(store_bdb.put(store, &fp, NULL, &value, true, false, NULL, &err), STORE_OK);
	store_bdb.close(&store);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	assert_true(claim.present);
	decide_as(f, &claim, "x", NOW, CLAIM_WON);
}

static void
test_held_lock_times_out(void **state)
{
	struct fixture *f = *state;
	struct ledger_options lo = { .url = f->url, .window = WINDOW, .lock_timeout_ms = 50, .create = true };
	struct fingerprint fp = fingerprint_of(1);
	struct ledger *second;
	struct claim claim;
	struct err err;
	char path[256];
	int fd;

	deliver_one(f, 1, NOW);
	fixture_path(f, "lock", path);
	fd = open(path, O_RDWR);
	assert_int_equal(fs_try_lock(fd, path, &err), 1);
	assert_int_equal(ledger_open(&second, &lo, &err), 0);
	assert_int_equal(ledger_claim(second, &fp, NOW, &claim, &err), -1);
	close(fd);
	assert_int_equal(ledger_claim(second, &fp, NOW, &claim, &err), 0);
	ledger_close(&second);
}

static void
test_absent_without_create(void **state)
{
	struct fixture *f = *state;
	struct ledger_options lo = { .url = f->url, .window = WINDOW, .lock_timeout_ms = 50 };
	struct fingerprint fp = fingerprint_of(1);
	struct ledger *ledger;
	struct ledger_stat stat_;
	struct claim claim;
	struct stat st;
	char path[256];

	assert_int_equal(ledger_open(&ledger, &lo, NULL), 0);
	assert_int_equal(ledger_claim(ledger, &fp, NOW, &claim, NULL), 0);
	assert_int_equal(claim.state, CLAIM_NEW);
	assert_int_equal(ledger_stat(ledger, &stat_, NULL), 0);
	assert_false(stat_.exists);
	ledger_close(&ledger);
	fixture_path(f, "", path);
	assert_int_equal(stat(path, &st), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BDB(test_older_environment),
		BDB(test_moved_folder),
		BDB(test_older_header),
		BDB(test_log_files),
		BDB(test_dead_handles),
		BDB(test_killed_at_work),
		BDB(test_clock_hand),
		BDB(test_undecodable_is_replaced),
		BDB(test_held_lock_times_out),
		BDB(test_absent_without_create),
	};

	return cmocka_run_group_tests_name("store_bdb", tests, NULL, NULL);
}
