/*
 * Arrays of strings that are allocated one by one, with a NULL at the end: lists of the configuration, arguments, environments.
 */
#ifndef STRING_LIST_H
#define STRING_LIST_H

#include <stddef.h>

/* A copy of n strings. Returns it, for strings_free(), or NULL without memory. */
char **strings_copy(const char *const *text, size_t n);

/* Free an array of strings and what it holds. Sets it to NULL; NULL is fine. */
void strings_free(char ***strings);

#endif
