/*
 * -A: a command for every user who may have a ledger, each in a child that becomes that user for good.
 */
#ifndef USERS_H
#define USERS_H

#include "tool.h"

#define USERS_LEDGERS "/var/lib/dedup-lda"	/* where ledgers of users with remote homes are by custom; each belongs to its user */

/* Run `work` with t->user_name set, once for each user of the password database but root, and for each further owner of a folder in
 * USERS_LEDGERS: a directory service may not list its users. One after the other; trouble of one user is told and does not stop the
 * others, a signal does. Root only. Returns the highest of their exit codes. */
int users_each(struct tool *t, int argc, char **argv, int (*work)(struct tool *t, int argc, char **argv));

#endif
