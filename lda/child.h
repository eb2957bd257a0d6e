/*
 * A command that is prepared early and run late.
 *
 * child_start() forks before a sandbox is entered, and the child waits at a gate: it has no descriptors of ours but its own pipes. Only
 * child_go() lets it become the command. One that is never let go ends without having done anything, as it does when we die.
 *
 * Its standard input is a file that holds all of the message before it runs: were it a pipe, our death would end the message early, and the
 * command could take a part for the whole.
 *
 * The command runs in a process group of its own, with an environment that we make. The kernel kills it when we die in whatever way; its
 * whole group is killed when we give up or when a signal ends us.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "fingerprint.h"
#include "status.h"

#define CHILD_SAID 200	/* bytes of the first line of output, with the final NUL */

struct child;

struct child_command {
	const char *program;		/* its path */
	char *const *argv;
	char *const *environment;	/* "NAME=value", NULL at the end */
	const char *folder;		/* where it runs; the root folder if it can't be there, or NULL */
};

/* What is known late. */
struct child_news {
	char fingerprint[FINGERPRINT_HEX];	/* becomes FINGERPRINT; "": there is none */
	bool retried;				/* sets RETRIED=yes */
};

struct child_end {
	int status;			/* of waitpid() */
	char said[CHILD_SAID];		/* the first line of its output: printable ASCII, anything else is '?' */
};

/* The command is borrowed until this returns. Returns 0 or -1. */
int child_start(struct child **c, const struct child_command *command, struct err *err);
/* Let it run, with `input` for its standard input; returns once it is the command. Returns 0, or -1: it never ran. */
int child_go(struct child *c, const struct child_news *news, int input, struct err *err);
/* Wait for it, not for what it has left running. What it has not read is no error: its exit status counts. deadline_ms: of clock_ms(), when
 * it is killed; 0: never. Returns 0, or -1: it was killed then. */
int child_finish(struct child *c, int64_t deadline_ms, struct child_end *end, struct err *err);
/* Kills what still runs. */
void child_free(struct child **c);

#endif
