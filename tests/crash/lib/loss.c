/* The kinds of file system. */
#include <string.h>

#include "loss.h"

/* Does it change names or a size, and so go through the journal? */
static bool
is_journalled(const struct disk_op *op)
{
	return op->kind != OP_WRITE && !disk_is_sync(op);
}

static bool
is_page(const struct disk_op *op)
{
	return op->len == PAGE_BYTES && op->offset % PAGE_BYTES == 0;
}

/* What can become of it as long as nothing is synced. */
static unsigned char
anything(const struct disk *d, enum loss loss, const struct disk_op *op)
{
	switch (op->kind) {
	case OP_WRITE:
		if (d->inodes[op->inode].start.region)
			return KEPT;	/* rubbish in any case */
		if (loss == LOSS_JOURNAL)
			return is_page(op) ? LOST | KEPT : LOST | KEPT | HALF;
		return is_page(op) && loss != LOSS_SECTORS ? LOST | KEPT | SIZED : LOST | KEPT | HALF | HOLE | SIZED;
	case OP_RENAME:
		return loss == LOSS_JOURNAL ? LOST | KEPT : LOST | KEPT | BOTH;
	case OP_SYNC:
	case OP_DATASYNC:
		return 0;
	default:
		return LOST | KEPT;
	}
}

/* The names of an inode, and those of the folders above it. */
static void
keep_names(const struct disk *d, size_t n, size_t inode, unsigned char *possible)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (d->ops[i].inode != inode || (d->ops[i].kind != OP_LINK && d->ops[i].kind != OP_RENAME) || possible[i] == KEPT)
			continue;
		possible[i] = KEPT;
		keep_names(d, i, d->ops[i].kind == OP_LINK ? d->ops[i].dir : d->ops[i].to_dir, possible);
	}
}

/* A sync of this inode after n operations. */
static void
keep_synced(const struct disk *d, size_t n, size_t inode, unsigned char *possible)
{
	const struct disk_op *op;
	size_t i;

	for (i = 0; i < n; i++) {
		op = &d->ops[i];
		if (disk_is_sync(op))
			continue;
		if (op->kind == OP_RENAME && op->to_dir == inode)
			possible[i] &= (unsigned char)~LOST;
		if (op->kind == OP_RENAME && op->dir == inode)
			possible[i] = KEPT;
		if ((op->kind == OP_LINK || op->kind == OP_UNLINK) && op->dir == inode)
			possible[i] = KEPT;
		if ((op->kind == OP_WRITE || op->kind == OP_TRUNCATE) && op->inode == inode)
			possible[i] = KEPT;
	}
}

static bool
concerns(const struct disk_op *op, size_t inode)
{
	return !disk_is_sync(op) && (op->inode == inode || op->dir == inode || op->to_dir == inode);
}

/* How many operations this sync, the n-th, commits. */
static size_t
committed_by(const struct disk *d, size_t n, const unsigned char *possible)
{
	const struct disk_op *sync = &d->ops[n], *op;
	size_t i, last = 0;

	for (i = 0; i < n; i++) {
		op = &d->ops[i];
		if (!concerns(op, sync->inode))
			continue;
		if (op->kind == OP_WRITE && op->allocates && possible[i] != KEPT)
			return n;	/* its blocks are found now, in this very transaction */
		if (sync->kind == OP_SYNC || op->kind != OP_WRITE)
			last = i + 1;
	}
	return last;
}

static void
commit(const struct disk *d, size_t n, unsigned char *possible)
{
	size_t i, committed = committed_by(d, n, possible);

	for (i = 0; i < n; i++)
		if ((i < committed && is_journalled(&d->ops[i])) ||
		    (d->ops[i].kind == OP_WRITE && d->ops[i].inode == d->ops[n].inode))
			possible[i] = KEPT;
}

void
loss_possible(const struct disk *d, enum loss loss, size_t n, unsigned char *possible)
{
	size_t i;

	for (i = 0; i < n; i++) {
		possible[i] = anything(d, loss, &d->ops[i]);
		if (!disk_is_sync(&d->ops[i]) || d->ops[i].dropped)
			continue;
		if (loss == LOSS_JOURNAL)
			commit(d, i, possible);
		else
			keep_synced(d, i, d->ops[i].inode, possible);
		if (loss == LOSS_ENTRY)
			keep_names(d, i, d->ops[i].inode, possible);
	}
}

static bool
is_possible(unsigned char possible, unsigned char outcome)
{
	return (possible & outcome) == outcome;
}

/* Of a file, the first part survives. */
static void
settle_file(const struct disk *d, size_t n, size_t from, const unsigned char *possible, unsigned char *outcomes)
{
	const struct disk_op *first = &d->ops[from], *op;
	size_t i;

	for (i = from + 1; i < n; i++) {
		op = &d->ops[i];
		if (op->kind == OP_WRITE && op->inode == first->inode && (op->extends || first->kind == OP_TRUNCATE) &&
		    is_possible(possible[i], LOST))
			outcomes[i] = LOST;
	}
}

/* Does the folder's own name survive, and those above it? */
static bool
is_reachable(const struct disk *d, size_t n, size_t dir, const unsigned char *outcomes)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (d->ops[i].kind == OP_LINK && d->ops[i].inode == dir)
			return outcomes[i] == KEPT && is_reachable(d, i, d->ops[i].dir, outcomes);
	return true;
}

/* Nothing moves into a folder that is lost. */
static void
settle_renames(const struct disk *d, size_t n, const unsigned char *possible, unsigned char *outcomes)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (d->ops[i].kind == OP_RENAME && is_possible(possible[i], LOST) && !is_reachable(d, i, d->ops[i].to_dir, outcomes))
			outcomes[i] = LOST;
}

void
loss_settle(const struct disk *d, enum loss loss, size_t n, const unsigned char *possible, unsigned char *outcomes)
{
	const struct disk_op *op;
	bool ended = false;	/* the journal */
	size_t i;

	if (loss == LOSS_ENTRY)
		settle_renames(d, n, possible, outcomes);
	if (loss != LOSS_JOURNAL)
		return;
	for (i = 0; i < n; i++) {
		op = &d->ops[i];
		if (is_journalled(op)) {
			if (ended && is_possible(possible[i], LOST))
				outcomes[i] = LOST;
			ended = ended || outcomes[i] == LOST;
		}
		if (outcomes[i] != KEPT && (op->kind == OP_TRUNCATE || (op->kind == OP_WRITE && op->extends)))
			settle_file(d, n, i, possible, outcomes);
	}
}
