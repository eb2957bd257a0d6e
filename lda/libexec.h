/*
 * Where the agent's own helpers are.
 */
#ifndef LIBEXEC_H
#define LIBEXEC_H

#include <limits.h>

#define LIBEXEC_NAME_MAX 32	/* bytes of a program's name, with the final NUL */
#define LIBEXEC_PATH_MAX (PATH_MAX + LIBEXEC_NAME_MAX)

/* The i-th place to look for a program: beside this one, as in the folder where both are built; then where it is installed. Returns 0, or
 * -1: there are no more. */
int libexec_path(char path[LIBEXEC_PATH_MAX], const char *name, unsigned int i);

#endif
