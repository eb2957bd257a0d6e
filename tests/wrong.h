/*
 * What agents share that are wrong on purpose.
 */
#ifndef WRONG_H
#define WRONG_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline int
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	return fd == -1 || fsync(fd) == -1 ? -1 : close(fd);
}

/* Is the line in the file? */
static inline bool
is_recorded(const char *path, const char *line)
{
	char had[1024];
	FILE *f = fopen(path, "r");
	bool found = false;

	while (f != NULL && !found && fgets(had, sizeof(had), f) != NULL)
		found = strcmp(had, line) == 0;
	if (f != NULL)
		fclose(f);
	return found;
}

#endif
