/* Addresses of hosts. */
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "host.h"

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
