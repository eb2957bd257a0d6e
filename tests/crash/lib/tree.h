/*
 * Running a process and all of its descendants, one system call at a time.
 *
 * As trace.h does with a single process. The next call is that of whichever of them makes one; the others go on meanwhile. A run is
 * over when the last of them has ended. One tree at a time, and no other children; what lives longer than TREE_LIMIT_S is
 * killed and counts as hung.
 */
#ifndef TREE_H
#define TREE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#define TREE_MAX 64
#define TREE_LIMIT_S 60

struct tree {
	pid_t first;		/* the process that was started */
	pid_t stopped;		/* the one that is about to make a call; 0: none */
	pid_t members[TREE_MAX];
	size_t n;
	unsigned int calls;	/* begun so far, of all together */
	bool loose;		/* no more stops */
	int code;		/* when all have ended: how the first one did, as in trace.h */
};

/* Start; stopped before its first call. */
void tree_start(struct tree *t, char *const *argv, const char *input, const char *out);
/* A process that runs already, and is no child of ours, with all that it forks from now on. False: it can't be traced. */
bool tree_attach(struct tree *t, pid_t pid);
/* The same with one more, unless it is a member already. */
void tree_add(struct tree *t, pid_t pid);
/* On to the next call that any of them begins. False: all have ended. */
bool tree_step(struct tree *t);
/* On to where that call has returned; the others go on meanwhile. False: who made it is gone. */
bool tree_return(struct tree *t);
/* Trace those that are left no longer: they run on by themselves. */
void tree_leave(struct tree *t);
/* SIGKILL the one that is about to make a call, which is not executed, or all. */
void tree_kill_one(struct tree *t);
void tree_kill_all(struct tree *t);
/* Let those that are left run to their ends, for so long at the most. */
void tree_finish(struct tree *t, unsigned int limit_s);

#endif
