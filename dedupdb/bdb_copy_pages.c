/*
 * A copy of the database's file, page by page, made while others write to it and finished under the lock.
 *
 * A change of a page changes its place in the log, so a page whose head is as it was when it was copied need not be copied again. The heads
 * of all pages are looked at under the lock, in shared memory, in some 20 ms for ten million records; the pages that have changed since the
 * last look are few. A page may be read while it is written: then its sum is wrong, it does not count as copied, and neither does one that
 * is damaged. What comes of it is the file as it is under the lock, byte for byte.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb_copy.h"

#define LOOKS 4		/* at most, before the lock is taken */
#define FEW_PAGES 64	/* changed since the last look: another one would not find fewer */

/* What a page began with when it was copied. */
struct mark {
	DB_LSN lsn;
	uint32_t number, sum;
	bool whole;
};

struct page_copy {
	const struct bdb *b;
	int in, out;
	uint32_t pages;		/* that there are marks for */
	struct mark *marks;
	void *map;		/* NULL, or of map_bytes */
	size_t map_bytes;
	uint32_t mapped;	/* pages whose heads are looked at there: under the lock */
};

static void
read_mark(struct mark *mark, const unsigned char *head)
{
	memcpy(&mark->lsn, head, sizeof(mark->lsn));
	memcpy(&mark->number, head + BDB_PAGE_NUMBER_AT, sizeof(mark->number));
	memcpy(&mark->sum, head + BDB_PAGE_SUM_AT, sizeof(mark->sum));
}

/* Is the page still as it was when it was copied? 1, 0 or -1. */
static int
is_copied(const struct page_copy *c, uint32_t number, struct err *err)
{
	const struct mark *then = &c->marks[number];
	unsigned char head[BDB_PAGE_SUM_AT + sizeof(then->sum)];
	struct mark now;

	if (!then->whole)
		return 0;
	if (number < c->mapped)
		read_mark(&now, (const unsigned char *)c->map + (size_t)number * BDB_PAGE_BYTES);
	else if (fs_pread(c->in, head, sizeof(head), (off_t)number * BDB_PAGE_BYTES, c->b->path, err) == -1)
		return -1;
	else
		read_mark(&now, head);
	return now.lsn.file == then->lsn.file && now.lsn.offset == then->lsn.offset && now.number == then->number && now.sum == then->sum;
}

static int
copy_page(struct page_copy *c, uint32_t number, struct err *err)
{
	unsigned char page[BDB_PAGE_BYTES];
	off_t at = (off_t)number * BDB_PAGE_BYTES;
	ssize_t n = fs_pread(c->in, page, sizeof(page), at, c->b->path, err);

	if (n == -1)
		return -1;
	read_mark(&c->marks[number], page);
	c->marks[number].whole = n == BDB_PAGE_BYTES && bdb_page_is_whole(page, number);
	return pwrite(c->out, page, (size_t)n, at) == n ? 0 : err_sys(err, "write the copy of ledger", c->b->path);
}

/* Marks for all pages that there are now; *pages counts also a last one that is not whole. */
static int
count_pages(struct page_copy *c, uint32_t *pages, struct err *err)
{
	struct mark *grown;
	struct stat st;

	if (fstat(c->in, &st) == -1)
		return err_sys(err, "stat database of ledger", c->b->path);
	*pages = (uint32_t)((st.st_size + BDB_PAGE_BYTES - 1) / BDB_PAGE_BYTES);
	if (*pages <= c->pages)
		return 0;
	grown = reallocarray(c->marks, *pages, sizeof(*grown));
	if (grown == NULL)
		return err_sys(err, "copy ledger", c->b->path);
	memset(grown + c->pages, 0, (*pages - c->pages) * sizeof(*grown));
	c->marks = grown;
	c->pages = *pages;
	return 0;
}

/* Copy what has changed since the last look; *copied: how many pages. */
static int
look(struct page_copy *c, uint32_t *copied, struct err *err)
{
	uint32_t number, pages = 0;
	int same = 0;

	*copied = 0;
	if (count_pages(c, &pages, err) == -1)
		return -1;
	for (number = 0; number < pages && same != -1; number++) {
		same = is_copied(c, number, err);
		if (same == 0) {
			same = copy_page(c, number, err);
			++*copied;
		}
	}
	return same == -1 ? -1 : 0;
}

/* Without the lock somebody might make the file shorter, and to read what is not there any more kills: so only the mapping is made here. */
static void
map_pages(struct page_copy *c)
{
	size_t bytes = (size_t)c->pages * BDB_PAGE_BYTES;
	void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, c->in, 0);

	if (map == MAP_FAILED)
		return;
	c->map = map;
	c->map_bytes = bytes;
}

int
bdb_page_copy_begin(struct page_copy **out, const struct bdb *b, int folder, struct err *err)
{
	struct page_copy *c = calloc(1, sizeof(*c));
	uint32_t copied = 0;
	struct stat st;
	int i, ret = -1;

	*out = c;
	if (c == NULL)
		return err_sys(err, "copy ledger", b->path);
	c->b = b;
	c->out = -1;
	c->in = openat(b->dir, "env/" BDB_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (c->in == -1 || fstat(c->in, &st) == -1 || !S_ISREG(st.st_mode))
		return 0;	/* under the lock it will be seen what there is */
	c->out = openat(folder, BDB_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->out == -1)
		return err_sys(err, "make the copy of ledger", b->path);
	ret = look(c, &copied, err);
	/* Who has written much waits at each write until some of it is on disk: not under the lock. */
	if (ret == 0 && fdatasync(c->out) == -1)
		ret = err_sys(err, "sync the copy of ledger", b->path);
	for (i = 1; i < LOOKS && ret == 0 && copied > FEW_PAGES; i++)
		ret = look(c, &copied, err);
	if (ret == 0 && c->pages > 0)
		map_pages(c);
	return ret;
}

bool
bdb_page_copy_is_of(const struct page_copy *c, int env)
{
	return c->out != -1 && fs_is_entry(c->in, env, BDB_FILE);
}

int
bdb_page_copy_finish(struct page_copy *c, struct err *err)
{
	struct stat st;
	uint32_t copied;
	size_t bytes;

	if (fstat(c->in, &st) == -1)
		return err_sys(err, "stat database of ledger", c->b->path);
	bytes = (size_t)st.st_size < c->map_bytes ? (size_t)st.st_size : c->map_bytes;
	c->mapped = (uint32_t)(bytes / BDB_PAGE_BYTES);
	if (look(c, &copied, err) == -1)
		return -1;
	return ftruncate(c->out, st.st_size) == -1 ? err_sys(err, "write the copy of ledger", c->b->path) : 0;
}

void
bdb_page_copy_end(struct page_copy **copy)
{
	struct page_copy *c = *copy;

	*copy = NULL;
	if (c == NULL)
		return;
	if (c->map != NULL)
		munmap(c->map, c->map_bytes);
	if (c->in != -1)
		close(c->in);
	if (c->out != -1)
		close(c->out);
	free(c->marks);
	free(c);
}
