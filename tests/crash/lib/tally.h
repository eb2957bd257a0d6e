/*
 * What became of the points of a scene, counted.
 *
 * Workers have tallies of their own, in shared memory, that are added up in the end.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>

enum count {
	COUNT_POINTS,		/* that were tried */
	COUNT_STATES,		/* the same, of a disk */
	COUNT_MISSED,		/* points that the process did not get to */
	COUNT_PROMISED,	/* cuts that came after exit 0 */
	COUNT_ONE,		/* each message is there as often as it should be */
	COUNT_EXIT75,
	COUNT_EXCUSED,	/* a second copy that is allowed there */
	COUNT_ASIDE,		/* a ledger was thrown away */
	COUNT_LOST,
	COUNT_DOUBLED,
	COUNT_TORN,
	COUNT_DAMAGED,	/* a message of before is not as it was */
	COUNT_STUCK,		/* a copy is never taken */
	COUNT_HUNG,
	COUNT_CODE,		/* a process ended with another code than it may */
	COUNT_DISTURBED,	/* another connection was */
	COUNT_FORGOTTEN,	/* a delivery that had ended well is not known any more */
	COUNTS
};

struct tally {
	unsigned int count[COUNTS];
	unsigned int shown;	/* failures that were printed */
};

const char *count_name(enum count c);
/* Run so many workers and add their tallies up. False: one of them broke. */
bool tally_workers(unsigned int workers, void (*work)(const void *arg, unsigned int worker, struct tally *t), const void *arg,
    struct tally *sum);
/* Print " name=number" of each. */
void tally_print(const struct tally *t, const enum count *which, size_t n);
/* The same, as the end of a scene's line, with the milliseconds since `began`. */
void tally_line(const struct tally *t, const enum count *which, size_t n, long began, bool good);

#endif
