/*
 * The name service, asked in a process of its own: dedup-lda-nss. For lda/user.c and lda/host_find.c.
 *
 * What looks up users is a set of plug-ins of the system's libc, which one program can't hold without the loader and the libraries
 * of this very system. A library that is missing after an upgrade would end the agent with 127, which bounces mail.
 */
#ifndef NSS_ASK_H
#define NSS_ASK_H

#include <stddef.h>

#include "status.h"

#define NSS_WORDS_MAX 3

/* Ask a question: the arguments of dedup-lda-nss, with NULL at the end. Returns 0 with what it wrote (to be freed; len bytes, a NUL
 * after each field), or -1: STATUS_NOUSER when there is no such user or host, or the answer is no, STATUS_TEMP when nobody could say.
 * Takes as long as the name service does, 61 s at most. Standard input is not touched. */
int nss_ask(const char *const *question, char **answer, size_t *len, struct err *err);
/* The same in timeout_ms at most. */
int nss_ask_within(const char *const *question, int timeout_ms, char **answer, size_t *len, struct err *err);

#endif
