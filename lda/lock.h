/*
 * Keeping other programs out of an mbox: an fcntl lock on the file, a dotlock beside it, or both.
 *
 * Each lock is only tried, never waited for while the other is held, so that programs that take them in the opposite order can't
 * block each other for good. After a crash the fcntl lock is free; the dotlock stays behind and names host, boot and process, so
 * that the next one to come can tell that it is left over.
 */
#ifndef LOCK_H
#define LOCK_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs.h"
#include "mailbox.h"
#include "status.h"

#define DOTLOCK_MAX 256		/* bytes of a dotlock that are written and looked at */

struct lock {
	const struct mailbox_options *options;	/* path, locks, stale_lock_s and notice are used */
	const char *base;	/* the mbox's name in the folder dir */
	int dir;
	int fd;			/* the mbox while it is locked or tried, else -1 */
	int dotlock;		/* our dotlock, held open so that its inode number stays ours; else -1 */
	unsigned char boot[BOOT_ID_BYTES];	/* this one; zero: not known */
	bool fcntl;		/* held */
	bool fcntl_only;	/* the folder is not writable, which was said once */
	char name[NAME_MAX + 1];	/* of the dotlock */
};

/* Nothing is taken yet. To be called before a sandbox hides what the system says of this boot. options, base and dir are borrowed.
 * Returns 0, or -1: no lock is configured, or the name is too long. */
int lock_init(struct lock *lock, const struct mailbox_options *options, int dir, const char *base, struct err *err);
/* Take all locks, polling until `deadline` of clock_ms(); tried at least once. fd: the mbox, open for writing. It may have been
 * replaced meanwhile: the caller checks. Returns 0, or -1 and holds nothing. */
int lock_take(struct lock *lock, int fd, int64_t deadline, struct err *err);
/* Give them back: the dotlock only if it still is ours, then fcntl. Does nothing when none is held; fd is not closed. */
void lock_release(struct lock *lock);
bool lock_held(const struct lock *lock);

#endif
