/* Sections: the lock file, its header, and the ladder of repairs. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"
#include "pack.h"

#define TRIES 3		/* as it is, after a recovery, with a fresh environment */

static uint64_t
checksum(const struct bdb_header *h)
{
	return pack_checksum(h, offsetof(struct bdb_header, checksum));
}

int
bdb_header_write(struct bdb *b, struct err *err)
{
	b->header.checksum = checksum(&b->header);
	if (pwrite(b->lock, &b->header, sizeof(b->header), 0) != (ssize_t)sizeof(b->header))
		return err_sys(err, "write ledger header", b->path);
	return 0;
}

/* A header that is short, torn or somebody's noise counts as dirty, with nothing known. */
static int
read_header(struct bdb *b, struct err *err)
{
	ssize_t n = fs_pread(b->lock, &b->header, sizeof(b->header), 0, b->path, err);

	if (n == -1)
		return -1;
	if (n != (ssize_t)sizeof(b->header) || memcmp(b->header.magic, BDB_MAGIC, sizeof(b->header.magic)) != 0 ||
	    b->header.checksum != checksum(&b->header)) {
		memset(&b->header, 0, sizeof(b->header));
		memcpy(b->header.magic, BDB_MAGIC, sizeof(b->header.magic));
		b->header.dirty = 1;
	}
	return 0;
}

/* Somebody else's file could hold regions made to harm us. */
static int
check_folder(struct bdb *b, struct err *err)
{
	unsigned int traits;
	struct stat st;

	if (fstat(b->dir, &st) == -1)
		return err_sys(err, "stat", b->path);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, STATUS_TEMP, "ledger %s: must belong to the user and be writable by nobody else", b->path);
	traits = fs_traits(b->dir);
	if ((traits & FS_REMOTE) != 0)
		return err_set(err, STATUS_TEMP,
		    "ledger %s: is on a remote file system; set ledger = bdb:/var/lib/dedup-lda/%%u, or a local path", b->path);
	b->sync_entries = b->strict || (traits & FS_SYNC_COVERS_ENTRY) == 0;
	return 0;
}

static int
make_folder(struct bdb *b, struct err *err)
{
	const char *base;
	int ret = 0, parent = fs_open_parent(b->path, &base, err);

	if (parent == -1)
		return -1;
	if (mkdirat(parent, base, 0700) == -1 && errno != EEXIST)
		ret = err_sys(err, "make ledger folder", b->path);
	if (ret == 0)
		b->dir = fs_open_dir_at(parent, base, b->path, err);
	close(parent);
	return b->dir == -1 ? -1 : ret;
}

/* The folder's own entry must survive a power cut as well as what is in it. Whoever made it may have been killed before that, so it is no
 * question of who made it: without a lock file nobody has done this yet. */
static void
sync_new_folder(const struct bdb *b)
{
	const char *base;
	struct stat st;
	int parent;

	if (fstatat(b->dir, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	parent = fs_open_parent(b->path, &base, NULL);
	if (parent == -1)
		return;
	(void)fsync(parent);
	close(parent);
}

/* As open() says it. ENOTDIR also has other reasons with O_DIRECTORY. */
static bool
is_absent(const struct bdb *b, int why)
{
	struct stat st;

	return why == ENOENT || (why == ENOTDIR && lstat(b->path, &st) == -1 && errno == ENOTDIR);
}

/* Returns 1, 0 when there is no ledger and none is to be made, -1. */
static int
open_folder(struct bdb *b, struct err *err)
{
	if (b->dir != -1)
		return 1;
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->dir == -1 && is_absent(b, errno)) {
		if (!b->create)
			return 0;
		if (make_folder(b, err) == -1)
			return -1;
	}
	if (b->dir == -1)
		return err_sys(err, "open ledger", b->path);
	if (check_folder(b, err) == -1) {
		close(b->dir);
		b->dir = -1;
		return -1;
	}
	if (b->create)
		sync_new_folder(b);
	return 1;
}

static int
open_lock(struct bdb *b, struct err *err)
{
	struct stat st;
	int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	b->lock = openat(b->dir, "lock", b->create ? flags | O_CREAT : flags, 0600);
	if (b->lock == -1)
		return errno == ENOENT && !b->create ? 0 : err_sys(err, "open lock of ledger", b->path);
	if (fstat(b->lock, &st) == -1) {
		err_sys(err, "stat lock of ledger", b->path);
		close(b->lock);
		b->lock = -1;
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1 || st.st_uid != geteuid()) {
		close(b->lock);
		b->lock = -1;
		return err_set(err, STATUS_TEMP, "ledger %s: its lock is no regular file of the user's own with one name; remove it",
		    b->path);
	}
	b->lock_dev = st.st_dev;
	b->lock_ino = st.st_ino;
	return 1;
}

static bool
lock_is_current(const struct bdb *b)
{
	struct stat st;

	return fstatat(b->dir, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == b->lock_dev && st.st_ino == b->lock_ino;
}

/* Returns 1 with the lock held, 0 when there is no ledger, -1. */
static int
take_lock(struct bdb *b, int timeout_ms, struct err *err)
{
	int got;

	for (;;) {
		got = b->lock != -1 ? 1 : open_lock(b, err);
		if (got != 1)
			return got;
		got = fs_lock(b->lock, timeout_ms, b->path, err);
		if (got == 0)
			err_set(err, STATUS_TEMP, "ledger %s: locked by another process for %d s", b->path, timeout_ms / 1000);
		if (got != 1)
			return -1;
		if (lock_is_current(b))
			return 1;
		close(b->lock);		/* replaced meanwhile: whoever comes next locks the new one */
		b->lock = -1;
	}
}

static void
notice(struct bdb *b, const char *text)
{
	if (b->notice != NULL)
		b->notice(b->notice_arg, text);
}

/* Did somebody use it before, so that a repair is worth a line in the log? */
static bool
had_environment(const struct bdb *b)
{
	struct stat st;

	return fstatat(b->dir, "env", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A repair may have made files or replaced ones of another process that died: the log alone does not say whether the old or the new
 * ones are there after a power cut. */
static int
sync_folders(const struct bdb *b, struct err *err)
{
	int ret, fd = fs_open_dir_at(b->dir, "env", b->env_path, err);

	if (fd == -1)
		return -1;
	ret = fs_sync(fd, b->env_path, err);
	close(fd);
	return ret == -1 ? -1 : fs_sync(b->dir, b->path, err);
}

static int
repair(struct bdb *b, const char *why, enum bdb_opening how, bool known, struct err *err)
{
	char text[512];
	bool used = had_environment(b);

	if (b->header.failures >= BDB_FRESH_AFTER) {
		if (bdb_env_set_aside(b, err) == -1)
			return -1;
		b->header.failures = 0;		/* what fails from here on is the fresh one: the old one is not pushed out for it */
		snprintf(text, sizeof(text), "ledger %s: damaged (%s); set aside as env.bad.*, started afresh", b->path, why);
		notice(b, text);
	} else if (used) {
		snprintf(text, sizeof(text), "ledger %s: recovering (%s)", b->path, why);
		notice(b, text);
	} else if (known) {
		snprintf(text, sizeof(text), "ledger %s: it has no database: started afresh", b->path);
		notice(b, text);
	}
	return bdb_env_open(b, how, err) == -1 ? -1 : sync_folders(b, err);
}

static void
learn_boot(struct bdb *b)
{
	if (!b->boot_asked)
		b->boot_known = host_boot_id(b->boot) == 0;
	b->boot_asked = true;
}

static bool
is_this_boot(const struct bdb *b)
{
	return b->boot_known && memcmp(b->header.boot, b->boot, sizeof(b->boot)) == 0;
}

/* Are the files as the last section left them? */
static bool
is_sealed(struct bdb *b)
{
	return b->header.seal != 0 && b->header.regions != 0 && b->header.seal == bdb_seal(b, &b->header.regions);
}

const char *
bdb_why_repair(struct bdb *b)
{
	learn_boot(b);
	if (b->header.failures > 0)
		return "its data is damaged";
	if (b->distrust)
		return "its log could not be made durable";
	if (b->header.dirty != 0)
		return "a process died at work";
	if (!is_this_boot(b))
		return b->boot_known ? "the machine was restarted" : "without /proc nobody knows whether the machine was restarted";
	if (!is_sealed(b))
		return "its files were changed or removed";
	return b->header.handles > BDB_HANDLES_MAX ? "many processes died between two steps" : NULL;
}

/* How to repair it, if there is a reason. */
static enum bdb_opening
choose_repair(struct bdb *b)
{
	if (b->header.failures > 0 || b->header.seal == 0)
		return BDB_RECOVER_VERIFY;
	if (!is_this_boot(b))
		return BDB_RECOVER_POWER;
	if (b->header.dirty != 0 || (!b->distrust && b->header.handles > BDB_HANDLES_MAX && is_sealed(b)))
		return BDB_RECOVER_KILLED;
	return BDB_RECOVER_VERIFY;
}

/* A process that keeps its ledger open must not keep the lock: closing the file frees it for certain. */
static void
leave(struct bdb *b)
{
	if (fs_unlock(b->lock) == 0)
		return;
	close(b->lock);
	b->lock = -1;
}

/* Take the lock and read the header. Returns 1, 0 when there is no ledger, -1. */
static int
enter(struct bdb *b, int timeout_ms, struct err *err)
{
	int got = open_folder(b, err);

	if (got == 1)
		got = take_lock(b, timeout_ms, err);
	if (got != 1)
		return got;
	/* Berkeley DB opens its files by their path, and this lock would not keep others out of another ledger there. */
	if (b->env == NULL && bdb_is_moved(b))
		got = err_set(err, STATUS_TEMP, "ledger %s: its folder was moved or replaced meanwhile", b->path);
	else
		got = read_header(b, err);
	if (got == -1)
		leave(b);
	return got == -1 ? -1 : 1;
}

/* Not the next number: a header that was restored from a backup would count up to one that some process has its handles from. */
static uint64_t
new_generation(const struct bdb *b)
{
	uint64_t generation;

	if (getentropy(&generation, sizeof(generation)) == -1 || generation == 0)
		generation = b->header.generation + 1;
	return generation;
}

static int
start_work(struct bdb *b, struct err *err)
{
	const char *why = bdb_why_repair(b);
	enum bdb_opening how = why != NULL ? choose_repair(b) : BDB_AS_IT_IS;
	bool known = b->header.generation != 0;
	int ret = 0;

	if (why != NULL) {
		b->header.generation = new_generation(b);
		b->header.regions = 0;
		b->header.handles = 0;
		b->header.events = 0;	/* whoever died may have written one, and an older header would repeat numbers */
		if (how != BDB_RECOVER_KILLED)
			b->header.seal = 0;	/* until that has been done */
	}
	memcpy(b->header.boot, b->boot, sizeof(b->boot));
	b->header.dirty = 1;
	b->blame = b->header;
	b->blame.failures++;
	b->blame.checksum = checksum(&b->blame);
	if (bdb_header_write(b, err) == -1)
		return -1;
	b->working = true;
	b->closing = b->transient = false;
	b->recovering = why != NULL;
	b->complaint[0] = '\0';
	if (b->env != NULL && (why != NULL || b->generation != b->header.generation))
		bdb_env_abandon(b);
	if (b->env == NULL) {
		b->header.handles++;	/* if this fails it counts for nothing: the header stays dirty */
		ret = why != NULL ? repair(b, why, how, known, err) : bdb_env_open(b, BDB_AS_IT_IS, err);
	}
	b->generation = b->header.generation;
	return ret;
}

static void
finish_work(struct bdb *b, bool good, bool damaged)
{
	if (good)
		bdb_seal_note_log(b);
	if (good && b->env != NULL && (b->closing || !b->boot_known)) {
		good = bdb_env_close(b) == 0;
		b->header.handles--;
	}
	b->working = false;
	if (good) {
		b->distrust = false;
		b->header.dirty = 0;
		b->header.failures = 0;
		b->header.seal = bdb_seal(b, &b->header.regions);
	} else {
		bdb_env_abandon(b);	/* it is recovered before anybody uses it again */
		if (damaged)
			b->header.failures++;
	}
	(void)bdb_header_write(b, NULL);	/* if that fails it stays dirty, which is safe */
}

static enum store_result
section_once(struct bdb *b, bdb_work *work, void *arg, struct err *err)
{
	enum store_result result = STORE_FAILED;
	int got = enter(b, b->timeout_ms, err);
	int64_t began = clock_ms();

	if (got != 1)
		return got == 0 ? STORE_ABSENT : STORE_FAILED;
	err->status = STATUS_OK;
	if (start_work(b, err) == 0)
		result = work(b, arg, err);
	finish_work(b, result != STORE_FAILED && result != STORE_UNDECIDED, err->status == STATUS_CORRUPT);
	leave(b);
	b->held_ms += clock_ms() - began;
	return result;
}

bool
bdb_is_moved(const struct bdb *b)
{
	struct stat open, there;

	return b->dir != -1 && (fstat(b->dir, &open) == -1 || lstat(b->path, &there) == -1 || open.st_dev != there.st_dev ||
	    open.st_ino != there.st_ino);
}

static void
leave_folder(struct bdb *b)
{
	bdb_env_abandon(b);
	b->generation = 0;
	b->distrust = false;
	if (b->lock != -1)
		close(b->lock);
	close(b->dir);
	b->lock = b->dir = -1;
}

int
bdb_folder(struct bdb *b, struct err *err)
{
	learn_boot(b);
	if (b->many && bdb_is_moved(b))
		leave_folder(b);
	return open_folder(b, err);
}

enum store_result
bdb_section(struct bdb *b, bdb_work *work, void *arg, struct err *err)
{
	struct err own = { .status = STATUS_OK };
	enum store_result result = STORE_FAILED;
	int i;

	for (i = 0; i < TRIES; i++) {
		result = section_once(b, work, arg, &own);
		if (result != STORE_FAILED || own.status != STATUS_CORRUPT)
			break;
		notice(b, own.text);
	}
	if ((result == STORE_FAILED || result == STORE_UNDECIDED) && err != NULL)
		*err = own;
	return result;
}

enum store_result
bdb_header_section(struct bdb *b, int timeout_ms, bdb_work *work, void *arg, struct err *err)
{
	enum store_result result;
	int got = enter(b, timeout_ms, err);

	if (got != 1)
		return got == 0 ? STORE_ABSENT : STORE_FAILED;
	result = work(b, arg, err);
	if (result == STORE_OK && bdb_header_write(b, err) == -1)
		result = STORE_FAILED;
	leave(b);
	return result;
}
