/*
 * A point of a harness that disturbs the LMTP server.
 *
 * One worker has got half a message of a bystander. The other one is traced while a client hands it the target, and the harness does something
 * to it at one of its system calls, or its children's. Then the bystander sends the rest, which must be answered with 250; the target is
 * sent until it is taken, and once more, which must be a duplicate; and the mailbox must have it once.
 */
#ifndef SERVER_PLAY_H
#define SERVER_PLAY_H

#include <pthread.h>

#include "client.h"
#include "options.h"
#include "server.h"
#include "tally.h"
#include "trace.h"
#include "tree.h"

struct server_scene {
	const char *name;
	bool mbox;
	bool first;	/* the mailbox is not there yet; otherwise an old message is in it */
	bool warm;	/* the worker has delivered before */
	bool user;	/* recipients are users of this system */
	bool quick;
};

struct letter {
	char *text;
	size_t len;
	unsigned int seen;
};

struct server_play {
	const struct server_scene *scene;
	struct server server;
	char mailbox[PATH_MAX], ledger[PATH_MAX], log[PATH_MAX];
	char to[128], by[128];		/* addresses: the target's and the bystander's */
	struct client bystander;
	unsigned int number;		/* of the point, so that all messages differ */
	struct letter old, target;
	pid_t worker;
	struct tree tree;
	unsigned int calls;		/* of the worker and its children, from accept4(2) on */
	struct client client;		/* and what it was told in the end */
	pthread_t thread;
};

/* Play all scenes that are wanted, with or without users of this system. Returns whether all is well. */
bool server_scenes_play(const struct harness *h, bool users, bool (*play)(const struct server_scene *scene));

/* In a folder of its own, which is made. users: two names "joe:ann" for scenes with users. more: options of dedup-lmtpd, NULL at the end. */
void server_play_make(struct server_play *p, const struct server_scene *scene, const char *folder, const char *build, const char *users,
    const char *const *more);
void server_play_free(struct server_play *p);

/* On to the beginning of the delivery: the worker is traced, and the client has begun. False: nothing may be traced here. */
bool server_play_begin(struct server_play *p);
/* On to the next system call of the worker or its children, which p->tree.stopped is about to make: at first the worker's accept4(2). False:
 * the message is done with. */
bool server_play_step(struct server_play *p, struct call *call);
/* Trace them no longer, and let the client come to its end. Returns whether it was told 250. */
bool server_play_leave(struct server_play *p);
/* How often is the target there now? */
unsigned int server_play_copies(struct server_play *p);
/* The rest: COUNT_ONE, or the worst of what is wrong. */
enum count server_play_judge(struct server_play *p);

#endif
