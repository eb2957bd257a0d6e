/*
 * The command line of the agent.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "status.h"

struct options {
	char *address;			/* -a, without <>; owned */
	const char *file;		/* -c */
	const char *user;		/* -d */
	char *sender;			/* -f, without <>; owned */
	const char *folder;		/* -m */
	const char **assignments;	/* -o, NULL at the end; the array is owned */
	bool dry_run;			/* -n */
	bool verbose;			/* -v */
	bool version;			/* -V */
};

/* Returns 0, or -1: STATUS_USAGE, or STATUS_TEMP without memory; free them in any case. What is not owned is borrowed from argv. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);
void options_free(struct options *options);

#endif
