/* Where an LMTP server listens. */
#include <sys/un.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lmtp_server.h"
#include "nss_ask.h"

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

static int
add_ipv4(struct lmtp_server *s, const char *host)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port) };

	if (s->n == LMTP_ADDRESSES_MAX || inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return -1;
	memcpy(&s->addresses[s->n], &in, sizeof(in));
	s->lens[s->n++] = sizeof(in);
	return 0;
}

static int
add_ipv6(struct lmtp_server *s, const char *host)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)s->port) };

	if (s->n == LMTP_ADDRESSES_MAX || inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
		return -1;
	memcpy(&s->addresses[s->n], &in, sizeof(in));
	s->lens[s->n++] = sizeof(in);
	return 0;
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

	s->n = s->port = 0;
	s->host[0] = '\0';
	if (path != NULL)
		return parse_unix(path, err);
	s->port = colon != NULL ? port_of(colon + 1) : 0;
	if (s->port == 0 || len == 0 || len >= sizeof(s->host))
		return err_set(err, STATUS_CONFIG, "lmtp: needs unix:/path, host:port or [IPv6]:port");
	memcpy(s->host, text + brackets, len - 2 * brackets);
	s->host[len - 2 * brackets] = '\0';
	if (brackets ? inet_pton(AF_INET6, s->host, &in6) == 1 : is_name(s->host) || add_ipv4(s, s->host) == 0)
		return 0;
	return err_set(err, STATUS_CONFIG, "lmtp: the host is neither a name nor an address; an IPv6 address needs brackets");
}

static int
look_up(struct lmtp_server *s, struct err *err)
{
	const char *const question[] = { "host", s->host, NULL };
	char *answer, *p;
	struct err why;
	size_t len;

	if (nss_ask(question, &answer, &len, &why) == -1)
		return err_set(err, STATUS_TEMP, why.status == STATUS_NOUSER ? "lmtp: there is no host %s" : "lmtp: look up host %s: no answer", s->host);
	for (p = answer; p < answer + len; p += strlen(p) + 1)
		if (add_ipv4(s, p) == -1)
			(void)add_ipv6(s, p);
	free(answer);
	return s->n > 0 ? 0 : err_set(err, STATUS_TEMP, "lmtp: host %s has no address", s->host);
}

int
lmtp_server_find(struct lmtp_server *s, const char *text, struct err *err)
{
	const char *path = lmtp_server_path(text);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (lmtp_server_parse(s, text, err) == -1)
		return -1;
	if (path != NULL) {
		memcpy(un.sun_path, path, strlen(path) + 1);
		memcpy(&s->addresses[0], &un, sizeof(un));
		s->lens[0] = sizeof(un);
		s->n = 1;
		return 0;
	}
	return s->n == 1 || add_ipv6(s, s->host) == 0 ? 0 : look_up(s, err);
}
