/*
 * A look at the file of the database, by what Berkeley DB writes into each page: its place in the log, its number, its checksum.
 *
 * To see how the tree hangs together (bdb_verify.c) takes many times as long, and is for when a page does not look as it should. What this
 * does not see is a page that is whole and too old: an older one in its place is what a restored file has, for which bdb_section.c has the
 * seal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb.h"

#define PAGES_AT_ONCE 64

/* As every page begins. */
struct head {
	DB_LSN lsn;		/* its last change */
	uint32_t number;
};

/* The library's hash: each byte is added to 33 times the hash before; here four at a time. */
static uint32_t
hash(const unsigned char *p, size_t len)
{
	uint32_t h = 0;
	size_t i;

	for (i = 0; i < len; i += 4)
		h = h * (33U * 33 * 33 * 33) + p[i] * (33U * 33 * 33) + p[i + 1] * (33U * 33) + p[i + 2] * 33U + p[i + 3];
	return h;
}

static bool
has_checksum(unsigned char *page)
{
	uint32_t sum, found;

	memcpy(&sum, page + BDB_PAGE_SUM_AT, sizeof(sum));
	memset(page + BDB_PAGE_SUM_AT, 0, sizeof(sum));
	found = hash(page, BDB_PAGE_BYTES);
	memcpy(page + BDB_PAGE_SUM_AT, &sum, sizeof(sum));
	return found == sum;
}

bool
bdb_page_is_whole(unsigned char *page, uint32_t number)
{
	uint32_t own;

	memcpy(&own, page + BDB_PAGE_NUMBER_AT, sizeof(own));
	return number > 0 && own == number && has_checksum(page);
}

static enum bdb_pages
judge_head(const struct head *head, uint32_t number, const DB_LSN *end)
{
	if (head->lsn.file > end->file || (head->lsn.file == end->file && head->lsn.offset > end->offset))
		return BDB_PAGES_LATER;
	return head->number == number ? BDB_PAGES_SOUND : BDB_PAGES_STRANGE;	/* a page of zeroes has no number */
}

static enum bdb_pages
judge(unsigned char *page, uint32_t number, const DB_LSN *end)
{
	enum bdb_pages found;
	struct head head;

	memcpy(&head, page, sizeof(head));
	found = judge_head(&head, number, end);
	/* the first page is another kind, which is looked at whenever the database is opened */
	return found == BDB_PAGES_SOUND && number > 0 && !has_checksum(page) ? BDB_PAGES_STRANGE : found;
}

static int
look_at_heads(const struct bdb *b, int fd, const DB_LSN *end, enum bdb_pages *found, struct err *err)
{
	struct head head;
	uint32_t number;
	ssize_t n;

	for (number = 0; *found == BDB_PAGES_SOUND; number++) {
		n = fs_pread(fd, &head, sizeof(head), (off_t)number * BDB_PAGE_BYTES, b->path, err);
		if (n != (ssize_t)sizeof(head))
			return n == -1 ? -1 : 0;
		*found = judge_head(&head, number, end);
	}
	return 0;
}

static int
look_at_all(const struct bdb *b, int fd, const DB_LSN *end, enum bdb_pages *found, struct err *err)
{
	unsigned char *pages = malloc(PAGES_AT_ONCE * (size_t)BDB_PAGE_BYTES);
	uint32_t number = 0;
	ssize_t n = 1, i;

	if (pages == NULL)
		return err_sys(err, "look at database of ledger", b->path);
	while (n > 0 && *found == BDB_PAGES_SOUND) {
		n = fs_pread(fd, pages, PAGES_AT_ONCE * (size_t)BDB_PAGE_BYTES, (off_t)number * BDB_PAGE_BYTES, b->path, err);
		for (i = 0; i + BDB_PAGE_BYTES <= n && *found == BDB_PAGES_SOUND; i += BDB_PAGE_BYTES)
			*found = judge(pages + i, number++, end);
		if (i < n && *found == BDB_PAGES_SOUND)
			*found = BDB_PAGES_STRANGE;	/* part of a page */
	}
	free(pages);
	return n == -1 ? -1 : 0;
}

int
bdb_pages_look(const struct bdb *b, const DB_LSN *end, bool whole, enum bdb_pages *found, struct err *err)
{
	int ret, fd = openat(b->dir, "env/" BDB_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*found = BDB_PAGES_SOUND;
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, "open database of ledger", b->path);
	ret = whole ? look_at_all(b, fd, end, found, err) : look_at_heads(b, fd, end, found, err);
	close(fd);
	return ret;
}
