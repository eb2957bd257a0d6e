/* strchr(3) also finds the NUL that ends its set, and so it is not asked for one. */
#include <arpa/inet.h>

#include <ctype.h>
#include <string.h>

#include "span.h"

bool
byte_in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

struct span
span_behind(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.len - n };
}

struct span
span_trim(struct span s, const char *edge)
{
	while (s.len > 0 && byte_in(*s.p, edge))
		s = span_behind(s, 1);
	while (s.len > 0 && byte_in(s.p[s.len - 1], edge))
		s.len--;
	return s;
}

void
span_add(char *to, size_t size, struct span s, int (*turn)(int))
{
	size_t n = strlen(to), i;

	for (i = 0; i < s.len && n + 1 < size; i++) {
		unsigned char c = (unsigned char)s.p[i];

		to[n++] = c > ' ' && c < 0x7f ? (char)turn(c) : '?';
	}
	to[n] = '\0';
}

/* How much of it is an IPv4 address with a port, if that is one: 1.2.3.4:25, 1.2.3.4.25. */
static size_t
before_port(struct span s)
{
	size_t len = 0, i;
	int dots = 0;

	for (i = 0; i < s.len && (isdigit((unsigned char)s.p[i]) || s.p[i] == '.' || s.p[i] == ':'); i++) {
		dots += s.p[i] == '.';
		if (len == 0 && (dots == 4 || (dots == 3 && s.p[i] == ':')))
			len = i;
	}
	return i == s.len && len > 0 ? len : s.len;
}

/* What stands round an address is cut off: a user, brackets, "IPv6:", a zone, a port. */
static struct span
address_core(struct span s, bool *bare)
{
	const char *at = s.len == 0 ? NULL : memrchr(s.p, '@', s.len), *end;

	if (at != NULL)
		s = span_behind(s, (size_t)(at + 1 - s.p));
	*bare = s.len == 0 || *s.p != '[';
	if (!*bare)
		s = span_behind(s, 1);
	if (span_begins(s, "IPv6:"))
		s = span_behind(s, 5);
	for (end = s.p; end < s.p + s.len && *end != ']' && *end != '%' && *end != ','; end++)
		;
	s.len = (size_t)(end - s.p);
	s.len = before_port(s);
	return s;
}

bool
span_address(struct span s, char address[HOP_ADDRESS], bool *bare)
{
	struct in6_addr six;
	struct in_addr four;
	char text[HOP_ADDRESS];

	s = address_core(s, bare);
	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &four) == 1)
		return inet_ntop(AF_INET, &four, address, HOP_ADDRESS) != NULL;
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return inet_ntop(AF_INET, &six.s6_addr[12], address, HOP_ADDRESS) != NULL;
	return inet_ntop(AF_INET6, &six, address, HOP_ADDRESS) != NULL;
}

bool
span_is_nobody(struct span s)
{
	static const char *const words[] = { "", "unknown", "unverified", "unavailable", "softdnserr", "really", "actually" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(s, words[i]))
			return true;
	return false;
}

bool
span_is_name(struct span s)
{
	char address[HOP_ADDRESS];
	bool bare, letter = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		letter = letter || isalpha((unsigned char)s.p[i]);
		if (!isalnum((unsigned char)s.p[i]) && !byte_in(s.p[i], "-._"))
			return false;
	}
	return letter && !span_is_nobody(s) && !span_address(s, address, &bare);
}

bool
span_is_domain(struct span s)
{
	size_t n = 0;

	while (n < s.len && isalpha((unsigned char)s.p[s.len - 1 - n]))
		n++;
	return span_is_name(s) && n >= 2 && n + 1 < s.len && s.p[s.len - 1 - n] == '.';
}

struct span
span_host(struct span s)
{
	const char *at = s.len == 0 ? NULL : memrchr(s.p, '@', s.len);

	return span_trim(at == NULL ? s : span_behind(s, (size_t)(at + 1 - s.p)), SPAN_EDGE);
}
