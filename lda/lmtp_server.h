/*
 * Where an LMTP server listens: unix:/path, host:port, [IPv6]:port.
 */
#ifndef LMTP_SERVER_H
#define LMTP_SERVER_H

#include "host.h"
#include "status.h"

#define LMTP_HOST_MAX 256	/* bytes, with the final NUL */

struct lmtp_server {
	unsigned int port;	/* 0: a Unix socket */
	char host[LMTP_HOST_MAX];
	struct host_addresses to;	/* filled by lmtp_server_find() */
};

/* The path of a unix: text, or NULL when it is none. */
const char *lmtp_server_path(const char *text);
/* Take a text apart: the syntax alone. Returns 0, or -1: STATUS_CONFIG. */
int lmtp_server_parse(struct lmtp_server *s, const char *text, struct err *err);
/* The same, with addresses to connect to. The name of a host is looked up by a process of its own, about 1 ms; an address needs none.
 * Returns 0, or -1: STATUS_TEMP when there are none. */
int lmtp_server_find(struct lmtp_server *s, const char *text, struct err *err);

#endif
