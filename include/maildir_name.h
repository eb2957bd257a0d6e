/*
 * Names of staged files, and the sweeper that knows them again.
 *
 * A name is time.M<usec>P<pid>R<random>F<fingerprint>.host: the Maildir specification's unique part with the first 16 hex digits of
 * the fingerprint, by which the sweeper asks the ledger. F is left out while the fingerprint is not known, or when there is none. A stage's
 * marker (maildir.c) has its name, with ",marker" behind it, so that the sweeper treats it as the stage.
 */
#ifndef MAILDIR_NAME_H
#define MAILDIR_NAME_H

#include <stdint.h>

#include "fingerprint.h"
#include "maildir_intent.h"
#include "status.h"

/* A name that nobody has used before; fp may be NULL. */
void maildir_name_make(char name[MAILDIR_NAME_MAX], const struct fingerprint *fp);

#define MAILDIR_MARKER ",marker"
#define MAILDIR_MARKER_MAX (MAILDIR_NAME_MAX + sizeof(MAILDIR_MARKER) - 1)
void maildir_marker_name(char marker[MAILDIR_MARKER_MAX], const char *name);

/* Remove our own left-over stages from tmp/ of the folder `dir`: older than 36 hours, their writer gone, and named by no record as
 * far as `named` knows (1 yes, 0 no, -1 unknown: the file stays). path is for errors. Returns how many were removed, or -1. */
int maildir_sweep_tmp(int dir, const char *path, int64_t now, int (*named)(void *arg, const char *digits), void *arg,
    struct err *err);

#endif
