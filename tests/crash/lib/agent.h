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

#define AGENT_LIMIT_S 60

struct agent {
	const char *home, *mailbox, *out;	/* out: where what it says goes */
	bool mbox, ours;
	char *const *argv;
};

/*
 * Its environment is HOME, the user, a PATH, and its home for temporary files; setuid bits count for nothing. Options of all harnesses that run one:
 * argv is `maildir|mbox HOME MAILBOX COMMAND [ARGUMENT]...`.
 */
bool agent_make(struct agent *a, int argc, char **argv);
/* A delivery to its end, and to that of all that it starts. As trace.h has it: an exit code, ENDED_SIGNAL + signal or ENDED_HUNG. */
int agent_deliver(const struct agent *a, const struct mail *m);
/* Delivered until it says 0. An hour passes before each try. False: it never does. */
bool agent_takes(const struct agent *a, const struct mail *m);
/* Set `seen` of each; returns how many torn things there are. */
unsigned int agent_count(const struct agent *a, struct mail *mails, size_t n);

#endif
