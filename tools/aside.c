/* Renaming messages within a Maildir. */
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "fs.h"
#include "maildir_folder.h"
#include "maildir_name.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)	/* of Linux; not every C library knows it */
#endif
#define TRIES 5		/* a reader can rename a file again and again, but not for good */

const char *
letter_name(const struct letter *l)
{
	return strrchr(l->path, '/') + 1;
}

/* The length of "[.Folder/]new", and of "[.Folder/]". */
static size_t
part_len(const struct letter *l)
{
	return (size_t)(letter_name(l) - l->path) - 1;
}

static size_t
folder_len(const struct letter *l)
{
	return part_len(l) - strlen("new");
}

static int
no_memory(const struct letter *l, struct err *err)
{
	return err_sys(err, "rename", l->path);
}

/* --- finding a file again --- */

static bool
is_letter(const struct letter *l, const struct stat *st)
{
	return (l->st.st_ino == 0 || st->st_ino == l->st.st_ino) && (l->st.st_dev == 0 || st->st_dev == l->st.st_dev);
}

/* Does that part of the folder hold the file, under another name? 1, 0 or -1. */
static int
find_in(int root, struct letter *l, const char *part, struct err *err)
{
	const char *name = letter_name(l);
	size_t base = info_base_len(name);
	struct dirent *entry;
	struct stat st;
	char *dir, *path;
	int fd, found = 0;
	DIR *d;

	if (asprintf(&dir, "%.*s%s", (int)folder_len(l), l->path, part) == -1)
		return no_memory(l, err);
	fd = openat(root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		found = err_sys(err, "open folder", dir);
		if (fd != -1)
			close(fd);
		free(dir);
		return found;
	}
	while (found == 0 && (entry = readdir(d)) != NULL)
		found = strncmp(entry->d_name, name, base) == 0 && info_base_len(entry->d_name) == base &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_letter(l, &st);
	if (found == 1) {
		if (asprintf(&path, "%s/%s", dir, entry->d_name) == -1)
			found = no_memory(l, err);
		else {
			free(l->path);
			l->path = path;
		}
	}
	closedir(d);
	free(dir);
	return found;
}

/* A reader moves files from new/ to cur/, so one that leaves the first while it is read is in the second. 1, 0 or -1. */
static int
find_again(int root, struct letter *l, struct err *err)
{
	int found = find_in(root, l, "new", err);

	return found != 0 ? found : find_in(root, l, "cur", err);
}

int
letter_open(int root, struct letter *l, bool *gone, struct err *err)
{
	int fd, tries, found = 1;
	struct stat st;

	*gone = false;
	for (tries = 0; tries < TRIES && found == 1; tries++) {
		fd = openat(root, l->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd == -1 && errno != ENOENT)
			return err_sys(err, "read", l->path);
		if (fd != -1 && fstat(fd, &st) == 0 && is_letter(l, &st)) {
			l->st = st;
			return fd;
		}
		if (fd != -1)
			close(fd);
		found = find_again(root, l, err);
	}
	*gone = found != -1;
	return -1;
}

/* --- renames --- */

/* Give the file that name if nobody has it. 0, or -1 and errno: EEXIST. Where the system can't do both at once, the name is looked up
 * first: only renames of this same file make names of this base. */
static int
rename_free(int root, const char *from, const char *to)
{
	struct stat st;

	if (syscall(SYS_renameat2, root, from, root, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(root, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? renameat(root, from, root, to) : -1;
}

static int
touch(struct aside *a, const char *path, size_t len, struct err *err)
{
	char **grown;
	size_t i;

	for (i = a->touched_count; i-- > 0;)
		if (strncmp(a->touched[i], path, len) == 0 && a->touched[i][len] == '\0')
			return 0;
	grown = reallocarray(a->touched, a->touched_count + 1, sizeof(*grown));
	if (grown == NULL)
		return err_sys(err, "rename in", path);
	a->touched = grown;
	grown[a->touched_count] = strndup(path, len);
	if (grown[a->touched_count] == NULL)
		return err_sys(err, "rename in", path);
	a->touched_count++;
	return 0;
}

/* Rename the letter to that path, which becomes its own when this is done. */
static enum aside_result
rename_letter(struct aside *a, struct letter *l, char **to, struct err *err)
{
	size_t len = (size_t)(strrchr(*to, '/') - *to);

	/* first, so that no rename goes without its sync */
	if (touch(a, l->path, part_len(l), err) == -1 || touch(a, *to, len, err) == -1)
		return ASIDE_FAILED;
	if (rename_free(a->root, l->path, *to) == -1) {
		if (errno == EEXIST)
			return ASIDE_TAKEN;
		if (errno == ENOENT)
			return ASIDE_GONE;
		err_sys(err, "rename", l->path);
		return ASIDE_FAILED;
	}
	free(l->path);
	l->path = *to;
	*to = NULL;
	a->waiting++;
	return ASIDE_DONE;
}

/* How a letter is to be called: a path to be freed, or NULL without memory. attempt: 0 for the first name. */
struct naming {
	char *(*name)(const struct naming *how, const struct letter *l, unsigned int attempt);
	bool has_others;	/* another attempt makes another name */
	info_flags set, clear;
};

static enum aside_result
rename_as(struct aside *a, struct letter *l, const struct naming *how, struct err *err)
{
	enum aside_result got = ASIDE_GONE;
	unsigned int tries, taken = 0;
	int found;
	char *to;

	for (tries = 0; tries < TRIES; tries++) {
		to = how->name(how, l, taken);
		if (to == NULL) {
			no_memory(l, err);
			return ASIDE_FAILED;
		}
		got = strcmp(to, l->path) == 0 ? ASIDE_DONE : rename_letter(a, l, &to, err);
		free(to);
		if (got == ASIDE_TAKEN && how->has_others)
			taken++;
		else if (got != ASIDE_GONE)
			return got;
		else if ((found = find_again(a->root, l, err)) != 1)
			return found == 0 ? ASIDE_GONE : ASIDE_FAILED;
	}
	if (got == ASIDE_GONE) {	/* it was there each time: what is missing is where it was to go */
		err_set(err, STATUS_TEMP, "rename %s: it, or the folder it goes to, is renamed again and again", l->path);
		return ASIDE_FAILED;
	}
	return got;
}

/* Flags are for cur/ only. */
static char *
name_with_flags(const struct naming *how, const struct letter *l, unsigned int attempt)
{
	const char *name = letter_name(l);
	char info[INFO_TEXT], *to;
	info_flags flags;

	(void)attempt;
	if (!info_parse(name, &flags))
		return strdup(l->path);
	info_text((flags | how->set) & ~how->clear, info);
	if (asprintf(&to, "%.*scur/%.*s%s", (int)folder_len(l), l->path, (int)info_base_len(name), name, info) == -1)
		return NULL;
	return to;
}

enum aside_result
aside_flags(struct aside *a, struct letter *l, info_flags set, info_flags clear, struct err *err)
{
	const struct naming how = { name_with_flags, false, set, clear };

	return rename_as(a, l, &how, err);
}

/* Its own name if that is free there, else one that nobody has. */
static char *
name_aside(const struct naming *how, const struct letter *l, unsigned int attempt)
{
	char fresh[MAILDIR_NAME_MAX], *to;
	const char *name = letter_name(l), *part = l->path + folder_len(l);
	int ret;

	(void)how;
	if (attempt == 0)
		ret = asprintf(&to, "." ASIDE_FOLDER "/%s", part);
	else {
		maildir_name_make(fresh, NULL);
		ret = asprintf(&to, "." ASIDE_FOLDER "/%.3s/%s,S=%llu%s", part, fresh, (unsigned long long)l->st.st_size,
		    name + info_base_len(name));
	}
	return ret == -1 ? NULL : to;
}

/* Opened as a delivery opens it, which makes what is missing, durably. */
static int
make_ready(struct aside *a, struct err *err)
{
	struct mailbox_options options = *a->options;
	struct maildir_folder f;

	if (a->ready)
		return 0;
	options.folder = ASIDE_FOLDER;
	options.create_folder = true;
	options.existing = false;
	if (maildir_folder_open(&f, &options, err) == -1)
		return -1;
	maildir_folder_close(&f);
	a->ready = true;
	return 0;
}

enum aside_result
aside_move(struct aside *a, struct letter *l, struct err *err)
{
	const struct naming how = { name_aside, true, 0, 0 };

	return make_ready(a, err) == -1 ? ASIDE_FAILED : rename_as(a, l, &how, err);
}

/* Where they went first: a disk that keeps the order of syncs but not of renames then has a file twice rather than nowhere. */
int
aside_sync(struct aside *a, struct err *err)
{
	static const char aside[] = "." ASIDE_FOLDER "/";
	int fd, pass, ret = 0;
	size_t i;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < a->touched_count && ret == 0; i++) {
			if ((strncmp(a->touched[i], aside, sizeof(aside) - 1) == 0) == (pass == 1))
				continue;
			fd = openat(a->root, a->touched[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd == -1)
				return err_sys(err, "open folder", a->touched[i]);
			ret = fs_sync(fd, a->touched[i], err);
			close(fd);
		}
	if (ret == 0)
		a->waiting = 0;
	return ret;
}

void
aside_close(struct aside *a)
{
	size_t i;

	for (i = 0; i < a->touched_count; i++)
		free(a->touched[i]);
	free(a->touched);
	a->touched = NULL;
	a->touched_count = 0;
}
