/* Events of a ledger in Redis, and what is counted there: in each bucket, the newest. */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#define KEPT_MIN 64	/* in a bucket: few messages are not spread evenly */

static uint32_t
events_kept(const struct redis *r)
{
	uint32_t share = (r->history + REDIS_BUCKETS - 1) / REDIS_BUCKETS, least = r->history < KEPT_MIN ? r->history : KEPT_MIN;

	return share > least ? share : least;
}

/* Numbers are given when events are read: here nobody knows the number of the last one. The zeroes at the end are not sent. */
int
redis_event_make(const struct redis *r, struct redis_event_text *text, const struct event *event,
    struct redis_command c[REDIS_EVENT_COMMANDS])
{
	unsigned int bucket = event->fp.bytes[0];
	size_t len = EVENT_SLOT;
	int i;

	for (i = 0; i < REDIS_EVENT_COMMANDS; i++)
		c[i].argc = 0;
	if (r->history == 0)
		return 0;
	event_encode(event, text->slot);
	while (len > 0 && text->slot[len - 1] == 0)
		len--;
	redis_bucket_key(text->events, bucket, "events");
	redis_bucket_key(text->counts, bucket, "counts");
	redis_word(&c[0], "RPUSH");
	redis_word(&c[0], text->events);
	redis_arg(&c[0], text->slot, len);
	redis_word(&c[1], "LTRIM");
	redis_word(&c[1], text->events);
	redis_number(&c[1], text->kept, -(int64_t)events_kept(r));
	redis_word(&c[1], "-1");
	redis_word(&c[2], "HINCRBY");
	redis_word(&c[2], text->counts);
	redis_word(&c[2], "noted");
	redis_word(&c[2], "1");
	return REDIS_EVENT_COMMANDS;
}

/* What was delivered while there was no ledger has nowhere to go, and must not wait for one. */
void
redis_note(struct store *store, const struct event *event)
{
	struct redis *r = redis_of(store);
	struct redis_command c[REDIS_EVENT_COMMANDS + 1];
	struct redis_request q = { .n_also = 0 };
	struct redis_event_text text;
	int n;

	if (r->failed && event->kind == EVENT_UNRECORDED)
		return;
	n = redis_event_make(r, &text, event, c);
	if (event->kind == EVENT_DUPLICATE) {
		redis_bucket_key(text.counts, event->fp.bytes[0], "counts");
		c[n].argc = 0;
		redis_word(&c[n], "HINCRBY");
		redis_word(&c[n], text.counts);
		redis_word(&c[n], "duplicates");
		redis_word(&c[n++], "1");
	}
	redis_begin(r);
	if (n > 0) {
		redisReply *reply;

		q.main = c[0];
		q.n_also = n - 1;
		memcpy(q.also, &c[1], (size_t)q.n_also * sizeof(c[0]));
		(void)redis_send(r, event->fp.bytes[0], &q, &reply, NULL);
		freeReplyObject(reply);
	}
}

struct events {
	struct event *all;
	size_t n, size;
	uint64_t noted;		/* ever */
};

static int
add_event(struct events *e, const redisReply *from, struct err *err)
{
	unsigned char slot[EVENT_SLOT] = { 0 };
	struct event *grown;
	size_t size;

	if (!redis_is_string(from) || from->len > sizeof(slot))
		return 0;
	memcpy(slot, from->str, from->len);
	if (e->n == e->size) {
		size = e->size == 0 ? 256 : 2 * e->size;
		grown = reallocarray(e->all, size, sizeof(*grown));
		if (grown == NULL)
			return err_sys(err, "read events of ledger", NULL);
		e->all = grown;
		e->size = size;
	}
	if (event_decode(&e->all[e->n], slot) == 0)
		e->n++;
	return 0;
}

static int
ask_bucket(struct redis *r, unsigned int bucket, const char *what, const char *command, const char *one, const char *two,
    redisReply **reply, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	char key[REDIS_KEY_MAX];

	redis_bucket_key(key, bucket, what);
	redis_word(&c, command);
	redis_word(&c, key);
	redis_word(&c, one);
	redis_word(&c, two);
	redis_begin(r);
	if (redis_call(r, bucket, &c, true, reply, err) != REDIS_DONE) {
		freeReplyObject(*reply);
		return -1;
	}
	if ((*reply)->type == REDIS_REPLY_ARRAY)
		return 0;
	(void)redis_said(r->last->name, *reply, err);
	freeReplyObject(*reply);
	return -1;
}

/* Adds a bucket's counts. */
static int
read_counts(struct redis *r, unsigned int bucket, uint64_t *noted, uint64_t *duplicates, struct err *err)
{
	const redisReply *number;
	redisReply *reply;

	if (ask_bucket(r, bucket, "counts", "HMGET", "noted", "duplicates", &reply, err) == -1)
		return -1;
	number = redis_element(reply, 0, REDIS_REPLY_STRING);
	*noted += number != NULL ? strtoull(number->str, NULL, 10) : 0;
	number = redis_element(reply, 1, REDIS_REPLY_STRING);
	*duplicates += number != NULL ? strtoull(number->str, NULL, 10) : 0;
	freeReplyObject(reply);
	return 0;
}

static int
read_bucket(struct redis *r, unsigned int bucket, struct events *e, struct err *err)
{
	uint64_t duplicates = 0;
	redisReply *reply;
	size_t i;
	int ret = 0;

	if (ask_bucket(r, bucket, "events", "LRANGE", "0", "-1", &reply, err) == -1)
		return -1;
	for (i = 0; ret == 0 && i < reply->elements; i++)
		ret = add_event(e, reply->element[i], err);
	freeReplyObject(reply);
	return ret == 0 ? read_counts(r, bucket, &e->noted, &duplicates, err) : -1;
}

/* By time. In one second, as they were read: the order inside of a bucket is known. */
static int
by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int
redis_each_event(struct store *store, event_visit *visit, void *arg, struct err *err)
{
	struct redis *r = redis_of(store);
	struct events e = { .all = NULL };
	unsigned int bucket;
	uint64_t gone;
	size_t i;
	int ret = 0;

	for (bucket = 0; ret == 0 && bucket < REDIS_BUCKETS; bucket++)
		ret = read_bucket(r, bucket, &e, err);
	for (i = 0; i < e.n; i++)
		e.all[i].number = i;
	if (e.n > 0)
		qsort(e.all, e.n, sizeof(*e.all), by_time);
	gone = e.noted > e.n ? e.noted - e.n : 0;
	for (i = 0; ret == 0 && i < e.n; i++) {
		e.all[i].number = gone + i + 1;
		ret = visit(arg, &e.all[i], err);
	}
	free(e.all);
	return ret == -1 ? -1 : 0;
}

/* The file that a server keeps all in, this ledger and whatever else there is. */
static int
read_size(struct redis *r, unsigned int bucket, uint64_t *bytes, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	char value[REDIS_INFO_MAX];
	redisReply *reply;

	redis_word(&c, "INFO");
	redis_word(&c, "persistence");
	redis_begin(r);
	if (redis_call(r, bucket, &c, true, &reply, err) != REDIS_DONE) {
		freeReplyObject(reply);
		return -1;
	}
	if (redis_is_string(reply)) {
		redis_info(reply, "aof_current_size", value);
		*bytes += strtoull(value, NULL, 10);
	}
	freeReplyObject(reply);
	return 0;
}

int
redis_stat(struct store *store, struct ledger_stat *stat, struct err *err)
{
	struct redis *r = redis_of(store);
	uint64_t noted = 0;
	unsigned int bucket;

	for (bucket = 0; bucket < REDIS_BUCKETS; bucket++) {
		if (read_counts(r, bucket, &noted, &stat->duplicates, err) == -1)
			return -1;
		if (!redis_repeats(r->owner, bucket) && read_size(r, bucket, &stat->bytes, err) == -1)
			return -1;
	}
	stat->exists = true;
	return 0;
}
