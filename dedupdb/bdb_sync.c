/*
 * What reaches the disk, and when: the log after a commit, and the pages of the database during long work.
 *
 * Whoever waits for the disk with the lock makes every delivery wait as long. Berkeley DB syncs inside a section: the log before it writes
 * a page whose changes are in it, and the log and the database for a checkpoint. A delivery changes a page or two, so that is little. Long
 * work changes thousands. So it works in portions that leave room in the cache, and after each one syncs the same files itself, without
 * the lock: what is left for Berkeley DB to sync is what deliveries changed in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bdb.h"

#define PORTION_PAGES 48	/* of the 150 that the cache has room for */
#define CHECKPOINT_KB (BDB_CHECKPOINT_KB / 2)	/* before a delivery finds one due */

static int
open_log(const struct bdb *b, uint32_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "env/log.%010lu", (unsigned long)number);
	return openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

enum store_result
bdb_log_note(struct bdb *b, struct err *err)
{
	DB_LSN end;
	int ret = bdb_log_end(b->env, &end);

	if (ret != 0)
		return bdb_fail(b, "find the log", ret, err);
	b->log = open_log(b, end.file);
	/* One that was not there before may only be in shared memory, with marks that need not be durable: all else is in the one before. */
	if (b->log == -1 && errno == ENOENT && end.file > 1 && end.file != b->header.log)
		b->log = open_log(b, end.file - 1);
	return b->log == -1 ? (err_sys(err, "open log of ledger", b->path), STORE_FAILED) : STORE_OK;
}

int
bdb_log_sync(struct bdb *b, struct err *err)
{
	int fd, ret = 0;

	if (b->log == -1)
		return 0;
	if (fdatasync(b->log) == -1)
		ret = err_sys(err, "sync log of ledger", b->path);
	close(b->log);
	b->log = -1;
	if (ret == 0 && b->sync_entries) {	/* the log file may be new */
		fd = fs_open_dir_at(b->dir, "env", b->env_path, err);
		ret = fd == -1 ? -1 : fs_sync(fd, b->env_path, err);
		if (fd != -1)
			close(fd);
	}
	b->distrust = b->distrust || ret == -1;
	return ret;
}

static enum store_result
work_note(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	return bdb_log_note(b, err);
}

int
bdb_sync(struct store *store, struct err *err)
{
	enum store_result result = bdb_section(bdb_of(store), work_note, NULL, err);

	if (result == STORE_OK)
		return bdb_log_sync(bdb_of(store), err);
	return result == STORE_ABSENT ? 0 : -1;
}

bool
bdb_portion_done(struct bdb *b)
{
	DB_MPOOL_STAT *stat;
	bool done;

	if (b->env->memp_stat(b->env, &stat, NULL, 0) != 0)
		return true;
	done = stat->st_page_dirty >= PORTION_PAGES;
	free(stat);
	return done;
}

/* Only writes, so that the pages can be synced without the lock. */
static enum store_result
work_write(struct bdb *b, void *arg, struct err *err)
{
	int ret = b->env->memp_trickle(b->env, 100, NULL);

	(void)arg;
	return ret == 0 ? bdb_log_note(b, err) : bdb_fail(b, "write pages", ret, err);
}

/* What it could fail with is said again by the next recovery. */
static enum store_result
work_checkpoint(struct bdb *b, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	(void)b->env->txn_checkpoint(b->env, CHECKPOINT_KB, 0, 0);
	return STORE_OK;
}

/* If this fails the next section recovers, as after a checkpoint that failed. */
static int
sync_database(struct bdb *b, struct err *err)
{
	int ret, fd = openat(b->dir, "env/" BDB_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return err_sys(err, "open database of ledger", b->path);
	ret = fdatasync(fd) == -1 ? err_sys(err, "sync database of ledger", b->path) : 0;
	close(fd);
	b->distrust = b->distrust || ret == -1;
	return ret;
}

/* The order is that of a checkpoint: log, pages, and then the record that says so. */
int
bdb_write_out(struct bdb *b, struct err *err)
{
	int ret = bdb_sync(&b->base, err);

	bdb_give_way(b);
	if (ret == 0 && bdb_section(b, work_write, NULL, err) != STORE_OK)
		ret = -1;
	if (ret == 0)
		ret = sync_database(b, err);
	if (bdb_log_sync(b, err) == -1)		/* again: deliveries have gone on meanwhile */
		ret = -1;
	bdb_give_way(b);
	if (ret == 0 && bdb_section(b, work_checkpoint, NULL, err) != STORE_OK)
		ret = -1;
	bdb_give_way(b);
	return ret;
}

enum store_result
bdb_portion(struct bdb *b, bdb_work *work, void *arg, struct err *err)
{
	enum store_result result = bdb_section(b, work, arg, err);

	return result == STORE_OK && bdb_write_out(b, err) == -1 ? STORE_FAILED : result;
}

void
bdb_give_way(struct bdb *b)
{
	int64_t held = b->held_ms;

	if (held < BDB_SECTION_MS)
		return;
	b->held_ms = 0;
	clock_sleep_ms(held < BDB_GIVE_WAY_MS ? BDB_GIVE_WAY_MS : held < BDB_GIVE_WAY_MAX_MS ? (int)held : BDB_GIVE_WAY_MAX_MS);
}
