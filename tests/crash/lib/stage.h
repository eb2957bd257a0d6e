/*
 * A stage: a scene whose ledger can be damaged, part by part, with an older copy of each part and messages of before and after.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>

#include "hurt.h"
#include "scene.h"

#define STAGE_LOCK_TIMEOUT_S 10	/* of the agent */
#define PARTS_MAX 16
#define EARLY 3			/* messages that are delivered after the older copy was made */
#define NEW 16

enum when { AT_REST, CROWDED, UNDER_WAY };

struct play {
	const char *name;
	const struct scene *scene;
	enum when when;
	bool defer, quick;
	unsigned int pairs;	/* of parts that are both damaged */
};

/* What became of the cases of one part and hurt. */
struct row {
	char part[32];
	const char *hurt;
	unsigned int cases, runs, late, slow, twice, healed, wrong;
	bool mended;
};

enum { KNOWN = MAILS + EARLY, MESSAGES = KNOWN + NEW };

/* One play, and the case that it is at: which parts are damaged, and how. The second may be NULL. */
struct stage {
	const struct play *play;
	struct world w;
	char *older;		/* the ledger as it was */
	struct mail mails[MESSAGES];	/* those of before, then new ones */
	unsigned int allowed[MESSAGES];	/* copies */
	bool taken[MESSAGES];
	struct row *row;	/* of this case */
	bool verbose;
	struct dice dice;
	struct place places[PARTS_MAX];
	size_t parts;

	const struct place *at[2];
	const struct hurt *hurt[2];
	unsigned int next;	/* new message */
	unsigned int torn;
	bool late_ok;
	unsigned int shown;
};

/* Build the scene, and a ledger of twice so many records. */
void stage_make(struct stage *s, const char *folder, const char *build, const char *wrong, unsigned int records);
void stage_free(struct stage *s);
/* Play the case: put all back to the start, damage it, deliver, and judge. Counts into the row. */
void stage_play(struct stage *s);

#endif
