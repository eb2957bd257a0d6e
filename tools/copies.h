/*
 * Which messages of a mailbox are copies of one another: a table of fingerprints and places, 64 bytes for each message.
 *
 * It holds no names: a mailbox of two million messages fits into 150 MB, and a mail reader renames files at any time. Whoever wants a
 * message again looks for its place.
 */
#ifndef COPIES_H
#define COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fingerprint.h"
#include "status.h"

struct copy {
	struct fingerprint fp;
	uint64_t place;		/* in the folder: what the caller finds the message by */
	int64_t date;		/* when it was delivered */
	uint64_t size;		/* bytes */
	uint32_t folder;	/* a number of the caller's */
	uint32_t number;	/* of the message in its folder, from 1 */
};

struct copies {
	struct copy *all;
	uint32_t *order;	/* made by copies_sort */
	size_t count, sorted, room;
	bool across;		/* copies may lie in different folders */
};

/* Zeroed is empty. Returns 0, or -1 without memory. */
int copies_add(struct copies *c, const struct copy *copy, struct err *err);
/* Bring copies together. A place that was added twice, since its message was renamed while the folder was read, counts once. Nothing can
 * be added afterwards. Returns 0, or -1 without memory. */
int copies_sort(struct copies *c, struct err *err);
/* The next group of two or more at or after *from, in the sorted order: sets *from to its first member, and returns how many they are,
 * or 0: there is none. */
size_t copies_group(const struct copies *c, size_t *from);
/* The n-th in the sorted order. */
const struct copy *copies_at(const struct copies *c, size_t n);
void copies_free(struct copies *c);

#endif
