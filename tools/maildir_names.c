/* Names of files and folders in a Maildir: lists of them, and what one tells. */
#include <stdlib.h>
#include <string.h>

#include "maildir_names.h"

void
names_free(struct names *n)
{
	while (n->count > 0)
		free(n->names[--n->count]);
	free(n->names);
	memset(n, 0, sizeof(*n));
}

int
names_add(struct names *n, const char *name, size_t len)
{
	size_t room = n->room == 0 ? 16 : 2 * n->room;
	char **grown;

	if (n->count == n->room) {
		grown = reallocarray(n->names, room, sizeof(*grown));
		if (grown == NULL)
			return -1;
		n->names = grown;
		n->room = room;
	}
	n->names[n->count] = strndup(name, len);
	return n->names[n->count++] == NULL ? -1 : 0;
}

static int
by_name(const void *a, const void *b)
{
	char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

void
names_sort(struct names *n)
{
	if (n->count > 0)
		qsort(n->names, n->count, sizeof(*n->names), by_name);
}

bool
names_has(const struct names *n, char *name)
{
	return n->count > 0 && bsearch(&name, n->names, n->count, sizeof(*n->names), by_name) != NULL;
}

int64_t
name_time(const char *name)
{
	char *end;
	long long t;

	if (*name < '1' || *name > '9')
		return 0;
	t = strtoll(name, &end, 10);
	return *end == '.' && end - name >= 9 && end - name <= 11 ? t : 0;
}

unsigned
name_flags(const char *name)
{
	static const char letters[] = "DFPRST";
	const char *p = strstr(name, ":2,"), *letter;
	unsigned flags = 0;

	for (p = p == NULL ? "" : p + 3; *p != '\0'; p++) {
		letter = strchr(letters, *p);
		if (letter != NULL)
			flags |= 1U << (letter - letters);
	}
	return flags;
}
