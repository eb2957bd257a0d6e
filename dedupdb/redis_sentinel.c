/* Sentinels know which server is the master. */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

/* A host and a port, as two strings. */
static int
read_place(const redisReply *host, const redisReply *port, struct redis_host *place)
{
	char *end;
	unsigned long n;

	if (host == NULL || port == NULL || host->len == 0 || host->len >= sizeof(place->name) || strlen(host->str) != host->len)
		return -1;
	memcpy(place->name, host->str, host->len + 1);
	n = strtoul(port->str, &end, 10);
	place->port = *end == '\0' && n > 0 && n <= UINT16_MAX ? (unsigned int)n : 0;
	return place->port > 0 ? 0 : -1;
}

static int
ask(struct redis *r, struct redis_node *sentinel, const char *what, redisReply **reply, struct err *err)
{
	struct redis_command c = { .argc = 0 };

	redis_word(&c, "SENTINEL");
	redis_word(&c, what);
	redis_word(&c, r->url.name);
	return redis_node_ask(r, sentinel, &c, reply, err);
}

/* Who may be the master after a failover: a sandbox has to know the port, and a name must be looked up before. */
static void
note_replicas(struct redis *r, struct redis_node *sentinel)
{
	struct redis_host place;
	const redisReply *one;
	redisReply *reply;
	size_t i;

	if (ask(r, sentinel, "replicas", &reply, NULL) == -1)
		return;
	for (i = 0; (one = redis_element(reply, i, REDIS_REPLY_ARRAY)) != NULL; i++)
		if (read_place(redis_field(one, "ip"), redis_field(one, "port"), &place) == 0)
			(void)redis_node_at(r, &place, NULL, NULL);
	freeReplyObject(reply);
}

static int
read_master(struct redis *r, const struct redis_node *sentinel, const redisReply *reply, struct err *err)
{
	struct redis_host place;
	size_t i, index;

	if (reply->type == REDIS_REPLY_NIL)
		return err_set(err, STATUS_TEMP, "%s: this sentinel knows no master %s", sentinel->name, r->url.name);
	if (reply->type == REDIS_REPLY_ERROR)
		return redis_said(sentinel->name, reply, err);
	if (read_place(redis_element(reply, 0, REDIS_REPLY_STRING), redis_element(reply, 1, REDIS_REPLY_STRING), &place) == -1)
		return redis_said(sentinel->name, reply, err);
	if (redis_node_at(r, &place, &index, err) == NULL)
		return -1;
	for (i = 0; i < REDIS_BUCKETS; i++)
		r->owner[i] = (uint16_t)index;
	return 0;
}

/* Most sentinels want no password. */
static bool
wants_login(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOAUTH", strlen("NOAUTH")) == 0;
}

static int
ask_one(struct redis *r, const struct redis_host *host, struct err *err)
{
	static const char what[] = "get-master-addr-by-name";
	struct redis_node *sentinel = redis_node_at(r, host, NULL, err);
	redisReply *reply;
	int ret;

	if (sentinel == NULL || redis_node_open(r, sentinel, false, err) == -1 || ask(r, sentinel, what, &reply, err) == -1)
		return -1;
	if (wants_login(reply)) {
		freeReplyObject(reply);
		if (redis_node_log_in(r, sentinel, err) == -1 || ask(r, sentinel, what, &reply, err) == -1)
			return -1;
	}
	ret = read_master(r, sentinel, reply, err);
	freeReplyObject(reply);
	if (ret == 0 && !r->looked_about) {
		note_replicas(r, sentinel);
		r->looked_about = true;
	}
	return ret;
}

int
redis_sentinel_map(struct redis *r, struct err *err)
{
	unsigned int i;

	for (i = 0; i < r->url.n; i++)
		if (ask_one(r, &r->url.hosts[i], err) == 0) {
			r->mapped = true;
			return 0;
		}
	return -1;
}
