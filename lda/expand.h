/*
 * Paths in the configuration: ~, the variables, and the one spelling that all processes agree on.
 *
 * A value that comes from an address or a user's name can name one entry of a folder, and nothing else: it is refused when it is
 * empty, starts with a dot, or holds a slash or a control character.
 */
#ifndef EXPAND_H
#define EXPAND_H

#include "config.h"
#include "status.h"

#define EXPAND_MAX 4096		/* bytes of an expanded path, with the final NUL */

/* Is the text well-formed, that is, are its variables known and is its ~ the user's own? 0, or -1 and STATUS_CONFIG. */
int expand_check(const char *text, struct err *err);

/* Expand text to an absolute path without empty, "." and ".." components and without a slash at the end; a ".." is refused, since
 * what it means depends on links. delimiter: what starts an address's extension, or "". Returns 0 and a string to be freed, or -1:
 * STATUS_CONFIG, STATUS_TEMP without a home or memory. */
int expand_path(char **path, const char *text, const struct identity *who, const char *delimiter, struct err *err);

/* Expand one word of a command: the same without anything that is special to paths. A value can't begin it with '-'. */
int expand_word(char **word, const char *text, const struct identity *who, const char *delimiter, struct err *err);

/* ASCII lower case, in place: addresses and field names know no locale. */
void ascii_lower(char *text);

#endif
