/* The recorder. */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define SELF "/proc/self/"
#define BLOCK 4096

struct recorder {
	struct disk *disk;
	const struct record_how *how;
	struct tracee t;
	struct call call;
	bool existed;		/* when the call was entered: its path did */
	ino_t ino;		/* and was this */
};

static bool
is_inside(const struct disk *d, const char *path)
{
	size_t len = strlen(d->root);

	return strncmp(path, d->root, len) == 0 && (path[len] == '/' || path[len] == '\0') && strcmp(path, d->skip) != 0;
}

/* The folder that has this entry, and the entry's name. NO_INODE: it is outside. */
static size_t
folder_of(const struct recorder *r, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[TRACE_PATH];
	struct stat st;

	if (slash == NULL || !is_inside(r->disk, path) || strcmp(path, r->disk->root) == 0)
		return NO_INODE;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (stat(parent, &st) == -1)
		return NO_INODE;
	*name = disk_name(r->disk, slash + 1);
	return disk_find(r->disk, st.st_ino);
}

static bool
stat_descriptor(const struct recorder *r, int fd, struct stat *st)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)r->t.pid, fd);
	return stat(link, st) == 0 && st->st_dev == r->disk->dev;
}

static size_t
descriptor(const struct recorder *r)
{
	struct stat st;

	return stat_descriptor(r, (int)r->call.args[0], &st) ? disk_find(r->disk, st.st_ino) : NO_INODE;
}

/* A line for people. */
static void
name_op(const struct recorder *r, struct disk_op *op, const char *path)
{
	size_t len = strlen(r->disk->root);

	snprintf(op->path, sizeof(op->path), "%s", is_inside(r->disk, path) ? path + len : path);
}

static void
entered(struct recorder *r)
{
	struct stat st;
	char path[TRACE_PATH + 32];

	trace_call(&r->t, &r->call);
	if (strncmp(r->call.path, SELF, sizeof(SELF) - 1) == 0) {	/* its own, not ours */
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)r->t.pid, r->call.path + sizeof(SELF) - 1);
		r->existed = stat(path, &st) == 0;
	} else
		r->existed = lstat(r->call.path, &st) == 0;
	r->ino = r->existed ? st.st_ino : 0;
}

static void
opened(struct recorder *r, int fd, unsigned long long flags)
{
	const char *name;
	struct disk_op *op;
	struct stat st;
	size_t inode, dir;

	if ((flags & O_TMPFILE) == O_TMPFILE) {
		if (is_inside(r->disk, r->call.path) && stat_descriptor(r, fd, &st))
			disk_add_inode(r->disk, st.st_ino, false);
		return;
	}
	if (r->existed) {
		inode = is_inside(r->disk, r->call.path) && (flags & O_TRUNC) != 0 ? disk_find(r->disk, r->ino) : NO_INODE;
		if (inode != NO_INODE)
			name_op(r, disk_add_op(r->disk, OP_TRUNCATE, inode), r->call.path);
		return;
	}
	dir = folder_of(r, r->call.path, &name);
	if ((flags & O_CREAT) == 0 || dir == NO_INODE || !stat_descriptor(r, fd, &st))
		return;
	inode = disk_add_inode(r->disk, st.st_ino, false);
	r->disk->inodes[inode].start.region = strncmp(name, "__db.0", 6) == 0;
	op = disk_add_op(r->disk, OP_LINK, inode);
	op->dir = dir;
	op->name = name;
	name_op(r, op, r->call.path);
}

static void
linked(struct recorder *r, const char *path, bool folder)
{
	const char *name;
	struct disk_op *op;
	struct stat st;
	size_t dir = folder_of(r, path, &name), inode;

	if (dir == NO_INODE || lstat(path, &st) == -1)
		return;
	inode = folder ? disk_add_inode(r->disk, st.st_ino, true) : disk_find(r->disk, st.st_ino);
	if (inode == NO_INODE)
		return;
	op = disk_add_op(r->disk, OP_LINK, inode);
	op->dir = dir;
	op->name = name;
	name_op(r, op, path);
}

static void
unlinked(struct recorder *r)
{
	const char *name;
	size_t dir = folder_of(r, r->call.path, &name), inode = disk_find(r->disk, r->ino);
	struct disk_op *op;

	if (dir == NO_INODE || inode == NO_INODE)
		return;
	op = disk_add_op(r->disk, OP_UNLINK, inode);
	op->dir = dir;
	op->name = name;
	name_op(r, op, r->call.path);
}

static void
renamed(struct recorder *r)
{
	const char *name, *to;
	size_t dir = folder_of(r, r->call.path, &name), to_dir = folder_of(r, r->call.to, &to), inode = disk_find(r->disk, r->ino);
	struct disk_op *op;

	if (dir == NO_INODE || to_dir == NO_INODE || inode == NO_INODE)
		return;
	op = disk_add_op(r->disk, OP_RENAME, inode);
	op->dir = dir;
	op->name = name;
	op->to_dir = to_dir;
	op->to = to;
	name_op(r, op, r->call.to);
}

/* Where the file position is now. */
static off_t
position(const struct recorder *r)
{
	char path[64], line[128];
	long long pos = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)r->t.pid, (int)r->call.args[0]);
	f = fopen(path, "re");
	while (f != NULL && pos == -1 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "pos:", 4) == 0)
			pos = strtoll(line + 4, NULL, 10);
	if (f == NULL || pos == -1)
		die(path);
	fclose(f);
	return (off_t)pos;
}

/* Had the file blocks in all of this range before? */
static bool
has_blocks(const struct disk *d, const struct disk_op *op)
{
	off_t block, last = (op->offset + (off_t)op->len - 1) / BLOCK;
	const struct disk_op *o;

	for (block = op->offset / BLOCK; block <= last; block++) {
		if (block * BLOCK < (off_t)d->inodes[op->inode].start.len)
			continue;
		for (o = d->ops; o < op; o++)
			if (o->kind == OP_WRITE && o->inode == op->inode && o->offset / BLOCK <= block &&
			    (o->offset + (off_t)o->len - 1) / BLOCK >= block)
				break;
		if (o == op)
			return false;
	}
	return true;
}

static off_t
size_before(const struct disk *d, const struct disk_op *op)
{
	off_t size = d->inodes[op->inode].start.size;
	const struct disk_op *o;

	for (o = d->ops; o < op; o++) {
		if (o->inode != op->inode)
			continue;
		if (o->kind == OP_WRITE && o->offset + (off_t)o->len > size)
			size = o->offset + (off_t)o->len;
		else if (o->kind == OP_TRUNCATE)
			size = o->offset;
	}
	return size;
}

static bool
is_zero(const char *bytes, size_t len)
{
	return len == 0 || (bytes[0] == '\0' && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Berkeley DB's recovery writes zeros over the rest of the log, in hundreds of calls: one operation is enough. */
static bool
goes_on(struct recorder *r, size_t inode, const char *bytes, size_t len, off_t offset)
{
	struct disk_op *last = r->disk->ops_len == 0 ? NULL : &r->disk->ops[r->disk->ops_len - 1];

	if (last == NULL || last->kind != OP_WRITE || last->inode != inode || last->extends ||
	    last->offset + (off_t)last->len != offset || !is_zero(bytes, len) || !is_zero(last->bytes, last->len))
		return false;
	last->bytes = realloc(last->bytes, last->len + len);
	if (last->bytes == NULL)
		die("realloc");
	memset(last->bytes + last->len, 0, len);
	last->len += len;
	return true;
}

static void
wrote(struct recorder *r, size_t len, off_t offset)
{
	size_t inode = descriptor(r);
	struct disk_op *op;
	char *bytes;

	if (inode == NO_INODE || len == 0)
		return;
	bytes = malloc(len);
	if (bytes == NULL)
		die("malloc");
	trace_read(&r->t, r->call.args[1], bytes, len);
	if (goes_on(r, inode, bytes, len, offset)) {
		free(bytes);
		return;
	}
	op = disk_add_op(r->disk, OP_WRITE, inode);
	op->offset = offset;
	op->len = len;
	op->bytes = bytes;
	op->extends = offset + (off_t)len > size_before(r->disk, op);
	op->allocates = !has_blocks(r->disk, op);
	name_op(r, op, r->call.path);
}

static void
of_descriptor(struct recorder *r, enum op_kind kind)
{
	size_t inode = descriptor(r);
	struct disk_op *op;

	if (inode == NO_INODE)
		return;
	op = disk_add_op(r->disk, kind, inode);
	if (kind == OP_TRUNCATE)
		op->offset = (off_t)r->call.args[1];
	name_op(r, op, r->call.path);
}

/* What a call that succeeded did to the disk. */
static void
did(struct recorder *r, long result)
{
	const struct call *c = &r->call;

	switch (c->nr) {
	case SYS_openat:
		opened(r, (int)result, c->args[2]);
		break;
	case SYS_mkdirat:
		linked(r, c->path, true);
		break;
	case SYS_linkat:
		linked(r, c->to, false);
		break;
	case SYS_unlinkat:
		unlinked(r);
		break;
	case SYS_renameat:
	case SYS_renameat2:
		renamed(r);
		break;
	case SYS_write:
		wrote(r, (size_t)result, descriptor(r) == NO_INODE ? 0 : position(r) - result);
		break;
	case SYS_pwrite64:
		wrote(r, (size_t)result, (off_t)c->args[3]);
		break;
	case SYS_ftruncate:
		of_descriptor(r, OP_TRUNCATE);
		break;
	case SYS_fsync:
		of_descriptor(r, OP_SYNC);
		break;
	case SYS_fdatasync:
		of_descriptor(r, OP_DATASYNC);
		break;
#ifdef SYS_open
	case SYS_open:
		opened(r, (int)result, c->args[1]);
		break;
	case SYS_creat:
		opened(r, (int)result, O_CREAT | O_TRUNC);
		break;
	case SYS_mkdir:
		linked(r, c->path, true);
		break;
	case SYS_unlink:
	case SYS_rmdir:
		unlinked(r);
		break;
	case SYS_rename:
		renamed(r);
		break;
#endif
	default:
		break;
	}
}

/* Answers that are not the machine's. */
static void
lie(const struct recorder *r, long result)
{
	struct statfs fs = { .f_type = r->how->fs_type };
	char id[64];

	if (r->call.nr == SYS_fstatfs && strncmp(r->call.path, r->how->world->root, strlen(r->how->world->root)) == 0)
		trace_write(&r->t, r->call.args[1], &fs.f_type, sizeof(fs.f_type));	/* it is the first */
	if (r->call.nr != SYS_read || strcmp(r->call.path, BOOT_ID) != 0 || result <= 0 || result > (long)sizeof(id))
		return;
	trace_read(&r->t, r->call.args[1], id, (size_t)result);
	memset(id, r->how->boot, 8);	/* the digits before its first dash */
	trace_write(&r->t, r->call.args[1], id, (size_t)result);
}

static void
leave(struct recorder *r)
{
	long result = trace_result(&r->t);

	if (result < 0)
		return;
	lie(r, result);
	if (r->disk != NULL)
		did(r, result);
}

int
record_run(struct disk *disk, const struct record_how *how, char *const *argv, const char *input, const char *out)
{
	struct recorder r = { .disk = disk, .how = how };
	size_t before = disk == NULL ? 0 : disk->ops_len;

	trace_start(&r.t, argv, input, out);
	while (trace_step(&r.t)) {
		if (!r.t.in_call) {
			leave(&r);
			if (how->ops > 0 && disk->ops_len >= before + how->ops)
				trace_kill(&r.t);
			if (r.t.ended)
				break;
			continue;
		}
		entered(&r);
		if (how->crash == CRASH_NEVER || !world_is_point(how->world, &r.call, how->crash))
			continue;
		world_reach(&r.t, &r.call, how->crash);
		if (!r.t.ended && !r.t.in_call)
			leave(&r);
		trace_kill(&r.t);
		break;
	}
	return r.t.code;
}

bool
record_is_whole(const struct disk *disk)
{
	struct disk *now = disk_new(disk->root, disk->aside, disk->skip);
	unsigned char *all = malloc(DISK_OPS);
	struct disk_file *said, *is;
	bool same;

	if (all == NULL)
		die("malloc");
	memset(all, KEPT, DISK_OPS);
	said = disk_state(disk, disk->ops_len, all);
	is = disk_state(now, 0, all);
	same = disk_hash(said) == disk_hash(is);
	disk_state_free(disk, &said);
	disk_state_free(now, &is);
	disk_free(&now);
	free(all);
	return same;
}
