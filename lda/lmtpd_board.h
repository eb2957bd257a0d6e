/*
 * What the processes of the server know of each other: a place in shared memory for each worker. A worker writes its own place only, so one that
 * is killed at any point harms nothing but its own numbers; the master reads them all. Numbers only ever grow, over all workers that had
 * a place.
 */
#ifndef LMTPD_BOARD_H
#define LMTPD_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "status.h"

#define LMTPD_GAPS 16	/* buckets of the histogram; the last one is everything above the others */

enum lmtpd_state { PLACE_FREE, PLACE_IDLE, PLACE_BUSY };

enum lmtpd_count {
	COUNT_CONNECTIONS,
	COUNT_MESSAGES,		/* answered: all replies to a message are sent */
	COUNT_DELIVERED,	/* recipients, as all that follow */
	COUNT_DUPLICATES,
	COUNT_DEFERRED,
	COUNT_REJECTED,
	COUNT_GAP_MS,		/* the sum of all gaps */
	COUNT_KINDS
};

struct lmtpd_place {
	_Atomic int state;
	_Atomic uint64_t counts[COUNT_KINDS];
	_Atomic uint64_t gaps[LMTPD_GAPS];	/* messages by gap; see lmtpd_gap_bounds */
};

/* What the pointers lead to is shared, and a worker that was taken over can write anything there. The rest is each process's own. */
struct lmtpd_board {
	unsigned int size;
	atomic_bool *crowded;	/* all places are busy */
	struct lmtpd_place *places;
};

/* The upper bounds of the buckets in ms; the last bucket has none. */
extern const unsigned int lmtpd_gap_bounds[LMTPD_GAPS - 1];

/* For that many workers, shared with all children. NULL without memory. */
struct lmtpd_board *lmtpd_board_new(unsigned int size);
void lmtpd_board_free(struct lmtpd_board **board);

unsigned int lmtpd_board_in(const struct lmtpd_board *board, enum lmtpd_state state);
void lmtpd_board_count(struct lmtpd_place *place, enum lmtpd_count what, uint64_t n);
void lmtpd_board_gap(struct lmtpd_place *place, int64_t ms);

/* All numbers as text for Prometheus, into path, at once (written beside it and renamed). Returns 0 or -1. */
int lmtpd_board_write(const struct lmtpd_board *board, const char *path, struct err *err);

#endif
