/* The folders of a Maildir: opening them safely and making what is missing. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "maildir_folder.h"

#define FOLDER_NAME_MAX 200	/* bytes; a name in the file system has 255, and quota tools add to it */

static const struct maildir_folder closed = { .root = -1, .dir = -1, .tmp = -1, .new = -1 };

void
maildir_folder_close(struct maildir_folder *f)
{
	if (f->root != -1)
		close(f->root);
	if (f->dir != -1)
		close(f->dir);
	if (f->tmp != -1)
		close(f->tmp);
	if (f->new != -1)
		close(f->new);
	free(f->path);
	*f = closed;
}

/* Open name below dir, making it if allowed; *made is set when it was. Returns a descriptor or -1. */
static int
open_or_make(int dir, const char *name, const char *path, bool make, bool *made, struct err *err)
{
	int fd = fs_open_dir_at(dir, name, path, err);

	if (fd != -1 || !make || errno != ENOENT)
		return fd;
	if (mkdirat(dir, name, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "make folder", path);
	*made = true;	/* or another delivery did, which may die before it makes that durable */
	return fs_open_dir_at(dir, name, path, err);
}

static int
check_owner(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_sys(err, "stat", path);
	if (st.st_uid != geteuid())
		return err_set(err, STATUS_TEMP, "folder %s: belongs to another user", path);
	if ((st.st_mode & S_IWOTH) != 0)
		return err_set(err, STATUS_TEMP, "folder %s: is writable by everybody", path);
	return 0;
}

static bool
is_missing(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT;
}

/* tmp/, new/ and cur/ of an open folder. With make they are made where they are missing. */
static int
open_parts(struct maildir_folder *f, bool make, bool *made, struct err *err)
{
	int cur;

	f->tmp = open_or_make(f->dir, "tmp", f->path, make, made, err);
	if (f->tmp == -1)
		return -1;
	f->new = open_or_make(f->dir, "new", f->path, make, made, err);
	if (f->new == -1)
		return -1;
	if (!make || !is_missing(f->dir, "cur"))
		return 0;
	cur = open_or_make(f->dir, "cur", f->path, make, made, err);
	if (cur == -1)
		return -1;
	close(cur);
	return 0;
}

/* Only in a folder of the user's own: elsewhere, and where there is no such folder, a file system may be missing. */
static int
make_root(struct maildir_folder *f, bool *made, struct err *err)
{
	const char *base;
	struct stat st;
	int parent = fs_open_parent(f->path, &base, err);

	if (parent == -1)
		return -1;
	if (fstat(parent, &st) == 0 && st.st_uid == geteuid())
		f->dir = open_or_make(parent, base, f->path, true, made, err);
	else
		err_set(err, STATUS_TEMP, "mailbox %s: does not exist, and its parent folder is not the user's own", f->path);
	close(parent);
	return f->dir == -1 ? -1 : 0;
}

/* err says why path is no folder. A link that root made is where the administrator has moved the mailbox; any other could be a trap. */
static int
follow_link(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1 || !S_ISLNK(st.st_mode))
		return -1;
	if (st.st_uid != 0)
		return err_set(err, STATUS_TEMP, "mailbox %s: is a symbolic link that is not root's: let the configuration name its target",
		    path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd == -1 ? err_sys(err, "open folder", path) : fd;
}

static int
open_root(struct maildir_folder *f, bool make, bool *made, struct err *err)
{
	f->dir = fs_open_dir(f->path, err);
	if (f->dir == -1 && errno == ENOENT && make)
		(void)make_root(f, made, err);
	else if (f->dir == -1 && errno != ENOENT)
		f->dir = follow_link(f->path, err);
	return f->dir == -1 ? -1 : check_owner(f->dir, f->path, err);
}

static void
notice(const struct mailbox_options *options, const char *text)
{
	if (options->notice != NULL)
		options->notice(options->notice_arg, text);
}

bool
maildir_folder_is_name(const char *name)
{
	const unsigned char *p;
	size_t len = strlen(name);

	if (len == 0 || len > FOLDER_NAME_MAX || name[0] == '.' || name[len - 1] == '.' || strstr(name, "..") != NULL)
		return false;
	for (p = (const unsigned char *)name; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f || *p == '/')
			return false;
	return true;
}

/* Maildir++ asks for this file in every folder but the inbox. */
static void
mark_folder(int dir)
{
	int fd = openat(dir, "maildirfolder", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
}

/* Step from the inbox into the subfolder `name`, which begins with the dot. */
static int
step_into(struct maildir_folder *f, const char *name, bool make, bool *made, struct err *err)
{
	bool fresh = false;
	char *path;
	int dir;

	if (asprintf(&path, "%s/%s", f->path, name) == -1)
		return err_sys(err, "open folder", name);
	dir = open_or_make(f->dir, name, path, make, &fresh, err);
	if (dir == -1 || check_owner(dir, path, err) == -1)
		goto done;
	if (fresh) {
		mark_folder(dir);
		*made = true;
		if (fs_sync(f->dir, f->path, err) == -1)
			goto done;
	}
	free(f->path);
	f->root = f->dir;
	f->dir = dir;
	f->path = path;
	return 0;
done:
	if (dir != -1)
		close(dir);
	free(path);
	return -1;
}

/* A name that can't be a folder's, or that is not there, means the inbox: it may come from the address, and a doubt delivers. */
static int
enter_folder(struct maildir_folder *f, const struct mailbox_options *options, bool *made, struct err *err)
{
	const char *wanted = options->folder;
	char name[FOLDER_NAME_MAX + 2];

	if (wanted != NULL && wanted[0] == '.')
		wanted++;
	if (wanted == NULL || wanted[0] == '\0')
		return 0;
	if (!maildir_folder_is_name(wanted)) {
		notice(options, "the folder's name is not valid: using the inbox");
		return 0;
	}
	snprintf(name, sizeof(name), ".%s", wanted);
	if (!options->create_folder && is_missing(f->dir, name)) {
		notice(options, "the folder does not exist: using the inbox");
		return 0;
	}
	return step_into(f, name, options->create_folder, made, err);
}

/* What this delivery made must outlive a power cut with the message in it; strictly, also what a delivery that crashed had made. */
static int
sync_made(const struct maildir_folder *f, const char *root, bool made, struct err *err)
{
	const char *base;
	int parent, ret = 0;

	if (!made && !f->strict)
		return 0;
	if (fs_sync(f->dir, f->path, err) == -1)
		return -1;
	parent = fs_open_parent(root, &base, err);
	if (parent == -1)
		return -1;
	if (fsync(parent) == -1 && errno != EBADF)	/* EBADF: a parent that may be searched but not read */
		ret = err_sys(err, "fsync folder of", root);
	close(parent);
	return ret;
}

int
maildir_folder_open(struct maildir_folder *f, const struct mailbox_options *options, struct err *err)
{
	bool make = !options->existing, made = false;
	int ret = -1;

	*f = closed;
	f->path = strdup(options->path);
	if (f->path == NULL)
		return err_sys(err, "open mailbox", options->path);
	if (open_root(f, make, &made, err) == -1 || enter_folder(f, options, &made, err) == -1 ||
	    open_parts(f, make, &made, err) == -1)
		goto done;
	f->strict = options->strict || (fs_traits(f->tmp) & FS_SYNC_COVERS_ENTRY) == 0;
	ret = sync_made(f, options->path, made, err);
done:
	if (ret == -1)
		maildir_folder_close(f);
	return ret;
}

int
maildir_folder_find(struct maildir_folder *f, const char *path, struct err *err)
{
	*f = closed;
	f->path = strdup(path);
	if (f->path == NULL)
		return err_sys(err, "open folder", path);
	if (open_root(f, false, NULL, err) == -1 || open_parts(f, false, NULL, err) == -1) {
		maildir_folder_close(f);
		return -1;
	}
	return 0;
}
