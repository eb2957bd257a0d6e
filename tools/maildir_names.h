/*
 * Names of files and folders in a Maildir: lists of them, and what one tells.
 */
#ifndef MAILDIR_NAMES_H
#define MAILDIR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty. */
struct names {
	char **names;
	size_t count, room;
};

void names_free(struct names *n);
/* The first len bytes of a name. Returns 0, or -1 without memory. */
int names_add(struct names *n, const char *name, size_t len);
void names_sort(struct names *n);
/* Is it in a list that was sorted? */
bool names_has(const struct names *n, char *name);

/* The time that a file's name begins with, s since 1970, or 0. */
int64_t name_time(const char *name);
/* The flags after ":2,", in any order: MAIL_DRAFT and the like of mailbox_reader.h. */
unsigned name_flags(const char *name);

#endif
