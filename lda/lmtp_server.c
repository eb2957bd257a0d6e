/* Where an LMTP server listens. */
#include <sys/un.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_find.h"
#include "lmtp_server.h"

#define UNIX "unix:"

const char *
lmtp_server_path(const char *text)
{
	return strncmp(text, UNIX, sizeof(UNIX) - 1) == 0 ? text + sizeof(UNIX) - 1 : NULL;
}

static unsigned int
port_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port;

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return 0;
	port = strtoul(text, NULL, 10);
	return port <= UINT16_MAX ? (unsigned int)port : 0;
}

/* Letters, digits, and single dots and hyphens inside; an address that was mistyped looks like a name without a letter. */
static bool
is_name(const char *host)
{
	bool letter = false;

	for (const char *p = host; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			return false;
		if ((*p == '.' || *p == '-') && (p == host || p[1] == '\0' || (*p == '.' && p[1] == '.')))
			return false;
		letter = letter || isalpha((unsigned char)*p);
	}
	return letter;
}

static int
parse_unix(const char *path, struct err *err)
{
	struct sockaddr_un un;

	if (path[0] == '\0')
		return err_set(err, STATUS_CONFIG, "lmtp:unix: needs a path");
	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(err, STATUS_CONFIG, "the path of a Unix socket has %zu bytes at most", sizeof(un.sun_path) - 1);
	return 0;
}

int
lmtp_server_parse(struct lmtp_server *s, const char *text, struct err *err)
{
	const char *path = lmtp_server_path(text), *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	struct in6_addr in6;

	s->to.n = s->port = 0;
	s->host[0] = '\0';
	if (path != NULL)
		return parse_unix(path, err);
	s->port = colon != NULL ? port_of(colon + 1) : 0;
	if (s->port == 0 || len == 0 || len >= sizeof(s->host))
		return err_set(err, STATUS_CONFIG, "lmtp: needs unix:/path, host:port or [IPv6]:port");
	memcpy(s->host, text + brackets, len - 2 * brackets);
	s->host[len - 2 * brackets] = '\0';
	if (brackets ? inet_pton(AF_INET6, s->host, &in6) == 1 : is_name(s->host) ||
	    (strchr(s->host, ':') == NULL && host_add(&s->to, s->host, s->port) == 0))
		return 0;
	return err_set(err, STATUS_CONFIG, "lmtp: the host is neither a name nor an address; an IPv6 address needs brackets");
}

int
lmtp_server_find(struct lmtp_server *s, const char *text, struct err *err)
{
	const char *path = lmtp_server_path(text);
	struct err why;

	if (lmtp_server_parse(s, text, err) == -1)
		return -1;
	if (path != NULL)
		return host_unix(&s->to, path);
	return host_find(&s->to, s->host, s->port, 0, &why) == 0 ? 0 : err_set(err, why.status, "lmtp: %s", why.text);
}
