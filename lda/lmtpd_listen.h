/*
 * The sockets that the LMTP server listens on.
 */
#ifndef LMTPD_LISTEN_H
#define LMTPD_LISTEN_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define LMTPD_SOCKETS_MAX 16

struct lmtpd_sockets {
	size_t n;
	int fds[LMTPD_SOCKETS_MAX + 1];		/* -1 at the end; non-blocking, close-on-exec */
	struct {
		char *path;			/* of a socket in the file system that we made, or NULL */
		uint64_t device, inode;
	} made[LMTPD_SOCKETS_MAX];
};

/* "unix:/path", "192.0.2.1:24", "[2001:db8::1]:24", "localhost:24" or "*:24" (all of IPv4 and IPv6). Names are not looked up. Returns 0, or -1:
 * STATUS_USAGE for what is no address, STATUS_CONFIG for what is not allowed: port 25, on which nobody expects LMTP (RFC 2033 section 5),
 * and, without any_network, what others than this machine can reach. A left-over socket of a server that is gone is replaced, a living one
 * and any other file are not. Mode: whoever may get to the path may connect. */
int lmtpd_listen(struct lmtpd_sockets *sockets, const char *address, bool any_network, struct err *err);

/* The sockets that systemd passes to this process (sd_listen_fds(3)); the same is allowed as above. Returns 0 or -1. Call it first: they
 * begin at descriptor 3. */
int lmtpd_listen_passed(struct lmtpd_sockets *sockets, bool any_network, struct err *err);

/* Close all, and remove those from the file system that lmtpd_listen() made and that are still there. */
void lmtpd_listen_end(struct lmtpd_sockets *sockets);

#endif
