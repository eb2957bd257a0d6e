/*
 * Carrying out a command, once, on whatever server serves a bucket now. Servers that fail over, start, or move a slot are waited for and
 * asked again, until the deadline of the operation.
 */
#include <string.h>

#include "redis.h"

#define PAUSE_MS 50
#define LEAST_MS 100	/* in less nobody can be asked; and to say so would hide what was the matter */
#define REDIRECTS_MAX 16	/* without a pause between them */

void
redis_begin(struct redis *r)
{
	r->deadline_ms = clock_ms() + r->timeout_ms;
}

int
redis_map(struct redis *r, struct err *err)
{
	if (r->mapped)
		return 0;
	return r->url.kind == REDIS_SENTINEL ? redis_sentinel_map(r, err) : redis_cluster_map(r, err);
}

/* Returns false when there is no time for it. */
static bool
pause_once(const struct redis *r)
{
	if (clock_ms() + PAUSE_MS + LEAST_MS >= r->deadline_ms)
		return false;
	clock_sleep_ms(PAUSE_MS);
	return true;
}

struct redis_node *
redis_reach(struct redis *r, unsigned int bucket, struct err *err)
{
	struct redis_node *node;
	bool again;

	do {
		again = redis_has_others(r);
		if (redis_map(r, err) == 0) {
			node = r->nodes[r->owner[bucket]];
			if (redis_node_ready(r, node, &again, err) == 0)
				return node;
		}
		r->mapped = !redis_has_others(r);
	} while (again && pause_once(r));
	r->failed = true;
	return NULL;
}

int
redis_find(struct redis *r, struct err *err)
{
	if (r->url.kind != REDIS_CLUSTER)
		return redis_reach(r, 0, err) == NULL ? -1 : 0;
	do
		if (redis_map(r, err) == 0)
			return 0;
	while (pause_once(r));
	r->failed = true;
	return -1;
}

enum verdict { ANSWERED, REFUSED, LOST, MOVED, ASK, LATER };

static bool
begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* Only a cluster tells where else to ask: nobody else's word is enough to log in at a place that no URL and no sentinel names. */
static enum verdict
judge(const struct redis *r, const redisReply *reply)
{
	static const char *const later[] = { "LOADING ", "CLUSTERDOWN ", "TRYAGAIN ", "MASTERDOWN ", "READONLY ", "BUSY " };
	size_t i;

	if (reply->type != REDIS_REPLY_ERROR)
		return ANSWERED;
	if (begins(reply->str, "MOVED "))
		return r->url.kind == REDIS_CLUSTER ? MOVED : REFUSED;
	if (begins(reply->str, "ASK "))
		return r->url.kind == REDIS_CLUSTER ? ASK : REFUSED;
	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (begins(reply->str, later[i]))
			return LATER;
	return REFUSED;
}

static int
say_asking(struct redis *r, struct redis_node *node, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;

	redis_word(&c, "ASKING");
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	freeReplyObject(reply);
	return 0;
}

/* What goes with a command: with the first attempt all of it, with others what was not carried out by then. *sent: which. */
static void
send_also(struct redis_node *node, struct redis_request *q, int64_t until, bool sent[REDIS_ALSO_MAX])
{
	bool whole = node->link.fd != -1;
	int i;

	for (i = 0; i < REDIS_ALSO_MAX; i++)
		sent[i] = false;
	for (i = 0; i < q->n_also && whole; i++) {
		if (q->done[i])
			continue;
		(void)redis_link_send(&node->link, &q->also[i], until, &whole, node->name, NULL);
		sent[i] = whole;
	}
}

/* What was sent and got no answer may be done; it is not done again. */
static void
receive_also(struct redis_node *node, struct redis_request *q, int64_t until, const bool sent[REDIS_ALSO_MAX])
{
	redisReply *reply;
	int i;

	for (i = 0; i < q->n_also; i++) {
		if (!sent[i])
			continue;
		q->done[i] = true;
		if (node->link.fd == -1 || redis_link_receive(&node->link, until, &reply, node->name, NULL) == -1)
			continue;
		q->done[i] = reply->type != REDIS_REPLY_ERROR;
		freeReplyObject(reply);
	}
}

/* A failure before the whole command was sent, or of one that may be sent twice, is nobody's loss. */
static enum verdict
try_node(struct redis *r, struct redis_node *node, struct redis_request *q, redisReply **reply, struct err *err)
{
	int64_t until = q->twice ? redis_until(r, node) : r->deadline_ms;
	bool whole, sent[REDIS_ALSO_MAX];
	int ret = redis_link_send(&node->link, &q->main, until, &whole, node->name, err);

	if (ret == 0) {
		send_also(node, q, until, sent);
		ret = -1;
		if (node->link.fd == -1)
			(void)err_set(err, STATUS_TEMP, "%s: the connection broke", node->name);
		else
			ret = redis_link_receive(&node->link, until, reply, node->name, err);
		receive_also(node, q, until, sent);
	}
	if (ret == 0) {
		node->heard_ms = clock_ms();
		return judge(r, *reply);
	}
	r->mapped = !redis_has_others(r);
	return whole && !q->twice ? LOST : LATER;
}

/* A cluster tells where a bucket is, or is going to be. */
static struct redis_node *
follow(struct redis *r, const struct redis_node *by, unsigned int bucket, enum verdict verdict, const redisReply *reply, struct err *err)
{
	size_t index;
	struct redis_node *node = redis_cluster_named(r, by, reply->str, &index, err);

	if (node != NULL && verdict == MOVED)
		r->owner[bucket] = (uint16_t)index;
	return node;
}

/* Where to go on after a reply that is none. *asked: the one that is to serve one request only. Returns false: nowhere. */
static bool
go_on(struct redis *r, struct redis_node **asked, struct redis_node *node, unsigned int bucket, enum verdict verdict,
    const redisReply *reply, int *redirects, struct err *err)
{
	*asked = NULL;
	if (reply != NULL && (verdict == MOVED || verdict == ASK) && ++*redirects <= REDIRECTS_MAX) {
		node = follow(r, node, bucket, verdict, reply, err);
		*asked = verdict == ASK ? node : NULL;
		return node != NULL;
	}
	r->mapped = !redis_has_others(r);
	return verdict != REFUSED && pause_once(r);
}

static struct redis_node *
next_node(struct redis *r, struct redis_node *asked, unsigned int bucket, struct err *err)
{
	bool again;

	if (asked == NULL)
		return redis_reach(r, bucket, err);
	return redis_node_ready(r, asked, &again, err) == 0 && say_asking(r, asked, err) == 0 ? asked : NULL;
}

/* The answer to a script that the server does not know is the caller's. */
enum redis_result
redis_send(struct redis *r, unsigned int bucket, struct redis_request *q, redisReply **reply, struct err *err)
{
	struct redis_node *node, *asked = NULL;
	enum verdict verdict = LATER;
	int redirects = 0;
	bool further = true;

	*reply = NULL;
	r->failed = true;
	while (further && (node = next_node(r, asked, bucket, err)) != NULL) {
		verdict = try_node(r, node, q, reply, err);
		r->last = node;
		if (verdict == ANSWERED)
			break;
		if (verdict == LOST)
			return REDIS_LOST;
		if (*reply != NULL)
			(void)redis_said(node->name, *reply, err);
		further = go_on(r, &asked, node, bucket, verdict, *reply, &redirects, err);
		if (verdict == REFUSED)
			return REDIS_NOTHING;
		freeReplyObject(*reply);
		*reply = NULL;
	}
	r->failed = verdict != ANSWERED;
	return verdict == ANSWERED ? REDIS_DONE : REDIS_NOTHING;
}

enum redis_result
redis_call(struct redis *r, unsigned int bucket, const struct redis_command *c, bool twice, redisReply **reply, struct err *err)
{
	struct redis_request q = { .main = *c, .twice = twice };
	enum redis_result result = redis_send(r, bucket, &q, reply, err);

	if (result != REDIS_DONE) {
		freeReplyObject(*reply);
		*reply = NULL;
	}
	return result;
}

/* What this connection wrote is on disk; to be sure of what others wrote, one writes something later. Only a node that waits is asked. */
int
redis_node_sync(struct redis *r, size_t index, struct err *err)
{
	struct redis_node *node = r->nodes[index];
	struct redis_command write = { .argc = 0 };
	unsigned int bucket = 0;
	char key[REDIS_KEY_MAX];
	redisReply *reply;
	int ret;

	while (bucket < REDIS_BUCKETS && r->owner[bucket] != index)
		bucket++;
	node->unsynced = false;
	if (bucket == REDIS_BUCKETS || node->link.fd == -1)
		return err_set(err, STATUS_TEMP, "%s: it went away before it said that records are on its disk", node->name);
	redis_bucket_key(key, bucket, "sync");
	redis_word(&write, "SET");
	redis_word(&write, key);
	redis_word(&write, "1");
	redis_word(&write, "EX");
	redis_word(&write, "60");
	if (redis_node_ask(r, node, &write, &reply, err) == -1) {
		r->failed = true;	/* what is only to be noted must not wait as long once more */
		return -1;
	}
	ret = reply->type == REDIS_REPLY_STATUS ? redis_node_wait(r, node, err) : redis_said(node->name, reply, err);
	freeReplyObject(reply);
	return ret;
}

int
redis_node_wait(struct redis *r, struct redis_node *node, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	const redisReply *copies;
	char left[24];
	redisReply *reply;
	int ret = -1;

	if (node->link.fd == -1)
		return err_set(err, STATUS_TEMP, "%s: the connection broke", node->name);
	redis_word(&c, "WAITAOF");
	redis_word(&c, "1");
	redis_word(&c, "0");
	redis_number(&c, left, r->deadline_ms > clock_ms() ? r->deadline_ms - clock_ms() : 1);
	if (redis_link_ask(&node->link, &c, r->deadline_ms + PAUSE_MS, &reply, node->name, err) == -1) {
		r->failed = true;
		return -1;
	}
	copies = redis_element(reply, 0, REDIS_REPLY_INTEGER);
	if (copies == NULL)
		(void)redis_said(node->name, reply, err);
	else if (copies->integer < 1) {
		r->failed = true;
		(void)err_set(err, STATUS_TEMP, "%s: its disk was not ready in time", node->name);
	} else
		ret = 0;
	freeReplyObject(reply);
	return ret;
}
