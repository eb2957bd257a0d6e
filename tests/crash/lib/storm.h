/*
 * A storm: what its processes share, its messages, and the mail reader that moves and deletes them meanwhile.
 *
 * A message is known by its number, which is in its Message-ID; its bytes are made from that.
 */
#ifndef STORM_H
#define STORM_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dice.h"
#include "scene.h"

#define MESSAGES_MAX 200000
#define HOSTS_MAX 4
#define NO_MESSAGE UINT32_MAX
#define STORM_ID "storm%u@crash.example.org"	/* Message-ID of one */

/* What became of one message. */
struct fate {
	atomic_bool acked;	/* a delivery of it ended well */
	atomic_bool early;	/* the reader deleted a copy before that */
	atomic_bool away;	/* a delivery of it was killed while the ledger was away */
	atomic_uint deleted;	/* copies that the reader deleted */
	unsigned int present;	/* in the end */
};

/* What all processes of a storm see. */
struct shared {
	atomic_bool stop;
	atomic_uint next;	/* messages so far */
	atomic_long usual_us;	/* that a delivery takes */
	atomic_uint deliveries, kills, deferred, hung, code, refused, torn, pieces, shown;
	atomic_uint moved, flagged, tool_runs;
	struct fate fate[MESSAGES_MAX];
};

/* A process of it. */
struct storm {
	struct world w;
	struct world hosts[HOSTS_MAX];	/* the same at each delivery host; w is one of them */
	struct shared *s;
	struct dice dice;
	bool mbox;
	char input[PATH_MAX];	/* this deliverer's message */
};

void pause_us(long us);
/* Print what is wrong with a message, if not too much was printed. */
void storm_say(struct storm *t, const char *what, unsigned int number, int value);
/* Write it where this deliverer's input is. */
void storm_put_message(const struct storm *t, unsigned int number);
/* Which message begins here? Its length goes into *len. NO_MESSAGE: these are not the bytes of one. */
uint32_t storm_which(const char *bytes, size_t left, size_t *len);
/* The reader deleted a copy. */
void storm_note_deleted(struct storm *t, uint32_t number);

/* Read mail once: move, flag and delete some of it. */
void read_storm_maildir(struct storm *t);
void read_storm_mbox(struct storm *t);
/* Set `present` of all, and count what is torn or a piece. */
void count_storm_maildir(struct storm *t);
void count_storm_mbox(struct storm *t);

#endif
