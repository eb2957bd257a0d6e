/*
 * Power cuts: choosing what is lost, and making the state of the disk from it.
 *
 * Of the many choices, these are taken: all that is not synced is lost, or kept; each operation alone is something else than the
 * others; the operations from each one on are lost, with all, none or half of the data; and some at random. States that are equal
 * are handed out once.
 */
#ifndef CUT_H
#define CUT_H

#include <stdio.h>

#include "loss.h"

struct cut {
	const struct disk *disk;
	enum loss loss;
	bool quick;		/* fewer choices */
	unsigned int samples;	/* random choices for each power cut */
	uint64_t random;	/* not 0 */
	bool (*state)(void *arg, const struct disk_file *state);	/* returns whether to go on */
	void *arg;
	/* the power cut at hand */
	size_t n;		/* operations before it */
	bool last;		/* it comes after all of them */
	/* its own */
	bool ended;
	uint64_t *tried;	/* hashes of states; 0: free */
	size_t tried_len;
	unsigned char possible[DISK_OPS], outcomes[DISK_OPS];
	size_t unsure[DISK_OPS], unsure_len;	/* operations that may be lost */
};

/* The power fails after each of the operations from `begin` on, or only before each sync and after the last one. */
void cut_power(struct cut *c, size_t begin, bool syncs_only);
/* What became of the operations that were not synced, those that were kept left out. */
void cut_print(const struct cut *c, FILE *to);

#endif
