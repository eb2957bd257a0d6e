/* Xorshift, by Marsaglia. */
#include "dice.h"

void
dice_sow(struct dice *dice, uint64_t seed)
{
	int i;

	dice->state = (seed + 1) * 2654435761u + 1;
	for (i = 0; i < 16; i++)
		dice_roll(dice, 2);
}

unsigned int
dice_roll(struct dice *dice, unsigned int below)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (unsigned int)((dice->state >> 16) % below);
}
