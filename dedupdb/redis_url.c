/* The URL of a ledger in Redis. See redis_url.h. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "redis_url.h"

#define PORT 6379
#define SENTINEL_PORT 26379
#define WHAT "ledger: "

struct kind {
	const char *prefix;
	enum redis_kind kind;
};

static const struct kind kinds[] = {
	{ "redis://", REDIS_SINGLE },
	{ "redis+unix://", REDIS_UNIX },
	{ "redis+sentinel://", REDIS_SENTINEL },
	{ "redis+cluster://", REDIS_CLUSTER },
};

bool
redis_url_is(const char *text)
{
	return strncmp(text, "redis", strlen("redis")) == 0 && text[strcspn(text, ":/")] == ':';
}

/* The decimal number that the whole text is, or -1. */
static long
number(const char *text, long max)
{
	size_t digits = strspn(text, "0123456789");
	long n;

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return -1;
	n = strtol(text, NULL, 10);
	return n <= max ? n : -1;
}

/* Letters, digits, dots, hyphens and underscores; what has no letter is an address, or was to be one. */
static bool
is_host(const char *name)
{
	unsigned char address[sizeof(struct in_addr)];
	bool letter = false;
	const char *p;

	for (p = name; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			return false;
		if (strchr("-.", *p) != NULL && (p == name || (*p == '.' && p[1] == '.')))
			return false;
		letter = letter || isalpha((unsigned char)*p);
	}
	return p > name && (letter || inet_pton(AF_INET, name, address) == 1);
}

int
redis_host_parse(struct redis_host *h, const char *text, unsigned int port)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool brackets = text[0] == '[';
	const char *end = brackets ? strchr(text, ']') : text + strcspn(text, ":");
	size_t len;
	long n;

	if (end == NULL)
		return -1;
	text += brackets;
	len = (size_t)(end - text);
	if (len >= sizeof(h->name))
		return -1;
	memcpy(h->name, text, len);
	h->name[len] = '\0';
	if (brackets ? inet_pton(AF_INET6, h->name, address) != 1 : !is_host(h->name))
		return -1;
	end += brackets;
	n = *end == '\0' ? (long)port : *end == ':' ? number(end + 1, UINT16_MAX) : -1;
	h->port = n > 0 ? (unsigned int)n : 0;
	return n > 0 ? 0 : -1;
}

static int
parse_hosts(struct redis_url *u, char *list, struct err *err)
{
	unsigned int port = u->kind == REDIS_SENTINEL ? SENTINEL_PORT : PORT;
	char *one;

	while ((one = strsep(&list, ",")) != NULL) {
		if (u->n == REDIS_URL_HOSTS)
			return err_set(err, STATUS_CONFIG, WHAT "no more than %d hosts", REDIS_URL_HOSTS);
		if (redis_host_parse(&u->hosts[u->n++], one, port) == -1)
			return err_set(err, STATUS_CONFIG, WHAT "'%.80s' is no host, or its port is none; an IPv6 address needs brackets", one);
	}
	if (u->n > 1 && u->kind == REDIS_SINGLE)
		return err_set(err, STATUS_CONFIG, WHAT "redis:// takes one host; several are for redis+sentinel:// and redis+cluster://");
	return 0;
}

static int
copy(char *to, size_t size, const char *from, const char *what, struct err *err)
{
	size_t len = strlen(from);

	if (len >= size)
		return err_set(err, STATUS_CONFIG, WHAT "%s is longer than %zu bytes", what, size - 1);
	memcpy(to, from, len + 1);
	return 0;
}

static int
parse_db(struct redis_url *u, const char *text, struct err *err)
{
	long n = number(text, REDIS_DB_MAX);

	if (n == -1)
		return err_set(err, STATUS_CONFIG, WHAT "the number of a database is 0 to %d", REDIS_DB_MAX);
	u->db = (unsigned int)n;
	return 0;
}

/* What follows the hosts: "/db", "/name/db" or nothing. */
static int
parse_rest(struct redis_url *u, char *rest, struct err *err)
{
	char *name;

	if (u->kind == REDIS_SENTINEL) {
		name = strsep(&rest, "/");
		if (name == NULL || name[0] == '\0')
			return err_set(err, STATUS_CONFIG, WHAT "redis+sentinel://host/NAME: the master's name is missing");
		if (copy(u->name, sizeof(u->name), name, "the master's name", err) == -1)
			return -1;
	}
	if (rest == NULL || rest[0] == '\0')
		return 0;
	if (u->kind == REDIS_CLUSTER)
		return err_set(err, STATUS_CONFIG, WHAT "a cluster has no numbered databases");
	return parse_db(u, rest, err);
}

static int
parse_unix(struct redis_url *u, char *path, struct err *err)
{
	static const char option[] = "db=";
	char *query = strchr(path, '?');

	if (query != NULL)
		*query++ = '\0';
	if (path[0] != '/' || path[1] == '\0')
		return err_set(err, STATUS_CONFIG, WHAT "redis+unix:// needs the absolute path of a socket");
	if (copy(u->path, sizeof(u->path), path, "the path of the socket", err) == -1)
		return -1;
	if (query == NULL)
		return 0;
	if (strncmp(query, option, sizeof(option) - 1) != 0)
		return err_set(err, STATUS_CONFIG, WHAT "after the socket's path only ?db=number may follow");
	return parse_db(u, query + sizeof(option) - 1, err);
}

/* Takes off "user@"; what may hold a password is never shown. */
static int
parse_user(struct redis_url *u, char **text, struct err *err)
{
	char *at = strrchr(*text, '@');

	if (at == NULL)
		return 0;
	*at = '\0';
	if (strchr(*text, ':') != NULL)
		return err_set(err, STATUS_CONFIG, WHAT "no password may stand in the URL: ledger-password-file names a file that holds it");
	if ((*text)[0] == '\0' || strpbrk(*text, "/@,?") != NULL)
		return err_set(err, STATUS_CONFIG, WHAT "what stands before the @ is no user's name");
	if (copy(u->user, sizeof(u->user), *text, "the user's name", err) == -1)
		return -1;
	*text = at + 1;
	return 0;
}

static const struct kind *
kind_of(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return &kinds[i];
	return NULL;
}

static int
check_bytes(const char *text, struct err *err)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || *text == '%')
			return err_set(err, STATUS_CONFIG, WHAT "the URL of a Redis server has no blanks, no %% and nothing but ASCII");
	return 0;
}

static int
parse_places(struct redis_url *u, char *text, struct err *err)
{
	char *hosts;

	if (parse_user(u, &text, err) == -1)
		return -1;
	if (u->kind == REDIS_UNIX)
		return parse_unix(u, text, err);
	hosts = strsep(&text, "/");
	return parse_hosts(u, hosts, err) == -1 ? -1 : parse_rest(u, text, err);
}

int
redis_url_parse(struct redis_url *u, const char *text, struct err *err)
{
	const struct kind *kind = kind_of(text);
	char *rest;
	int ret;

	memset(u, 0, sizeof(*u));
	if (strncmp(text, "rediss:", strlen("rediss:")) == 0)
		return err_set(err, STATUS_CONFIG, WHAT "TLS is for a program such as stunnel to add: see dedup-lda-cluster(7)");
	if (kind == NULL)
		return err_set(err, STATUS_CONFIG, WHAT "the kinds are redis://, redis+unix://, redis+sentinel:// and redis+cluster://");
	if (check_bytes(text, err) == -1)
		return -1;
	u->kind = kind->kind;
	rest = strdup(text + strlen(kind->prefix));
	if (rest == NULL)
		return err_sys(err, "strdup", NULL);
	ret = parse_places(u, rest, err);
	free(rest);
	return ret;
}
