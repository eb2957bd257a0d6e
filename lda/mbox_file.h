/*
 * An mbox as a file: opening it, and reading and rewriting pieces of it, for which it must be locked. path is what errors call it.
 */
#ifndef MBOX_FILE_H
#define MBOX_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "mailbox.h"

/* Open it, and make it where it is missing, unless options->existing; then *made is set. A file that is no plain one, or another user's, is
 * refused. Returns a descriptor, which appends, or -1. */
int mbox_file_open(int dir, const char *name, const struct mailbox_options *options, bool *made, struct err *err);
/* For who finds it replaced too often. Returns -1. */
int mbox_file_replaced(const char *path, struct err *err);

/* How many newlines are missing before an entry at that offset: 0, 1 or 2, or -1. */
int mbox_newlines_missing(int fd, uint64_t offset, const char *path, struct err *err);
/* SHA-256 of len bytes at offset. Returns 1, 0 when there are fewer, or -1. */
int mbox_digest(int fd, uint64_t offset, uint64_t len, unsigned char digest[DIGEST_BYTES], const char *path, struct err *err);
/* Write the bytes of [start, end) again where they are, so that the next fsync has something to write. Returns 0 or -1. */
int mbox_rewrite(int fd, uint64_t start, uint64_t end, const char *path, struct err *err);

#endif
