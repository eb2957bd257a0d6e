/*
 * A disk that forgets: what is durable in a folder, the operations that processes did in it since, and what can be left of them.
 *
 * Inodes are numbered in the order in which they were seen; number 0 is the folder itself. Region files of a ledger are shared
 * memory: their names and sizes count, their content is rubbish after a power cut.
 */
#ifndef DISK_H
#define DISK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_OPS 4096	/* at most */
#define NO_INODE ((size_t)-1)

struct disk_entry {
	const char *name;
	size_t inode;
};

struct disk_file {
	bool dir, region;
	char *bytes;			/* up to the last one that is not zero */
	size_t len, room;
	off_t size;
	struct disk_entry *entries;	/* of a folder */
	size_t entries_len;
};

struct disk_inode {
	ino_t ino;
	struct disk_file start;		/* what was durable when the recording began */
};

enum op_kind {
	OP_LINK,	/* a new entry `name` of `dir` for `inode`, be it new or not */
	OP_UNLINK,
	OP_RENAME,	/* from `name` in `dir` to `to` in `to_dir` */
	OP_WRITE,
	OP_TRUNCATE,
	OP_SYNC,	/* of a file or folder */
	OP_DATASYNC
};

/* What became of an operation: one bit each. */
enum outcome {
	LOST = 1,
	KEPT = 2,
	HALF = 4,	/* of a write: its second half is lost */
	HOLE = 8,	/* its middle is lost */
	SIZED = 16,	/* all of it, but for the file's size */
	BOTH = 32	/* of a rename: the old name is there as well */
};

struct disk_op {
	enum op_kind kind;
	size_t inode, dir, to_dir;
	const char *name, *to;
	char *bytes;
	size_t len;
	off_t offset;		/* of a write; the size that a truncation leaves */
	bool extends;		/* it made the file longer */
	bool allocates;		/* it wrote where the file had no blocks */
	bool dropped;		/* this sync was not called, let us say */
	char path[128];		/* below the root, for people */
};

struct disk {
	char *root, *aside;
	const char *skip;	/* the path of a file that is no part of it */
	dev_t dev;
	struct disk_inode *inodes;
	size_t inodes_len;
	struct disk_op *ops;
	size_t ops_len;
	char **names;		/* all that entries and operations borrow */
	size_t names_len;
};

/* Read what is in `root` now, as durable. `aside` is an empty folder on the same file system. */
struct disk *disk_new(const char *root, const char *aside, const char *skip);
void disk_free(struct disk **d);
const char *disk_name(struct disk *d, const char *name);
/* The inode with this number in the file system; if it was used twice, the later one. */
size_t disk_find(const struct disk *d, ino_t ino);
size_t disk_add_inode(struct disk *d, ino_t ino, bool dir);
bool disk_is_sync(const struct disk_op *op);
struct disk_op *disk_add_op(struct disk *d, enum op_kind kind, size_t inode);

/* What is there: one file for each inode, by its number. */
struct disk_file *disk_state(const struct disk *d, size_t ops, const unsigned char *outcomes);
void disk_state_free(const struct disk *d, struct disk_file **state);
/* Equal for two states if names and content are. */
uint64_t disk_hash(const struct disk_file *state);
/* Make the folder be like that. Folders keep their inode numbers, since records name them. All files are an hour old: the machine
 * was off for that time. */
void disk_put(const struct disk *d, const struct disk_file *state);

#endif
