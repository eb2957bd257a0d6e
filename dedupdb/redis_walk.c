/* Walks through a ledger in Redis: SCAN on each master, so in no order. What is there all the time is visited, perhaps twice. */
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "redis.h"

#define KEYS_AT_ONCE "512"
#define VALUES_AT_ONCE 128	/* commands that are sent before the first answer is read */
#define RECENT_LAST "3"		/* of each bucket the oldest four */
#define TICK_EVERY 1024

struct walk {
	struct redis *r;
	unsigned int bucket;		/* one of this node's */
	struct redis_node *node;	/* NULL: not asked yet */
	const struct fingerprint *from, *to;
	store_visit *visit;
	void *arg;
	struct err *err;
};

/* The fingerprints of a key's records begin like this. Returns 0, or -1: it is no key of records. */
static int
parse_key(const redisReply *key, struct fingerprint *prefix)
{
	char whole[REDIS_KEY_MAX];
	const char *digits;
	int i, high, low;

	memset(prefix, 0, sizeof(*prefix));
	if (!redis_is_string(key) || key->len < 2 * REDIS_PREFIX_BYTES || strlen(key->str) != key->len)
		return -1;
	digits = key->str + key->len - (size_t)(2 * REDIS_PREFIX_BYTES);
	for (i = 0; i < REDIS_PREFIX_BYTES; i++) {
		high = pack_hex_digit(digits[2 * i]);
		low = pack_hex_digit(digits[2 * i + 1]);
		if (high == -1 || low == -1)
			return -1;
		prefix->bytes[i] = (unsigned char)(high << 4 | low);
	}
	redis_key(whole, prefix);
	return strcmp(whole, key->str) == 0 ? 0 : -1;
}

static bool
outside(const struct walk *w, const struct fingerprint *key)
{
	return memcmp(key, w->from, sizeof(*key)) < 0 || memcmp(key, w->to, sizeof(*key)) > 0;
}

static int
visit_inside(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	struct walk *w = arg;

	return outside(w, key) ? 0 : w->visit(w->arg, key, value, err);
}

static int
visit_value(struct walk *w, const struct redis_node *node, const struct fingerprint *prefix, const redisReply *value)
{
	if (value->type == REDIS_REPLY_NIL)
		return 0;
	if (!redis_is_string(value))
		return redis_said(node->name, value, w->err);
	return redis_frames_each(value->str, value->len, prefix, visit_inside, w, w->err);
}

static void
get_command(struct redis_command *c, char key[REDIS_KEY_MAX], const struct fingerprint *prefix)
{
	redis_key(key, prefix);
	c->argc = 0;
	redis_word(c, "GET");
	redis_word(c, key);
}

/* The values of one key, wherever it is. */
static int
visit_key(struct walk *w, const struct fingerprint *prefix)
{
	struct redis_command c;
	char key[REDIS_KEY_MAX];
	redisReply *reply;
	int ret;

	get_command(&c, key, prefix);
	redis_begin(w->r);
	if (redis_call(w->r, prefix->bytes[0], &c, true, &reply, w->err) != REDIS_DONE) {
		freeReplyObject(reply);
		return -1;
	}
	ret = visit_value(w, w->r->last, prefix, reply);
	freeReplyObject(reply);
	return ret;
}

/* Ask for many together. Those that a cluster has moved meanwhile are asked for one by one. */
static int
visit_keys(struct walk *w, const struct fingerprint *prefixes, size_t n)
{
	redisReply *replies[VALUES_AT_ONCE] = { NULL };
	struct redis_command c;
	char key[REDIS_KEY_MAX];
	size_t i, got = 0;
	bool whole;
	int ret = 0;

	redis_begin(w->r);
	for (i = 0; ret == 0 && i < n; i++) {
		get_command(&c, key, &prefixes[i]);
		ret = redis_link_send(&w->node->link, &c, w->r->deadline_ms, &whole, w->node->name, w->err);
	}
	for (; ret == 0 && got < n; got += ret == 0)
		ret = redis_link_receive(&w->node->link, w->r->deadline_ms, &replies[got], w->node->name, w->err);
	for (i = 0; ret == 0 && i < got; i++)
		ret = replies[i]->type == REDIS_REPLY_ERROR ? visit_key(w, &prefixes[i]) : visit_value(w, w->node, &prefixes[i], replies[i]);
	for (i = 0; i < got; i++)
		freeReplyObject(replies[i]);
	return ret;
}

static int
visit_batch(struct walk *w, const redisReply *keys)
{
	struct fingerprint prefixes[VALUES_AT_ONCE];
	size_t i, n = 0;
	int ret = 0;

	for (i = 0; ret == 0 && i < keys->elements; i++) {
		if (parse_key(keys->element[i], &prefixes[n]) == 0)
			n++;
		if (n == VALUES_AT_ONCE || (n > 0 && i + 1 == keys->elements)) {
			ret = visit_keys(w, prefixes, n);
			n = 0;
		}
	}
	return ret;
}

/* A cursor means nothing to another server. */
static int
scan_once(struct walk *w, char cursor[24], redisReply **reply)
{
	struct redis_command c = { .argc = 0 };

	redis_word(&c, "SCAN");
	redis_word(&c, cursor);
	redis_word(&c, "MATCH");
	redis_word(&c, "dedup-lda:{???}:????????????????");
	redis_word(&c, "COUNT");
	redis_word(&c, KEYS_AT_ONCE);
	redis_begin(w->r);
	if (redis_call(w->r, w->bucket, &c, true, reply, w->err) != REDIS_DONE)
		return -1;
	if (w->node != NULL && w->node != w->r->last)
		return err_set(w->err, STATUS_TEMP, "%s: another server took over while its records were read", w->node->name);
	w->node = w->r->last;
	return 0;
}

static int
scan_node(struct walk *w)
{
	const redisReply *next, *keys;
	redisReply *reply;
	char cursor[24] = "0";
	int ret;

	do {
		ret = scan_once(w, cursor, &reply);
		if (ret == 0) {
			next = redis_element(reply, 0, REDIS_REPLY_STRING);
			keys = redis_element(reply, 1, REDIS_REPLY_ARRAY);
			if (next == NULL || keys == NULL || next->len >= sizeof(cursor))
				ret = redis_said(w->node->name, reply, w->err);
			else {
				memcpy(cursor, next->str, next->len + 1);
				ret = visit_batch(w, keys);
			}
		}
		freeReplyObject(reply);
	} while (ret == 0 && strcmp(cursor, "0") != 0);
	return ret;
}

bool
redis_repeats(const uint16_t owner[REDIS_BUCKETS], unsigned int bucket)
{
	unsigned int i;

	for (i = 0; i < bucket; i++)
		if (owner[i] == owner[bucket])
			return true;
	return false;
}

static int
scan_all(struct walk *w)
{
	uint16_t owner[REDIS_BUCKETS];
	unsigned int i;
	int ret = 0;

	redis_begin(w->r);
	if (redis_reach(w->r, 0, w->err) == NULL)
		return -1;
	memcpy(owner, w->r->owner, sizeof(owner));
	for (i = 0; ret == 0 && i < REDIS_BUCKETS; i++) {
		if (redis_repeats(owner, i))
			continue;
		w->bucket = i;
		w->node = NULL;
		ret = scan_node(w);
	}
	return ret;
}

int
redis_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg,
    struct err *err)
{
	struct walk w = { .r = redis_of(store), .from = from, .to = to, .visit = visit, .arg = arg, .err = err };
	struct fingerprint prefix = { { 0 } };

	memcpy(prefix.bytes, from->bytes, REDIS_PREFIX_BYTES);
	return memcmp(from->bytes, to->bytes, REDIS_PREFIX_BYTES) == 0 ? visit_key(&w, &prefix) : scan_all(&w);
}

void
redis_hint(struct redis *r, const struct fingerprint *key, bool pending)
{
	struct redis_hint hint;
	redisReply *reply;

	redis_hint_make(&hint, key, pending, clock_now());
	redis_begin(r);
	(void)redis_call(r, key->bytes[0], &hint.c, true, &reply, NULL);
	freeReplyObject(reply);
}

void
redis_hint_make(struct redis_hint *hint, const struct fingerprint *key, bool pending, int64_t now)
{
	redis_bucket_key(hint->key, key->bytes[0], "pending");
	hint->c.argc = 0;
	redis_word(&hint->c, pending ? "ZADD" : "ZREM");
	redis_word(&hint->c, hint->key);
	if (pending)
		redis_number(&hint->c, hint->now, now);
	redis_arg(&hint->c, key->bytes, sizeof(key->bytes));
}

/* Returns 1: the record may be pending, 0: it is not, or there is none, -1. */
static int
get_pending(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	int64_t first;
	enum store_result result = redis_get(store, key, value, err);

	if (result == STORE_OK)
		return record_look(value->bytes, value->len, &first) != RECORD_DELIVERED;
	return result == STORE_ABSENT ? 0 : -1;
}

/* Who lost a race may have left a hint that says nothing. Between the look at the record and the removal of its hint another delivery may
 * decide; that one's hint is put back. */
static int
remove_hint(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	int pending;

	redis_hint(redis_of(store), key, false);
	pending = get_pending(store, key, value, err);
	if (pending != 0)	/* or not known */
		redis_hint(redis_of(store), key, true);
	return pending;
}

static int
visit_pending(struct store *store, const redisReply *member, store_visit *visit, void *arg, struct err *err)
{
	struct store_value value;
	struct fingerprint key;
	int pending;

	if (!redis_is_string(member) || member->len != sizeof(key.bytes))
		return 0;
	memcpy(key.bytes, member->str, sizeof(key.bytes));
	pending = get_pending(store, &key, &value, err);
	if (pending == 0)
		pending = remove_hint(store, &key, &value, err);
	return pending == 1 ? visit(arg, &key, &value, err) : pending;
}

/* The first pending records of each bucket, from the oldest on, up to the one with this index ("-1": all). */
static int
each_pending(struct redis *r, const char *last, store_visit *visit, void *arg, struct err *err)
{
	struct redis_command c;
	char key[REDIS_KEY_MAX];
	unsigned int bucket;
	redisReply *reply;
	size_t i;
	int ret = 0;

	for (bucket = 0; ret == 0 && bucket < REDIS_BUCKETS; bucket++) {
		c.argc = 0;
		redis_bucket_key(key, bucket, "pending");
		redis_word(&c, "ZRANGE");
		redis_word(&c, key);
		redis_word(&c, "0");
		redis_word(&c, last);
		redis_begin(r);
		if (redis_call(r, bucket, &c, true, &reply, err) != REDIS_DONE)
			ret = -1;
		for (i = 0; ret == 0 && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
			ret = visit_pending(&r->base, reply->element[i], visit, arg, err);
		freeReplyObject(reply);
	}
	return ret;
}

int
redis_recent_pending(struct store *store, store_visit *visit, void *arg, struct err *err)
{
	return each_pending(redis_of(store), RECENT_LAST, visit, arg, err);
}

int
redis_all_pending(struct store *store, store_visit *visit, void *arg, struct err *err)
{
	return each_pending(redis_of(store), "-1", visit, arg, err);
}

struct prune {
	struct store *store;
	store_expired *expired;
	void *arg;
	uint64_t *deleted;
};

static int
prune_one(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	struct prune *p = arg;

	if (!p->expired(p->arg, value->bytes, value->len))
		return 0;
	switch (redis_remove(p->store, key, value, err)) {
	case STORE_OK:
		(*p->deleted)++;
		return 0;
	case STORE_FAILED:
		return -1;
	default:
		return 0;
	}
}

static const struct fingerprint lowest;

static struct fingerprint
highest(void)
{
	struct fingerprint fp;

	memset(&fp, 0xff, sizeof(fp));
	return fp;
}

int
redis_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err)
{
	struct prune p = { store, expired, arg, deleted };
	struct fingerprint last = highest();

	return redis_each(store, &lowest, &last, prune_one, &p, err) == -1 ? -1 : 0;
}

struct count {
	struct counters *counters;
	store_tick *tick;
	void *arg;
	uint64_t done;
};

static int
count_one(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	struct count *c = arg;

	(void)key;
	(void)err;
	counters_add(c->counters, value->bytes, value->len);
	return c->tick != NULL && ++c->done % TICK_EVERY == 0 ? c->tick(c->arg, c->done) : 0;
}

/* Records go by themselves, so nobody could keep count of them. */
int
redis_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err)
{
	struct count c = { counters, tick, arg, 0 };
	struct fingerprint last = highest();

	memset(counters, 0, sizeof(*counters));
	return redis_each(store, &lowest, &last, count_one, &c, err) == -1 ? -1 : 0;
}
