/* Arrays of strings, each allocated by itself. */
#include <stdlib.h>
#include <string.h>

#include "string_list.h"

char **
strings_copy(const char *const *text, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++)
		if ((copy[i] = strdup(text[i])) == NULL)
			strings_free(&copy);
	return copy;
}

void
strings_free(char ***strings)
{
	if (*strings == NULL)
		return;
	for (char **s = *strings; *s != NULL; s++)
		free(*s);
	free(*strings);
	*strings = NULL;
}
