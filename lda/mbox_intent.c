/* The encoding of an mbox intent. */
#include <string.h>

#include "mbox_entry.h"

#define VERSION 1
#define FLAG_DROP_RETURN_PATH 1u

/* Writes into, or reads out of, an intent. Past its end it stops and says so. */
struct cursor {
	unsigned char *to;
	const unsigned char *from;
	size_t left;
	bool failed;
};

static void
put(struct cursor *c, const void *buf, size_t len)
{
	if (c->failed || len > c->left) {
		c->failed = true;
		return;
	}
	memcpy(c->to, buf, len);
	c->to += len;
	c->left -= len;
}

static void
put_number(struct cursor *c, uint64_t n, size_t bytes)
{
	unsigned char buf[8];
	size_t i;

	for (i = 0; i < bytes; i++)
		buf[i] = (unsigned char)(n >> (8 * (bytes - 1 - i)));
	put(c, buf, bytes);
}

static void
get(struct cursor *c, void *buf, size_t len)
{
	if (c->failed || len > c->left) {
		c->failed = true;
		return;
	}
	memcpy(buf, c->from, len);
	c->from += len;
	c->left -= len;
}

static uint64_t
get_number(struct cursor *c, size_t bytes)
{
	unsigned char buf[8] = { 0 };
	uint64_t n = 0;
	size_t i;

	get(c, buf, bytes);
	for (i = 0; i < bytes; i++)
		n = n << 8 | buf[i];
	return c->failed ? 0 : n;
}

int
entry_encode(const struct mbox_entry *e, struct intent *intent, struct err *err)
{
	struct cursor c = { .to = intent->bytes, .left = sizeof(intent->bytes) };
	size_t path_len = strlen(e->path);

	put_number(&c, MBOX_TAG, 1);
	put_number(&c, VERSION, 1);
	put_number(&c, e->drop_return_path ? FLAG_DROP_RETURN_PATH : 0, 1);
	put_number(&c, path_len, 2);
	put(&c, e->path, path_len);
	put(&c, e->id, sizeof(e->id));
	put_number(&c, e->dev, 8);
	put_number(&c, e->ino, 8);
	put_number(&c, e->s0, 8);
	put_number(&c, e->prefix_len, 2);
	put(&c, e->prefix, sizeof(e->prefix));
	put_number(&c, e->head_len, 2);
	put(&c, e->head, e->head_len);
	put_number(&c, e->len, 8);
	put(&c, e->digest, sizeof(e->digest));
	put(&c, e->witness.head, sizeof(e->witness.head));
	put(&c, e->witness.body, sizeof(e->witness.body));
	if (c.failed)
		return err_set(err, STATUS_TEMP, "deliver to %s: path and header lines are too long for a record", e->path);
	intent->len = sizeof(intent->bytes) - c.left;
	return 0;
}

/* Could entry_make() have made this? */
static bool
is_sane(const struct mbox_entry *e, size_t path_len)
{
	return path_len > 0 && e->path[0] == '/' && strlen(e->path) == path_len && e->s0 <= INT64_MAX &&
	    e->len <= INT64_MAX - e->s0 && e->len >= e->head_len && e->head_len > 0 && e->prefix_len <= MBOX_PREFIX_MAX &&
	    e->prefix_len <= e->s0;
}

int
entry_decode(struct mbox_entry *e, const struct intent *intent)
{
	struct cursor c = { .from = intent->bytes, .left = intent->len };
	uint64_t flags, path_len;

	memset(e, 0, sizeof(*e));
	if (intent->len > sizeof(intent->bytes) || get_number(&c, 1) != MBOX_TAG || get_number(&c, 1) != VERSION)
		return -1;
	flags = get_number(&c, 1);
	e->drop_return_path = (flags & FLAG_DROP_RETURN_PATH) != 0;
	path_len = get_number(&c, 2);
	if (path_len >= sizeof(e->path))
		return -1;
	get(&c, e->path, (size_t)path_len);
	get(&c, e->id, sizeof(e->id));
	e->dev = get_number(&c, 8);
	e->ino = get_number(&c, 8);
	e->s0 = get_number(&c, 8);
	e->prefix_len = get_number(&c, 2);
	get(&c, e->prefix, sizeof(e->prefix));
	e->head_len = (size_t)get_number(&c, 2);
	if (e->head_len > sizeof(e->head))
		return -1;
	get(&c, e->head, e->head_len);
	e->len = get_number(&c, 8);
	get(&c, e->digest, sizeof(e->digest));
	get(&c, e->witness.head, sizeof(e->witness.head));
	get(&c, e->witness.body, sizeof(e->witness.body));
	return c.failed || c.left != 0 || !is_sane(e, (size_t)path_len) ? -1 : 0;
}
