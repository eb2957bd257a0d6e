/* An LMTP client (RFC 2033) that does what an MTA does: one connection for many messages, commands in one piece (RFC 2920). */
#ifndef LMTP_H
#define LMTP_H

#include <stddef.h>

/* Connect to the socket and say LHLO. Returns a descriptor or -1. */
int lmtp_connect(const char *path);

/* Deliver one message, whose lines end in CRLF and need no dots. Returns the server's reply to it: 250, 452, or -1 for none. */
int lmtp_deliver(int fd, const char *recipient, const char *header, size_t header_len, int body, size_t body_len);

#endif
