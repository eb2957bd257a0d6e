/* An mbox as a file. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"
#include "mbox_file.h"

#define BLOCK 65536
#define OPEN_TRIES 10

/* Only a plain file of the user's own: a link, pipe or device in its place could send mail anywhere, or block for good. */
static int
check_file(const char *path, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, STATUS_TEMP, "mbox %s: is no regular file", path);
	if (st->st_nlink != 1)
		return err_set(err, STATUS_TEMP, "mbox %s: has %ju names", path, (uintmax_t)st->st_nlink);
	if (st->st_uid != geteuid())
		return err_set(err, STATUS_TEMP, "mbox %s: belongs to another user", path);
	return 0;
}

/* Returns 1 open, 0 it changed meanwhile, -1. */
static int
open_once(int dir, const char *name, const struct mailbox_options *options, int *fd, bool *made, struct err *err)
{
	const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	const char *path = options->path;
	struct stat before, st;
	bool there = fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
	int got = 1;

	if (!there && (errno != ENOENT || options->existing))
		return err_sys(err, "stat", path);
	if (there && check_file(path, &before, err) == -1)
		return -1;
	*fd = openat(dir, name, there ? flags : flags | O_CREAT | O_EXCL, 0600);
	if (*fd == -1 && errno == (there ? ENOENT : EEXIST))
		return 0;
	if (*fd == -1 && !there && errno == EACCES)
		return err_set(err, STATUS_TEMP, "mbox %s: does not exist, and the user may not make files in its folder", path);
	if (*fd == -1)
		return err_sys(err, "open mbox", path);
	if (!there)
		*made = true;
	if (fstat(*fd, &st) == -1)
		got = err_sys(err, "stat", path);
	else if (there && (st.st_dev != before.st_dev || st.st_ino != before.st_ino))
		got = 0;
	else if (check_file(path, &st, err) == -1)
		got = -1;
	if (got == 1)
		return 1;
	close(*fd);
	*fd = -1;
	return got;
}

int
mbox_file_replaced(const char *path, struct err *err)
{
	return err_set(err, STATUS_TEMP, "open mbox %s: it is replaced again and again", path);
}

int
mbox_file_open(int dir, const char *name, const struct mailbox_options *options, bool *made, struct err *err)
{
	int tries, got, fd = -1;

	for (tries = 0; tries < OPEN_TRIES; tries++) {
		got = open_once(dir, name, options, &fd, made, err);
		if (got != 0)
			return got == 1 ? fd : -1;
	}
	return mbox_file_replaced(options->path, err);
}

int
mbox_newlines_missing(int fd, uint64_t offset, const char *path, struct err *err)
{
	char last[3] = { 0 };
	size_t len = offset < sizeof(last) ? (size_t)offset : sizeof(last);
	ssize_t n = fs_pread(fd, last + sizeof(last) - len, len, (off_t)(offset - len), path, err);

	if (n == -1)
		return -1;
	if ((size_t)n != len)
		return err_set(err, STATUS_TEMP, "read %s: it became shorter", path);
	if (len == 0)
		return 0;
	if (last[2] != '\n')
		return 2;
	/* The line before that newline is empty, or the file is nothing but an empty line. */
	if (last[1] == '\n' || len == 1)
		return 0;
	return last[1] == '\r' && (last[0] == '\n' || len == 2) ? 0 : 1;
}

int
mbox_digest(int fd, uint64_t offset, uint64_t len, unsigned char digest[DIGEST_BYTES], const char *path, struct err *err)
{
	unsigned char *buf = malloc(BLOCK);
	struct digest d;
	size_t want;
	ssize_t n = 0;
	int ret = -1;

	if (buf == NULL)
		return err_sys(err, "read", path);
	digest_start(&d);
	for (; len > 0; len -= want, offset += want) {
		want = len < BLOCK ? (size_t)len : BLOCK;
		n = fs_pread(fd, buf, want, (off_t)offset, path, err);
		if (n == -1)
			goto out;
		if ((size_t)n < want) {
			ret = 0;
			goto out;
		}
		digest_add(&d, buf, want);
	}
	digest_end(&d, digest);
	ret = 1;
out:
	free(buf);
	return ret;
}

static int
write_at(int fd, const unsigned char *buf, size_t len, uint64_t offset, const char *path, struct err *err)
{
	ssize_t n;

	for (; len > 0; buf += n, len -= (size_t)n, offset += (uint64_t)n) {
		n = pwrite(fd, buf, len, (off_t)offset);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return err_sys(err, "write", path);
	}
	return 0;
}

/* Write the bytes of [start, end) again where they are. */
static int
rewrite_range(int fd, uint64_t start, uint64_t end, const char *path, struct err *err)
{
	unsigned char *buf = malloc(BLOCK);
	size_t want;
	ssize_t n;
	int ret = -1;

	if (buf == NULL)
		return err_sys(err, "write", path);
	for (; start < end; start += want) {
		want = end - start < BLOCK ? (size_t)(end - start) : BLOCK;
		n = fs_pread(fd, buf, want, (off_t)start, path, err);
		if (n == -1)
			goto out;
		if ((size_t)n != want) {
			err_set(err, STATUS_TEMP, "read %s: it became shorter", path);
			goto out;
		}
		if (write_at(fd, buf, want, start, path, err) == -1)
			goto out;
	}
	ret = 0;
out:
	free(buf);
	return ret;
}

int
mbox_rewrite(int fd, uint64_t start, uint64_t end, const char *path, struct err *err)
{
	/* On Linux pwrite() to a file with O_APPEND appends, whatever the offset. */
	int flags = fcntl(fd, F_GETFL), ret;

	if (flags == -1 || fcntl(fd, F_SETFL, flags & ~O_APPEND) == -1)
		return err_sys(err, "fcntl", path);
	ret = rewrite_range(fd, start, end, path, err);
	if (fcntl(fd, F_SETFL, flags) == -1)
		ret = err_sys(err, "fcntl", path);
	return ret;
}
