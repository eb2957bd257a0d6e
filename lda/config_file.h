/*
 * A configuration file as bytes: may it be believed, and is it text that the parser reads as its author meant it? Private to the
 * configuration.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define CONFIG_FILE_MAX 65536	/* bytes */

/* Open the file without following a link, check who can write it and its folder, and read it from that same descriptor. owner: the
 * user whose file it must be, or -1: root or this process's user. secret: not everybody may read it. Returns 1 with text (to be freed;
 * NUL-terminated, len bytes), 0 if there is no such file, or -1. */
int config_file_read(const char *path, int64_t owner, bool secret, char **text, size_t *len, struct err *err);

/* Refuse what libconfuse would pass over in silence or take from the environment, and blank the comments. 0, or -1 and an error
 * with the line. */
int config_file_check(const char *path, char *text, size_t len, struct err *err);

/* The last line that begins with this key, or 0. */
int config_file_line(const char *text, const char *key);

#endif
