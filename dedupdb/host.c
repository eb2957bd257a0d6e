/* Addresses of hosts, and connections to them. */
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "host.h"

#define POLL_MS 60000
#define ROOM_MS 10	/* between two looks whether there is room for a connection */

static void
add(struct host_addresses *to, const void *address, socklen_t len)
{
	memset(&to->at[to->n], 0, sizeof(to->at[to->n]));
	memcpy(&to->at[to->n], address, len);
	to->len[to->n++] = len;
}

int
host_add(struct host_addresses *to, const char *address, unsigned int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	if (to->n == HOST_ADDRESSES_MAX)
		return -1;
	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		add(to, &in, sizeof(in));
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		add(to, &in6, sizeof(in6));
	else
		return -1;
	return 0;
}

int
host_unix(struct host_addresses *to, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return -1;
	memcpy(un.sun_path, path, strlen(path) + 1);
	to->n = 0;
	add(to, &un, sizeof(un));
	return 0;
}

int
host_wait(int fd, short events, int64_t until)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = until - clock_ms();
		if (left <= 0)
			return 0;
		n = poll(&pfd, 1, left > POLL_MS ? POLL_MS : (int)left);
	} while (n == 0 || (n == -1 && errno == EINTR));
	return n == -1 ? -1 : 1;
}

int
host_connect(int *fd, const struct sockaddr_storage *address, socklen_t len, int64_t until)
{
	int error, got;
	socklen_t size = sizeof(error);

	*fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd == -1)
		return errno;
	/* EAGAIN: too many are waiting at a Unix socket to be taken, and no poll would tell when there is room */
	while ((error = connect(*fd, (const struct sockaddr *)address, len) == 0 ? 0 : errno) == EAGAIN && clock_ms() < until)
		clock_sleep_ms(ROOM_MS);
	if (error == EINPROGRESS || error == EINTR) {
		got = host_wait(*fd, POLLOUT, until);
		error = got == 0 ? ETIMEDOUT : got == -1 || getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1 ? errno : error;
	}
	if (error != 0) {
		close(*fd);
		*fd = -1;
	}
	return error;
}
