/* The seal: what the files of an environment look like at rest. Always called inside a section. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>

#include "bdb.h"

/* Fold what a file looks like into the seal. */
static bool
add_file(const struct bdb *b, const char *name, uint64_t *seal)
{
	uint64_t parts[4];
	struct stat st;
	size_t i;

	if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	parts[0] = (uint64_t)st.st_ino;
	parts[1] = (uint64_t)st.st_size;
	parts[2] = (uint64_t)st.st_mtim.tv_sec;
	parts[3] = (uint64_t)st.st_mtim.tv_nsec;
	for (i = 0; i < 4; i++)
		*seal = (*seal ^ parts[i]) * 0x100000001b3ULL + 1;
	return true;
}

/* The files of an environment are numbered: this one's name ends in zeroes, as many as it has digits. */
static bool
add_numbered(const struct bdb *b, char *name, size_t len, uint32_t number, uint64_t *seal)
{
	for (; number > 0; number /= 10)
		name[--len] = (char)('0' + number % 10);
	return add_file(b, name, seal);
}

static bool
add_region(const struct bdb *b, uint32_t number, uint64_t *seal)
{
	char name[] = "env/__db.000";

	return add_numbered(b, name, sizeof(name) - 1, number, seal);
}

static bool
add_log(const struct bdb *b, uint32_t number, uint64_t *seal)
{
	char name[] = "env/log.0000000000";

	return add_numbered(b, name, sizeof(name) - 1, number, seal);
}

/* The last log file, and the older ones: a recovery refuses a log that has lost its beginning, and what came since would go with it. */
static bool
add_logs(const struct bdb *b, uint64_t *seal)
{
	uint32_t number = b->header.log;

	if (!add_log(b, number, seal))
		return false;
	while (number > 1 && add_log(b, number - 1, seal))
		number--;
	return true;
}

uint64_t
bdb_seal(const struct bdb *b, uint32_t *count)
{
	uint64_t seal = 0;
	uint32_t i = 0;

	while (i < BDB_REGIONS && (*count == 0 || i < *count) && add_region(b, i + 1, &seal))
		i++;
	if (*count == 0)
		*count = i;
	return i == *count && add_file(b, "env/" BDB_FILE, &seal) && add_logs(b, &seal) ? seal : 0;
}

int
bdb_log_end(DB_ENV *env, DB_LSN *end)
{
	DB_LOG_STAT *st;
	int ret = env->log_stat(env, &st, 0);

	if (ret != 0)
		return ret;
	*end = (DB_LSN){ .file = st->st_cur_file, .offset = st->st_cur_offset };
	free(st);
	return 0;
}

void
bdb_seal_note_log(struct bdb *b)
{
	DB_LSN end = { .file = 0 };
	uint64_t unused = 0;

	(void)bdb_log_end(b->env, &end);
	/* Its first records may be in shared memory only, and the file not be there yet. */
	if (end.file > 1 && !add_log(b, end.file, &unused))
		end.file--;
	b->header.log = end.file;	/* 0: no such file, so the next section recovers */
}
