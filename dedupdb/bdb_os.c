/* What Berkeley DB calls in place of the system's functions. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "bdb.h"

#define LEFT_MAPPED 64	/* regions that a process need not unmap; a delivery has fewer */

/* Its own way to open a file follows links, waits for a FIFO, and lets children inherit the descriptor for a moment. */
static int
open_file(const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = (mode_t)va_arg(ap, int);
		va_end(ap);
	}
	return open(name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode);
}

/* Opening tells whether the database is there; Berkeley DB would ask three times before. To remove old log files it asks for one after the
 * other, backwards, until one is not there: assumed, that would be thousands, back to the first one that ever was. */
static int
assume_existing(const char *name, int *is_folder)
{
	const char *base = strrchr(name, '/');

	if (is_folder != NULL)
		*is_folder = 0;
	return !bdb_is_log(base == NULL ? name : base + 1) || access(name, F_OK) == 0 ? 0 : errno;
}

/* *create: may it be made? and then, was it? A region has its full size from the start, so it never has to grow; pages that nobody has
 * written to take no room. */
static int
map_region(DB_ENV *env, char *path, size_t size, int *create, void **at)
{
	int fd = open_file(path, *create ? O_RDWR | O_CREAT : O_RDWR, 0600), ret = 0;
	struct bdb *b = env->app_private;
	struct stat st;
	size_t slot = 0;

	if (fd == -1)
		return errno;
	while (slot < BDB_REGIONS && b->regions[slot].at != NULL)
		slot++;
	if (slot == BDB_REGIONS)
		ret = ENOMEM;
	else if (fstat(fd, &st) == -1 || (st.st_size < (off_t)size && ftruncate(fd, (off_t)size) == -1))
		ret = errno;
	if (ret == 0 && (*at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		ret = errno;
	close(fd);
	if (ret != 0)
		return ret;
	*create = *create && st.st_size == 0;
	b->regions[slot] = (struct bdb_region){ *at, size };
	return 0;
}

/* Without a recovery, memory that is not there is not made anew: records would be in nobody's sight. */
static int
join_region(DB_ENV *env, char *path, size_t size, int *create, void **at)
{
	*create = 0;
	return map_region(env, path, size, create, at);
}

/* In a recovery all of it is made anew, and nobody else is there. What an attempt that failed has left behind, without content, Berkeley DB
 * would take for the work of a process that is about to fill it, and wait for that for seconds. */
static int
make_region(DB_ENV *env, char *path, size_t size, int *create, void **at)
{
	if (*create && unlink(path) == -1 && errno != ENOENT)
		return errno;
	return map_region(env, path, size, create, at);
}

/* Whoever opens few environments leaves them to the end of the process: to unmap shared memory before, the kernel has to interrupt every
 * processor on which the process ran. Whoever opens more would run out of addresses, on 32 bit after two thousand. */
static int
unmap_region(DB_ENV *env, void *at)
{
	static unsigned int left;	/* of the process, whatever ledgers it opens */
	struct bdb *b = env->app_private;
	size_t i;

	for (i = 0; i < BDB_REGIONS; i++)
		if (b->regions[i].at == at) {
			b->regions[i].at = NULL;
			if (!b->many && left++ < LEFT_MAPPED)
				return 0;
			return munmap(at, b->regions[i].size) == -1 ? errno : 0;
		}
	return EINVAL;
}

int
bdb_os_prepare(bool recover)
{
	int ret = db_env_set_func_open(open_file);

	if (ret == 0)
		ret = db_env_set_func_exists(recover ? NULL : assume_existing);
	if (ret == 0)
		ret = db_env_set_func_region_map(recover ? make_region : join_region, unmap_region);
	return ret;
}
