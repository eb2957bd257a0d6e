/*
 * The few file-system operations that the ledger and the mailboxes share.
 *
 * All descriptors are close-on-exec. No function follows a symbolic link in the last component of a path that it is given.
 */
#ifndef FS_H
#define FS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define BOOT_ID_BYTES 16
#define CLOCK_TEXT 32	/* bytes, with the final NUL */

/* Open an existing folder for use with the *at() calls and fsync(). Returns a descriptor or -1. */
int fs_open_dir(const char *path, struct err *err);
/* The same for `name` below the folder `dir`; `path` is what errors call it. */
int fs_open_dir_at(int dir, const char *name, const char *path, struct err *err);

/* Split an absolute path: opens its parent folder and points *base at the last component inside path. */
int fs_open_parent(const char *path, const char **base, struct err *err);

/* fsync(2), counted nowhere and never skipped: 0 means that what fd shows survives a power cut. */
int fs_sync(int fd, const char *path, struct err *err);

/* On a file system of another host: forget what this one believes of a folder, so that the next look asks the server. */
void fs_refresh(int fd);

/* Write all len bytes at the file position (or the end, with O_APPEND). Returns 0, or -1 with *written telling how many bytes went
 * out before the error; written may be NULL. EINTR and short writes are continued. */
int fs_write(int fd, const void *buf, size_t len, size_t *written, const char *path, struct err *err);
/* Read len bytes at offset; returns how many there were (short only at the end of the file), or -1. */
ssize_t fs_pread(int fd, void *buf, size_t len, off_t offset, const char *path, struct err *err);

enum fs_trait {
	FS_SYNC_COVERS_ENTRY = 1,	/* fsync() of a new file also makes its entry in the folder durable: ext4, XFS and Btrfs */
	FS_REMOTE = 2			/* memory that processes share through a file is not defined there: NFS and its like */
};

/* What is known of the file system that fd is on: a set of enum fs_trait. */
unsigned int fs_traits(int fd);

/* An unnamed file for a message that is too large for memory: gone when the process is. Returns a descriptor or -1. */
int fs_unnamed(const char *folder, struct err *err);
/* The same in /var/tmp, or else in /tmp. */
int fs_temporary(struct err *err);

/* Another descriptor of the same file, which can only be read from; without /proc it is as fd. Returns it or -1. */
int fs_open_to_read(int fd);

/* Try for an exclusive lock on the whole file, once: 1 have it, 0 somebody else has it, -1 error. It belongs to the open file
 * description, so it is freed by close() and by death, and conflicts with fcntl(2) locks of other programs. */
int fs_try_lock(int fd, const char *path, struct err *err);
/* The same for a lock that readers share. */
int fs_try_share(int fd, const char *path, struct err *err);
/* Returns 0, or -1: then only close() frees it. */
int fs_unlock(int fd);
/* Poll for that lock. Returns 1, 0 after timeout_ms, or -1. Polled, since a stopped holder must not stop all mail. */
int fs_lock(int fd, int timeout_ms, const char *path, struct err *err);

/* Do both name the same file? */
bool fs_is_entry(int fd, int dir, const char *name);

/* This boot of this machine. Returns 0, or -1 where the system does not say: id is all zero then. */
int host_boot_id(unsigned char id[BOOT_ID_BYTES]);

/* Seconds since 1970. Can jump; an age computed from it that is negative counts as 0. */
int64_t clock_now(void);
/* When a day of the Gregorian calendar begins; year >= 1, month 1 to 12. A day that its month lacks is one of the next month. */
int64_t clock_of_day(int year, int month, int day);
/* Such a time as 2026-11-20T12:00:00Z; one that no calendar has, from a damaged record, as @seconds. */
void clock_text(char text[CLOCK_TEXT], int64_t t);
/* Milliseconds that only ever grow. */
int64_t clock_ms(void);
void clock_sleep_ms(int ms);

#endif
