/*
 * Is a server fit to keep a ledger? It must be a master, must not drop records by itself, and must not forget after a crash what it
 * was told.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#define WAITS_SINCE 702		/* the version that has WAITAOF: 7.2 */

void
redis_info(const redisReply *reply, const char *name, char value[REDIS_INFO_MAX])
{
	size_t n = strlen(name), len;
	const char *p = reply->str;

	value[0] = '\0';
	for (; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) != 0 || p[n] != ':')
			continue;
		p += n + 1;
		len = strcspn(p, "\r\n");
		if (len < REDIS_INFO_MAX) {
			memcpy(value, p, len);
			value[len] = '\0';
		}
		return;
	}
}

static bool
info_is(const redisReply *reply, const char *name, const char *expected)
{
	char value[REDIS_INFO_MAX];

	redis_info(reply, name, value);
	return strcmp(value, expected) == 0;
}

/* 7.0.15 is 700. */
static unsigned int
version(const redisReply *reply)
{
	char value[REDIS_INFO_MAX], *end;
	unsigned long major;

	redis_info(reply, "redis_version", value);
	major = strtoul(value, &end, 10);
	return major > 1000 || *end != '.' ? 0 : (unsigned int)(100 * major + strtoul(end + 1, NULL, 10) % 100);
}

static int
unfit(const struct redis_node *node, const char *why, struct err *err)
{
	return err_set(err, STATUS_TEMP, "%s: it can't keep a ledger: %s", node->name, why);
}

static bool
is(const redisReply *value, const char *expected)
{
	return value != NULL && strcmp(value->str, expected) == 0;
}

/* Does it answer only when what it was told is on disk? *why: why not, and what to do; NULL: it does. Not everybody may ask. */
static int
ask_sync(struct redis *r, struct redis_node *node, const char **why, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;

	redis_word(&c, "CONFIG");
	redis_word(&c, "GET");
	redis_word(&c, "*appendfsync*");
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	*why = NULL;
	if (reply->type != REDIS_REPLY_ARRAY)
		*why = "it does not say whether appendfsync is always: allow CONFIG GET, or use version 7.2";
	else if (!is(redis_field(reply, "appendfsync"), "always"))
		*why = "it can forget the last records: set appendfsync always, or use version 7.2";
	else if (is(redis_field(reply, "no-appendfsync-on-rewrite"), "yes"))
		*why = "it can forget the last records: set no-appendfsync-on-rewrite no, or use version 7.2";
	freeReplyObject(reply);
	return 0;
}

/* Whoever answers early, and can be waited for, is waited for. */
static int
check_durable(struct redis *r, struct redis_node *node, const redisReply *reply, struct err *err)
{
	const char *why;

	if (!info_is(reply, "aof_enabled", "1"))
		return unfit(node, "it forgets records when it stops: set appendonly yes", err);
	if (ask_sync(r, node, &why, err) == -1)
		return -1;
	node->waits = why != NULL;
	return why == NULL || version(reply) >= WAITS_SINCE ? 0 : unfit(node, why, err);
}

static int
check_info(struct redis *r, struct redis_node *node, const redisReply *reply, bool *again, struct err *err)
{
	if (info_is(reply, "loading", "1")) {
		*again = true;
		return unfit(node, "it has only just been started", err);
	}
	if (!info_is(reply, "role", "master"))
		return unfit(node, "it is a replica", err);
	*again = false;
	if (!info_is(reply, "maxmemory", "0") && !info_is(reply, "maxmemory_policy", "noeviction"))
		return unfit(node, "it may drop records when its memory is full: set maxmemory-policy noeviction", err);
	return check_durable(r, node, reply, err);
}

int
redis_check(struct redis *r, struct redis_node *node, bool *again, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;
	int ret;

	redis_word(&c, "INFO");
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	if (redis_is_string(reply))
		ret = check_info(r, node, reply, again, err);
	else
		ret = redis_said(node->name, reply, err);
	freeReplyObject(reply);
	return ret;
}
