/* The sockets that the LMTP server listens on. */
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lmtpd_listen.h"

#define BACKLOG 4096		/* connections that wait for a worker; the kernel may allow fewer */
#define LEAVING_MS 3000		/* for a server that is about to stop */
#define PASSED_FIRST 3		/* SD_LISTEN_FDS_START */
#define SMTP_PORT 25

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static int
check(const union address *a, const char *name, bool any_network, struct err *err)
{
	bool loopback = true;
	unsigned int port = 0;

	if (a->any.sa_family == AF_INET) {
		port = ntohs(a->v4.sin_port);
		loopback = ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	} else if (a->any.sa_family == AF_INET6) {
		port = ntohs(a->v6.sin6_port);
		loopback = IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	} else if (a->any.sa_family != AF_UNIX)
		return err_set(err, STATUS_CONFIG, "listen on %s: it is no Unix or TCP socket", name);
	if (port == SMTP_PORT)
		return err_set(err, STATUS_CONFIG, "listen on %s: port 25 is for SMTP: RFC 2033 forbids LMTP there", name);
	if (!loopback && !any_network)
		return err_set(err, STATUS_CONFIG, "listen on %s: others than this machine could deliver mail there: lmtp-network = any allows "
		    "it", name);
	return 0;
}

static int
add(struct lmtpd_sockets *s, int fd)
{
	s->fds[s->n++] = fd;
	s->fds[s->n] = -1;
	return 0;
}

/* Host and port. The host is numeric, since looking up names needs libraries of the system. */
static int
parse_tcp(union address *a, socklen_t *len, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2], *end;
	unsigned long port;
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;

	memset(a, 0, sizeof(*a));
	if (n == 0 || n >= sizeof(host) || colon[1] < '0' || colon[1] > '9')
		return -1;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > 65535)
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	if (strcmp(host, "*") == 0 || host[0] == '[') {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons((uint16_t)port);
		*len = sizeof(a->v6);
		if (host[0] == '*')
			return 0;	/* the unspecified address: IPv4 as well */
		if (host[n - 1] != ']')
			return -1;
		host[n - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1 ? 0 : -1;
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons((uint16_t)port);
	*len = sizeof(a->v4);
	return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a->v4.sin_addr) == 1 ? 0 : -1;
}

static int
listen_tcp(struct lmtpd_sockets *s, const char *text, bool any_network, struct err *err)
{
	union address a;
	socklen_t len;
	int fd, on = 1;

	if (parse_tcp(&a, &len, text) == -1)
		return err_set(err, STATUS_USAGE, "-l %s: an address is unix:/path, 127.0.0.1:port or [::1]:port", text);
	if (check(&a, text, any_network, err) == -1)
		return -1;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(err, "listen on", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));	/* connections of an earlier server do not matter */
	if (bind(fd, &a.any, len) == -1 || listen(fd, BACKLOG) == -1) {
		err_sys(err, "listen on", text);
		close(fd);
		return -1;
	}
	return add(s, fd);
}

/* Does anybody listen at this socket? */
static bool
lives(const union address *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd == -1)
		return true;
	alive = connect(fd, &a->any, sizeof(a->un)) == 0 || errno != ECONNREFUSED;
	close(fd);
	return alive;
}

/* What is at the path may go only if it is a socket that nobody listens at. */
static int
check_place(const char *path, struct err *err)
{
	union address a = { .un = { .sun_family = AF_UNIX } };
	struct stat st;
	int64_t until;
	bool alive;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(err, "listen on", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, STATUS_TEMP, "listen on %s: a file that is no socket is there", path);
	memcpy(a.un.sun_path, path, strlen(path) + 1);
	for (until = clock_ms() + LEAVING_MS; (alive = lives(&a)) && clock_ms() < until;)
		clock_sleep_ms(50);
	if (alive)
		return err_set(err, STATUS_TEMP, "listen on %s: a server is there already", path);
	return 0;
}

/* Made beside its place and renamed there, so that clients find the old socket or the new one, and never none. */
static int
listen_unix(struct lmtpd_sockets *s, const char *path, struct err *err)
{
	union address a = { .un = { .sun_family = AF_UNIX } };
	struct stat st;
	mode_t mask;
	int bound, fd, n = snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s.%lu", path, (unsigned long)getpid());

	if (path[0] != '/' || n >= (int)sizeof(a.un.sun_path))
		return err_set(err, STATUS_USAGE, "-l unix:%s: the path must be absolute, and shorter than %zu bytes", path,
		    sizeof(a.un.sun_path) - 12);
	if (check_place(path, err) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(err, "listen on", path);
	(void)unlink(a.un.sun_path);
	/* The mode comes from the start, not by chmod(2): whoever owns the folder could put a link in between. */
	mask = umask(0111);
	bound = bind(fd, &a.any, sizeof(a.un));
	umask(mask);
	if (bound == -1) {
		err_sys(err, "listen on", path);
		close(fd);
		return -1;
	}
	s->made[s->n].path = strdup(path);
	if (s->made[s->n].path == NULL || listen(fd, BACKLOG) == -1 ||
	    lstat(a.un.sun_path, &st) == -1 || rename(a.un.sun_path, path) == -1) {
		err_sys(err, "listen on", path);
		(void)unlink(a.un.sun_path);
		free(s->made[s->n].path);
		s->made[s->n].path = NULL;
		close(fd);
		return -1;
	}
	s->made[s->n].device = (uint64_t)st.st_dev;
	s->made[s->n].inode = (uint64_t)st.st_ino;
	return add(s, fd);
}

int
lmtpd_listen(struct lmtpd_sockets *sockets, const char *address, bool any_network, struct err *err)
{
	if (sockets->n == LMTPD_SOCKETS_MAX)
		return err_set(err, STATUS_USAGE, "-l %s: more than %d addresses", address, LMTPD_SOCKETS_MAX);
	if (strncmp(address, "unix:", 5) == 0)
		return listen_unix(sockets, address + 5, err);
	return listen_tcp(sockets, address, any_network, err);
}

static int
take_passed(struct lmtpd_sockets *s, int fd, bool any_network, struct err *err)
{
	union address a = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t len = sizeof(a);
	char name[32];
	int listening = 0;
	socklen_t size = sizeof(listening);

	snprintf(name, sizeof(name), "passed socket %d", fd);
	if (getsockname(fd, &a.any, &len) == -1 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == -1)
		return err_sys(err, "listen on", name);
	if (!listening)
		return err_set(err, STATUS_CONFIG, "listen on %s: it accepts no connections (Accept=no in the unit?)", name);
	if (check(&a, name, any_network, err) == -1)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		return err_sys(err, "listen on", name);
	return add(s, fd);
}

int
lmtpd_listen_passed(struct lmtpd_sockets *sockets, bool any_network, struct err *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long i, n;

	if (pid == NULL || fds == NULL || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	n = strtol(fds, NULL, 10);
	if (n < 0 || n > LMTPD_SOCKETS_MAX)
		return err_set(err, STATUS_CONFIG, "listen: %ld sockets are passed, %d are the most", n, LMTPD_SOCKETS_MAX);
	for (i = 0; i < n; i++)
		if (take_passed(sockets, PASSED_FIRST + (int)i, any_network, err) == -1)
			return -1;
	return 0;
}

void
lmtpd_listen_end(struct lmtpd_sockets *sockets)
{
	struct stat st;
	size_t i;

	for (i = 0; i < sockets->n; i++) {
		close(sockets->fds[i]);
		if (sockets->made[i].path == NULL)
			continue;
		if (lstat(sockets->made[i].path, &st) == 0 && (uint64_t)st.st_dev == sockets->made[i].device &&
		    (uint64_t)st.st_ino == sockets->made[i].inode)
			(void)unlink(sockets->made[i].path);
		free(sockets->made[i].path);
		sockets->made[i].path = NULL;
	}
	sockets->n = 0;
	sockets->fds[0] = -1;
}
