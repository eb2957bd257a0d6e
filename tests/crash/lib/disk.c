/* The disk: what is on it, and putting that into a real folder. */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "snapshot.h"
#include "trace.h"

#define DEPTH 16	/* descriptors that a walk may use */
#define OFF_S 3600	/* how long the machine was off */
#define RUBBISH 0x5a	/* in region files */
#define FNV 0x100000001b3ULL

static const struct disk *clearing;	/* nftw() hands no argument to its callback */

static void *
more(void *array, size_t len, size_t size)
{
	array = realloc(array, (len + 1) * size);
	if (array == NULL)
		die("realloc");
	return array;
}

const char *
disk_name(struct disk *d, const char *name)
{
	char *copy = strdup(name);

	if (copy == NULL)
		die("strdup");
	d->names = more(d->names, d->names_len, sizeof(*d->names));
	d->names[d->names_len++] = copy;
	return copy;
}

static void
set_entry(struct disk_file *dir, const char *name, size_t inode)
{
	size_t i;

	for (i = 0; i < dir->entries_len; i++)
		if (strcmp(dir->entries[i].name, name) == 0) {
			dir->entries[i].inode = inode;
			return;
		}
	dir->entries = more(dir->entries, dir->entries_len, sizeof(*dir->entries));
	dir->entries[dir->entries_len++] = (struct disk_entry){ name, inode };
}

static void
remove_entry(struct disk_file *dir, const char *name, size_t inode)
{
	size_t i;

	for (i = 0; i < dir->entries_len; i++)
		if (dir->entries[i].inode == inode && strcmp(dir->entries[i].name, name) == 0) {
			dir->entries[i] = dir->entries[--dir->entries_len];
			return;
		}
}

static void
write_bytes(struct disk_file *f, off_t offset, const char *bytes, size_t len)
{
	size_t used = len, at = (size_t)offset;

	if (len > 0 && offset + (off_t)len > f->size)
		f->size = offset + (off_t)len;
	while (used > 0 && bytes[used - 1] == '\0')
		used--;
	if (used > 0 && at + used > f->len) {
		if (at + used > f->room) {
			f->room = at + used;
			f->bytes = more(f->bytes, f->room, 1);
		}
		memset(f->bytes + f->len, 0, at + used - f->len);
		f->len = at + used;
	}
	if (used > 0)
		memcpy(f->bytes + at, bytes, used);
	if (at + used < f->len)
		memset(f->bytes + at + used, 0, (at + len < f->len ? at + len : f->len) - at - used);
}

static void
cut_bytes(struct disk_file *f, off_t size)
{
	f->size = size;
	if (f->len > (size_t)size)
		f->len = (size_t)size;
}

size_t
disk_find(const struct disk *d, ino_t ino)
{
	size_t i;

	for (i = d->inodes_len; i > 0; i--)
		if (d->inodes[i - 1].ino == ino)
			return i - 1;
	return NO_INODE;
}

size_t
disk_add_inode(struct disk *d, ino_t ino, bool dir)
{
	struct disk_inode *inode;

	d->inodes = more(d->inodes, d->inodes_len, sizeof(*d->inodes));
	inode = &d->inodes[d->inodes_len];
	memset(inode, 0, sizeof(*inode));
	inode->ino = ino;
	inode->start.dir = dir;
	return d->inodes_len++;
}

bool
disk_is_sync(const struct disk_op *op)
{
	return op->kind == OP_SYNC || op->kind == OP_DATASYNC;
}

struct disk_op *
disk_add_op(struct disk *d, enum op_kind kind, size_t inode)
{
	struct disk_op *op;

	if (d->ops_len == DISK_OPS) {
		errno = E2BIG;
		die("record the operations");
	}
	d->ops = more(d->ops, d->ops_len, sizeof(*d->ops));
	op = &d->ops[d->ops_len++];
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	op->inode = inode;
	op->dir = op->to_dir = NO_INODE;
	return op;
}

static bool
is_region(const char *name)
{
	return strncmp(name, "__db.0", 6) == 0;
}

static void
read_file(struct disk_file *f, const char *path)
{
	size_t len;
	char *bytes = read_whole(path, &len);

	if (bytes == NULL)
		die(path);
	if (f->region)
		f->size = (off_t)len;
	else
		write_bytes(f, 0, bytes, len);
	free(bytes);
}

static void
read_folder(struct disk *d, size_t dir, const char *path)
{
	char below[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	size_t inode;
	DIR *folder = opendir(path);

	if (folder == NULL)
		die(path);
	while ((entry = readdir(folder)) != NULL) {
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || strcmp(below, d->skip) == 0)
			continue;
		if (lstat(below, &st) == -1)
			die(below);
		inode = disk_add_inode(d, st.st_ino, S_ISDIR(st.st_mode));
		set_entry(&d->inodes[dir].start, disk_name(d, entry->d_name), inode);
		d->inodes[inode].start.region = is_region(entry->d_name);
		if (S_ISDIR(st.st_mode))
			read_folder(d, inode, below);
		else
			read_file(&d->inodes[inode].start, below);
	}
	closedir(folder);
}

struct disk *
disk_new(const char *root, const char *aside, const char *skip)
{
	struct disk *d = calloc(1, sizeof(*d));
	struct stat st;

	if (d == NULL || (d->root = strdup(root)) == NULL || (d->aside = strdup(aside)) == NULL || lstat(root, &st) == -1)
		die(root);
	d->skip = disk_name(d, skip);
	d->dev = st.st_dev;
	read_folder(d, disk_add_inode(d, st.st_ino, true), root);
	return d;
}

void
disk_free(struct disk **d)
{
	size_t i;

	if (*d == NULL)
		return;
	for (i = 0; i < (*d)->inodes_len; i++) {
		free((*d)->inodes[i].start.bytes);
		free((*d)->inodes[i].start.entries);
	}
	for (i = 0; i < (*d)->ops_len; i++)
		free((*d)->ops[i].bytes);
	for (i = 0; i < (*d)->names_len; i++)
		free((*d)->names[i]);
	free((*d)->inodes);
	free((*d)->ops);
	free((*d)->names);
	free((*d)->root);
	free((*d)->aside);
	free(*d);
	*d = NULL;
}

static void
apply_write(struct disk_file *f, const struct disk_op *op, enum outcome outcome)
{
	size_t third = op->len / 3;

	if (outcome == KEPT)
		write_bytes(f, op->offset, op->bytes, op->len);
	else if (outcome == HALF)
		write_bytes(f, op->offset, op->bytes, op->len / 2);
	else if (outcome == HOLE) {
		write_bytes(f, op->offset, op->bytes, third);
		write_bytes(f, op->offset + (off_t)(op->len - third), op->bytes + op->len - third, third);
	} else if (outcome == SIZED && op->offset + (off_t)op->len > f->size)
		f->size = op->offset + (off_t)op->len;
}

static void
apply(struct disk_file *state, const struct disk_op *op, enum outcome outcome)
{
	if (outcome == LOST)
		return;
	switch (op->kind) {
	case OP_LINK:
		set_entry(&state[op->dir], op->name, op->inode);
		break;
	case OP_UNLINK:
		remove_entry(&state[op->dir], op->name, op->inode);
		break;
	case OP_RENAME:
		if (outcome != BOTH)
			remove_entry(&state[op->dir], op->name, op->inode);
		set_entry(&state[op->to_dir], op->to, op->inode);
		break;
	case OP_WRITE:
		if (!state[op->inode].region || outcome == KEPT)
			apply_write(&state[op->inode], op, outcome);
		break;
	case OP_TRUNCATE:
		cut_bytes(&state[op->inode], op->offset);
		break;
	default:
		break;
	}
}

struct disk_file *
disk_state(const struct disk *d, size_t ops, const unsigned char *outcomes)
{
	struct disk_file *state = calloc(d->inodes_len, sizeof(*state));
	const struct disk_file *start;
	size_t i;

	if (state == NULL)
		die("calloc");
	for (i = 0; i < d->inodes_len; i++) {
		start = &d->inodes[i].start;
		state[i].dir = start->dir;
		state[i].region = start->region;
		state[i].size = start->size;
		if (start->len > 0)
			write_bytes(&state[i], 0, start->bytes, start->len);
		if (start->entries_len > 0) {
			state[i].entries = more(NULL, start->entries_len, sizeof(*start->entries));
			memcpy(state[i].entries, start->entries, start->entries_len * sizeof(*start->entries));
			state[i].entries_len = start->entries_len;
		}
	}
	for (i = 0; i < ops; i++)
		apply(state, &d->ops[i], outcomes[i]);
	return state;
}

void
disk_state_free(const struct disk *d, struct disk_file **state)
{
	size_t i;

	for (i = 0; i < d->inodes_len; i++) {
		free((*state)[i].bytes);
		free((*state)[i].entries);
	}
	free(*state);
	*state = NULL;
}

static uint64_t
add_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ p[i]) * FNV;
	return hash;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct disk_entry *)a)->name, ((const struct disk_entry *)b)->name);
}

static uint64_t
add_file(uint64_t hash, const struct disk_file *state, const struct disk_file *f)
{
	size_t i, len = f->len;

	hash = add_bytes(hash, &f->dir, sizeof(f->dir));
	if (!f->dir) {
		while (len > 0 && f->bytes[len - 1] == '\0')
			len--;
		hash = add_bytes(hash, &f->size, sizeof(f->size));
		return add_bytes(hash, f->bytes, len);
	}
	if (f->entries_len > 1)
		qsort(f->entries, f->entries_len, sizeof(*f->entries), by_name);
	for (i = 0; i < f->entries_len; i++) {
		hash = add_bytes(hash, f->entries[i].name, strlen(f->entries[i].name) + 1);
		hash = add_file(hash, state, &state[f->entries[i].inode]);
	}
	return add_bytes(hash, "/", 1);
}

uint64_t
disk_hash(const struct disk_file *state)
{
	return add_file(0xcbf29ce484222325ULL, state, state);
}

/* Files go, folders that were there when recording are moved aside. */
static int
clear_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char aside[PATH_MAX];
	size_t inode = disk_find(clearing, st->st_ino);
	int ret;

	if (ftw->level == 0)
		return 0;
	if (type != FTW_DP)
		ret = unlink(path);
	else if (inode == NO_INODE || !clearing->inodes[inode].start.dir)
		ret = rmdir(path);
	else {
		snprintf(aside, sizeof(aside), "%s/%zu", clearing->aside, inode);
		ret = rename(path, aside);
	}
	if (ret == -1)
		die(path);
	return 0;
}

static void
put_file(const struct disk_file *f, const char *path)
{
	struct timespec off = { .tv_sec = time(NULL) - OFF_S }, times[2] = { off, off };
	char rubbish[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	memset(rubbish, RUBBISH, sizeof(rubbish));
	if (fd == -1 || pwrite(fd, f->bytes, f->len, 0) != (ssize_t)f->len ||
	    (f->region && f->size > 0 && pwrite(fd, rubbish, sizeof(rubbish), 0) == -1) || ftruncate(fd, f->size) == -1 ||
	    futimens(fd, times) == -1)
		die(path);
	close(fd);
}

static void
put_folder(const struct disk *d, const struct disk_file *state, size_t dir, const char *path, char **first)
{
	char below[PATH_MAX], aside[PATH_MAX];
	size_t i, inode;

	for (i = 0; i < state[dir].entries_len; i++) {
		inode = state[dir].entries[i].inode;
		snprintf(below, sizeof(below), "%s/%s", path, state[dir].entries[i].name);
		if (state[inode].dir) {
			snprintf(aside, sizeof(aside), "%s/%zu", d->aside, inode);
			if (rename(aside, below) == -1 && (errno != ENOENT || mkdir(below, 0700) == -1))
				die(below);
			put_folder(d, state, inode, below, first);
		} else if (first[inode] != NULL) {
			if (link(first[inode], below) == -1)
				die(below);
		} else {
			put_file(&state[inode], below);
			first[inode] = strdup(below);
		}
	}
}

void
disk_put(const struct disk *d, const struct disk_file *state)
{
	char **first = calloc(d->inodes_len, sizeof(*first));
	size_t i;

	if (first == NULL)
		die("calloc");
	clearing = d;
	if (nftw(d->root, clear_one, DEPTH, FTW_PHYS | FTW_DEPTH) == -1)
		die(d->root);
	put_folder(d, state, 0, d->root, first);
	for (i = 0; i < d->inodes_len; i++)
		free(first[i]);
	free(first);
}
