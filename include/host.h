/*
 * Hosts that are connected to: addresses, and who looks a name up.
 */
#ifndef HOST_H
#define HOST_H

#include <sys/socket.h>

#include <stdint.h>

#include "status.h"

#define HOST_ADDRESSES_MAX 8

struct host_addresses {
	unsigned int n;
	struct sockaddr_storage at[HOST_ADDRESSES_MAX];
	socklen_t len[HOST_ADDRESSES_MAX];
};

/* Add an IPv4 or IPv6 address, as text. Returns 0, or -1: it is none, or there is no room. */
int host_add(struct host_addresses *to, const char *address, unsigned int port);
/* The one address of a Unix socket. Returns 0, or -1: the path is too long. */
int host_unix(struct host_addresses *to, const char *path);

/* Wait until the descriptor is ready for these events of poll(2), until this clock_ms(). Returns 1 ready, 0 too late, -1. */
int host_wait(int fd, short events, int64_t until);
/* Returns 0 with a connection that does not block, or what is in the way, as errno has it, with *fd -1. */
int host_connect(int *fd, const struct sockaddr_storage *address, socklen_t len, int64_t until);

/* Finds the addresses of a host's name, in timeout_ms at most. Returns 0, or -1. */
typedef int host_lookup(struct host_addresses *to, const char *name, unsigned int port, int timeout_ms, struct err *err);

#endif
