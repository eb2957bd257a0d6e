/*
 * A copy of a ledger, to look at without touching the ledger: the database and its log, as they are on disk. Most of the database is copied
 * before the lock is taken (bdb_copy_pages.c).
 *
 * What is committed is in the log, so the region files stay behind, and to open the copy is what to open the ledger is after a restart:
 * a recovery, which looks at every page.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb_copy.h"

#define BLOCK (256 * 1024)

struct copying {
	struct ledger_copy *copy;
	struct page_copy *pages;
	int to;			/* folder of the copy */
	char *block;
};

/* Berkeley DB's own file or, what it would not take for one, a folder in its place. */
static int
copy_file(const struct bdb *b, const struct copying *c, int from, int env, const char *name, struct err *err)
{
	int in, out = -1, ret = -1;
	struct stat st;
	off_t at = 0;
	ssize_t n = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		return mkdirat(env, name, 0700) == -1 ? err_sys(err, "copy ledger", b->path) : 0;
	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in != -1)
		out = openat(env, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in == -1 || out == -1)
		err_sys(err, "copy ledger", b->path);
	else {
		do {
			n = fs_pread(in, c->block, BLOCK, at, b->path, err);
			at += n;
		} while (n > 0 && fs_write(out, c->block, (size_t)n, NULL, "the copy of the ledger", err) == 0);
		ret = n == 0 ? 0 : -1;
	}
	if (in != -1)
		close(in);
	if (out != -1)
		close(out);
	return ret;
}

/* The database as it was begun without the lock, if it is still the same file. */
static int
copy_data(const struct bdb *b, const struct copying *c, int from, int env, const char *name, struct err *err)
{
	if (strcmp(name, BDB_FILE) != 0 || !bdb_page_copy_is_of(c->pages, from))
		return copy_file(b, c, from, env, name, err);
	if (bdb_page_copy_finish(c->pages, err) == -1)
		return -1;
	return renameat(c->to, BDB_FILE, env, BDB_FILE) == -1 ? err_sys(err, "copy ledger", b->path) : 0;
}

static int
copy_env(const struct bdb *b, const struct copying *c, int env, struct err *err)
{
	int ret = 0, from = fs_open_dir_at(b->dir, "env", b->env_path, err);
	const struct dirent *entry;
	DIR *d = from == -1 ? NULL : fdopendir(from);

	if (d == NULL) {
		if (from != -1)
			close(from);
		return from == -1 ? -1 : err_sys(err, "read folder", b->env_path);
	}
	errno = 0;
	while (ret == 0 && (entry = readdir(d)) != NULL) {
		if (bdb_is_data(entry->d_name))
			ret = copy_data(b, c, from, env, entry->d_name, err);
		errno = 0;
	}
	if (ret == 0 && errno != 0)
		ret = err_sys(err, "read folder", b->env_path);
	closedir(d);
	return ret;
}

/* Something else in place of the environment's folder is damage: a file stands for it. */
static int
copy_folder(const struct bdb *b, const struct copying *c, struct err *err)
{
	struct stat st;
	int fd, ret;

	if (fstatat(b->dir, "env", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(err, "stat", b->env_path);
	if (!S_ISDIR(st.st_mode)) {
		fd = openat(c->to, "env", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1)
			return err_sys(err, "copy ledger", b->path);
		close(fd);
		return 0;
	}
	if (mkdirat(c->to, "env", 0700) == -1)
		return err_sys(err, "copy ledger", b->path);
	fd = fs_open_dir_at(c->to, "env", "the copy of the ledger", err);
	if (fd == -1)
		return -1;
	ret = copy_env(b, c, fd, err);
	close(fd);
	return ret;
}

static enum store_result
work_copy(struct bdb *b, void *arg, struct err *err)
{
	struct copying *c = arg;
	int64_t began = clock_ms();
	int ret;

	c->copy->exists = true;
	c->copy->valid = b->header.generation > 0;	/* every first use is a repair */
	c->copy->failures = b->header.failures;
	c->copy->repair = bdb_why_repair(b);
	ret = copy_folder(b, c, err);
	c->copy->held_ms = clock_ms() - began;
	return ret == 0 ? STORE_ABSENT : STORE_FAILED;	/* nothing to write into the header */
}

int
bdb_copy(struct store *store, const char *folder, struct ledger_copy *copy, struct err *err)
{
	struct bdb *b = bdb_of(store);
	struct copying c = { .copy = copy, .to = -1, .block = malloc(BLOCK) };
	int ret = c.block == NULL ? err_sys(err, "copy ledger", b->path) : bdb_folder(b, err);

	if (ret == 1) {
		c.to = fs_open_dir(folder, err);
		ret = c.to == -1 ? -1 : bdb_page_copy_begin(&c.pages, b, c.to, err);
		if (ret == 0 && bdb_header_section(b, b->timeout_ms, work_copy, &c, err) != STORE_ABSENT)
			ret = -1;
		if (c.to != -1)		/* what was begun, and is not the database any more */
			(void)unlinkat(c.to, BDB_FILE, 0);
	}
	bdb_page_copy_end(&c.pages);
	if (c.to != -1)
		close(c.to);
	free(c.block);
	return ret;
}
