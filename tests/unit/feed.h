/*
 * For tests that read messages: hand bytes to message_read() in pieces of an exact size, from memory.
 */
#ifndef FEED_H
#define FEED_H

#include <sys/socket.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../bytes.h"
#include "message.h"

static const size_t feed_pieces[] = { 1, 2, 3, 7, 4096, 65536 };
#define FEED_PIECES (sizeof(feed_pieces) / sizeof(feed_pieces[0]))

/* A child that writes buf in pieces: on a SOCK_SEQPACKET socket each read(2) gets exactly one of them. */
static inline pid_t
feed_start(int fds[2], const char *buf, size_t len, size_t piece)
{
	size_t n;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid > 0) {
		close(fds[1]);
		return pid;
	}
	close(fds[0]);
	for (; len > 0; buf += n, len -= n) {
		n = len < piece ? len : piece;
		if (send(fds[1], buf, n, MSG_NOSIGNAL) != (ssize_t)n)
			_exit(1);
	}
	_exit(0);
}

/* Read a message that comes in such pieces. */
static inline void
feed_to(struct message **m, const char *buf, size_t len, size_t piece, const struct message_options *options)
{
	struct err err = { STATUS_OK, "" };
	int fds[2], status;
	pid_t pid = feed_start(fds, buf, len, piece);

	if (message_read(m, fds[0], options, &err) == -1)
		fail_msg("message_read: %s", err.text);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(message_size(*m), len);
}

static inline struct message *
feed(const char *buf, size_t len, size_t piece, const struct message_options *options)
{
	struct message *m;

	feed_to(&m, buf, len, piece, options);
	return m;
}

static inline struct message *
feed_text(const char *text, enum body_form form, const char *const *fields)
{
	struct message_options options = { .fields = fields, .body = form };

	return feed(text, strlen(text), 65536, &options);
}

/* Everything that two readings of one message found. */
static inline void
assert_same_message(const struct message *a, const struct message *b, const char *const *fields)
{
	const struct field *f, *g;
	size_t i, n;

	assert_int_equal(message_size(a), message_size(b));
	assert_memory_equal(message_body_digest(a), message_body_digest(b), BODY_DIGEST_BYTES);
	assert_int_equal(message_envelope(a) == NULL, message_envelope(b) == NULL);
	if (message_envelope(a) != NULL)
		assert_string_equal(message_envelope(a), message_envelope(b));
	for (i = 0; fields != NULL && fields[i] != NULL; i++)
		for (n = 0; (f = message_field(a, fields[i], n)) != NULL || message_field(b, fields[i], n) != NULL; n++) {
			g = message_field(b, fields[i], n);
			assert_non_null(f);
			assert_non_null(g);
			assert_int_equal(f->len, g->len);
			assert_memory_equal(f->value, g->value, f->len + 1);
		}
}

/* Random numbers that are the same on every system (xorshift64*). */
struct dice {
	uint64_t state;
};

static inline size_t
dice_roll(struct dice *d, size_t sides)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return (size_t)((d->state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % sides);
}

#endif
