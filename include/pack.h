/*
 * Bytes with lengths, big-endian: what records and intents are made of.
 *
 * Neither side needs a check per step: a packer that runs out of room and an unpacker that runs out of bytes remember it and do
 * nothing from there on. Ask once, at the end.
 */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packer {
	unsigned char *bytes;
	size_t len, size;
	bool full;	/* something did not fit */
};

struct unpacker {
	const unsigned char *bytes;
	size_t left;
	bool bad;	/* something was missing */
};

/* An integer in `width` bytes (1 to 8). */
void pack_int(struct packer *p, uint64_t value, size_t width);
void pack_bytes(struct packer *p, const void *bytes, size_t len);
/* A length of two bytes, then the bytes; at most 65535. */
void pack_string(struct packer *p, const void *bytes, size_t len);

uint64_t unpack_int(struct unpacker *u, size_t width);
void unpack_bytes(struct unpacker *u, void *bytes, size_t len);
/* Borrows the bytes of a string from the packed ones; NULL (and *len 0) when it is not whole. */
const unsigned char *unpack_string(struct unpacker *u, size_t *len);
/* Copies a string of at most size - 1 bytes without NUL into text; longer ones, and ones with a NUL inside, are bad. */
void unpack_text(struct unpacker *u, char *text, size_t size);

/* What a hex digit stands for, in capitals or not; -1: it is none. */
int pack_hex_digit(char c);

/* The same on every machine, in the way of FNV-1a but with eight bytes at a time: finds torn and damaged bytes, not forged ones. */
uint64_t pack_checksum(const void *bytes, size_t len);

#endif
