/* What a ledger in Berkeley DB says of itself without being opened: its header, and the files in its folder. */
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"

static enum store_result
work_stat(struct bdb *b, void *arg, struct err *err)
{
	struct ledger_stat *stat = arg;

	(void)err;
	stat->exists = true;
	stat->duplicates = b->header.duplicates;
	stat->failures = b->header.failures;
	stat->dirty = b->header.dirty != 0;
	return STORE_ABSENT;	/* nothing to write */
}

static void
add_file(int fd, const char *name, struct ledger_stat *stat)
{
	struct stat st;
	int64_t when;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	if (S_ISREG(st.st_mode))
		stat->bytes += (uint64_t)st.st_blocks * 512;
	if (bdb_is_bad(name)) {
		stat->set_aside++;
		when = strtoll(name + strlen(BDB_BAD), NULL, 10);
		if (when > stat->set_aside_last)
			stat->set_aside_last = when;
	}
}

static void
add_folder(int dir, const char *name, struct ledger_stat *stat)
{
	const struct dirent *entry;
	DIR *d;
	int fd = fs_open_dir_at(dir, name, name, NULL);

	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL)
		add_file(fd, entry->d_name, stat);
	closedir(d);
}

int
bdb_stat(struct store *store, struct ledger_stat *stat, struct err *err)
{
	struct bdb *b = bdb_of(store);

	if (bdb_header_section(b, b->timeout_ms, work_stat, stat, err) != STORE_ABSENT)
		return -1;
	if (stat->exists) {
		add_folder(b->dir, ".", stat);
		add_folder(b->dir, "env", stat);
	}
	return 0;
}
