/* The server's end of one connection. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lmtp_io.h"

#define SLICE_MS 1000		/* how soon a change of the weather is noticed */
#define PATIENCE_MS 10000	/* with a client that says nothing, when others wait or the server is to stop */
#define SEND_MS 60000		/* for replies that go out before we listen again */

void
lmtp_io_init(struct lmtp_io *io, int in_fd, int out_fd, const struct lmtp_weather *weather)
{
	io->in_fd = in_fd;
	io->out_fd = out_fd;
	io->weather = weather;
	io->heard_ms = clock_ms();
	io->gone = false;
	io->at = io->end = io->out_len = 0;
}

static int64_t
time_left(const struct lmtp_io *io, int64_t deadline_ms)
{
	int64_t now = clock_ms(), left = deadline_ms - now;

	if ((*io->weather->stopping || atomic_load_explicit(io->weather->crowded, memory_order_relaxed)) &&
	    io->heard_ms + PATIENCE_MS - now < left)
		left = io->heard_ms + PATIENCE_MS - now;
	return left < SLICE_MS ? left : SLICE_MS;
}

static enum lmtp_io_result
wait_for(struct lmtp_io *io, int fd, short events, int64_t deadline_ms, bool may_stop)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	struct timespec slice;
	int64_t left;
	int n;

	for (;;) {
		if (may_stop && *io->weather->stopping)
			return LMTP_IO_STOP;
		left = time_left(io, deadline_ms);
		if (left < 0)
			left = 0;
		slice = (struct timespec){ left / 1000, left % 1000 * 1000000 };
		n = ppoll(&pfd, 1, &slice, io->weather->signals);
		if (n > 0)
			return LMTP_IO_OK;
		if (n == -1 && errno != EINTR)
			return LMTP_IO_GONE;
		if (time_left(io, deadline_ms) <= 0)
			return LMTP_IO_LATE;
	}
}

enum lmtp_io_result
lmtp_io_fill(struct lmtp_io *io, int64_t deadline_ms, bool may_stop)
{
	enum lmtp_io_result result;
	ssize_t n;

	if (io->at < io->end)
		return LMTP_IO_OK;
	if (io->out_len > 0)
		lmtp_io_flush(io, clock_ms() + SEND_MS);
	if (io->gone)
		return LMTP_IO_GONE;
	do {
		result = wait_for(io, io->in_fd, POLLIN, deadline_ms, may_stop);
		if (result != LMTP_IO_OK)
			return result;
		n = read(io->in_fd, io->in, sizeof(io->in));
	} while (n == -1 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0)
		return LMTP_IO_GONE;
	io->heard_ms = clock_ms();
	io->at = 0;
	io->end = (size_t)n;
	return LMTP_IO_OK;
}

enum lmtp_io_result
lmtp_io_line(struct lmtp_io *io, char *line, size_t size, size_t *len, int64_t deadline_ms)
{
	enum lmtp_io_result result;
	const unsigned char *nl;
	size_t n, room, have = 0;
	bool started = false, too_long = false;

	for (;;) {
		result = lmtp_io_fill(io, deadline_ms, !started);
		if (result != LMTP_IO_OK)
			return result;
		started = true;
		nl = memchr(io->in + io->at, '\n', io->end - io->at);
		n = (nl != NULL ? (size_t)(nl - io->in) : io->end) - io->at;
		room = size - have;
		memcpy(line + have, io->in + io->at, n < room ? n : room);
		too_long = too_long || n > room;
		have += n < room ? n : room;
		io->at += n + (nl != NULL);
		if (nl != NULL)
			break;
		if (clock_ms() > deadline_ms)
			return LMTP_IO_LATE;	/* though bytes keep coming */
	}
	if (!too_long && have > 0 && line[have - 1] == '\r')
		have--;
	*len = too_long ? size : have;
	return LMTP_IO_OK;
}

void
lmtp_io_reply(struct lmtp_io *io, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(line) - 3)
		n = (int)sizeof(line) - 3;
	line[n++] = '\r';
	line[n++] = '\n';
	if ((size_t)n > sizeof(io->out) - io->out_len)
		lmtp_io_flush(io, clock_ms() + SEND_MS);
	if (io->gone)
		return;
	if (io->out_len == 0)
		io->due_ms = clock_ms();
	memcpy(io->out + io->out_len, line, (size_t)n);
	io->out_len += (size_t)n;
}

void
lmtp_io_flush(struct lmtp_io *io, int64_t deadline_ms)
{
	size_t done = 0;
	ssize_t n;

	if (io->out_len > 0)
		io->heard_ms = clock_ms();	/* until now it was the client who waited */
	while (!io->gone && done < io->out_len) {
		n = write(io->out_fd, io->out + done, io->out_len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == -1 && errno == EAGAIN)
			io->gone = wait_for(io, io->out_fd, POLLOUT, deadline_ms, false) != LMTP_IO_OK;
		else
			io->gone = n == 0 || errno != EINTR;
	}
	io->out_len = 0;
}

void
lmtp_io_flush_late(struct lmtp_io *io, int64_t late_ms, int64_t deadline_ms)
{
	if (io->out_len > 0 && clock_ms() - io->due_ms >= late_ms)
		lmtp_io_flush(io, deadline_ms);
}
