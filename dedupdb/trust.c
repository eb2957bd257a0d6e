/* Whose Received fields are believed. */
#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "trust.h"

/* The bytes of an IP address; returns how many, or 0. */
static size_t
address_bytes(const char *text, unsigned char bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

static bool
same_bits(const unsigned char *a, const unsigned char *b, size_t bits)
{
	size_t whole = bits / 8;
	unsigned int mask = 0xff00u >> bits % 8;

	return memcmp(a, b, whole) == 0 && (bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask & 0xff) == 0);
}

static bool
in_network(const char *network, const char *address)
{
	unsigned char net[16], host[16];
	char text[HOP_ADDRESS];
	const char *slash = strchr(network, '/');
	size_t n = slash == NULL ? strlen(network) : (size_t)(slash - network), len, bits;

	if (n >= sizeof(text))
		return false;
	memcpy(text, network, n);
	text[n] = '\0';
	len = address_bytes(text, net);
	if (len == 0 || len != address_bytes(address, host))
		return false;
	bits = slash == NULL ? 8 * len : strtoul(slash + 1, NULL, 10);
	return bits <= 8 * len && same_bits(net, host, bits);
}

/* A name with a dot in front stands for all that end so. */
static bool
is_named(const char *entry, const char *name)
{
	size_t a = strlen(entry), b = strlen(name);

	if (entry[0] != '.')
		return strcasecmp(entry, name) == 0;
	return b >= a && strcasecmp(name + (b - a), entry) == 0;
}

bool
trust_sender(const char *const *list, const struct hop *hop)
{
	for (; list != NULL && *list != NULL; list++)
		if ((hop->address[0] != '\0' && in_network(*list, hop->address)) || (hop->name[0] != '\0' && is_named(*list, hop->name)))
			return true;
	return false;
}

bool
trust_pool(const char *const *list, const char *name)
{
	const char *domain = strchr(name, '.');

	for (; domain != NULL && list != NULL && *list != NULL; list++)
		if ((*list)[0] == '.' && is_named(*list, domain))
			return true;
	return false;
}
