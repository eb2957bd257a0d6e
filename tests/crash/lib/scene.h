/*
 * Scenes: what is in the mailbox and in the ledger when the delivery that is to be disturbed begins.
 *
 * A world is one worker's copy of a scene, below a folder of its own: root/ has the mailbox (M or box), the ledger L and the log;
 * the messages lie beside it: two old ones that were delivered before, the target, another one, and one that is always new.
 */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>

#include "mail.h"
#include "snapshot.h"
#include "tally.h"
#include "trace.h"

#define SCENE_OPTIONS 4
#define ARGS_MAX 40
#define NO_FILE NULL

/* Where a delivery before was killed. */
enum crash {
	CRASH_NEVER,
	CRASH_COMMITTING,	/* after the first commit is written to the log: the ledger is left dirty */
	CRASH_DECIDING,		/* at its sync */
	CRASH_DECIDED,		/* before the rename, or the append */
	CRASH_TORN,		/* mbox: half of the entry is written */
	CRASH_PUBLISHED,	/* after the rename, or the append */
	CRASH_SYNCED		/* before the delivered mark */
};

enum beside {
	BESIDE_NOTHING,
	BESIDE_TOOLS,		/* dedupdb recover and prune run all the time */
	BESIDE_TWIN,		/* it is stopped at the point, another process delivers the same message, and it goes on */
	BESIDE_TWIN_KILLED,	/* the same, but it is killed then */
	BESIDE_RECOVER,		/* the same as with a twin, but it is dedupdb recover */
	BESIDE_RECOVER_KILLED
};

enum { OLD_ONE, OLD_TWO, TARGET, OTHER, NEWCOMER, MAILS };

struct scene {
	const char *name;
	bool mbox, quick;
	bool fresh;		/* no old messages, and nothing else: the first delivery ever */
	bool had;		/* the target was delivered before */
	bool forged;		/* the other message is another copy of the target, which nothing proves to be one */
	bool early;		/* the other message was delivered before */
	bool aged;		/* so long ago that its record, as all there are then, has expired */
	const char *first;	/* mbox: what is in the file before; NO_FILE: it is not there */
	enum crash target, other;	/* a predecessor of theirs was killed there */
	enum beside beside;
	const char *tool;	/* this dedupdb command is disturbed instead of a delivery of the target */
	size_t size;		/* of the target, bytes */
	unsigned int torn;	/* this many pieces may stay: only their own message's next copy may cut them off */
	const char *options[SCENE_OPTIONS];	/* for the agent */
	const char *ledger;	/* its URL; NULL: a Berkeley DB in root/L */
};

struct world {
	const struct scene *scene;
	const char *build, *wrong;	/* wrong: run the wrong agent of this kind */
	char *folder, *root, *mailbox, *ledger, *log, *out;
	char *words[ARGS_MAX];		/* to be freed */
	size_t words_len;
	char *plain[ARGS_MAX];		/* the agent without the scene's options: what delivers the old messages */
	char *agent[ARGS_MAX], *twin[ARGS_MAX], *tool[ARGS_MAX], *disturbed[ARGS_MAX];
	struct mail mails[MAILS];
	struct snapshot *snapshot;
};

/* Build the scene. Each word of `more` (NULL at the end) is an option of the agent. */
void world_make(struct world *w, const struct scene *scene, const char *folder, const char *build, const char *wrong,
    const char *const *more);
void world_free(struct world *w);
/* One more option for the agent and dedupdb. */
void world_option(struct world *w, const char *option);
/* From now on this process is one of that host, which has a home of its own, made if it is missing, with the log. The mailbox stays the
 * same. */
void world_move(struct world *w, const char *host, const char *home);

/* Put records of messages that never come into the ledger. Their fingerprints are made from numbers, from `first` on. */
void world_grow(const struct world *w, unsigned int first, unsigned int n);

/* Back to the start. */
void world_restore(const struct world *w);
/* Is this the call at which a delivery is to be killed? Some points are before it, some after. */
bool world_is_point(const struct world *w, const struct call *call, enum crash crash);
/* At that call: go on to the very point. */
void world_reach(struct tracee *t, const struct call *call, enum crash crash);
/* Deliver one message; returns how that ended. */
int world_deliver(const struct world *w, const struct mail *m);
/* The same by a process that never waits for a lock. */
int world_twin(const struct world *w, const struct mail *m);
/* Run dedupdb with one command. */
int world_tool(const struct world *w, const char *command);
/* Count all. Returns how many torn things there are. */
unsigned int world_count(struct world *w);
/* Is an old message not there as it should be? After counting. */
bool world_is_damaged(const struct world *w);
/*
 * Count all. Returns the worst of what is wrong: COUNT_DAMAGED, COUNT_LOST, COUNT_TORN or COUNT_DOUBLED; or COUNT_ONE. So many torn
 * things may be there.
 */
enum count world_verdict(struct world *w, unsigned int torn_ok);
/* Has the log a line with this text? */
bool world_logged(const struct world *w, const char *text);

#endif
