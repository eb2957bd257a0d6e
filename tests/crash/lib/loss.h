/*
 * What a power cut may take from a disk, for some kinds of disk and file system.
 *
 * All of them forget what is not synced, any part of it, and never what is.
 *
 *	LOSS_POSIX	fsync of a file makes its data and size durable, and nothing else; fsync of a folder its entries. What is
 *			not synced is lost or kept independently of anything else. A write may be lost in part, and a file's size
 *			may be kept without the data. Only a rename is atomic in so far as one of its names is left, or both.
 *	LOSS_ENTRY	The same, but fsync of a file also makes its names durable, and those of new folders above it; fdatasync as
 *			well. And what is renamed into a folder that is lost is still where it was. So much does the agent expect
 *			of ext4, XFS and Btrfs, and no more.
 *	LOSS_JOURNAL	ext4 and XFS: changes of names and truncations go through a journal and survive in their order. fsync of
 *			a file or folder commits the journal up to the last change that concerned it; fdatasync does so only if
 *			there is anything without which the data can't be found. Data is written some time before the size that
 *			covers it: what is lost of an unsynced file is its end. Overwritten data may be lost independently.
 *
 * A write of one aligned block of PAGE_BYTES is done whole or not at all: Berkeley DB relies on that for the pages of its database,
 * and disks with such sectors keep it. But for
 *
 *	LOSS_SECTORS	LOSS_POSIX on a disk with smaller sectors: a page may be torn, and the ledger with it is lost.
 */
#ifndef LOSS_H
#define LOSS_H

#include "disk.h"

#define PAGE_BYTES 4096

enum loss { LOSS_POSIX, LOSS_ENTRY, LOSS_JOURNAL, LOSS_SECTORS };

/* Which outcomes each of the first n operations can have if the power fails after them: a set of enum outcome; 0 for a sync. */
void loss_possible(const struct disk *d, enum loss loss, size_t n, unsigned char *possible);
/* Make a choice of outcomes one that can happen. */
void loss_settle(const struct disk *d, enum loss loss, size_t n, const unsigned char *possible, unsigned char *outcomes);

#endif
