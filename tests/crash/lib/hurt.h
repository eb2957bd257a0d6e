/*
 * Damage to a ledger: what happens to one file or folder of it.
 *
 * A hurt is done to a ledger at rest, or behind the back of a process that has it open. Noise comes from dice, so a seed repeats it.
 */
#ifndef HURT_H
#define HURT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "dice.h"

/* What a path is in a ledger. */
enum part {
	PART_TOP = 1,		/* the ledger's folder */
	PART_ENV = 2,		/* the environment's */
	PART_LOCK = 4,
	PART_REGION = 8,
	PART_DATA = 16,		/* database and log */
	PART_EVENTS = 32,	/* the history: no delivery may notice */
	PART_FOLDERS = PART_TOP | PART_ENV,
	PART_FILES = PART_LOCK | PART_REGION | PART_DATA | PART_EVENTS
};

struct place {
	char *path;		/* what is hurt */
	char *older;		/* a copy of it as it was earlier in its life */
	char *aside;		/* where a copy may be put */
	enum part part;
	struct dice *dice;
};

struct hurt {
	const char *name;
	unsigned int parts;	/* what it can be done to */
	unsigned int obstacle;	/* where the ledger need not heal before mend() */
	bool sly;		/* a region as it would be if it were sound: only its use shows it, and a delivery may be late */
	bool root;		/* only root can do it */
	bool (*inflict)(const struct place *p);		/* false: the path is not there, or not what this is done to */
};

extern const struct hurt hurts[];
extern const size_t hurts_len;

bool hurt_applies(const struct hurt *hurt, enum part part);
/* What an administrator does who reads the log: permissions as they were, strange things away. */
void hurt_mend(const struct place *p);

/* Before a process becomes this user: one that stays root, to give files to root. It ends with the last user of ours. */
void hurt_keep_root(uid_t user);

/* Copy a file or tree as a backup does, with times, to where nothing is. */
void copy_tree(const char *from, const char *to);
/* Remove it, whatever it is and whoever has shut it. False: there is nothing. */
bool take_away(const char *path);

#endif
