/* Many records that follow one another: the next ones are sent before the answers to the first are read. */
#include "redis.h"

#define AT_ONCE 64

struct fill {
	struct redis *r;
	struct redis_node *node;	/* of this portion */
	store_item *item;
	void *arg;
	uint64_t *added;
	struct err *err;
};

/* By itself, and in place of one that has expired. */
static int
fill_one(struct fill *f, size_t i)
{
	struct store_value value, there;
	struct fingerprint key;
	enum store_result result;

	f->item(f->arg, i, &key, &value);
	result = redis_put(&f->r->base, &key, NULL, &value, false, false, &there, f->err);
	if (result == STORE_CONFLICT && f->r->expired(f->r->expired_arg, there.bytes, there.len))
		result = redis_put(&f->r->base, &key, &there, &value, false, false, &there, f->err);
	*f->added += result == STORE_OK;
	return result == STORE_FAILED || result == STORE_UNDECIDED ? -1 : 0;
}

/* Send as many as one node takes, from `i` on. Returns how many; what does not go is left to fill_one(). */
static size_t
send_some(struct fill *f, size_t i, size_t n)
{
	struct store_value value;
	struct fingerprint key;
	struct redis_put put;
	size_t sent = 0;
	bool whole = true;

	while (sent < AT_ONCE && i + sent < n && whole) {
		f->item(f->arg, i + sent, &key, &value);
		if (f->r->nodes[f->r->owner[key.bytes[0]]] != f->node)
			break;
		redis_put_make(&put, f->r, &key, NULL, &value, false);
		(void)redis_link_send(&f->node->link, &put.q.main, f->r->deadline_ms, &whole, f->node->name, NULL);
		sent += whole;
	}
	return sent;
}

/* Returns true if nothing more is to be done for this one. */
static bool
read_one(struct fill *f)
{
	struct store_value there;
	enum store_result result = STORE_UNDECIDED;
	redisReply *reply;

	if (f->node->link.fd == -1 || redis_link_receive(&f->node->link, f->r->deadline_ms, &reply, f->node->name, NULL) == -1)
		return false;
	result = redis_put_read(f->node, reply, &there, NULL);
	freeReplyObject(reply);
	*f->added += result == STORE_OK;
	return result == STORE_OK || (result == STORE_CONFLICT && !f->r->expired(f->r->expired_arg, there.bytes, there.len));
}

/* Fills what one node takes together. Returns how many are done, or 0. */
static size_t
fill_some(struct fill *f, size_t i, size_t n)
{
	bool done[AT_ONCE];
	struct store_value value;
	struct fingerprint key;
	size_t j, sent;

	f->item(f->arg, i, &key, &value);
	redis_begin(f->r);
	f->node = redis_reach(f->r, key.bytes[0], f->err);
	if (f->node == NULL)
		return 0;
	sent = send_some(f, i, n);
	f->node->unsynced = f->node->waits;
	for (j = 0; j < sent; j++)	/* all, before anything else goes over this connection */
		done[j] = read_one(f);
	for (j = 0; j < sent; j++)
		if (!done[j] && fill_one(f, i + j) == -1)
			return 0;
	return sent > 0 ? sent : fill_one(f, i) == 0;
}

int
redis_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err)
{
	struct fill f = { .r = redis_of(store), .item = item, .arg = arg, .added = added, .err = err };
	size_t i, some;

	for (i = 0; i < n; i += some) {
		some = fill_some(&f, i, n);
		if (some == 0)
			return -1;
	}
	return 0;
}
