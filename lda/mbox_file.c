/* Reading and rewriting pieces of an mbox. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"
#include "mbox_file.h"

#define BLOCK 65536

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
