/* Taking a folder's content and putting it back. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"
#include "trace.h"

#define DEPTH 16	/* descriptors that a walk may use */

struct node {
	char *path;
	bool dir, sealed;
	mode_t mode;
	char *bytes;
	size_t len;		/* bytes up to the last one that is not zero */
	off_t size;
	struct timespec mtime;
	char keep[PATH_MAX];	/* sealed: a second name of the file */
};

struct snapshot {
	char *root, *keep;
	struct node *nodes;
	size_t len;
};

static struct snapshot *walking;	/* nftw() hands no argument to its callback */

char *
read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t done = 0;
	ssize_t n = 1;
	char *bytes;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1 || (bytes = malloc((size_t)st.st_size + 1)) == NULL)
		die(path);
	while (done < (size_t)st.st_size && n > 0) {
		n = read(fd, bytes + done, (size_t)st.st_size - done);
		if (n == -1)
			die(path);
		done += (size_t)n;
	}
	close(fd);
	bytes[done] = '\0';
	*len = done;
	return bytes;
}

void
show_file(const char *path)
{
	size_t len;
	char *bytes = read_whole(path, &len);

	if (bytes != NULL)
		fwrite(bytes, 1, len, stdout);
	free(bytes);
	fflush(stdout);
}

static bool
is_region(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && strncmp(slash, "/__db.", 6) == 0;
}

static void
keep_file(struct node *n, const char *keep, size_t number)
{
	if (snprintf(n->keep, sizeof(n->keep), "%s/%zu", keep, number) >= (int)sizeof(n->keep) || link(n->path, n->keep) == -1)
		die(n->path);
	n->sealed = true;
}

static int
add_node(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct snapshot *s = walking;
	struct node *n;

	(void)ftw;
	s->nodes = realloc(s->nodes, (s->len + 1) * sizeof(*s->nodes));
	if (s->nodes == NULL)
		die("realloc");
	n = &s->nodes[s->len++];
	memset(n, 0, sizeof(*n));
	n->path = strdup(path);
	n->dir = type == FTW_D;
	n->mode = st->st_mode & 07777;
	n->mtime = st->st_mtim;
	if (n->path == NULL || (!n->dir && (n->bytes = read_whole(path, &n->len)) == NULL))
		die(path);
	n->size = (off_t)n->len;
	while (n->len > 0 && n->bytes[n->len - 1] == '\0')
		n->len--;
	if (!n->dir && is_region(path))
		keep_file(n, s->keep, s->len);
	return 0;
}

struct snapshot *
snapshot_take(const char *root, const char *keep)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->root = strdup(root)) == NULL || (s->keep = strdup(keep)) == NULL)
		die("snapshot");
	remove_tree(keep);
	if (mkdir(keep, 0700) == -1)
		die(keep);
	walking = s;
	if (nftw(root, add_node, DEPTH, FTW_PHYS) == -1)
		die(root);
	return s;
}

/* Folders come before what is in them. */
static const struct node *
find(const struct snapshot *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (strcmp(s->nodes[i].path, path) == 0)
			return &s->nodes[i];
	return NULL;
}

static int
remove_strange(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (find(walking, path) == NULL && (type == FTW_DP ? rmdir(path) : unlink(path)) == -1)
		die(path);
	return 0;
}

static bool
same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_ino == sb.st_ino;
}

static void
restore_file(const struct node *n)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, n->mtime };
	int fd;

	if (n->sealed && !same_file(n->path, n->keep)) {
		if (unlink(n->path) == -1 && errno != ENOENT)
			die(n->path);
		if (link(n->keep, n->path) == -1)
			die(n->path);
	}
	if (n->sealed && chmod(n->path, n->mode) == -1)
		die(n->path);
	fd = open(n->path, O_WRONLY | O_CREAT | O_CLOEXEC, n->mode);
	if (fd == -1 && errno == EACCES && unlink(n->path) == 0)	/* it may not be written to */
		fd = open(n->path, O_WRONLY | O_CREAT | O_CLOEXEC, n->mode);
	if (fd == -1 || pwrite(fd, n->bytes, n->len, 0) != (ssize_t)n->len || ftruncate(fd, (off_t)n->len) == -1 ||
	    ftruncate(fd, n->size) == -1 || fchmod(fd, n->mode) == -1 || futimens(fd, times) == -1)
		die(n->path);
	close(fd);
}

void
snapshot_restore(const struct snapshot *s)
{
	size_t i;

	walking = (struct snapshot *)(uintptr_t)s;
	if (nftw(s->root, remove_strange, DEPTH, FTW_PHYS | FTW_DEPTH) == -1)
		die(s->root);
	for (i = 0; i < s->len; i++) {
		if (!s->nodes[i].dir)
			restore_file(&s->nodes[i]);
		else if (mkdir(s->nodes[i].path, s->nodes[i].mode) == -1 && errno != EEXIST)
			die(s->nodes[i].path);
	}
}

void
snapshot_free(struct snapshot **s)
{
	size_t i;

	if (*s == NULL)
		return;
	for (i = 0; i < (*s)->len; i++) {
		free((*s)->nodes[i].path);
		free((*s)->nodes[i].bytes);
	}
	remove_tree((*s)->keep);
	free((*s)->nodes);
	free((*s)->root);
	free((*s)->keep);
	free(*s);
	*s = NULL;
}

static int
remove_any(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

void
remove_tree(const char *path)
{
	if (nftw(path, remove_any, DEPTH, FTW_PHYS | FTW_DEPTH) == -1 && errno != ENOENT)
		die(path);
}
