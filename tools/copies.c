/* Which messages are copies of one another. */
#include <stdlib.h>
#include <string.h>

#include "copies.h"

#define ROOM_FIRST 1024

int
copies_add(struct copies *c, const struct copy *copy, struct err *err)
{
	size_t room = c->room == 0 ? ROOM_FIRST : c->room + c->room / 2;
	struct copy *all;

	if (c->count == UINT32_MAX)
		return err_set(err, STATUS_TEMP, "too many messages; --since compares only newer ones");
	if (c->count == c->room) {
		all = reallocarray(c->all, room, sizeof(*all));
		if (all == NULL)
			return err_sys(err, "compare messages", NULL);
		c->all = all;
		c->room = room;
	}
	c->all[c->count++] = *copy;
	return 0;
}

/* By what they are copies of. */
static int
compare_key(const struct copies *c, const struct copy *a, const struct copy *b)
{
	if (!c->across && a->folder != b->folder)
		return a->folder < b->folder ? -1 : 1;
	return memcmp(a->fp.bytes, b->fp.bytes, sizeof(a->fp.bytes));
}

/* Then by where they are, so that two runs on one mailbox say the same. */
static int
compare(const void *left, const void *right, void *arg)
{
	const struct copies *c = arg;
	uint32_t l, r;
	int by_key;

	memcpy(&l, left, sizeof(l));
	memcpy(&r, right, sizeof(r));
	by_key = compare_key(c, &c->all[l], &c->all[r]);
	if (by_key != 0)
		return by_key;
	if (c->all[l].folder != c->all[r].folder)
		return c->all[l].folder < c->all[r].folder ? -1 : 1;
	if (c->all[l].place != c->all[r].place)
		return c->all[l].place < c->all[r].place ? -1 : 1;
	return l < r ? -1 : l > r;
}

static bool
is_same_place(const struct copy *a, const struct copy *b)
{
	return a->folder == b->folder && a->place == b->place && memcmp(a->fp.bytes, b->fp.bytes, sizeof(a->fp.bytes)) == 0;
}

int
copies_sort(struct copies *c, struct err *err)
{
	size_t i, n = 0;

	free(c->order);
	c->order = reallocarray(NULL, c->count + 1, sizeof(*c->order));
	if (c->order == NULL)
		return err_sys(err, "compare messages", NULL);
	for (i = 0; i < c->count; i++)
		c->order[i] = (uint32_t)i;
	qsort_r(c->order, c->count, sizeof(*c->order), compare, c);
	for (i = 0; i < c->count; i++)
		if (n == 0 || !is_same_place(&c->all[c->order[i]], &c->all[c->order[n - 1]]))
			c->order[n++] = c->order[i];
	c->sorted = n;
	return 0;
}

size_t
copies_group(const struct copies *c, size_t *from)
{
	size_t end;

	for (; *from < c->sorted; *from = end) {
		for (end = *from + 1; end < c->sorted; end++)
			if (compare_key(c, copies_at(c, *from), copies_at(c, end)) != 0)
				break;
		if (end - *from > 1)
			return end - *from;
	}
	return 0;
}

const struct copy *
copies_at(const struct copies *c, size_t n)
{
	return &c->all[c->order[n]];
}

void
copies_free(struct copies *c)
{
	free(c->all);
	free(c->order);
	memset(c, 0, sizeof(*c));
}
