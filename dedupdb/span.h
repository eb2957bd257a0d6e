/*
 * Words of a field's value, and what they are: a name, an address. They point into the value and none ends in a NUL; a NUL inside is one
 * byte among others. No function fails, and none keeps what it was given.
 */
#ifndef SPAN_H
#define SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "received.h"

#define SPAN_BLANKS " \t\r\n\v\f"
#define SPAN_EDGE ",.;:\"'<>"	/* what may stand about a name and is no part of it */

struct span {
	const char *p;		/* never NULL */
	size_t len;
};

bool byte_in(char c, const char *set);

/* Whether it is, or begins with, this text, or the same; in any case of letters. Inline, so that a word of another length costs nothing. */
static inline bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

static inline bool
span_begins(struct span s, const char *text)
{
	return s.len >= strlen(text) && strncasecmp(s.p, text, strlen(text)) == 0;
}

static inline bool
span_same(struct span s, struct span t)
{
	return s.len == t.len && strncasecmp(s.p, t.p, s.len) == 0;
}

/* Without its first n bytes, of which it has so many. */
struct span span_behind(struct span s, size_t n);

/* Without bytes of this set at either end. */
struct span span_trim(struct span s, const char *edge);

/* Add it to the string in `to`, a room of `size` bytes, as far as it fits: each byte turned, '?' for what is not printable ASCII. */
void span_add(char *to, size_t size, struct span s, int (*turn)(int));

/* An IP address, alone or with what stands round it: "[192.0.2.1]:25", "u@192.0.2.1", "[IPv6:2001:db8::1]", "fe80::1%eth0",
 * "192.0.2.1.25". Returns whether it is one; then address is as inet_ntop(3) writes it, IPv4 that is mapped into IPv6 as IPv4, and bare
 * says that it has no brackets. */
bool span_address(struct span s, char address[HOP_ADDRESS], bool *bare);

/* "unknown" and other words that stand in the place of a name if there is none. */
bool span_is_nobody(struct span s);

/* The name of a host: letters, digits, "-._"; neither a number nor an address. */
bool span_is_name(struct span s);

/* A name of several parts, whose last has letters only: that of a version has not. */
bool span_is_domain(struct span s);

/* The host in "user@host" or "IDENT:user@host"; else the whole, trimmed. */
struct span span_host(struct span s);

#endif
