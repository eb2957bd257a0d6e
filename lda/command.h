/*
 * The command of `mailbox = pipe:COMMAND`: words, without a shell.
 *
 * Blanks separate words. Single quotes keep everything as it is; between double quotes a backslash only protects a double quote or another
 * backslash; elsewhere it protects any character. Variables are expanded in each word after the split, so that a value can't add words;
 * a value can't begin a word with '-', and can't stand in code for a shell.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "config.h"
#include "status.h"

#define COMMAND_WORDS_MAX 64

/* Is the text well-formed? 0, or -1 and STATUS_CONFIG. */
int command_check(const char *text, struct err *err);

/* The words, expanded, NULL at the end, for strings_free(). delimiter: as for expand_path(). Returns 0, or -1: STATUS_CONFIG, or
 * STATUS_TEMP without a home or memory. */
int command_make(char ***words, const char *text, const struct identity *who, const char *delimiter, struct err *err);

/* The path, to be freed, of the program that a first word names: itself, if it has a slash; otherwise it is looked for in COMMAND_PATH.
 * Returns NULL when there is none that this user can run, or without memory: STATUS_TEMP. */
#define COMMAND_PATH "/usr/local/bin:/usr/bin:/bin"
char *command_program(const char *word, struct err *err);

#endif
