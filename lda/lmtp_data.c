/* The text of one message as it comes over LMTP. */
#include <string.h>

#include "fs.h"
#include "lmtp_data.h"

void
lmtp_text_start(struct lmtp_text *t, bool dots)
{
	t->dots = dots;
	t->state = dots ? TEXT_LINE : TEXT_INSIDE;
	t->octets = 0;
}

/* The bytes up to the next CR as they are. */
static size_t
take_run(struct lmtp_text *t, const unsigned char *in, size_t len, unsigned char *out)
{
	const unsigned char *cr = memchr(in, '\r', len);
	size_t n = cr != NULL ? (size_t)(cr - in) : len;

	memcpy(out, in, n);
	t->octets += n;
	return n;
}

/* One byte, in a state in which it may not stand for itself. Returns how many bytes are out, up to 2. */
static size_t
take_byte(struct lmtp_text *t, unsigned char c, unsigned char *out)
{
	size_t n = 0;

	if (t->state == TEXT_LINE && t->dots && c == '.') {
		t->state = TEXT_DOT;
		return 0;
	}
	if (t->state == TEXT_DOT && c == '\r') {
		t->state = TEXT_DOT_CR;	/* counts only if this is not the end: a message may fill its limit */
		return 0;
	}
	if (t->state == TEXT_DOT_CR && c == '\n') {
		t->state = TEXT_ENDED;
		return 0;
	}
	t->octets++;
	if (t->state == TEXT_CR && c == '\n') {
		out[0] = '\n';
		t->state = TEXT_LINE;
		return 1;
	}
	if (t->state == TEXT_DOT_CR)
		t->octets++;
	if (t->state == TEXT_CR || t->state == TEXT_DOT_CR)
		out[n++] = '\r';	/* it was a CR alone */
	if (c == '\r') {
		t->state = TEXT_CR;
		return n;
	}
	out[n++] = c;
	t->state = TEXT_INSIDE;
	return n;
}

size_t
lmtp_text_take(struct lmtp_text *t, const unsigned char *in, size_t *in_len, unsigned char *out, size_t out_len)
{
	size_t used = 0, n = 0, run;

	while (used < *in_len && out_len - n >= 2 && t->state != TEXT_ENDED) {
		if (t->state == TEXT_INSIDE && in[used] != '\r') {
			run = *in_len - used < out_len - n ? *in_len - used : out_len - n;
			run = take_run(t, in + used, run, out + n);
			used += run;
			n += run;
		} else
			n += take_byte(t, in[used++], out + n);
	}
	*in_len = used;
	return n;
}

size_t
lmtp_text_finish(struct lmtp_text *t, unsigned char *out)
{
	if (t->state != TEXT_CR)
		return 0;
	out[0] = '\r';
	t->state = TEXT_INSIDE;
	return 1;
}

static int64_t
data_deadline(const struct lmtp_data *d)
{
	return d->deadline_ms + (int64_t)(d->text.octets * 1000 / LMTP_DATA_RATE);
}

static int
end_with(struct lmtp_data *d, enum lmtp_data_end end, struct err *err)
{
	d->end = end;
	if (end == LMTP_DATA_ENDED)
		return 0;
	return err_set(err, STATUS_TEMP, end == LMTP_DATA_LATE ? "read message: the client was too slow" :
	    "read message: the client has not finished it");
}

/* The limit counts what has come, or is announced. A message that nobody wants is drained without it. */
static bool
over_limit(struct lmtp_data *d, struct err *err)
{
	uint64_t size = d->text.octets + (d->text.dots ? 0 : d->chunk_left);

	if (d->failed || d->limit == 0 || size <= d->limit)
		return false;
	d->too_large = true;
	err_set(err, STATUS_TEMP, "read message: it is too large");
	return true;
}

/* At the end of a chunk: the next one. Returns 1: there is more, 0: that was all, -1. */
static int
next_chunk(struct lmtp_data *d, struct err *err)
{
	while (d->chunk_left == 0) {
		d->ended_ms = clock_ms();
		if (d->last)
			d->end = LMTP_DATA_ENDED;
		else	/* small chunks, one after the other, are a way to stay */
			d->end = d->ended_ms > data_deadline(d) ? LMTP_DATA_LATE : d->next_chunk(d->arg);
		if (d->end != LMTP_DATA_OPEN)
			return end_with(d, d->end, err);
	}
	return 1;
}

static ssize_t
read_some(struct lmtp_data *d, unsigned char *buf, size_t len, struct err *err)
{
	struct lmtp_io *io = d->io;
	enum lmtp_io_result result = lmtp_io_fill(io, data_deadline(d), false);
	size_t used = io->end - io->at, n;

	if (result != LMTP_IO_OK)
		return end_with(d, result == LMTP_IO_LATE ? LMTP_DATA_LATE : LMTP_DATA_GONE, err);
	if (!d->text.dots && used > d->chunk_left)
		used = (size_t)d->chunk_left;
	n = lmtp_text_take(&d->text, io->in + io->at, &used, buf, len);
	io->at += used;
	if (!d->text.dots)
		d->chunk_left -= used;
	if (d->text.state == TEXT_ENDED) {
		d->ended_ms = clock_ms();
		d->end = LMTP_DATA_ENDED;
	}
	return over_limit(d, err) ? -1 : (ssize_t)n;
}

static ssize_t
data_read(void *arg, void *buf, size_t len, struct err *err)
{
	struct lmtp_data *d = arg;
	ssize_t n = 0;
	int more = 1;

	while (n == 0 && d->end == LMTP_DATA_OPEN) {
		if (!d->text.dots)
			more = next_chunk(d, err);
		if (more == 0)
			return (ssize_t)lmtp_text_finish(&d->text, buf);
		if (more == -1)
			return -1;
		if (over_limit(d, err))
			return -1;
		n = read_some(d, buf, len, err);
	}
	return n;
}

void
lmtp_data_start(struct lmtp_data *d, struct lmtp_io *io, uint64_t limit, int64_t timeout_ms)
{
	memset(d, 0, sizeof(*d));
	d->source = (struct source){ data_read, d };
	d->io = io;
	d->limit = limit;
	d->deadline_ms = clock_ms() + timeout_ms;
	lmtp_text_start(&d->text, true);
}

void
lmtp_data_chunk(struct lmtp_data *d, uint64_t size, bool last)
{
	if (d->text.dots)
		lmtp_text_start(&d->text, false);
	d->chunk_left = size;
	d->last = last;
}

void
lmtp_data_drain(struct lmtp_data *d)
{
	unsigned char trash[8192];

	d->failed = true;
	while (d->end == LMTP_DATA_OPEN)
		(void)data_read(d, trash, sizeof(trash), NULL);
}
