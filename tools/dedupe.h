/*
 * dedupdb dedupe: what its parts share. cmd_dedupe.c reads the mailbox and counts, dedupe_maildir.c finds the messages again and moves
 * them, dedupe_print.c says what was found.
 */
#ifndef DEDUPE_H
#define DEDUPE_H

#include "aside.h"
#include "copies.h"
#include "identify.h"
#include "tool.h"

enum dedupe_folders { FOLDERS_EACH, FOLDERS_ACROSS, FOLDERS_INBOX };

struct dedupe {
	struct tool *t;
	const char *path;	/* of the mailbox, without links */
	bool mbox;
	enum dedupe_folders folders;
	bool apply, verbose;

	struct copies copies;
	char **names;		/* of the folders, by their number; "" is the inbox */
	size_t name_count;

	uint64_t messages;	/* that were read */
	uint64_t unknown;	/* of these: nothing identifies them */
	uint64_t unread;	/* could not be read */
	uint64_t groups, found, bytes;	/* messages with copies, the copies that may go, and their bytes */
	uint64_t moved;		/* durably */
	uint64_t gone;		/* moved or deleted by somebody else meanwhile */
	uint64_t failed;
};

enum found_state {
	FOUND_HERE,		/* not moved */
	FOUND_MOVED,
	FOUND_GONE,
	FOUND_FAILED
};

/* A message of a group. */
struct found {
	const struct copy *copy;
	struct letter letter;	/* Maildir; path NULL: not found */
	char *was;		/* Maildir: its path when it was found */
	info_flags flags;
	bool plain;		/* flags are all of the name's info: it may be changed */
	enum found_state state;
};

/* The first one stays. */
struct group {
	struct found *all;
	size_t count;
	info_flags flags;	/* of the one that stays, in the end */
};

/* The fingerprint of a message: from fd, or else from the source. Returns 1; 0: nothing identifies it; -1. */
int dedupe_identify(const struct dedupe *d, int fd, const struct source *from, struct fingerprint *fp, struct err *err);
/* What tells this file from others of the folder whatever its flags become: its base name and inode. */
uint64_t dedupe_place(const char *name, uint64_t inode);

/* Show the groups, and with apply move copies, until all are done or a signal came. Returns an exit code. */
int dedupe_maildir(struct dedupe *d);
int dedupe_mbox(struct dedupe *d);

void dedupe_print_group(const struct dedupe *d, const struct group *g, int root);
void dedupe_print_totals(const struct dedupe *d);

#endif
