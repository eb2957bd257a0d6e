/*
 * The agent with a Redis client: another program, so that the plain agent needs no further library.
 */
#ifndef REDIS_EXEC_H
#define REDIS_EXEC_H

#include "config.h"
#include "user.h"

/* If the ledger is one that this program has no client for, go on as dedup-lda-redis: the same command line, as the user that this process
 * is. Nothing of the message has been read yet. Returns only if that is not needed, or not possible; the ledger says then what is
 * missing. */
void redis_exec(const struct config *config, const struct user *user, char **argv);

/* Whose mail the process that became this one delivers, to be freed; NULL: nothing was told, or no memory is left. Call it before the
 * environment is cleaned. */
char *redis_exec_user(void);

#endif
