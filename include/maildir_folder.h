/*
 * The folders of a Maildir: opening them safely and making what is missing.
 */
#ifndef MAILDIR_FOLDER_H
#define MAILDIR_FOLDER_H

#include <stdbool.h>

#include "mailbox.h"

struct maildir_folder {
	char *path;
	int root;		/* of the Maildir, when dir is one of its folders; these are descriptors, -1: not open */
	int dir, tmp, new;
	bool strict;		/* a durable file needs its folder synced as well */
};

/* A Maildir++ name without the dot in front: one path component, in which dots separate the levels. */
bool maildir_folder_is_name(const char *name);

/* Open the Maildir of these options, and in it the folder they name. A missing Maildir is made in a folder of the user's own; a missing
 * Maildir++ folder only with create_folder, otherwise the inbox is opened. What was made survives a power cut when this returns 0. */
int maildir_folder_open(struct maildir_folder *f, const struct mailbox_options *options, struct err *err);
/* Open one that exists, by the path of an earlier delivery, making nothing. */
int maildir_folder_find(struct maildir_folder *f, const char *path, struct err *err);
void maildir_folder_close(struct maildir_folder *f);

#endif
