/*
 * The command line of the agent.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "status.h"

struct options {
	const char *address;		/* -a */
	const char *file;		/* -c */
	const char *user;		/* -d */
	const char *sender;		/* -f, without <> */
	const char *folder;		/* -m */
	const char **assignments;	/* -o, NULL at the end; the array is owned */
	bool dry_run;			/* -n */
	bool verbose;			/* -v */
	bool version;			/* -V */
};

/* Returns 0, or -1 with STATUS_USAGE. Strings are borrowed from argv; argv may be changed. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);

#endif
