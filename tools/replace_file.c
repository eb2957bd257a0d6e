/* A temporary file and a rename. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replace_file.h"

#define PERMISSIONS 0777

static void
release(struct replacement *r)
{
	free(r->path);
	free(r->temp);
	memset(r, 0, sizeof(*r));
}

int
replace_open(struct replacement *r, const char *path, struct err *err)
{
	const char *base = strrchr(path, '/');
	struct stat st;
	bool named;
	int fd;

	memset(r, 0, sizeof(*r));
	base = base == NULL ? path : base + 1;
	if (lstat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return err_set(err, STATUS_TEMP, "write %s: it is %s", path,
			    S_ISLNK(st.st_mode) ? "a symbolic link; name the file that it leads to" : "no regular file");
		r->old = true;
		r->mode = st.st_mode & PERMISSIONS;
	}
	r->path = strdup(path);
	named = r->path != NULL && asprintf(&r->temp, "%.*s.%s.XXXXXX", (int)(base - path), path, base) != -1;
	if (!named)
		r->temp = NULL;
	fd = named ? mkostemp(r->temp, O_CLOEXEC) : -1;
	r->f = fd == -1 ? NULL : fdopen(fd, "w");
	if (r->f != NULL)
		return 0;
	err_sys(err, "write", path);
	if (fd != -1) {
		close(fd);
		unlink(r->temp);
	}
	release(r);
	return -1;
}

int
replace_commit(struct replacement *r, mode_t mode, struct err *err)
{
	int ret = 0;

	if (r->old)
		mode = r->mode;
	if (fflush(r->f) == EOF || ferror(r->f) || fchmod(fileno(r->f), mode) == -1 || fsync(fileno(r->f)) == -1)
		ret = err_sys(err, "write", r->path);
	fclose(r->f);
	if (ret == 0 && rename(r->temp, r->path) == -1)
		ret = err_sys(err, "rename to", r->path);
	if (ret == -1)
		unlink(r->temp);
	release(r);
	return ret;
}
