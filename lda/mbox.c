/*
 * mbox: a message is appended to a file that mail readers rewrite as they like.
 *
 * An append can't be published by a rename, so the mbox lock covers everything from the second look at the ledger to the delivered
 * mark, and the pending record says which bytes were to go where. Whoever meets such a record under the lock first finds out what
 * became of them. Rules that the code below keeps, each of which loses or doubles mail when it is left out:
 *
 * - Nothing is appended without a durable intent for these very bytes: a second attempt is decided anew.
 * - Nothing is decided anew before an fsync returned 0: what was cut off could come back after a power cut.
 * - Delivered means an fsync of bytes that this process wrote: Linux reports a failed write-back once, and the next fsync
 *   returns 0. An entry that is found is therefore written again in place.
 * - Only verified bytes of our own are cut off, and only up to the end of the file.
 *
 * The message given to stage() must live until publish() returns: a large one is read twice.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lock.h"
#include "mailbox.h"
#include "mbox_entry.h"
#include "mbox_file.h"

struct mbox {
	struct mailbox base;
	const struct mailbox_options *options;
	const char *name;		/* of the file in its folder */
	int dir, fd;
	bool made;			/* by us: its entry in the folder is to be made durable */
	struct lock lock;
	bool has_id;			/* of a record that is to be decided again */
	unsigned char id[MBOX_ID_BYTES];
	/* the stage */
	struct mbox_entry entry;
	const struct message *message;	/* NULL: nothing is staged */
	struct kept kept;
};

static struct mbox *
mbox_of(struct mailbox *box)
{
	return (struct mbox *)box;
}

static void
notice(const struct mbox *b, const char *text)
{
	char line[ERR_TEXT];

	if (b->options->notice == NULL)
		return;
	snprintf(line, sizeof(line), "%s: %s", b->options->path, text);
	b->options->notice(b->options->notice_arg, line);
}

static int
open_file(struct mbox *b, struct err *err)
{
	if (b->fd != -1)
		close(b->fd);
	b->fd = mbox_file_open(b->dir, b->name, b->options, &b->made, err);
	return b->fd == -1 ? -1 : 0;
}

static void
stage_drop(struct mbox *b)
{
	free(b->kept.buf);
	memset(&b->kept, 0, sizeof(b->kept));
	b->message = NULL;
}

static void
mbox_close(struct mailbox **box)
{
	struct mbox *b = *box == NULL ? NULL : mbox_of(*box);

	if (b == NULL)
		return;
	stage_drop(b);
	lock_release(&b->lock);
	if (b->fd != -1)
		close(b->fd);
	if (b->dir != -1)
		close(b->dir);
	free(b);
	*box = NULL;
}

static int
mbox_open(struct mailbox **box, const struct mailbox_options *options, struct err *err)
{
	struct mbox *b = calloc(1, sizeof(*b));

	*box = NULL;
	if (b == NULL)
		return err_sys(err, "open mbox", options->path);
	b->base.ops = &mbox_ops;
	b->options = options;
	b->fd = b->lock.fd = b->lock.dotlock = -1;
	*box = &b->base;
	b->dir = fs_open_parent(options->path, &b->name, err);
	if (b->dir == -1 || lock_init(&b->lock, options, b->dir, b->name, err) == -1 || open_file(b, err) == -1) {
		mbox_close(box);
		return -1;
	}
	if (options->before != NULL)
		memcpy(b->lock.boot, mbox_of(options->before)->lock.boot, sizeof(b->lock.boot));
	if (options->folder != NULL && options->folder[0] != '\0')
		notice(b, "an mbox has no folders: delivering into the inbox");
	return 0;
}

static const struct sink *
mbox_spill(struct mailbox *box)
{
	(void)box;
	return NULL;
}

static int
mbox_lock(struct mailbox *box, const struct fingerprint *fp, struct err *err)
{
	struct mbox *b = mbox_of(box);
	int64_t deadline = clock_ms() + b->options->lock_timeout_ms;

	(void)fp;		/* the whole file is locked */
	if (b->fd == -1 && open_file(b, err) == -1)
		return -1;
	while (!lock_held(&b->lock)) {
		if (lock_take(&b->lock, b->fd, deadline, err) == -1)
			return -1;
		if (fs_is_entry(b->fd, b->dir, b->name))
			return 0;
		lock_release(&b->lock);		/* a reader has replaced the file meanwhile */
		if (clock_ms() >= deadline)
			return mbox_file_replaced(b->options->path, err);
		if (open_file(b, err) == -1)
			return -1;
	}
	return 0;
}

static int
need_lock(const struct mbox *b, struct err *err)
{
	return lock_held(&b->lock) ? 0 : err_set(err, STATUS_TEMP, "mbox %s: is not locked", b->options->path);
}

static int
file_size(const struct mbox *b, uint64_t *size, struct err *err)
{
	struct stat st;

	if (fstat(b->fd, &st) == -1)
		return err_sys(err, "stat", b->options->path);
	*size = (uint64_t)st.st_size;
	return 0;
}

/* The file's entry in its folder: another delivery may have made the file and died before it did this. */
static int
sync_folder(const struct mbox *b, struct err *err)
{
	int dir, ret;

	if (!b->made && !b->options->strict && (fs_traits(b->fd) & FS_SYNC_COVERS_ENTRY) != 0)
		return 0;
	dir = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1 && errno == EACCES)
		return 0;	/* may be searched, but not listed: nobody can do it with these rights */
	if (dir == -1)
		return err_sys(err, "open folder of", b->options->path);
	ret = fs_sync(dir, b->options->path, err);
	close(dir);
	return ret;
}

static int
sync_all(const struct mbox *b, struct err *err)
{
	return fs_sync(b->fd, b->options->path, err) == -1 ? -1 : sync_folder(b, err);
}

static int
mbox_stage(struct mailbox *box, const struct message *m, const struct fingerprint *fp, struct intent *intent, struct err *err)
{
	struct mbox *b = mbox_of(box);

	(void)fp;		/* a sender could predict it: the id is random */
	stage_drop(b);
	if (need_lock(b, err) == -1)
		return -1;
	if (entry_make(&b->entry, b->options, b->fd, m, b->has_id ? b->id : NULL, clock_now(), &b->kept, err) == -1 ||
	    entry_encode(&b->entry, intent, err) == -1) {
		stage_drop(b);
		return -1;
	}
	b->message = m;
	return 0;
}

static void
mbox_discard(struct mailbox *box)
{
	stage_drop(mbox_of(box));
}

static int
append_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct mbox *b = arg;

	return fs_write(b->fd, buf, len, NULL, b->options->path, err);
}

static int
append(struct mbox *b, struct err *err)
{
	struct sink sink = { append_write, b };

	if (b->kept.buf != NULL)
		return append_write(b, b->kept.buf, b->kept.len, err);
	return entry_replay(&b->entry, b->message, &sink, err);
}

/* A program that takes no locks may have appended at the same time: then ours is elsewhere, and counts if it is whole and a reader
 * sees it. */
static int
check_place(struct mbox *b, struct err *err)
{
	off_t end = lseek(b->fd, 0, SEEK_CUR);
	int got;

	if (end == -1)
		return err_sys(err, "seek", b->options->path);
	if ((uint64_t)end == b->entry.s0 + b->entry.len)
		return 0;
	got = (uint64_t)end < b->entry.len ? 0 : entry_is_readable_at(&b->entry, b->fd, (uint64_t)end - b->entry.len, err);
	if (got == 0)
		err_set(err, STATUS_TEMP, "append to %s: another program wrote into it without a lock", b->options->path);
	return got == 1 ? 0 : -1;
}

/* Take back what we appended, if nothing else is there. What fails here is left to the record. Returns 0: it is gone for good; -1. */
static int
take_back(struct mbox *b)
{
	uint64_t size = 0;

	if (file_size(b, &size, NULL) == -1)
		return -1;
	if (size == b->entry.s0)
		return 0;
	if (entry_is_tail(&b->entry, b->fd, size, b->message, false, NULL) != 1)
		return -1;
	return ftruncate(b->fd, (off_t)b->entry.s0) == 0 ? fs_sync(b->fd, b->options->path, NULL) : -1;
}

static int
mbox_publish(struct mailbox *box, struct err *err)
{
	struct mbox *b = mbox_of(box);
	uint64_t size = 0;

	if (b->message == NULL)
		return err_set(err, STATUS_TEMP, "append to %s: nothing is staged", b->options->path);
	if (need_lock(b, err) == -1 || file_size(b, &size, err) == -1)
		return -1;
	if (size != b->entry.s0)
		return err_set(err, STATUS_TEMP, "append to %s: another program wrote into it without a lock", b->options->path);
	if (append(b, err) == -1 || check_place(b, err) == -1 || sync_all(b, err) == -1) {
		if (take_back(b) == -1)
			err_retry(err);
		return -1;
	}
	stage_drop(b);
	return 0;
}

/* Where is the recorded entry? Returns 1 at [*start, *end), 0 nowhere, -1. *prefix: the file up to S0 is as it was. */
static int
find(int fd, const struct mbox_entry *e, uint64_t size, bool *prefix, uint64_t *start, uint64_t *end, struct err *err)
{
	int got = entry_prefix_matches(e, fd, size, err);

	if (got == -1)
		return -1;
	*prefix = got == 1;
	if (*prefix && size - e->s0 >= e->len) {
		*start = e->s0;
		*end = e->s0 + e->len;
		got = entry_is_at(e, fd, e->s0, err);
		if (got != 0)
			return got;
	}
	return entry_find(e, fd, start, end, err);
}

/* It is not there, or torn. Cut the torn rest off if it is provably ours. */
static int
cut(const struct mbox *b, const struct mbox_entry *e, uint64_t size, const struct message *m, struct err *err)
{
	int got = entry_is_tail(e, b->fd, size, m, true, err);

	if (got == 1 && ftruncate(b->fd, (off_t)e->s0) == -1)
		return err_sys(err, "truncate", b->options->path);
	return got == -1 ? -1 : 0;
}

/* others: the record is young, and another host's. That one may be appending to another file; to this one, our lock has shown that it is not. */
static enum settled
settle_entry(struct mbox *b, const struct mbox_entry *e, bool others, const struct message *m, struct err *err)
{
	uint64_t size = 0, start, end;
	bool prefix;
	int got;

	if (need_lock(b, err) == -1 || file_size(b, &size, err) == -1)
		return SETTLE_FAILED;
	got = find(b->fd, e, size, &prefix, &start, &end, err);
	if (got == -1)
		return SETTLE_FAILED;
	if (got == 1)
		return mbox_rewrite(b->fd, start, end, e->path, err) == -1 || sync_all(b, err) == -1 ? SETTLE_FAILED : SETTLED;
	if (others && !entry_is_made_for(e, b->fd))
		return mailbox_leave_to(e->host, e->path, err);
	if (m != NULL && prefix && cut(b, e, size, m, err) == -1)
		return SETTLE_FAILED;
	if (sync_all(b, err) == -1)
		return SETTLE_FAILED;
	if (m != NULL) {	/* our own record: its next decision keeps the id, so that either entry is found by it */
		b->has_id = true;
		memcpy(b->id, e->id, sizeof(b->id));
	}
	return SETTLE_GONE;
}

static enum settled
mbox_settle(struct mailbox *box, const struct record *record, const struct message *m, int64_t now, struct err *err)
{
	struct mbox *b = mbox_of(box);
	struct mbox_entry *e = malloc(sizeof(*e));
	bool others = now - record->decided < PROVED_WITHIN && intent_is_foreign(&record->intent, b->options->host);
	enum settled settled;

	if (e == NULL) {
		err_sys(err, "settle", b->options->path);
		return SETTLE_FAILED;
	}
	if (entry_decode(e, &record->intent) == 0)
		settled = settle_entry(b, e, others, m, err);
	else {			/* every doubt delivers */
		notice(b, "a pending record can't be read: the message is delivered again");
		settled = need_lock(b, err) == -1 || sync_all(b, err) == -1 ? SETTLE_FAILED : SETTLE_GONE;
	}
	free(e);
	return settled;
}

static int
mbox_intent_path(const struct intent *intent, char *path, size_t size)
{
	struct mbox_entry *e = malloc(sizeof(*e));
	int ret = -1;

	if (e != NULL && entry_decode(e, intent) == 0 && strlen(e->path) < size) {
		memcpy(path, e->path, strlen(e->path) + 1);
		ret = 0;
	}
	free(e);
	return ret;
}

static enum looked
look_in(const struct mbox_entry *e, struct err *err)
{
	int got = -1, fd = open(e->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint64_t start, end;
	struct stat st;
	bool prefix;

	if (fd == -1)
		return err_sys(err, "open mbox", e->path), LOOKED_FAILED;
	if (fstat(fd, &st) == -1)
		err_sys(err, "stat", e->path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, STATUS_TEMP, "mbox %s: is no regular file", e->path);
	else
		got = find(fd, e, (uint64_t)st.st_size, &prefix, &start, &end, err);
	close(fd);
	return got == -1 ? LOOKED_FAILED : got == 1 ? LOOKED_PUBLISHED : LOOKED_ABSENT;
}

static enum looked
mbox_look(const struct record *record, struct err *err)
{
	struct mbox_entry *e = malloc(sizeof(*e));
	enum looked looked = LOOKED_ABSENT;	/* of an intent that can't be read: as for mbox_settle() */

	if (e == NULL)
		return err_sys(err, "look at mbox", NULL), LOOKED_FAILED;
	if (entry_decode(e, &record->intent) == 0)
		looked = look_in(e, err);
	free(e);
	return looked;
}

/* The dotlock is made in the mbox's folder. */
static int
mbox_root(struct mailbox *box)
{
	return mbox_of(box)->dir;
}

const struct mailbox_ops mbox_ops = {
	.name = "mbox",
	.tag = MBOX_TAG,
	.durable_mark = true,
	.open = mbox_open,
	.root = mbox_root,
	.spill = mbox_spill,
	.lock = mbox_lock,
	.stage = mbox_stage,
	.publish = mbox_publish,
	.settle = mbox_settle,
	.discard = mbox_discard,
	.close = mbox_close,
	.intent_path = mbox_intent_path,
	.look = mbox_look,
	.sweep = NULL
};
