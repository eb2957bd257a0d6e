/* The ledger in Redis, for all hosts of a site: see redis.h. */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

static void
redis_close(struct store **store)
{
	struct redis *r = redis_of(*store);
	size_t i;

	for (i = 0; i < r->n_nodes; i++)
		redis_node_free(r->nodes[i]);
	free(r->nodes);
	if (r->password != NULL)
		explicit_bzero(r->password, strlen(r->password));
	free(r->password);
	free(r);
	*store = NULL;
}

/* The hosts of the URL are the first nodes; a socket is one of host "". */
static int
make_nodes(struct redis *r, struct err *err)
{
	unsigned int i;

	for (i = 0; i < r->url.n || (i == 0 && r->url.kind == REDIS_UNIX); i++)
		if (redis_node_at(r, &r->url.hosts[i], NULL, err) == NULL)
			return -1;
	return 0;
}

/* Nothing is connected to before the first use. */
static int
redis_open(struct store **store, const struct store_options *options, struct err *err)
{
	const struct ledger_options *ledger = options->ledger;
	struct redis_url url;
	struct redis *r;

	if (redis_url_parse(&url, ledger->url, err) == -1)
		return -1;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return err_sys(err, "open ledger", NULL);
	r->base.ops = &store_redis;
	r->url = url;
	r->timeout_ms = ledger->timeout_ms;
	r->window = ledger->window;
	r->history = ledger->history;
	r->lookup = ledger->lookup;
	r->expired = options->expired;
	r->expired_arg = options->expired_arg;
	r->mapped = !redis_has_others(r);
	*store = &r->base;
	if (ledger->password != NULL)
		r->password = strdup(ledger->password);
	if ((ledger->password != NULL && r->password == NULL)) {
		err_sys(err, "open ledger", NULL);
		redis_close(store);
		return -1;
	}
	if (make_nodes(r, err) == 0)
		return 0;
	redis_close(store);
	return -1;
}

/* Behind a sandbox no name can be looked up. Returns true if all that there are are known. */
static bool
look_up_all(struct redis *r)
{
	struct redis_node *node;
	bool known = true;
	int64_t left;
	size_t i;

	for (i = 0; i < r->n_nodes; i++) {
		node = r->nodes[i];
		left = r->deadline_ms - clock_ms();
		if (node->addresses.n == 0 && r->lookup != NULL && left > 0)
			(void)r->lookup(&node->addresses, node->host.name, node->host.port, (int)left, NULL);
		known = known && node->addresses.n > 0;
	}
	return known;
}

static int
redis_prepare(struct store *store, struct ledger_needs *needs, struct err *err)
{
	struct redis *r = redis_of(store);
	size_t i;
	int ret;

	for (i = 0; i < r->n_nodes; i++)
		r->nodes[i]->unsynced = false;	/* marks of earlier deliveries: nobody waits for them, and their server may be gone */
	redis_begin(r);
	ret = redis_find(r, err);
	needs->names = !look_up_all(r);
	needs->n_ports = r->n_ports;
	memcpy(needs->ports, r->ports, sizeof(r->ports));
	return ret;
}

enum store_result
redis_get(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err)
{
	struct redis *r = redis_of(store);
	struct redis_command c = { .argc = 0 };
	enum store_result result = STORE_ABSENT;
	char name[REDIS_KEY_MAX];
	redisReply *reply;

	redis_key(name, key);
	redis_word(&c, "GET");
	redis_word(&c, name);
	redis_begin(r);
	if (redis_call(r, key->bytes[0], &c, true, &reply, err) != REDIS_DONE) {
		freeReplyObject(reply);
		return STORE_FAILED;
	}
	if (redis_is_string(reply) && redis_frame_find(reply->str, reply->len, key, value)) {
		result = STORE_OK;
		r->last->unsynced = r->last->waits;
	} else if (!redis_is_string(reply) && reply->type != REDIS_REPLY_NIL) {
		(void)redis_said(r->last->name, reply, err);
		result = STORE_FAILED;
	}
	freeReplyObject(reply);
	return result;
}

void
redis_put_make(struct redis_put *p, const struct redis *r, const struct fingerprint *key, const struct store_value *expected,
    const struct store_value *value, bool pending)
{
	struct redis_command *c = &p->q.main;
	int64_t now = clock_now();

	memset(p->q.done, 0, sizeof(p->q.done));
	p->q.twice = false;
	redis_script_begin(c, p->script);
	redis_key(p->key, key);
	redis_word(c, p->key);
	redis_arg(c, key->bytes + FINGERPRINT_TAG / 2, FINGERPRINT_BYTES - FINGERPRINT_TAG / 2);
	redis_word(c, expected != NULL ? "same" : "none");
	redis_arg(c, expected != NULL ? (const void *)expected->bytes : "", expected != NULL ? expected->len : 0);
	redis_arg(c, value != NULL ? (const void *)value->bytes : "", value != NULL ? value->len : 0);
	redis_number(c, p->expiry, value != NULL ? redis_expiry(r, value, pending, now) : 0);
	redis_number(c, p->now, now);
	redis_hint_make(&p->hint, key, pending, now);
	p->q.also[0] = p->hint.c;
	p->q.n_also = 1;
	/* Others may have done the same, and both are worth a word; what was not removed is not. */
	if (r->base.event != NULL && value != NULL)
		p->q.n_also += redis_event_make(r, &p->event, r->base.event, &p->q.also[1]);
}

enum store_result
redis_put_read(const struct redis_node *node, const redisReply *reply, struct store_value *now, struct err *err)
{
	const redisReply *said = redis_element(reply, 0, REDIS_REPLY_INTEGER), *there = redis_element(reply, 1, REDIS_REPLY_STRING);

	if (said != NULL && said->integer == 0)
		return STORE_OK;
	if (said != NULL && said->integer == 2)
		return STORE_ABSENT;
	if (said != NULL && said->integer == 1 && there != NULL && there->len <= RECORD_MAX) {
		now->len = there->len;
		memcpy(now->bytes, there->str, there->len);
		return STORE_CONFLICT;
	}
	(void)redis_said(node->name, reply, err);
	return STORE_UNDECIDED;
}

/* A hint went with a change that was not made. */
static void
mend_hint(struct redis *r, const struct fingerprint *key, bool pending, const struct store_value *there)
{
	int64_t first;

	if (!pending && record_look(there->bytes, there->len, &first) == RECORD_PENDING)
		redis_hint(r, key, true);
}

static enum store_result
change(struct redis *r, const struct fingerprint *key, const struct store_value *expected, const struct store_value *value, bool durable,
    bool pending, struct store_value *now, struct err *err)
{
	struct store_value there;
	enum store_result result;
	redisReply *reply;
	struct redis_put p;

	redis_put_make(&p, r, key, expected, value, pending);
	redis_begin(r);
	switch (redis_script_send(r, key->bytes[0], &p.q, &reply, err)) {
	case REDIS_NOTHING:
		return STORE_FAILED;
	case REDIS_LOST:
		return STORE_UNDECIDED;
	case REDIS_DONE:
		break;
	}
	if (now == NULL)
		now = &there;
	result = redis_put_read(r->last, reply, now, err);
	freeReplyObject(reply);
	if (result == STORE_CONFLICT)
		mend_hint(r, key, pending, now);
	if (r->last->waits && result == STORE_OK && durable)
		result = redis_node_wait(r, r->last, err) == 0 ? STORE_OK : STORE_UNDECIDED;
	else if (r->last->waits)
		r->last->unsynced = true;
	return result;
}

enum store_result
redis_put(struct store *store, const struct fingerprint *key, const struct store_value *expected, const struct store_value *value,
    bool durable, bool pending, struct store_value *now, struct err *err)
{
	return change(redis_of(store), key, expected, value, durable, pending, now, err);
}

enum store_result
redis_remove(struct store *store, const struct fingerprint *key, const struct store_value *expected, struct err *err)
{
	enum store_result result = change(redis_of(store), key, expected, NULL, false, false, NULL, err);

	if (result == STORE_OK && store->event != NULL)
		redis_note(store, store->event);
	return result == STORE_UNDECIDED ? STORE_FAILED : result;
}

/* Nothing is to be done where each answer comes after the disk's. */
static int
redis_sync(struct store *store, struct err *err)
{
	struct redis *r = redis_of(store);
	size_t i;
	int ret = 0;

	redis_begin(r);
	for (i = 0; ret == 0 && i < r->n_nodes; i++)
		if (r->nodes[i]->unsynced)
			ret = redis_node_sync(r, i, err);
	return ret;
}

static void
redis_crashed(const struct store *store)
{
	(void)store;
}

const struct store_ops store_redis = {
	.name = "redis",
	.open = redis_open,
	.close = redis_close,
	.prepare = redis_prepare,
	.get = redis_get,
	.put = redis_put,
	.sync = redis_sync,
	.remove = redis_remove,
	.fill = redis_fill,
	.count = redis_count,
	.each = redis_each,
	.recent_pending = redis_recent_pending,
	.all_pending = redis_all_pending,
	.prune = redis_prune,
	.note = redis_note,
	.each_event = redis_each_event,
	.stat = redis_stat,
	.crashed = redis_crashed,
};
