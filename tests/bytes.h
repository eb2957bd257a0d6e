/*
 * Bytes that grow, for sinks and for making messages. Without memory a test ends at once.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

struct bytes {
	char *p;
	size_t len, room;
};

static inline void
bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->room) {
		b->room = 2 * (b->len + len);
		b->p = realloc(b->p, b->room);
		if (b->p == NULL)
			abort();
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static inline void
bytes_text(struct bytes *b, const char *text)
{
	bytes_add(b, text, strlen(text));
}

static inline void
bytes_fill(struct bytes *b, char c, size_t len)
{
	char chunk[4096];
	size_t n;

	memset(chunk, c, sizeof(chunk));
	for (; len > 0; len -= n) {
		n = len < sizeof(chunk) ? len : sizeof(chunk);
		bytes_add(b, chunk, n);
	}
}

/* A sink's write. */
static inline int
bytes_write(void *arg, const void *buf, size_t len, struct err *err)
{
	(void)err;
	bytes_add(arg, buf, len);
	return 0;
}

static inline void
bytes_free(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

#endif
