/*
 * What the fuzzers share. Each of them is one file with LLVMFuzzerTestOneInput(), which takes any bytes and says with must() what
 * has to be true of the code under test. libFuzzer makes up the bytes; replay.c gives it those in corpus/NAME instead.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <sys/mman.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bytes.h"
#include "fs.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline _Noreturn void
must_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	abort();
}
#define must(what) ((what) ? (void)0 : must_fail(__FILE__, __LINE__, #what))

static inline bool
same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* What pack_checksum() has to be. */
static inline uint64_t
input_checksum(const uint8_t *p, size_t len)
{
	uint64_t sum = 14695981039346656037U ^ len, word = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		word |= (uint64_t)p[i] << 8 * (i % 8);
		if (i % 8 < 7 && i + 1 < len)
			continue;
		sum = (sum ^ word) * 11400714819323198485U;
		sum ^= sum >> 32;
		word = 0;
	}
	return sum;
}

/* Input that is made of several parts. */
struct input {
	const uint8_t *p;
	size_t left;
};

static inline unsigned int
input_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

/* Up to a NUL or the end; to be freed. Exactly as large as it is, so that a sanitizer sees every byte read too many. */
static inline char *
input_text(struct input *in)
{
	size_t len = in->left == 0 ? 0 : strnlen((const char *)in->p, in->left);
	char *text = malloc(len + 1);

	must(text != NULL);
	if (len > 0)
		memcpy(text, in->p, len);
	text[len] = '\0';
	in->p += len < in->left ? len + 1 : len;
	in->left -= len < in->left ? len + 1 : len;
	return text;
}

/* Some numbers that depend on the input only. */
static inline uint32_t
hash_of(const uint8_t *p, size_t len)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (; len > 0; len--)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

/* A file of these bytes, to be read from its start. */
static inline int
file_of(const void *p, size_t len)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	must(fd != -1 && fs_write(fd, p, len, NULL, "input", NULL) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static inline struct message *
message_of(const void *p, size_t len, const struct message_options *options)
{
	int fd = file_of(p, len);
	struct message *m = NULL;
	struct err err = { .text = "" };

	must(message_read(&m, fd, options, &err) == 0);
	close(fd);
	return m;
}

/* The end of the line that begins at `at`, behind its newline. */
static inline size_t
line_end(const char *p, size_t len, size_t at)
{
	const char *nl = memchr(p + at, '\n', len - at);

	return nl == NULL ? len : (size_t)(nl - p) + 1;
}

static inline bool
starts_with(const char *p, size_t len, const char *text)
{
	return len >= strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

#endif
