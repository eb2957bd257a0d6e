/* Numbers at random that a seed repeats. */
#ifndef DICE_H
#define DICE_H

#include <stdint.h>

struct dice {
	uint64_t state;
};

/* Begin a sequence; numbers below `below`. */
void dice_sow(struct dice *dice, uint64_t seed);
unsigned int dice_roll(struct dice *dice, unsigned int below);

#endif
