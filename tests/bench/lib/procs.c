#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs.h"

#define DEPTH 4		/* a server's workers are its children or grandchildren */

static FILE *
open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return fopen(path, "re");
}

static pid_t
parent_of(pid_t pid)
{
	char line[512], *p = NULL;
	FILE *f = open_proc(pid, "stat");
	long parent = 0;

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) != NULL)
		p = strrchr(line, ')');		/* the name before may hold anything */
	if (p != NULL && strlen(p) > 4)
		parent = strtol(p + 4, NULL, 10);
	fclose(f);
	return (pid_t)parent;
}

static bool
belongs(pid_t pid, pid_t server)
{
	int i;

	for (i = 0; i < DEPTH && pid > 1; i++) {
		if (pid == server)
			return true;
		pid = parent_of(pid);
	}
	return false;
}

static void
add_usage(pid_t pid, struct usage *usage)
{
	char line[256];
	uint64_t value;
	FILE *f = open_proc(pid, "schedstat");

	if (f != NULL) {
		if (fgets(line, sizeof(line), f) != NULL)
			usage->cpu_us += strtoull(line, NULL, 10) / 1000;
		fclose(f);
	}
	f = open_proc(pid, "status");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0) {
			value = strtoull(line + 6, NULL, 10);
			if (value > usage->rss_kib)
				usage->rss_kib = value;
		}
	fclose(f);
}

void
procs_usage(pid_t server, struct usage *usage)
{
	struct dirent *entry;
	DIR *d = opendir("/proc");
	pid_t pid;

	memset(usage, 0, sizeof(*usage));
	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && belongs(pid, server))
			add_usage(pid, usage);
	}
	closedir(d);
}
