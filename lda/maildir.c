/*
 * Maildir: a message is staged in tmp/ and published by renaming it into new/.
 *
 * The staged file is the witness of an unfinished delivery: whoever finds the record can finish the rename, and a rename consumes
 * its source, so there is at most one publication whatever crashes (I3). The specification is at https://cr.yp.to/proto/maildir.html.
 *
 * Where other hosts use the ledger, too, they may have this Maildir, a copy of it, or another one under the same path. So a stage gets a
 * marker then, an empty file beside it that is made once the stage is durable and taken away once the record is marked delivered. Who
 * finds the marker that the record names, and no stage, knows that the stage was published from this very tmp/. A power cut may
 * take the marker; then nothing is proved, and no mail is lost.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "fs.h"
#include "mailbox.h"
#include "maildir_folder.h"
#include "maildir_intent.h"
#include "maildir_name.h"

struct maildir {
	struct mailbox base;
	const struct mailbox_options *options;
	struct maildir_folder folder;
	char name[MAILDIR_NAME_MAX];	/* of the stage in tmp/ */
	int fd;				/* the stage; -1: there is none of ours */
	uint64_t size;			/* bytes written to it */
	bool marked;			/* the stage has a marker */
	char finished[MAILDIR_NAME_MAX];	/* the stage, ours or another's, that was last published; "": none */
	struct copy_options copy;
	struct sink file, spill;
	struct copier *copier;		/* a large message on its way in */
};

static struct maildir *
maildir_of(struct mailbox *box)
{
	return (struct maildir *)box;
}

/* The lock on the stage tells the sweeper that its writer lives. */
static int
create_stage(struct maildir *m, const struct fingerprint *fp, struct err *err)
{
	maildir_name_make(m->name, fp);
	m->size = 0;
	m->copy.head = m->options->head;
	m->copy.drop_return_path = m->options->drop_return_path;
	m->fd = openat(m->folder.tmp, m->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->fd == -1)
		return err_sys(err, "create a file in tmp/ of", m->folder.path);
	(void)flock(m->fd, LOCK_EX | LOCK_NB);
	return 0;
}

static int
write_file(void *arg, const void *buf, size_t len, struct err *err)
{
	struct maildir *m = arg;

	m->size += len;
	return fs_write(m->fd, buf, len, NULL, m->folder.path, err);
}

/* A message that outgrows memory comes before its fingerprint is known: its name gets that later. */
static int
write_spill(void *arg, const void *buf, size_t len, struct err *err)
{
	struct maildir *m = arg;

	if (m->copier == NULL) {
		if (create_stage(m, NULL, err) == -1)
			return -1;
		m->copier = malloc(sizeof(*m->copier));
		if (m->copier == NULL)
			return err_sys(err, "stage", m->folder.path);
		copier_init(m->copier, &m->copy, &m->file);
	}
	return m->copier->in.write(m->copier->in.arg, buf, len, err);
}

static void
maildir_close(struct mailbox **box)
{
	struct maildir *m = maildir_of(*box);

	if (m->fd != -1)
		close(m->fd);
	free(m->copier);
	maildir_folder_close(&m->folder);
	free(m);
	*box = NULL;
}

static int
maildir_open(struct mailbox **box, const struct mailbox_options *options, struct err *err)
{
	struct maildir *m = calloc(1, sizeof(*m));

	*box = NULL;
	if (m == NULL)
		return err_sys(err, "open mailbox", options->path);
	if (maildir_folder_open(&m->folder, options, err) == -1) {
		free(m);
		return -1;
	}
	m->base.ops = &maildir_ops;
	m->options = options;
	m->fd = -1;
	m->file = (struct sink){ write_file, m };
	m->spill = (struct sink){ write_spill, m };
	*box = &m->base;
	return 0;
}

static int
maildir_root(struct mailbox *box)
{
	const struct maildir_folder *f = &maildir_of(box)->folder;

	return f->root != -1 ? f->root : f->dir;
}

static const struct sink *
maildir_spill(struct mailbox *box)
{
	return &maildir_of(box)->spill;
}

/* Everything of the message is in the stage, under its final name. */
static int
fill_stage(struct maildir *m, const struct message *msg, const struct fingerprint *fp, struct err *err)
{
	char old[MAILDIR_NAME_MAX];

	if (m->copier == NULL) {
		if (create_stage(m, fp, err) == -1)
			return -1;
		return copy_message(msg, &m->copy, &m->file, err);
	}
	if (copier_finish(m->copier, err) == -1)
		return -1;
	memcpy(old, m->name, sizeof(old));
	maildir_name_make(m->name, fp);
	if (renameat(m->folder.tmp, old, m->folder.tmp, m->name) == -1) {
		memcpy(m->name, old, sizeof(old));
		return err_sys(err, "rename in tmp/ of", m->folder.path);
	}
	return 0;
}

/* Make the marker of our stage; it needs no sync. Returns its inode, or 0: there is none, and nothing will be proved. */
static uint64_t
make_marker(struct maildir *m)
{
	char marker[MAILDIR_MARKER_MAX];
	uint64_t inode = 0;
	struct stat st;
	int fd;

	maildir_marker_name(marker, m->name);
	fd = openat(m->folder.tmp, marker, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return 0;
	m->marked = true;
	if (fstat(fd, &st) == 0)
		inode = (uint64_t)st.st_ino;
	close(fd);
	return inode;
}

static void
remove_marker(const struct maildir *m, const char *name)
{
	char marker[MAILDIR_MARKER_MAX];

	maildir_marker_name(marker, name);
	unlinkat(m->folder.tmp, marker, 0);
}

/* The stage is durable. */
static int
make_intent(struct maildir *m, struct intent *intent, struct err *err)
{
	struct maildir_intent in = { .size = m->size };
	struct stat st;

	if (m->options->host != NULL) {
		snprintf(in.host, sizeof(in.host), "%s", m->options->host);
		in.marker = make_marker(m);
	}

	if (fstat(m->folder.tmp, &st) == -1)
		return err_sys(err, "stat tmp/ of", m->folder.path);
	in.device = (uint64_t)st.st_dev;
	in.inode = (uint64_t)st.st_ino;
	memcpy(in.name, m->name, sizeof(in.name));
	if (snprintf(in.path, sizeof(in.path), "%s", m->folder.path) >= (int)sizeof(in.path) ||
	    maildir_intent_encode(&in, intent) == -1)
		return err_set(err, STATUS_TEMP, "mailbox path is too long: %.64s...", m->folder.path);
	return 0;
}

static int
maildir_stage(struct mailbox *box, const struct message *msg, const struct fingerprint *fp, struct intent *intent, struct err *err)
{
	struct maildir *m = maildir_of(box);

	if (fill_stage(m, msg, fp, err) == -1 || fs_sync(m->fd, m->folder.path, err) == -1)
		return -1;
	if (m->folder.strict && fs_sync(m->folder.tmp, m->folder.path, err) == -1)
		return -1;
	return make_intent(m, intent, err);
}

static void
maildir_discard(struct mailbox *box)
{
	struct maildir *m = maildir_of(box);

	if (m->fd == -1)
		return;
	unlinkat(m->folder.tmp, m->name, 0);
	if (m->marked)
		remove_marker(m, m->name);
	m->marked = false;
	close(m->fd);
	m->fd = -1;
	free(m->copier);
	m->copier = NULL;
}

static int
rename_stage(const struct maildir_folder *f, const char *name, uint64_t size)
{
	char published[MAILDIR_NAME_MAX + 32];

	snprintf(published, sizeof(published), "%s,S=%llu", name, (unsigned long long)size);
	return renameat(f->tmp, name, f->new, published);
}

/* A rename says ENOENT, too, where new/ itself was removed. */
static bool
is_staged(const struct maildir_folder *f, const char *name)
{
	struct stat st;

	return fstatat(f->tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* The stage is not in tmp/ any more: a helper was faster. Without a record nobody had any business with it; and if it is nowhere, and
 * this process was held up for so long that somebody may have cleaned tmp/, that proves nothing. */
static bool
was_published(const struct maildir *m)
{
	struct stat st;

	return m->base.recorded && !is_staged(&m->folder, m->name) && fstat(m->fd, &st) == 0 &&
	    (st.st_nlink > 0 || clock_now() - (int64_t)st.st_mtime < PROVED_WITHIN);
}

/* Another host's process may have renamed it on a file server whose power was cut before our fsync, which then says nothing: is the stage
 * back? Only a look after an fsync can tell, and only a second fsync makes sure of a rename between the two. */
static bool
is_back(const struct maildir_folder *f, const char *name, struct err *err)
{
	fs_refresh(f->tmp);
	if (!is_staged(f, name))
		return false;
	err_set(err, STATUS_TEMP, "publish in new/ of %s: its file server has undone it", f->path);
	return true;
}

static int
sync_others(const struct maildir *m, struct err *err)
{
	const struct maildir_folder *f = &m->folder;

	if (m->options->host != NULL && (fs_sync(f->new, f->path, err) == -1 || is_back(f, m->name, err)))
		return -1;
	return fs_sync(f->new, f->path, err);
}

static int
maildir_publish(struct mailbox *box, struct err *err)
{
	struct maildir *m = maildir_of(box);
	bool ours = rename_stage(&m->folder, m->name, m->size) == 0;

	if (!ours && (errno != ENOENT || !was_published(m)))
		err_sys(err, "publish in new/ of", m->folder.path);
	else if ((ours ? fs_sync(m->folder.new, m->folder.path, err) : sync_others(m, err)) == 0) {
		if (m->marked && m->base.recorded)
			memcpy(m->finished, m->name, sizeof(m->finished));
		else if (m->marked)
			remove_marker(m, m->name);
		return 0;
	}
	err_retry(err);		/* it is in new/, or anybody can rename it */
	return -1;
}

/* A marker that is left over goes when tmp/ is swept. */
static void
maildir_marked(struct mailbox *box)
{
	struct maildir *m = maildir_of(box);

	if (m->finished[0] != '\0')
		remove_marker(m, m->finished);
	m->finished[0] = '\0';
}

/* Is a file called name, with whatever a reader has added behind it, in this subfolder? 1, 0, or -1. */
static int
holds(const struct maildir_folder *f, const char *sub, const char *name, struct err *err)
{
	size_t len = strlen(name);
	struct dirent *entry;
	int fd, found = 0;
	DIR *d;

	fd = fs_open_dir_at(f->dir, sub, f->path, err);
	if (fd == -1)
		return -1;
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return err_sys(err, "read", f->path);
	}
	errno = 0;
	while (found == 0 && (entry = readdir(d)) != NULL)
		found = strncmp(entry->d_name, name, len) == 0 && strchr(",:", entry->d_name[len]) != NULL;	/* or nothing more */
	if (found == 0 && errno != 0)
		found = err_sys(err, "read", f->path);
	if (found == 1 && fsync(fd) == -1)
		found = err_sys(err, "fsync", f->path);
	closedir(d);
	return found;
}

/* A snapshot may hold a stage as it was before it was whole. Whoever puts one back below a ledger that is newer must not find it published. */
static bool
is_torn(const struct maildir_folder *f, const struct maildir_intent *in)
{
	struct stat st;

	return in->host[0] != '\0' && fstatat(f->tmp, in->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size != in->size;
}

/* Is this the tmp/ in which the recorded stage was, at that time or later? Then it was published if it is not there: only a publication
 * takes it away (I4). Its device and inode say so on one host, as long as no older mailbox is put in its place. They mean nothing on another
 * host, nor when a ledger elsewhere is newer than the mailbox: a copy or a snapshot may have the same ones, but not the marker. */
static bool
is_recorded_tmp(const struct maildir_folder *f, const struct maildir_intent *in, const char *us)
{
	char marker[MAILDIR_MARKER_MAX];
	struct stat st;

	if (in->host[0] != '\0') {
		maildir_marker_name(marker, in->name);
		return in->marker != 0 && fstatat(f->tmp, marker, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_ino == in->marker;
	}
	return us == NULL && fstat(f->tmp, &st) == 0 && (uint64_t)st.st_dev == in->device && (uint64_t)st.st_ino == in->inode;
}

/* No proof from tmp/: look where a published message would be. */
static enum settled
search(const struct maildir_folder *f, const struct maildir_intent *in, struct err *err)
{
	int found = holds(f, "new", in->name, err);

	if (found == 0)
		found = holds(f, "cur", in->name, err);
	if (found == -1)
		return SETTLE_FAILED;
	return found == 1 ? SETTLED : SETTLE_GONE;
}

/* By another process, and durably? */
static enum settled
find_published(const struct maildir_folder *f, const struct maildir_intent *in, bool proved, struct err *err)
{
	if (!proved)
		return search(f, in, err);
	return fs_sync(f->new, f->path, err) == -1 ? SETTLE_FAILED : SETTLED;
}

/* us: this host, or NULL. others: young, and another host's, which it is left to if it can't be finished here. */
static enum settled
settle_in(const struct maildir_folder *f, const struct maildir_intent *in, const char *us, bool young, bool others, struct err *err)
{
	bool torn = is_torn(f, in), proved;
	enum settled settled;

	if (torn || rename_stage(f, in->name, in->size) == -1) {
		if (!torn && (errno != ENOENT || is_staged(f, in->name))) {
			err_sys(err, "publish in new/ of", f->path);
			return young ? SETTLE_FAILED : search(f, in, err);
		}
		proved = !torn && young && is_recorded_tmp(f, in, us);
		settled = find_published(f, in, proved, err);
		if (settled == SETTLED && us != NULL && !torn)
			settled = is_back(f, in->name, err) ? SETTLE_FAILED : find_published(f, in, proved, err);
		return settled == SETTLE_GONE && others ? mailbox_leave_to(in->host, in->path, err) : settled;
	}
	return fs_sync(f->new, f->path, err) == -1 ? SETTLE_FAILED : SETTLED;
}

static enum settled
maildir_settle(struct mailbox *box, const struct record *record, const struct message *msg, int64_t now, struct err *err)
{
	struct maildir *m = maildir_of(box);
	bool young = now - record->decided < PROVED_WITHIN;
	const char *us = m->options->host;
	bool others = young && intent_is_foreign(&record->intent, us);
	struct maildir_folder f;
	struct maildir_intent in;
	enum settled result;

	(void)msg;
	if (maildir_intent_decode(&in, &record->intent) == -1)
		return SETTLE_GONE;	/* of no version that we know: nothing could ever finish it */
	if (strcmp(in.path, m->folder.path) == 0) {
		result = settle_in(&m->folder, &in, us, young, others, err);
		if (result == SETTLED && in.marker != 0)
			memcpy(m->finished, in.name, sizeof(m->finished));
		return result;
	}
	if (maildir_folder_find(&f, in.path, err) == -1)
		return others ? mailbox_leave_to(in.host, in.path, err) : young ? SETTLE_FAILED : SETTLE_GONE;
	result = settle_in(&f, &in, us, young, others, err);
	maildir_folder_close(&f);
	return result;
}

static int
maildir_intent_path(const struct intent *intent, char *path, size_t size)
{
	struct maildir_intent in;

	if (maildir_intent_decode(&in, intent) == -1)
		return -1;
	return snprintf(path, size, "%s", in.path) < (int)size ? 0 : -1;
}

static enum looked
maildir_look(const struct record *record, struct err *err)
{
	struct maildir_folder f;
	struct maildir_intent in;
	enum looked looked = LOOKED_STAGED;
	enum settled settled;
	struct stat st;

	if (maildir_intent_decode(&in, &record->intent) == -1)
		return LOOKED_ABSENT;	/* as for maildir_settle() */
	if (maildir_folder_find(&f, in.path, err) == -1)
		return LOOKED_FAILED;
	if (fstatat(f.tmp, in.name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		settled = errno == ENOENT ? search(&f, &in, err) : (err_sys(err, "stat in tmp/ of", f.path), SETTLE_FAILED);
		looked = settled == SETTLED ? LOOKED_PUBLISHED : settled == SETTLE_GONE ? LOOKED_ABSENT : LOOKED_FAILED;
	}
	maildir_folder_close(&f);
	return looked;
}

static int
maildir_sweep(struct mailbox *box, int64_t now, int (*named)(void *arg, const char *digits), void *arg, struct err *err)
{
	return maildir_sweep_tmp(maildir_of(box)->folder.dir, maildir_of(box)->folder.path, now, named, arg, err);
}

const struct mailbox_ops maildir_ops = {
	.name = "maildir",
	.tag = MAILDIR_TAG,
	.open = maildir_open,
	.root = maildir_root,
	.spill = maildir_spill,
	.stage = maildir_stage,
	.publish = maildir_publish,
	.settle = maildir_settle,
	.marked = maildir_marked,
	.discard = maildir_discard,
	.close = maildir_close,
	.intent_path = maildir_intent_path,
	.look = maildir_look,
	.sweep = maildir_sweep,
};
