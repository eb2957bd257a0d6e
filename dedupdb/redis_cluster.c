/*
 * A cluster: which node serves which bucket. A key's slot is the CRC16 of its hash tag (https://redis.io/docs/reference/cluster-spec/),
 * so all keys of a bucket are in one slot.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#define SLOTS 16384

/* CRC16 as XMODEM computes it: polynomial 0x1021, begun with zero. */
static unsigned int
slot_of(unsigned int bucket)
{
	char tag[8];
	unsigned int crc = 0, bit;
	const char *p;

	snprintf(tag, sizeof(tag), "%03o", bucket);
	for (p = tag; *p != '\0'; p++) {
		crc ^= (unsigned int)(unsigned char)*p << 8;
		for (bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) != 0 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
	}
	return crc % SLOTS;
}

static int
read_host(const struct redis_node *by, const redisReply *node, struct redis_host *host)
{
	const redisReply *name = redis_element(node, 0, REDIS_REPLY_STRING), *port = redis_element(node, 1, REDIS_REPLY_INTEGER);

	*host = by->host;	/* "" or nothing: the host that was asked */
	if (port == NULL || port->integer <= 0 || port->integer > UINT16_MAX)
		return -1;
	host->port = (unsigned int)port->integer;
	if (name == NULL || name->len == 0)
		return 0;
	if (name->len >= sizeof(host->name) || strlen(name->str) != name->len)
		return -1;
	memcpy(host->name, name->str, name->len + 1);
	return 0;
}

/* One range of slots: first, last, its master, and replicas, which may be masters after a failover. */
static int
read_range(struct redis *r, const struct redis_node *by, const redisReply *range, size_t *served, struct err *err)
{
	const redisReply *first = redis_element(range, 0, REDIS_REPLY_INTEGER), *last = redis_element(range, 1, REDIS_REPLY_INTEGER);
	const redisReply *node;
	struct redis_host host;
	unsigned int bucket;
	size_t i, index, master = 0;

	if (first == NULL || last == NULL || first->integer < 0 || last->integer >= SLOTS)
		return redis_said(by->name, range, err);
	for (i = 2; (node = redis_element(range, i, REDIS_REPLY_ARRAY)) != NULL; i++) {
		if (read_host(by, node, &host) == -1)
			return redis_said(by->name, range, err);
		if (redis_node_at(r, &host, &index, err) == NULL)
			return -1;
		if (i == 2)
			master = index;
	}
	if (i == 2)
		return redis_said(by->name, range, err);
	for (bucket = 0; bucket < REDIS_BUCKETS; bucket++)
		if (slot_of(bucket) >= first->integer && slot_of(bucket) <= last->integer) {
			r->owner[bucket] = (uint16_t)master;
			(*served)++;
		}
	return 0;
}

static int
read_map(struct redis *r, const struct redis_node *by, const redisReply *reply, struct err *err)
{
	const redisReply *range;
	size_t i, served = 0;

	if (reply->type != REDIS_REPLY_ARRAY)
		return redis_said(by->name, reply, err);
	for (i = 0; (range = redis_element(reply, i, REDIS_REPLY_ARRAY)) != NULL; i++)
		if (read_range(r, by, range, &served, err) == -1)
			return -1;
	return served >= REDIS_BUCKETS ? 0 : err_set(err, STATUS_TEMP, "%s: its cluster does not serve all slots", by->name);
}

static int
ask_one(struct redis *r, struct redis_node *node, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;
	int ret;

	if (redis_node_open(r, node, true, err) == -1)
		return -1;
	redis_word(&c, "CLUSTER");
	redis_word(&c, "SLOTS");
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	ret = read_map(r, node, reply, err);
	freeReplyObject(reply);
	return ret;
}

/* First whoever is connected: whatever has failed, they may know. */
int
redis_cluster_map(struct redis *r, struct err *err)
{
	size_t i, n = r->n_nodes;
	bool connected;
	int pass;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < n && clock_ms() < r->deadline_ms; i++) {
			connected = r->nodes[i]->link.fd != -1;
			if (connected != (pass == 0) || ask_one(r, r->nodes[i], err) == -1)
				continue;
			r->mapped = true;
			return 0;
		}
	return -1;
}

struct redis_node *
redis_cluster_named(struct redis *r, const struct redis_node *by, const char *text, size_t *index, struct err *err)
{
	char place[REDIS_HOST_MAX + 8], *port;
	const char *p = strrchr(text, ' ');
	struct redis_host host = by->host;
	size_t len = p != NULL ? strlen(++p) : sizeof(place);
	unsigned long n = 0;

	if (len < sizeof(place)) {
		memcpy(place, p, len + 1);
		port = strrchr(place, ':');
		if (port != NULL) {
			*port++ = '\0';
			n = strtoul(port, NULL, 10);
		}
	}
	if (n == 0 || n > UINT16_MAX || strlen(place) >= sizeof(host.name)) {
		err_set(err, STATUS_TEMP, "%s: it names no other node", by->name);
		return NULL;
	}
	host.port = (unsigned int)n;
	if (place[0] != '\0')
		memcpy(host.name, place, strlen(place) + 1);
	return redis_node_at(r, &host, index, err);
}
