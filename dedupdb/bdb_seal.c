/* The seal: what the files of an environment look like at rest. Always called inside a section. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
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

static bool
add_log(const struct bdb *b, uint32_t number, uint64_t *seal)
{
	char name[32];

	snprintf(name, sizeof(name), "env/log.%010u", number);
	return add_file(b, name, seal);
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
	char name[32];
	uint32_t i;

	for (i = 0; *count == 0 || i < *count; i++) {
		snprintf(name, sizeof(name), "env/__db.%03u", i + 1);
		if (!add_file(b, name, &seal))
			break;
	}
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
