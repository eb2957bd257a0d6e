/*
 * Reading a Maildir.
 *
 * A folder of millions of messages comes in the order of its hash, which is none on the disk: some ten thousand names at a time are
 * sorted by inode, and files are opened, and asked for, some time before they are read.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "maildir_info.h"
#include "maildir_names.h"
#include "reader.h"

#define BATCH 32768	/* names that are sorted together */
#define AHEAD 32	/* files that are open before they are read */
#define ROUNDS 3	/* in which a renamed file is looked for */

struct entry {
	ino_t ino;
	char *name;
};

struct maildir_reader {
	struct mailbox_reader base;
	int root;
	struct names folders;		/* "" first */
	struct names missing;		/* what comes before ':' of files that were renamed meanwhile */
	int dir;			/* the folder's new or cur */
	const char *part;		/* its name */
	const char *folder;
	bool again;			/* only what is in missing */
	struct entry *entries;		/* BATCH of them */
	size_t count;
	int fds[AHEAD];			/* of entry i: i % AHEAD */
	int fd;				/* of the message that is visited */
	char path[PATH_MAX];
	char name[NAME_MAX + 1];
};

static struct maildir_reader *
maildir_of(struct mailbox_reader *r)
{
	return (struct maildir_reader *)r;
}

static int
by_inode(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return left->ino < right->ino ? -1 : left->ino > right->ino;
}

static bool
is_file_name(const struct dirent *e)
{
	return e->d_name[0] != '.' && (e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
}

static bool
is_old(const struct mailbox_reader *r, const char *name)
{
	int64_t t = name_time(name);

	return t != 0 && t < r->options.since;
}

static bool
is_missing(struct maildir_reader *m, const char *name)
{
	char base[NAME_MAX + 1];

	snprintf(base, sizeof(base), "%.*s", (int)info_base_len(name), name);
	return names_has(&m->missing, base);
}

/* Open the folder's cur or new: a descriptor, or -1 where there is none. */
static int
open_part(const struct maildir_reader *m, const char *folder, const char *part)
{
	char name[NAME_MAX + 8];

	snprintf(name, sizeof(name), "%s%s%s%s", *folder == '\0' ? "" : ".", folder, *folder == '\0' ? "" : "/", part);
	return openat(m->root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static DIR *
list(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);

	if (d == NULL && copy != -1)
		close(copy);
	return d;
}

static int
list_error(const struct maildir_reader *m, const char *folder, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", m->base.options.path, *folder == '\0' ? "" : "/.", folder);
	return err_sys(err, "list folder", path);
}

/* --- what there is --- */

static int
find_folders(struct maildir_reader *m, struct err *err)
{
	struct dirent *e;
	DIR *d = list(m->root);
	int fd, ret = 0;

	if (d == NULL)
		return list_error(m, "", err);
	while (ret == 0 && (errno = 0, e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' || e->d_name[1] == '\0' || e->d_name[1] == '.')
			continue;
		fd = open_part(m, e->d_name + 1, "cur");
		if (fd == -1)
			continue;
		close(fd);
		ret = names_add(&m->folders, e->d_name + 1, strlen(e->d_name + 1));
	}
	if (errno != 0)
		ret = list_error(m, "", err);
	closedir(d);
	return ret;
}

static void
leave_out_unwanted(struct maildir_reader *m)
{
	const struct reader_options *o = &m->base.options;
	struct names *f = &m->folders;
	size_t i, kept = 0;

	for (i = 0; i < f->count; i++) {
		if (o->wanted == NULL || o->wanted(o->arg, f->names[i]))
			f->names[kept++] = f->names[i];
		else
			free(f->names[i]);
	}
	f->count = kept;
}

/* For the progress only: what comes and goes meanwhile does not matter. */
static void
count_part(struct maildir_reader *m, const char *folder, const char *part)
{
	int fd = open_part(m, folder, part);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (is_file_name(e) && !is_old(&m->base, e->d_name))
			m->base.total++;
	closedir(d);
}

/* --- one batch --- */

static void
batch_drop(struct maildir_reader *m)
{
	size_t i;

	for (i = 0; i < AHEAD; i++) {
		if (m->fds[i] != -1)
			close(m->fds[i]);
		m->fds[i] = -1;
	}
	while (m->count > 0)
		free(m->entries[--m->count].name);
}

/* Returns 1 the folder has more, 0 that was all, -1. */
static int
batch_fill(struct maildir_reader *m, DIR *d, struct err *err)
{
	struct dirent *e;
	struct entry *entry;

	while (m->count < BATCH) {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			return errno == 0 ? 0 : list_error(m, m->folder, err);
		if (!is_file_name(e) || (m->again && !is_missing(m, e->d_name)))
			continue;
		if (is_old(&m->base, e->d_name)) {
			m->base.left_out.old++;
			continue;
		}
		entry = &m->entries[m->count];
		entry->ino = e->d_ino;
		entry->name = strdup(e->d_name);
		if (entry->name == NULL)
			return err_sys(err, "list folder", m->folder);
		m->count++;
	}
	return 1;
}

static void
unreadable(struct maildir_reader *m, const char *name, const char *op)
{
	struct reader_left_out *l = &m->base.left_out;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s/%s/%s", m->base.options.path, *m->folder == '\0' ? "" : "/.", m->folder, m->part, name);
	if (l->unreadable++ == 0)
		err_sys(&l->err, op, path);
}

/* Open the file, so that the disk can begin. -1: it is not there any more, or can't be opened. */
static int
open_ahead(struct maildir_reader *m, const char *name, struct names *gone)
{
	int fd = openat(m->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd != -1)
		posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	else if (errno == ENOENT)
		(void)names_add(gone, name, info_base_len(name));	/* without memory it counts as gone */
	else if (errno != ELOOP)	/* a link is no message */
		unreadable(m, name, "open");
	return fd;
}

static enum reader_end
visit_file(struct maildir_reader *m, const char *name, reader_visit *visit, void *arg, struct err *err)
{
	struct mail *mail = &m->base.mail;
	int64_t named = name_time(name);
	struct stat st;

	if (fstat(m->fd, &st) == -1) {
		unreadable(m, name, "stat");
		return READER_DONE;
	}
	if (!S_ISREG(st.st_mode))
		return READER_DONE;
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->path, sizeof(m->path), "%s%s%s/%s/%s", m->base.options.path, *m->folder == '\0' ? "" : "/.", m->folder, m->part,
	    name);
	mail->folder = m->folder;
	mail->path = m->path;
	mail->name = m->name;
	mail->in_new = strcmp(m->part, "new") == 0;
	mail->size = (uint64_t)st.st_size;
	/* A copy within a server gets a new name and keeps its mtime; a copy of the files may lose the mtime. */
	mail->date = named != 0 && (named < st.st_mtime || st.st_mtime <= 0) ? named : (int64_t)st.st_mtime;
	mail->flags = name_flags(name);
	return reader_offer(&m->base, visit, arg, err);
}

static enum reader_end
visit_batch(struct maildir_reader *m, struct names *gone, reader_visit *visit, void *arg, struct err *err)
{
	enum reader_end end = READER_DONE;
	size_t i, opened = 0;

	qsort(m->entries, m->count, sizeof(*m->entries), by_inode);
	for (i = 0; i < m->count && end == READER_DONE; i++) {
		for (; opened < m->count && opened < i + AHEAD; opened++)
			m->fds[opened % AHEAD] = open_ahead(m, m->entries[opened].name, gone);
		m->base.mail.done++;
		m->fd = m->fds[i % AHEAD];
		if (m->fd == -1)
			continue;
		end = visit_file(m, m->entries[i].name, visit, arg, err);
		close(m->fd);
		m->fd = m->fds[i % AHEAD] = -1;
	}
	return end;
}

/* --- folders --- */

/* gone: takes the names of files that were renamed since they were listed. */
static enum reader_end
visit_part(struct maildir_reader *m, const char *part, struct names *gone, reader_visit *visit, void *arg, struct err *err)
{
	enum reader_end end = READER_DONE;
	int more = 1;
	DIR *d;

	m->part = part;
	m->dir = open_part(m, m->folder, part);
	if (m->dir == -1)
		return errno == ENOENT ? READER_DONE : (list_error(m, m->folder, err), READER_FAILED);
	d = list(m->dir);
	if (d == NULL) {
		list_error(m, m->folder, err);
		end = READER_FAILED;
	}
	while (end == READER_DONE && more == 1) {
		more = batch_fill(m, d, err);
		end = more == -1 ? READER_FAILED : visit_batch(m, gone, visit, arg, err);
		batch_drop(m);
	}
	if (d != NULL)
		closedir(d);
	close(m->dir);
	return end;
}

/* new first: what a reader moves to cur meanwhile is found there. What is renamed in cur is looked for again. */
static enum reader_end
visit_folder(struct maildir_reader *m, reader_visit *visit, void *arg, struct err *err)
{
	struct names gone = { 0 };
	enum reader_end end;
	int round;

	m->again = false;
	end = visit_part(m, "new", &gone, visit, arg, err);
	names_free(&gone);
	if (end == READER_DONE)
		end = visit_part(m, "cur", &m->missing, visit, arg, err);
	m->again = true;
	for (round = 0; end == READER_DONE && m->missing.count > 0 && round < ROUNDS; round++) {
		names_sort(&m->missing);
		end = visit_part(m, "cur", &gone, visit, arg, err);
		names_free(&m->missing);
		m->missing = gone;
		memset(&gone, 0, sizeof(gone));
	}
	names_free(&m->missing);
	return end;
}

static enum reader_end
maildir_each(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err)
{
	struct maildir_reader *m = maildir_of(r);
	enum reader_end end = READER_DONE;
	size_t i;

	for (i = 0; i < m->folders.count && end == READER_DONE; i++) {
		m->folder = m->folders.names[i];
		end = visit_folder(m, visit, arg, err);
	}
	return end;
}

static ssize_t
maildir_read(struct mailbox_reader *r, void *buf, size_t len, struct err *err)
{
	ssize_t n;

	if (r->pos >= r->mail.size)	/* a message does not change: no call is needed to see its end */
		return 0;
	n = fs_pread(maildir_of(r)->fd, buf, len < r->mail.size - r->pos ? len : (size_t)(r->mail.size - r->pos), (off_t)r->pos,
	    r->mail.path, err);
	if (n > 0)
		r->pos += (uint64_t)n;
	return n;
}

static void
maildir_close(struct mailbox_reader *r)
{
	struct maildir_reader *m = maildir_of(r);

	names_free(&m->folders);
	names_free(&m->missing);
	free(m->entries);
	close(m->root);
}

static int
check_maildir(const struct maildir_reader *m, struct err *err)
{
	int fd = open_part(m, "", "cur");

	if (fd == -1 && errno == ENOENT)
		return err_set(err, STATUS_TEMP, "folder %s: is no Maildir: it has no cur; name the folder that has cur, new and tmp",
		    m->base.options.path);
	if (fd == -1)
		return list_error(m, "", err);
	close(fd);
	return 0;
}

static int
maildir_open(struct mailbox_reader *r, int fd, struct err *err)
{
	struct maildir_reader *m = maildir_of(r);
	size_t i;

	m->root = fd;
	m->fd = -1;
	for (i = 0; i < AHEAD; i++)
		m->fds[i] = -1;
	m->entries = calloc(BATCH, sizeof(*m->entries));
	if (m->entries == NULL || names_add(&m->folders, "", 0) == -1)
		return err_sys(err, "open mailbox", r->options.path);
	if (check_maildir(m, err) == -1 || find_folders(m, err) == -1)
		return -1;
	names_sort(&m->folders);
	leave_out_unwanted(m);
	for (i = 0; i < m->folders.count; i++) {
		count_part(m, m->folders.names[i], "new");
		count_part(m, m->folders.names[i], "cur");
	}
	return 0;
}

const struct reader_ops reader_maildir = {
	.kind = READER_MAILDIR,
	.size = sizeof(struct maildir_reader),
	.open = maildir_open,
	.each = maildir_each,
	.read = maildir_read,
	.close = maildir_close,
};
