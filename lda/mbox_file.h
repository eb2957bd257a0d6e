/*
 * Reading and rewriting pieces of an mbox, which must be locked. path is what errors call it.
 */
#ifndef MBOX_FILE_H
#define MBOX_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "status.h"

/* How many newlines are missing before an entry at that offset: 0, 1 or 2, or -1. */
int mbox_newlines_missing(int fd, uint64_t offset, const char *path, struct err *err);
/* SHA-256 of len bytes at offset. Returns 1, 0 when there are fewer, or -1. */
int mbox_digest(int fd, uint64_t offset, uint64_t len, unsigned char digest[DIGEST_BYTES], const char *path, struct err *err);
/* Write the bytes of [start, end) again where they are, so that the next fsync has something to write. Returns 0 or -1. */
int mbox_rewrite(int fd, uint64_t start, uint64_t end, const char *path, struct err *err);

#endif
