/*
 * An mbox entry: the bytes that one delivery appends, and the intent that lets anyone recognise them later.
 *
 * The bytes are: newlines until the file ends with an empty line, the From_ line, X-Dedup-Id, the added header lines (together the
 * head, which the intent holds), the message through the copier, and an empty line. The message itself is not in the intent: an
 * entry can be made again only with the same message, and length and SHA-256 say whether it is.
 *
 * Intent, integers big-endian: what intent.h says, flags (1; bit 0: Return-Path fields left out), path length
 * (2), path, id (16), device (8), inode (8), S0 (8), prefix length (2), SHA-256 of the prefix (32), head length (2), head, entry
 * length (8), SHA-256 of the entry (32), witness: of the header (32), of the body (32).
 */
#ifndef MBOX_ENTRY_H
#define MBOX_ENTRY_H

#include <sys/stat.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "intent.h"
#include "mailbox.h"
#include "mbox_witness.h"
#include "message.h"
#include "record.h"
#include "status.h"

#define MBOX_TAG 'B'
#define MBOX_PREFIX_MAX 4096	/* bytes before the entry whose digest is recorded */
#define MBOX_KEEP_MAX ((size_t)512 * 1024)	/* bytes of an entry that is kept in memory to be written at once */

struct mbox_entry {
	char host[HOST_SIZE];			/* that decided it; "": not told, since the ledger is one host's own */
	char path[PATH_MAX];			/* of the mbox */
	unsigned char id[MBOX_ID_BYTES];
	uint64_t dev, ino;			/* readers replace the file: they say for sure only that it is another host's same one */
	uint64_t s0;				/* where the entry begins: the size of the mbox before */
	uint64_t prefix_len;			/* bytes before s0 */
	unsigned char prefix[DIGEST_BYTES];
	bool drop_return_path;
	size_t head_len;
	char head[INTENT_MAX];
	uint64_t len;				/* of the whole entry */
	unsigned char digest[DIGEST_BYTES];
	struct witness witness;
};

/* An entry's bytes in memory. Zeroed at first, freed with free(buf). */
struct kept {
	unsigned char *buf;	/* NULL: none, or too many */
	size_t len, room;
	bool too_many;
};

/* Fill e for an append to fd, an mbox of that size and path; id NULL: a new random one. `now` dates the From_ line. The bytes are
 * kept where they are few enough. Returns 0, or -1: a path or head too long for an intent, a read error. */
int entry_make(struct mbox_entry *e, const struct mailbox_options *options, int fd, const struct message *m,
    const unsigned char *id, int64_t now, struct kept *kept, struct err *err);
/* Push the entry's bytes into a sink. Whether they are the recorded ones is for the caller to find out. */
int entry_replay(const struct mbox_entry *e, const struct message *m, const struct sink *to, struct err *err);

int entry_encode(const struct mbox_entry *e, struct intent *intent, struct err *err);
/* Returns 0, or -1 for bytes that are no intent of ours. Trusts none of them. */
int entry_decode(struct mbox_entry *e, const struct intent *intent);

/* Is fd the file to which it was to be appended? By the inode, which two hosts that share a file system see alike; not by the device. A
 * file that a reader has put in its place is another one. */
bool entry_is_made_for(const struct mbox_entry *e, int fd);

/* Questions to the file; all return 1 yes, 0 no, -1 error. */
/* Are the bytes before s0 the recorded ones? */
int entry_prefix_matches(const struct mbox_entry *e, int fd, uint64_t size, struct err *err);
/* Is the entry whole at that offset, every byte of it? */
int entry_is_at(const struct mbox_entry *e, int fd, uint64_t offset, struct err *err);
/* Is it whole at that offset, and does it begin there for a mail reader as well? */
int entry_is_readable_at(const struct mbox_entry *e, int fd, uint64_t offset, struct err *err);
/* Are all bytes from s0 to size those that the entry begins with (or zeros, which a power cut leaves, if `zeros`)? Only if m makes
 * the recorded entry. */
int entry_is_tail(const struct mbox_entry *e, int fd, uint64_t size, const struct message *m, bool zeros, struct err *err);
/* Is it anywhere? Then at [*start, *end). */
int entry_find(const struct mbox_entry *e, int fd, uint64_t *start, uint64_t *end, struct err *err);

#endif
