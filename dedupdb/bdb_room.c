/*
 * Is there room on the ledger's disk? Berkeley DB maps files with holes. Where the disk has no block for a page of those, the kernel sends
 * SIGBUS, which looks like damage and is none.
 */
#include <sys/vfs.h>

#include "bdb.h"

#define ROOM ((1024 + 512) * 1024)	/* bytes: a log file, which a recovery fills, and the region files */

bool
bdb_is_full(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1 || fs.f_blocks == 0 || fs.f_bsize <= 0)
		return false;
	return (uint64_t)fs.f_bavail < ROOM / (uint64_t)fs.f_bsize;
}
