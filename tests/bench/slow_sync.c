/*
 * For LD_PRELOAD: each fsync, fdatasync, sync_file_range and msync takes SLOW_SYNC_US microseconds longer, as on a disk that has to move
 * something, and is counted in the first eight bytes of the file SLOW_SYNC_COUNT.
 */
#include <sys/mman.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_ullong *count;
static struct timespec delay;

/* The agent clears its environment later. */
__attribute__((constructor)) static void
begin(void)
{
	const char *us = getenv("SLOW_SYNC_US"), *path = getenv("SLOW_SYNC_COUNT");
	long n = us == NULL ? 0 : strtol(us, NULL, 10);
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *map = fd == -1 ? MAP_FAILED : mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	delay = (struct timespec){ n / 1000000, n % 1000000 * 1000 };
	if (map != MAP_FAILED)
		count = map;
	if (fd != -1)
		close(fd);
}

static void
wait_for_disk(void)
{
	if (count != NULL)
		atomic_fetch_add(count, 1);
	nanosleep(&delay, NULL);
}

/* ISO C has no conversion from an object's address to a function's. */
static void
find(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(function, &symbol, sizeof(symbol));
}

int
fsync(int fd)
{
	int (*real)(int);

	find("fsync", &real);
	wait_for_disk();
	return real(fd);
}

int
fdatasync(int fd)
{
	int (*real)(int);

	find("fdatasync", &real);
	wait_for_disk();
	return real(fd);
}

int
sync_file_range(int fd, off64_t from, off64_t len, unsigned int flags)
{
	int (*real)(int, off64_t, off64_t, unsigned int);

	find("sync_file_range", &real);
	wait_for_disk();
	return real(fd, from, len, flags);
}

int
msync(void *start, size_t len, int flags)
{
	int (*real)(void *, size_t, int);

	find("msync", &real);
	wait_for_disk();
	return real(start, len, flags);
}
