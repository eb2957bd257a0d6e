/* Servers: where they are, and a connection to each that is used. */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#define CHECK_EVERY_MS 60000	/* settings can be changed while a server runs */
#define QUIET_MS 10000

/* A connection on which nothing came for a while may be forgotten by what is between, without a word. */
static bool
is_quiet(const struct redis_node *node)
{
	return node->link.fd != -1 && clock_ms() - node->heard_ms > QUIET_MS;
}

int64_t
redis_until(const struct redis *r, const struct redis_node *node)
{
	int64_t now = clock_ms();

	return redis_has_others(r) || is_quiet(node) ? now + (r->deadline_ms - now) / 2 : r->deadline_ms;
}

bool
redis_has_others(const struct redis *r)
{
	return r->url.kind == REDIS_SENTINEL || r->url.kind == REDIS_CLUSTER;
}

void
redis_add_port(struct redis *r, unsigned int port)
{
	size_t i;

	for (i = 0; i < r->n_ports; i++)
		if (r->ports[i] == port)
			return;
	if (r->n_ports < LEDGER_PORTS_MAX)
		r->ports[r->n_ports++] = port;
}

/* Other servers' words may be in it. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static struct redis_node *
node_new(struct redis *r, const struct redis_host *host)
{
	struct redis_node *node = calloc(1, sizeof(*node));
	bool six = strchr(host->name, ':') != NULL;

	if (node == NULL)
		return NULL;
	node->host = *host;
	node->link.fd = -1;
	if (r->url.kind == REDIS_UNIX) {
		(void)host_unix(&node->addresses, r->url.path);		/* the URL's parser knows how long it may be */
		snprintf(node->name, sizeof(node->name), "redis %s", r->url.path);
	} else {
		(void)host_add(&node->addresses, host->name, host->port);
		snprintf(node->name, sizeof(node->name), six ? "redis [%s]:%u" : "redis %s:%u", host->name, host->port);
	}
	make_printable(node->name);
	return node;
}

void
redis_node_free(struct redis_node *node)
{
	redis_link_close(&node->link);
	free(node);
}

struct redis_node *
redis_node_at(struct redis *r, const struct redis_host *host, size_t *index, struct err *err)
{
	struct redis_node **grown;
	size_t i;

	for (i = 0; i < r->n_nodes; i++)
		if (r->nodes[i]->host.port == host->port && strcmp(r->nodes[i]->host.name, host->name) == 0)
			break;
	if (index != NULL)
		*index = i;
	if (i < r->n_nodes)
		return r->nodes[i];
	if (i == REDIS_NODES_MAX) {
		err_set(err, STATUS_TEMP, "ledger: there are more than %d servers", REDIS_NODES_MAX);
		return NULL;
	}
	grown = reallocarray(r->nodes, i + 1, sizeof(struct redis_node *));
	if (grown != NULL) {
		r->nodes = grown;
		r->nodes[i] = node_new(r, host);
	}
	if (grown == NULL || r->nodes[i] == NULL) {
		err_sys(err, "ledger", NULL);
		return NULL;
	}
	r->n_nodes++;
	redis_add_port(r, host->port);
	return r->nodes[i];
}

/* The name of a server that answered once stays what it was: a sandbox lets nobody look it up again. */
static int
look_up(const struct redis *r, struct redis_node *node, int64_t until, struct err *err)
{
	int64_t left = until - clock_ms();

	if (node->addresses.n > 0)
		return 0;
	if (r->lookup == NULL)
		return err_set(err, STATUS_TEMP, "%s: the host is no address", node->name);
	return left <= 0 ? err_set(err, STATUS_TEMP, "%s: no time is left", node->name) :
	    r->lookup(&node->addresses, node->host.name, node->host.port, (int)left, err);
}

int
redis_node_ask(struct redis *r, struct redis_node *node, const struct redis_command *c, redisReply **reply, struct err *err)
{
	if (redis_link_ask(&node->link, c, redis_until(r, node), reply, node->name, err) == -1)
		return -1;
	node->heard_ms = clock_ms();
	return 0;
}

/* A server that does not know the command repeats it, with the password: of its words only the first is shown. */
int
redis_node_log_in(struct redis *r, struct redis_node *node, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;
	int ret = 0;

	if (r->password == NULL && r->url.user[0] == '\0')
		return 0;
	redis_word(&c, "AUTH");
	if (r->url.user[0] != '\0')
		redis_word(&c, r->url.user);
	redis_word(&c, r->password != NULL ? r->password : "");
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	if (reply->type != REDIS_REPLY_STATUS)
		ret = err_set(err, STATUS_TEMP, "%s: it refuses the login%s%.*s", node->name, reply->type == REDIS_REPLY_ERROR ? ": " : "",
		    reply->type == REDIS_REPLY_ERROR ? (int)strspn(reply->str, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0,
		    reply->type == REDIS_REPLY_ERROR ? reply->str : "");
	freeReplyObject(reply);
	return ret;
}

static int
select_database(struct redis *r, struct redis_node *node, struct err *err)
{
	struct redis_command c = { .argc = 0 };
	redisReply *reply;
	char db[24];
	int ret = 0;

	if (r->url.db == 0)
		return 0;
	redis_word(&c, "SELECT");
	redis_number(&c, db, r->url.db);
	if (redis_node_ask(r, node, &c, &reply, err) == -1)
		return -1;
	if (reply->type != REDIS_REPLY_STATUS)
		ret = redis_said(node->name, reply, err);
	freeReplyObject(reply);
	return ret;
}

int
redis_node_open(struct redis *r, struct redis_node *node, bool login, struct err *err)
{
	int64_t until;

	if (node->link.fd != -1 && redis_link_is_idle(&node->link))
		return 0;
	redis_link_close(&node->link);
	node->checked_ms = 0;
	until = redis_until(r, node);
	if (look_up(r, node, until, err) == -1 || redis_link_open(&node->link, &node->addresses, until, node->name, err) == -1)
		return -1;
	node->heard_ms = clock_ms();
	if (!login || (redis_node_log_in(r, node, err) == 0 && select_database(r, node, err) == 0))
		return 0;
	redis_link_close(&node->link);
	return -1;
}

int
redis_node_ready(struct redis *r, struct redis_node *node, bool *again, struct err *err)
{
	*again = redis_has_others(r) || is_quiet(node);
	if (redis_node_open(r, node, true, err) == -1)
		return -1;
	if (node->checked_ms != 0 && clock_ms() - node->checked_ms < CHECK_EVERY_MS)
		return 0;
	if (redis_check(r, node, again, err) == -1) {
		redis_link_close(&node->link);
		return -1;
	}
	node->checked_ms = clock_ms();
	return 0;
}
