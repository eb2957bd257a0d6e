/*
 * A folder's content, kept in memory, and put back as often as wanted.
 *
 * Folders that are part of it keep their inodes (a Maildir's intent names that of tmp/), and so do the region files of a ledger,
 * with their times, so that the ledger finds its seal unbroken. Other files may become new ones.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stddef.h>

struct snapshot;

/* `keep` is a folder of the snapshot's own, on the same file system. */
struct snapshot *snapshot_take(const char *root, const char *keep);
void snapshot_restore(const struct snapshot *s);
void snapshot_free(struct snapshot **s);

void remove_tree(const char *path);
/* A whole file; a NUL follows the last byte. NULL: it is not there. */
char *read_whole(const char *path, size_t *len);
/* Print it, if it is there. */
void show_file(const char *path);

#endif
