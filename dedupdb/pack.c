/* Bytes with lengths, big-endian. */
#include <endian.h>
#include <string.h>

#include "pack.h"

static unsigned char *
room(struct packer *p, size_t len)
{
	unsigned char *at;

	if (p->full || len > p->size - p->len) {
		p->full = true;
		return NULL;
	}
	at = p->bytes + p->len;
	p->len += len;
	return at;
}

void
pack_int(struct packer *p, uint64_t value, size_t width)
{
	unsigned char *at = room(p, width);
	size_t i;

	for (i = 0; at != NULL && i < width; i++)
		at[i] = (unsigned char)(value >> 8 * (width - 1 - i));
}

void
pack_bytes(struct packer *p, const void *bytes, size_t len)
{
	unsigned char *at = room(p, len);

	if (at != NULL && len > 0)
		memcpy(at, bytes, len);
}

void
pack_string(struct packer *p, const void *bytes, size_t len)
{
	if (len > 0xffff)
		p->full = true;
	pack_int(p, len, 2);
	pack_bytes(p, bytes, len);
}

static const unsigned char *
take(struct unpacker *u, size_t len)
{
	const unsigned char *at = u->bytes;

	if (u->bad || len > u->left) {
		u->bad = true;
		return NULL;
	}
	u->bytes += len;
	u->left -= len;
	return at;
}

uint64_t
unpack_int(struct unpacker *u, size_t width)
{
	const unsigned char *at = take(u, width);
	uint64_t value = 0;
	size_t i;

	for (i = 0; at != NULL && i < width; i++)
		value = value << 8 | at[i];
	return value;
}

void
unpack_bytes(struct unpacker *u, void *bytes, size_t len)
{
	const unsigned char *at = take(u, len);

	if (at != NULL)
		memcpy(bytes, at, len);
	else
		memset(bytes, 0, len);
}

const unsigned char *
unpack_string(struct unpacker *u, size_t *len)
{
	const unsigned char *at;

	*len = (size_t)unpack_int(u, 2);
	at = take(u, *len);
	if (at == NULL)
		*len = 0;
	return at;
}

void
unpack_text(struct unpacker *u, char *text, size_t size)
{
	size_t len;
	const unsigned char *at = unpack_string(u, &len);

	text[0] = '\0';
	if (at == NULL)
		return;
	if (len >= size || memchr(at, '\0', len) != NULL) {
		u->bad = true;
		return;
	}
	memcpy(text, at, len);
	text[len] = '\0';
}

uint64_t
pack_checksum(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t sum = 0xcbf29ce484222325ULL ^ len, word;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < sizeof(word) ? len : sizeof(word);
		word = 0;
		memcpy(&word, p, n);
		sum = (sum ^ le64toh(word)) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 32;	/* a product's low bits know nothing of the high ones */
	}
	return sum;
}

int
pack_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
