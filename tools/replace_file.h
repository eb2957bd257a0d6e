/*
 * A file that takes the place of another one whole, or not at all.
 *
 * It is written beside its place, under another name, and renamed. After a crash the old file is there, or the new one; one that is half
 * written may be left under its other name.
 */
#ifndef REPLACE_FILE_H
#define REPLACE_FILE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdio.h>

#include "status.h"

struct replacement {
	FILE *f;	/* to write to */
	char *path, *temp;
	bool old;	/* there was a file, */
	mode_t mode;	/* with these permissions */
};

/* A symbolic link is neither followed nor replaced, nor is anything else that is no regular file. Returns 0, or -1. */
int replace_open(struct replacement *r, const char *path, struct err *err);
/* What was written becomes the file, durably but for its name, with the permissions of the old one, or with these if there was
 * none. Returns 0, or -1: the old file is as it was. Frees everything either way. */
int replace_commit(struct replacement *r, mode_t mode, struct err *err);

#endif
