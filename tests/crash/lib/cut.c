/* Choosing what is lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "trace.h"

#define HASHES (1 << 16)	/* power of two; twice as many as states of a recording at most */

static const enum outcome all[] = { LOST, KEPT, HALF, BOTH, HOLE, SIZED };
#define ALL (sizeof(all) / sizeof(all[0]))
#define ALL_QUICK 4

static const char *
op_name(enum op_kind kind)
{
	static const char *const names[] = { "link", "unlink", "rename to", "write", "truncate", "fsync", "fdatasync" };

	return names[kind];
}

static const char *
outcome_name(unsigned char outcome)
{
	switch (outcome) {
	case HALF:
		return "half";
	case HOLE:
		return "hole";
	case SIZED:
		return "size only";
	case BOTH:
		return "both names";
	case LOST:
		return "lost";
	default:
		return "kept";
	}
}

void
cut_print(const struct cut *c, FILE *to)
{
	const struct disk_op *op;
	size_t i, n;

	for (i = 0; i < c->unsure_len; i++) {
		n = c->unsure[i];
		op = &c->disk->ops[n];
		if (c->outcomes[n] != KEPT)
			fprintf(to, " %zu %s %s %s;", n, op_name(op->kind), op->path, outcome_name(c->outcomes[n]));
	}
}

static uint64_t
next_random(struct cut *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

/* Was such a state tried before? */
static bool
is_known(struct cut *c, uint64_t hash)
{
	size_t i;

	hash = hash * 2 + c->last;	/* more is asked of it after the end */
	if (hash == 0)
		hash = 2;
	for (i = hash % HASHES; c->tried[i] != 0; i = (i + 1) % HASHES)
		if (c->tried[i] == hash)
			return true;
	if (++c->tried_len == HASHES / 2) {
		errno = E2BIG;
		die("states");
	}
	c->tried[i] = hash;
	return false;
}

/* Try what c->outcomes says, as far as that can happen. */
static void
try_outcomes(struct cut *c)
{
	struct disk_file *state;

	if (c->ended)
		return;
	loss_settle(c->disk, c->loss, c->n, c->possible, c->outcomes);
	state = disk_state(c->disk, c->n, c->outcomes);
	if (!is_known(c, disk_hash(state)))
		c->ended = !c->state(c->arg, state);
	disk_state_free(c->disk, &state);
}

/* The outcome of an operation, or the one that is the nearest to it among the possible ones. */
static void
choose(struct cut *c, size_t i, enum outcome outcome)
{
	unsigned char possible = c->possible[i];

	if ((possible & outcome) != 0)
		c->outcomes[i] = (unsigned char)outcome;
	else if (outcome != KEPT && (possible & BOTH) != 0)
		c->outcomes[i] = BOTH;
	else
		c->outcomes[i] = KEPT;
}

static void
choose_all(struct cut *c, enum outcome outcome)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		choose(c, i, outcome);
}

/* Each operation alone is something else than the others. */
static void
try_single(struct cut *c, enum outcome others)
{
	size_t i, j, op;

	choose_all(c, others);
	try_outcomes(c);
	for (i = 0; i < c->unsure_len; i++)
		for (j = 0; j < (c->quick ? ALL_QUICK : ALL); j++) {
			op = c->unsure[i];
			if (all[j] == others || (c->possible[op] & all[j]) == 0)
				continue;
			choose_all(c, others);
			c->outcomes[op] = (unsigned char)all[j];
			try_outcomes(c);
		}
}

/* The first ones are kept and the rest is lost. All data is as said; 0: it is no exception. */
static void
try_first(struct cut *c, size_t first, unsigned int data)
{
	size_t i, op;

	choose_all(c, LOST);
	for (i = 0; i < c->unsure_len; i++) {
		op = c->unsure[i];
		if (data != 0 && c->disk->ops[op].kind == OP_WRITE)
			choose(c, op, (enum outcome)data);
		else
			choose(c, op, i < first ? KEPT : LOST);
	}
	try_outcomes(c);
}

static void
try_random(struct cut *c)
{
	size_t i, n;

	for (i = 0; i < c->n; i++)
		choose(c, i, KEPT);
	for (i = 0; i < c->unsure_len; i++) {
		n = (size_t)(next_random(c) % (ALL + 2));
		choose(c, c->unsure[i], all[n < ALL ? n : n - ALL]);	/* most are lost or kept */
	}
	try_outcomes(c);
}

static void
cut_after(struct cut *c, size_t n)
{
	static const unsigned int data[] = { 0, LOST, KEPT, HALF };
	size_t i, j, ways = c->quick ? 1 : sizeof(data) / sizeof(data[0]);

	c->n = n;
	c->last = n == c->disk->ops_len;
	c->unsure_len = 0;
	loss_possible(c->disk, c->loss, n, c->possible);
	for (i = 0; i < n; i++)
		if (c->possible[i] != KEPT && c->possible[i] != 0)
			c->unsure[c->unsure_len++] = i;
	try_single(c, KEPT);
	try_single(c, LOST);
	for (i = 0; i < c->unsure_len; i++)
		for (j = 0; j < ways; j++)
			try_first(c, i, data[j]);
	for (i = 0; i < c->samples; i++)
		try_random(c);
}

void
cut_power(struct cut *c, size_t begin, bool syncs_only)
{
	size_t n;

	c->tried = calloc(HASHES, sizeof(*c->tried));
	if (c->tried == NULL)
		die("calloc");
	c->tried_len = 0;
	for (n = begin; n <= c->disk->ops_len && !c->ended; n++)
		if (!syncs_only || n == c->disk->ops_len || disk_is_sync(&c->disk->ops[n]))
			cut_after(c, n);
	free(c->tried);
	c->tried = NULL;
}
