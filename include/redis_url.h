/*
 * The URL of a ledger in Redis: syntax alone, nothing is connected to.
 *
 *	redis://[user@]host[:port][/db]				6379 and 0 where nothing is said
 *	redis+unix://[user@]/path/of/socket[?db=n]
 *	redis+sentinel://[user@]host[:port][,host[:port]...]/name[/db]	the port is 26379
 *	redis+cluster://[user@]host[:port][,host[:port]...]		any few of its nodes
 *
 * A host is a name, an IPv4 address, or an IPv6 address in brackets. A password is never part of it, since a URL is shown.
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>

#include "status.h"

#define REDIS_URL_HOSTS 16
#define REDIS_HOST_MAX 256	/* bytes, with the final NUL; the same below */
#define REDIS_USER_MAX 128
#define REDIS_NAME_MAX 128
#define REDIS_PATH_MAX 108
#define REDIS_DB_MAX 65535

enum redis_kind { REDIS_SINGLE, REDIS_UNIX, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_host {
	char name[REDIS_HOST_MAX];
	unsigned int port;
};

struct redis_url {
	enum redis_kind kind;
	char user[REDIS_USER_MAX];	/* "": the default user */
	unsigned int n;			/* hosts; none with REDIS_UNIX */
	struct redis_host hosts[REDIS_URL_HOSTS];
	char path[REDIS_PATH_MAX];	/* REDIS_UNIX: of the socket, absolute */
	char name[REDIS_NAME_MAX];	/* REDIS_SENTINEL: of the master */
	unsigned int db;
};

/* Is this URL one of Redis, well written or not? */
bool redis_url_is(const char *text);
/* Returns 0, or -1: STATUS_CONFIG; the error shows nothing that may be a password. */
int redis_url_parse(struct redis_url *u, const char *text, struct err *err);
/* "host:port", "[IPv6]:port", "host": into h, with this port if none is there. Returns 0 or -1. */
int redis_host_parse(struct redis_host *h, const char *text, unsigned int port);

#endif
