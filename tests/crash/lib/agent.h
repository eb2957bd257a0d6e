/*
 * Any delivery agent: a command that delivers its standard input, and keeps all it knows in one folder, its home.
 *
 * What an MTA does with it: exit 0 is done, and whatever else happens, the message is given to it again later.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>

#include "mail.h"

#define AGENT_OPERANDS "folder maildir|mbox home mailbox command [argument ...]"

struct agent {
	char *folder;		/* the harness's own */
	char *out;		/* where what it says goes */
	const char *home, *mailbox;
	bool mbox, ours;
	char *const *argv;
};

/*
 * From the arguments FOLDER maildir|mbox HOME MAILBOX COMMAND [ARGUMENT]...; false: they are not that. From now on the environment
 * is HOME, the user, a PATH and the home as TMPDIR, and setuid bits count for nothing.
 */
bool agent_make(struct agent *a, int argc, char **argv);
void agent_free(struct agent *a);
/* A delivery, to the end of all that it starts. As in trace.h: an exit code, ENDED_SIGNAL + signal or ENDED_HUNG. */
int agent_deliver(const struct agent *a, const struct mail *m);
/* Delivered until it says 0. An hour passes before each try. False: it never does. */
bool agent_takes(const struct agent *a, const struct mail *m);
/* Set `seen` of each; returns how many torn things there are. */
unsigned int agent_count(const struct agent *a, struct mail *mails, size_t n);

#endif
