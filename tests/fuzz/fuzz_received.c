/*
 * A Received field's value, any bytes: what comes out is printable, fits and is in its form, and does not depend on how the field was
 * folded. A field that is made of the input's words, as RFC 5321 wants it, gives these words back.
 */
#include <arpa/inet.h>

#include <ctype.h>

#include "fuzz.h"
#include "received.h"

#define WORDS 4

static void
check_text(const char *text, size_t size, const char *also)
{
	size_t len = strnlen(text, size);

	must(len < size);
	for (size_t i = 0; i < len; i++)
		must((text[i] > ' ' && text[i] < 0x7f) || strchr(also, text[i]) != NULL);
}

static void
check_name(const char name[HOP_NAME])
{
	size_t len = strlen(name);

	check_text(name, HOP_NAME, "");
	must(len == 0 || len == HOP_NAME - 1 || name[len - 1] != '.');
	for (size_t i = 0; i < len; i++)
		must(name[i] < 'A' || name[i] > 'Z');
}

static void
check_address(const char *address)
{
	unsigned char bytes[16];
	char text[HOP_ADDRESS];
	int family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;

	check_text(address, HOP_ADDRESS, "");
	if (*address == '\0')
		return;
	must(inet_pton(family, address, bytes) == 1);
	must(inet_ntop(family, bytes, text, sizeof(text)) != NULL && strcmp(text, address) == 0);
	must(family == AF_INET || memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0);
}

static void
check_hop(const struct hop *hop)
{
	char text[HOP_NAME], brackets[HOP_ADDRESS + 2];

	check_name(hop->helo);
	check_name(hop->name);
	check_name(hop->by);
	check_address(hop->address);
	check_text(hop->with, HOP_WITH, " ");
	for (const char *p = hop->with; *p != '\0'; p++)
		must(*p < 'a' || *p > 'z');
	check_text(hop->id, HOP_ID, "");
	must(hop->timed == (hop->time != 0));
	snprintf(brackets, sizeof(brackets), "[%s]", hop->address);
	must(strcmp(received_sender(hop, text), *hop->name != '\0' ? hop->name : *hop->address != '\0' ? brackets : hop->helo) == 0);
}

/* An exact copy, so that a sanitizer sees every byte read too many. */
static struct hop
parse_copy(const void *p, size_t len)
{
	char *copy = malloc(len);
	struct hop hop;

	must(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, p, len);
	received_parse(&hop, copy, len);
	free(copy);
	return hop;
}

static void
check_same(const struct hop *a, const struct hop *b)
{
	must(strcmp(a->helo, b->helo) == 0 && strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0);
	must(strcmp(a->by, b->by) == 0 && strcmp(a->with, b->with) == 0 && strcmp(a->id, b->id) == 0);
	must(a->timed == b->timed && a->time == b->time);
}

/* Other blanks, a comment before it, blanks round it: nothing changes. */
static void
check_blanks(const struct hop *whole, const uint8_t *data, size_t size)
{
	static const char blanks[] = " \t\r\n\v\f";
	uint32_t dice = hash_of(data, size);
	struct bytes in = { 0 };
	struct hop hop;

	bytes_text(&in, "\n\t(a (b) c) ");
	for (size_t i = 0; i < size; i++) {
		bool blank = data[i] != '\0' && strchr(blanks, data[i]) != NULL;

		dice = dice * 1664525u + 1013904223u;
		bytes_add(&in, blank ? &blanks[(dice >> 16) % strlen(blanks)] : (const char *)data + i, 1);
	}
	if (size == 0 || data[size - 1] != '\\')
		bytes_text(&in, "\r\n ");
	hop = parse_copy(in.p, in.len);
	check_same(whole, &hop);
	bytes_free(&in);
}

/* A word of letters and digits that is none of a field's own: it begins with "x". */
static void
input_word(struct input *in, char word[12])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = 0, len = 2 + input_byte(in) % 9;

	for (word[n++] = 'x'; n < len;)
		word[n++] = letters[input_byte(in) % (sizeof(letters) - 1)];
	word[n] = '\0';
}

/* Blanks and a comment, whose words mean nothing. */
static const char *
input_gap(struct input *in)
{
	static const char *const gaps[] = { " ", "  ", "\n\t", " (by xx with yy id zz) ", " (a (b) with x\\) by y id z)\r\n ", "\t(;) ", " (()) " };

	return gaps[input_byte(in) % (sizeof(gaps) / sizeof(gaps[0]))];
}

static void
check_made(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char words[WORDS][12], value[512], address[24], name[20];
	unsigned int address_bytes[4], second;
	struct hop hop;

	for (size_t i = 0; i < WORDS; i++)
		input_word(&in, words[i]);
	for (size_t i = 0; i < 4; i++)
		address_bytes[i] = input_byte(&in);
	second = input_byte(&in) % 60;
	snprintf(address, sizeof(address), "%u.%u.%u.%u", address_bytes[0], address_bytes[1], address_bytes[2], address_bytes[3]);
	snprintf(name, sizeof(name), "%s.example", words[1]);
	snprintf(value, sizeof(value), "from %s (%s. [%s])%sby %s%swith ESMTPSA%sid %s%sfor <u@v.example>;%s1 Jan 2026 01:00:%02u +0100",
	    words[0], name, address, input_gap(&in), words[2], input_gap(&in), input_gap(&in), words[3], input_gap(&in),
	    input_gap(&in), second);
	hop = parse_copy(value, strlen(value));
	must(strcmp(hop.helo, words[0]) == 0 && strcmp(hop.name, name) == 0 && strcmp(hop.address, address) == 0);
	must(strcmp(hop.by, words[2]) == 0 && strcmp(hop.with, "ESMTPSA") == 0 && strcmp(hop.id, words[3]) == 0);
	must(hop.timed && hop.time == 1767225600 + second);
}

/* What the client's ident server says may look like an address, and is none. */
static void
check_ident(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char value[256], user[12], address[24];
	unsigned int bytes[4];
	struct hop hop;

	input_word(&in, user);
	for (size_t i = 0; i < 4; i++)
		bytes[i] = input_byte(&in);
	snprintf(address, sizeof(address), "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
	snprintf(value, sizeof(value), "from [%s] (port=1 helo=%s ident=%s@[192.0.2.%u]) by x.example with esmtp (Exim 4.96) id x", address,
	    user, user, input_byte(&in));
	hop = parse_copy(value, strlen(value));
	must(strcmp(hop.address, address) == 0 && *hop.name == '\0' && strcmp(hop.helo, user) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hop hop = parse_copy(data, size);

	check_hop(&hop);
	check_blanks(&hop, data, size);
	check_made(data, size);
	check_ident(data, size);
	return 0;
}
