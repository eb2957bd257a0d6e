/* Where the agent's own helpers are. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libexec.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/dedup-lda"
#endif

int
libexec_path(char path[LIBEXEC_PATH_MAX], const char *name, unsigned int i)
{
	char *slash;
	ssize_t n;

	if (i > 1)
		return -1;
	if (i == 1) {
		snprintf(path, LIBEXEC_PATH_MAX, "%s/%s", LIBEXECDIR, name);
		return 0;
	}
	n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		return libexec_path(path, name, 1);
	snprintf(slash + 1, LIBEXEC_NAME_MAX, "%s", name);
	return 0;
}
