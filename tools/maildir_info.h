/*
 * The flags at the end of a Maildir file's name, ":2,FS", and what becomes of them when copies of a message are made one.
 */
#ifndef MAILDIR_INFO_H
#define MAILDIR_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFO_TEXT 64	/* bytes of ":2," and every flag, with the final NUL */

/* A set of letters: A-Z are bits 0-25, a-z, which are keywords that each folder names by itself, bits 26-51. */
typedef uint64_t info_flags;

/* The length of the part that stays the same whatever a reader does to the flags. */
size_t info_base_len(const char *name);
/* The flags of a name; a name without any has none. Returns false for an info that is something else: it must stay as it is. */
bool info_parse(const char *name, info_flags *flags);
/* ":2," and the flags in ASCII order, as the specification wants them. */
void info_text(info_flags flags, char text[INFO_TEXT]);

/* The flags of the copy that stays. any, all: of all copies, with it. keywords: the copies lie in its own folder, so that the small
 * letters of all mean the same.
 *
 * Seen, replied, flagged and passed are what the user did with the message, whichever copy it was done to. Trashed and draft are kept
 * only if all have them: who deletes one of two copies wants to have one. */
info_flags info_merge(info_flags stays, info_flags any, info_flags all, bool keywords);

#endif
