/*
 * Moving messages of a Maildir to its folder .Duplicates, and changing their flags, beside mail readers and deliveries.
 *
 * Everything is one rename of a file within the Maildir: it has one name before and one after, whatever crashes, and no name that is
 * taken is given to it. Nothing is removed, linked or written, and tmp/ is not touched. What was renamed survives a power cut when
 * aside_sync() has returned 0.
 */
#ifndef ASIDE_H
#define ASIDE_H

#include <sys/stat.h>

#include <stdbool.h>
#include <stddef.h>

#include "mailbox.h"
#include "maildir_info.h"
#include "status.h"

#define ASIDE_FOLDER "Duplicates"	/* Maildir++: the folder .Duplicates */

/* A message's file as it was seen last. */
struct letter {
	char *path;		/* below the Maildir: [.Folder/]new/NAME or [.Folder/]cur/NAME; owned */
	struct stat st;		/* st_ino, where it is not 0, is the file's: another one of this name is not the letter */
};

struct aside {
	const struct mailbox_options *options;
	int root;		/* the Maildir */
	bool ready;		/* the folder is there */
	char **touched;		/* folders with renames that are not synced yet */
	size_t touched_count;
	uint64_t waiting;	/* renames since the last sync */
};

enum aside_result {
	ASIDE_DONE,
	ASIDE_GONE,		/* the file is not in its folder any more: read again, moved or deleted by a mail reader */
	ASIDE_TAKEN,		/* aside_flags only: another file has the name that it would get */
	ASIDE_FAILED		/* err says why; the file is where it was */
};

/* The name within its folder. */
const char *letter_name(const struct letter *l);
/* Open for reading; a file that was renamed for its flags, or from new/ to cur/, is found again, and path follows it. Fills st.
 * Returns a descriptor; or -1 with *gone set, or with err. */
int letter_open(int root, struct letter *l, bool *gone, struct err *err);

/* Rename the letter so that it has the flags `set` and not those of `clear`; others stay as they are by then. An info that is no flags
 * stays. */
enum aside_result aside_flags(struct aside *a, struct letter *l, info_flags set, info_flags clear, struct err *err);
/* Move the letter to .Duplicates, which is made if it is missing; path follows it. */
enum aside_result aside_move(struct aside *a, struct letter *l, struct err *err);
/* Make all renames so far durable. */
int aside_sync(struct aside *a, struct err *err);
void aside_close(struct aside *a);

#endif
