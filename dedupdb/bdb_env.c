/* The Berkeley DB environment of a ledger: opening, recovering, setting aside. Always called inside a section. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"

#define CACHE_BYTES (512 * 1024)
#define LOG_BYTES (1024 * 1024)
#define BAD_KEPT 2
#define NO_LOG UINT32_MAX
#define MAGIC_OFFSET 12	/* after the place in the log and the page's number */

/* Trouble of the machine, not of the data: a repair would not help, and setting the ledger aside would lose it for nothing. EIO is among
 * it, since a disk that fails for a moment must not cost the records; a sector that is bad for good leaves deliveries without a ledger,
 * which the log says each time. */
static const int transient_errors[] = { ENOSPC, EDQUOT, ENOMEM, EMFILE, ENFILE, EACCES, EPERM, EROFS, EFBIG, EINTR, EIO };

/* No memory, where it was not made anew just now, is Berkeley DB's own: processes that died between two sections have left handles there. */
static bool
is_transient(const struct bdb *b, int e)
{
	size_t i;

	if (e == ENOMEM && !b->recovering)
		return false;
	for (i = 0; i < sizeof(transient_errors) / sizeof(transient_errors[0]); i++)
		if (e == transient_errors[i])
			return true;
	return false;
}

static void
complain(const DB_ENV *env, const char *prefix, const char *text)
{
	struct bdb *b = env->app_private;
	size_t i;

	(void)prefix;
	if (b->complaint[0] == '\0')
		snprintf(b->complaint, sizeof(b->complaint), "%s", text);
	/* A full disk makes the environment panic, and the return value then says no more than that: the text tells why. */
	for (i = 0; i < sizeof(transient_errors) / sizeof(transient_errors[0]); i++)
		if (is_transient(b, transient_errors[i]) && strstr(text, strerror(transient_errors[i])) != NULL)
			b->transient = true;
}

enum store_result
bdb_fail(struct bdb *b, const char *op, int ret, struct err *err)
{
	bool transient = b->transient || is_transient(b, ret);

	err_set(err, transient ? STATUS_TEMP : STATUS_CORRUPT, "ledger %s: %s: %s%s%s", b->path, op, db_strerror(ret),
	    b->complaint[0] != '\0' ? ": " : "", b->complaint);
	return STORE_FAILED;
}

static bool
is_region(const char *name)
{
	return strncmp(name, "__db.", 5) == 0;
}

bool
bdb_is_log(const char *name)
{
	return strncmp(name, "log.", 4) == 0;
}

static uint32_t
log_number(const char *name)
{
	return (uint32_t)strtoul(name + strlen("log."), NULL, 10);
}

bool
bdb_is_data(const char *name)
{
	return bdb_is_log(name) || strcmp(name, BDB_FILE) == 0;
}

/* 0, or -1: damage when env is something else, passing trouble when that can't be told. */
static int
check_env_folder(const struct bdb *b, struct err *err)
{
	struct stat st;
	int ret = fstatat(b->dir, "env", &st, AT_SYMLINK_NOFOLLOW);

	if (ret == -1 && errno != ENOENT)
		return err_sys(err, "stat", b->env_path);
	if (ret == -1 || !S_ISDIR(st.st_mode))
		return err_set(err, STATUS_CORRUPT, "ledger %s: env is no folder", b->path);
	return 0;
}

/* The descriptor of env/, made if it is missing. */
static int
open_env_folder(struct bdb *b, struct err *err)
{
	if (mkdirat(b->dir, "env", 0700) == -1 && errno != EEXIST)
		return err_sys(err, "make folder", b->env_path);
	if (check_env_folder(b, err) == -1)
		return -1;
	return fs_open_dir_at(b->dir, "env", b->env_path, err);
}

/* What Berkeley DB would follow, wait for, or take for an empty log. */
static bool
is_strange(int env, const char *name)
{
	struct stat st;

	return fstatat(env, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode);
}

/* What a killed process wrote to the log may not be on disk yet, and Berkeley DB takes all that it finds there for synced. It would sync
 * only the pages that it makes of it: a power cut then leaves a database that is ahead of its log, which is refused for good. */
static int
sync_log(const struct bdb *b, int dir, const char *name, struct err *err)
{
	int ret, fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return err_sys(err, "open log in", b->env_path);
	ret = fs_sync(fd, b->env_path, err);
	close(fd);
	return ret;
}

/* Given a file that begins like none of its own, Berkeley DB opens it again and again for seconds, as if somebody were about to write its
 * first page. A page of zeroes it takes from the log. */
static bool
is_foreign(int env, const char *name)
{
	uint32_t magic = 0;
	int fd = openat(env, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : pread(fd, &magic, sizeof(magic), MAGIC_OFFSET);

	if (fd != -1)
		close(fd);
	return n == (ssize_t)sizeof(magic) && magic != 0 && magic != DB_BTREEMAGIC;
}

/* Regions that may be damaged must not be mapped, not even to be removed, as Berkeley DB's own recovery would. A database without
 * any log can't be recovered. *first is the number of the oldest log file, or NO_LOG. */
static int
prepare_recovery(struct bdb *b, uint32_t *first, struct err *err)
{
	bool database = false;
	struct dirent *entry;
	const char *name;
	DIR *dir;
	int failed = 0, fd = open_env_folder(b, err);

	*first = NO_LOG;
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		err_sys(err, "read folder", b->env_path);
		close(fd);
		return -1;
	}
	errno = 0;
	while (failed == 0 && (entry = readdir(dir)) != NULL) {
		name = entry->d_name;
		if (bdb_is_log(name) && log_number(name) < *first)
			*first = log_number(name);
		database = database || strcmp(name, BDB_FILE) == 0;
		if ((is_region(name) || strcmp(name, "DB_CONFIG") == 0) && unlinkat(fd, name, 0) == -1 && !is_strange(fd, name))
			failed = err_sys(err, "remove file in", b->env_path);
		else if ((is_region(name) || bdb_is_data(name)) && is_strange(fd, name))
			failed = err_set(err, STATUS_CORRUPT, "ledger %s: its %s is no regular file", b->path, name);
		else if (strcmp(name, BDB_FILE) == 0 && is_foreign(fd, name))
			failed = err_set(err, STATUS_CORRUPT, "ledger %s: %s is no database", b->path, name);
		else if (bdb_is_log(name))
			failed = sync_log(b, fd, name, err);
		errno = 0;
	}
	if (failed == 0 && errno != 0)
		failed = err_sys(err, "read folder", b->env_path);
	if (failed == 0 && b->sync_entries)
		failed = fs_sync(fd, b->env_path, err);
	closedir(dir);
	if (failed == -1)
		return -1;
	if (database && *first == NO_LOG)
		return err_set(err, STATUS_CORRUPT, "ledger %s: its log files are gone", b->path);
	return 0;
}

static int
configure(DB_ENV *env)
{
	int ret = env->set_cachesize(env, 0, CACHE_BYTES, 1);

	if (ret == 0)	/* its mutexes are never contended: do not ask how many processors could spin */
		ret = env->mutex_set_tas_spins(env, 1);
	if (ret == 0)	/* the lock round the section keeps everybody else out, so none of them is taken */
		ret = env->set_flags(env, DB_NOLOCKING, 1);
	if (ret == 0)	/* nor for a folder for temporary files: nothing here makes any */
		ret = env->set_tmp_dir(env, "/nonexistent");
	if (ret == 0)
		ret = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
	return ret;
}

static int
create_environment(struct bdb *b, DB_ENV **env, bool recover)
{
	int ret = bdb_os_prepare(recover);

	if (ret == 0)
		ret = db_env_create(env, 0);
	if (ret != 0)
		return ret;
	(*env)->app_private = b;
	(*env)->set_errcall(*env, complain);
	return (*env)->set_lg_max(*env, LOG_BYTES);	/* whoever opens the log fills its last file with zeroes up to here */
}

static int
open_environment(struct bdb *b, bool recover, struct err *err)
{
	u_int32_t flags = DB_INIT_MPOOL | DB_INIT_LOG | DB_INIT_TXN;
	int ret = create_environment(b, &b->env, recover);

	if (ret != 0) {
		b->env = NULL;
		return bdb_fail(b, "create environment", ret, err), -1;
	}
	ret = configure(b->env);
	if (ret == 0)
		ret = b->env->open(b->env, b->env_path, recover ? flags | DB_CREATE | DB_RECOVER : flags, 0600);
	if (ret == 0)
		return 0;
	return bdb_fail(b, recover ? "recover" : "open environment", ret, err), -1;
}

static int
open_database(struct bdb *b, bool create, struct err *err)
{
	int ret = db_create(&b->db, b->env, 0);

	if (ret != 0) {
		b->db = NULL;
		return bdb_fail(b, "create handle", ret, err), -1;
	}
	if (create) {	/* attributes of a new file; an old one has its own */
		ret = b->db->set_flags(b->db, DB_CHKSUM);
		if (ret == 0)
			ret = b->db->set_pagesize(b->db, BDB_PAGE_BYTES);
	}
	if (ret == 0)
		ret = b->db->open(b->db, NULL, BDB_FILE, NULL, DB_BTREE, DB_AUTO_COMMIT | (create ? DB_CREATE : 0), 0600);
	return ret == 0 ? 0 : (bdb_fail(b, "open database", ret, err), -1);
}

/* Where the first record is that can be read; file 0 if there is none. */
static int
log_begin(DB_ENV *env, DB_LSN *begin)
{
	DB_LOGC *cursor;
	DBT record = { .data = NULL };
	int r, ret = env->log_cursor(env, &cursor, 0);

	*begin = (DB_LSN){ .file = 0 };
	if (ret != 0)
		return ret;
	ret = cursor->get(cursor, begin, &record, DB_FIRST);
	r = cursor->close(cursor, 0);
	return ret != 0 && ret != DB_NOTFOUND ? ret : r;
}

/* Where the log ends before a recovery adds to it: an environment of its own, in this process's memory, only reads it. A recovery starts at
 * the last checkpoint that it finds: if the file with that one has lost its content, it would pass over what came later, now and each time
 * again, without a word. */
static int
find_log_end(struct bdb *b, uint32_t first, DB_LSN *end, struct err *err)
{
	DB_LSN begin = { .file = 0 };
	DB_ENV *env;
	int r, ret = create_environment(b, &env, true);

	if (ret == 0) {
		ret = env->open(env, b->env_path, DB_CREATE | DB_PRIVATE | DB_INIT_LOG, 0600);
		if (ret == 0)
			ret = bdb_log_end(env, end);
		if (ret == 0)
			ret = log_begin(env, &begin);
		r = env->close(env, 0);
		ret = ret != 0 ? ret : r;
	}
	if (ret != 0)
		return bdb_fail(b, "find the log's end", ret, err), -1;
	if (first < end->file && begin.file != first)
		return err_set(err, STATUS_CORRUPT, "ledger %s: its log has lost its beginning", b->path);
	return 0;
}

/* Berkeley DB itself would refuse a page from after the log's end only when it writes it, which may be long after; and it goes round in
 * circles on pages of zeroes. */
static int
look_at_pages(struct bdb *b, enum bdb_opening how, const DB_LSN *end, struct err *err)
{
	enum bdb_pages found;

	if (bdb_pages_look(b, end, how != BDB_RECOVER_KILLED, &found, err) == -1)
		return -1;
	if (found == BDB_PAGES_LATER)
		return err_set(err, STATUS_CORRUPT, "ledger %s: its log has lost its end", b->path);
	return how == BDB_RECOVER_VERIFY || found == BDB_PAGES_STRANGE ? bdb_verify(b, err) : 0;
}

int
bdb_env_open(struct bdb *b, enum bdb_opening how, struct err *err)
{
	bool recover = how != BDB_AS_IT_IS;
	uint32_t first;
	DB_LSN end;

	if (recover && prepare_recovery(b, &first, err) == -1)
		return -1;
	if (recover && bdb_is_full(b->lock))
		return bdb_fail(b, "recover", ENOSPC, err), -1;
	if (!recover && check_env_folder(b, err) == -1)		/* a link's target may be damaged, or out of a sandbox's reach */
		return -1;
	if (recover && find_log_end(b, first, &end, err) == -1)
		return -1;
	if (open_environment(b, recover, err) == -1 || open_database(b, recover, err) == -1)
		return -1;
	return recover ? look_at_pages(b, how, &end, err) : 0;
}

int
bdb_env_close(struct bdb *b)
{
	int ret = 0, r;

	if (b->db != NULL) {
		/* The log holds what was committed: pages need no sync before a checkpoint. */
		r = b->db->close(b->db, DB_NOSYNC);
		ret = ret != 0 ? ret : r;
		b->db = NULL;
	}
	if (b->env != NULL) {
		r = b->env->close(b->env, 0);
		ret = ret != 0 ? ret : r;
		b->env = NULL;
	}
	return ret == 0 ? 0 : -1;
}

void
bdb_env_abandon(struct bdb *b)
{
	size_t i;

	for (i = 0; b->many && i < BDB_REGIONS; i++)
		if (b->regions[i].at != NULL)
			(void)munmap(b->regions[i].at, b->regions[i].size);
	b->db = NULL;
	b->env = NULL;
	memset(b->regions, 0, sizeof(b->regions));
}

static void
remove_tree(int dir, const char *name)
{
	struct dirent *entry;
	DIR *d;
	int fd = fs_open_dir_at(dir, name, name, NULL);

	d = fd == -1 ? NULL : fdopendir(fd);
	if (d != NULL) {
		while ((entry = readdir(d)) != NULL)
			unlinkat(fd, entry->d_name, 0);	/* an environment has no folders */
		closedir(d);
		unlinkat(dir, name, AT_REMOVEDIR);
	} else {
		if (fd != -1)
			close(fd);
		unlinkat(dir, name, 0);
	}
}

/* The name of the oldest one that was set aside; returns how many there are. Names end in seconds since 1970, with as many digits for
 * centuries: their order is that of time. */
static int
find_oldest_bad(const struct bdb *b, char oldest[NAME_MAX + 1])
{
	struct dirent *entry;
	int n = 0, fd = fs_open_dir_at(b->dir, ".", b->env_path, NULL);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (bdb_is_bad(entry->d_name) && (n++ == 0 || strcmp(entry->d_name, oldest) < 0))
			strlcpy(oldest, entry->d_name, NAME_MAX + 1);
	if (d != NULL)
		closedir(d);
	else if (fd != -1)
		close(fd);
	return n;
}

static void
remove_old_bad(struct bdb *b)
{
	char oldest[NAME_MAX + 1];
	int before = INT_MAX, n;

	while ((n = find_oldest_bad(b, oldest)) > BAD_KEPT && n < before) {	/* one that stays is no reason to go on for ever */
		before = n;
		remove_tree(b->dir, oldest);
	}
}

int
bdb_env_set_aside(struct bdb *b, struct err *err)
{
	int64_t now = clock_now();
	struct stat st;
	char name[64];

	if (fstatat(b->dir, "env", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(err, "stat", b->env_path);
	/* A link or the like holds nothing worth keeping, and a sandbox that forbids to make one forbids to rename it. */
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return unlinkat(b->dir, "env", 0) == -1 ? err_sys(err, "remove", b->env_path) : 0;
	do
		snprintf(name, sizeof(name), BDB_BAD "%lld", (long long)now++);
	while (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	if (renameat(b->dir, "env", b->dir, name) == -1)
		return err_sys(err, "set aside", b->env_path);
	remove_old_bad(b);
	return 0;
}
