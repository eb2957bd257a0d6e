/*
 * Reading an mbox: a window of its bytes moves along, filled under the file's lock.
 *
 * A message begins with a line "From ..." at the start of the file or after an empty line. Where a writer did not quote such lines
 * in bodies, only those count that hold a time of day, or that a header field follows.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fs.h"
#include "mail_date.h"
#include "reader.h"
#include "received.h"

#define FROM "From "
#define FROM_LEN (sizeof(FROM) - 1)
#define WINDOW ((size_t)1024 * 1024)
#define OVERLAP 4096	/* bytes of a window that are read again with the next one, and have to be the same */
#define NEAR 2048	/* bytes about a From_ line that are looked at: shorter than the overlap */

struct mbox_reader {
	struct mailbox_reader base;
	int fd;
	uint64_t size;		/* at the start */
	int64_t mtime;
	uint64_t start;		/* first byte of the message, after its From_ line */
	bool line_start;	/* mail_bytes(): the next byte begins a line */
	bool changed;
	uint64_t at;		/* where the window is */
	size_t len;
	char *window;
	char *next;		/* what it becomes; so that both can be compared */
};

static struct mbox_reader *
mbox_of(struct mailbox_reader *r)
{
	return (struct mbox_reader *)r;
}

/* --- the window --- */

static int
lock_shared(const struct mbox_reader *m, struct err *err)
{
	int64_t deadline = clock_ms() + m->base.options.lock_timeout_ms;

	/* A file system without locks has none to wait for. */
	while (fs_try_share(m->fd, m->base.options.path, NULL) == 0) {
		if (clock_ms() >= deadline)
			return err_set(err, STATUS_TEMP, "mbox %s: is locked by another program: try again, or with a longer lock-timeout",
			    m->base.options.path);
		clock_sleep_ms(10);
	}
	return 0;
}

static int
changed(struct mbox_reader *m, struct err *err)
{
	m->changed = true;
	return err_set(err, STATUS_TEMP, "mbox %s: was rewritten while it was read: try again", m->base.options.path);
}

/* Fill the window from `offset` on. */
static int
fill(struct mbox_reader *m, uint64_t offset, struct err *err)
{
	size_t want = m->size - offset < WINDOW ? (size_t)(m->size - offset) : WINDOW, common;
	char *old = m->window;
	ssize_t n;

	if (lock_shared(m, err) == -1)
		return -1;
	n = fs_pread(m->fd, m->next, want, (off_t)offset, m->base.options.path, err);
	fs_unlock(m->fd);
	if (n == -1)
		return -1;
	if ((size_t)n < want)
		return changed(m, err);
	if (offset >= m->at && offset < m->at + m->len) {
		common = m->len - (size_t)(offset - m->at);
		if (common > want)
			common = want;
		if (memcmp(m->next, old + (offset - m->at), common) != 0)
			return changed(m, err);
	}
	m->window = m->next;
	m->next = old;
	m->at = offset;
	m->len = want;
	return 0;
}

/* The bytes at offset: at least `want` (up to OVERLAP) of them, unless the file has fewer. `keep`: a place before, from which on they
 * are likely to be wanted again. Returns how many there are at *p, or -1. */
static ssize_t
look(struct mbox_reader *m, uint64_t offset, size_t want, uint64_t keep, const char **p, struct err *err)
{
	uint64_t from = keep;

	if (m->size - offset < want)
		want = (size_t)(m->size - offset);
	if (offset < m->at || offset + want > m->at + m->len) {
		if (offset + OVERLAP - keep > WINDOW)
			from = offset;
		if (from > m->at && m->len > OVERLAP && from > m->at + m->len - OVERLAP && from <= m->at + m->len)
			from = m->at + m->len - OVERLAP;
		if (fill(m, from, err) == -1)
			return -1;
	}
	*p = m->window + (offset - m->at);
	return (ssize_t)(m->len - (size_t)(offset - m->at));
}

/* --- where messages begin and end --- */

static bool
has_time(const char *p, size_t len)
{
	size_t i;

	for (i = 1; i + 1 < len; i++)
		if (p[i] == ':' && isdigit((unsigned char)p[i - 1]) && isdigit((unsigned char)p[i + 1]))
			return true;
	return false;
}

static bool
is_field(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] > 32 && p[n] < 127 && p[n] != ':')
		n++;
	return n > 0 && n < len && p[n] == ':';
}

/* Is what begins with "From " at p a From_ line? */
static bool
is_from_line(const char *p, size_t len)
{
	const char *lf = memchr(p, '\n', len);
	size_t n = lf == NULL ? len : (size_t)(lf - p);

	return has_time(p, n) || (lf != NULL && is_field(lf + 1, len - n - 1));
}

/* Does a message begin after the newline at `newline`, where "From " follows? Returns 1, 0 or -1. */
static int
is_separator(struct mbox_reader *m, uint64_t newline, uint64_t keep, struct err *err)
{
	uint64_t back = newline < m->start + 2 ? newline - m->start : 2;
	const char *p;
	ssize_t n = look(m, newline - back, NEAR, keep, &p, err);

	if (n == -1)
		return -1;
	if (back > 0 && p[back - 1] != '\n' && !(p[back - 1] == '\r' && (back == 1 || p[back - 2] == '\n')))
		return 0;
	p += back + 1;
	return is_from_line(p, (size_t)n - back - 1 < NEAR ? (size_t)n - back - 1 : NEAR);
}

/* Where the message at m->start ends: at the newline before the next From_ line, or at the end of the file. */
static int
find_end(struct mbox_reader *m, uint64_t *end, struct err *err)
{
	static const char next[] = "\n" FROM;
	uint64_t at = m->start == 0 ? 0 : m->start - 1;
	const char *p, *hit;
	ssize_t n;
	int got;

	for (;;) {
		n = look(m, at, sizeof(next) - 1, m->start, &p, err);
		if (n == -1)
			return -1;
		hit = memmem(p, (size_t)n, next, sizeof(next) - 1);
		if (hit == NULL) {
			at += (uint64_t)n;
			if (at == m->size)
				break;
			at -= sizeof(next) - 2;
			continue;
		}
		at += (uint64_t)(hit - p);
		got = at < m->start ? 1 : is_separator(m, at, m->start, err);
		if (got == -1)
			return -1;
		if (got == 1) {
			*end = at;
			return 0;
		}
		at++;
	}
	*end = m->size;
	return 0;
}

/* The length of the From_ line at offset, with its newline; at the end of the file without. */
static int
from_line(struct mbox_reader *m, uint64_t offset, uint64_t *len, struct err *err)
{
	uint64_t at = offset;
	const char *p, *lf;
	ssize_t n;

	do {
		n = look(m, at, 1, at, &p, err);
		if (n == -1)
			return -1;
		lf = memchr(p, '\n', (size_t)n);
		at += lf == NULL ? (uint64_t)n : (uint64_t)(lf - p) + 1;
	} while (lf == NULL && at < m->size);
	*len = at - offset;
	return 0;
}

/* --- one message --- */

/* The date of the first Received field in a header. */
static int64_t
received_date(const char *p, size_t len)
{
	static const char name[] = "Received:";
	const char *end = p + len, *lf, *last;
	struct hop hop;

	for (;; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf == p || (lf == p + 1 && *p == '\r'))
			return 0;
		if ((size_t)(lf - p) >= sizeof(name) - 1 && strncasecmp(p, name, sizeof(name) - 1) == 0)
			break;
	}
	for (last = lf; last + 1 < end && (last[1] == ' ' || last[1] == '\t'); last = lf) {
		lf = memchr(last + 1, '\n', (size_t)(end - last - 1));
		if (lf == NULL)
			break;
	}
	received_parse(&hop, p + sizeof(name) - 1, (size_t)(last - p) - (sizeof(name) - 1));
	return hop.time;
}

/* "From sender date": the sender is no date, whatever it looks like. */
static int64_t
from_date(const char *p, size_t len)
{
	const char *blank = len <= FROM_LEN ? NULL : memchr(p + FROM_LEN, ' ', len - FROM_LEN);

	return blank == NULL ? 0 : mail_date(blank, (size_t)(p + len - blank));
}

/* The empty line between two messages belongs to neither. At the end of the file it is still there, and where lines end in CR LF
 * its CR is. Returns how many bytes to leave out, or -1. */
static int
tail_len(struct mbox_reader *m, uint64_t end, struct err *err)
{
	char last[3] = { '\n', '\n', '\n' };
	size_t len = end - m->start < sizeof(last) ? (size_t)(end - m->start) : sizeof(last);
	const char *p;

	if (look(m, end - len, len, m->start, &p, err) == -1)
		return -1;
	memcpy(last + sizeof(last) - len, p, len);
	if (end < m->size)
		return last[2] == '\r' && last[1] == '\n' && len > 0;
	if (len == 0 || last[2] != '\n')
		return 0;
	return last[1] == '\n' ? 1 : last[1] == '\r' && last[0] == '\n' ? 2 : 0;
}

static int
describe(struct mbox_reader *m, uint64_t offset, uint64_t end, struct err *err)
{
	struct mail *mail = &m->base.mail;
	size_t line = m->start - offset < OVERLAP ? (size_t)(m->start - offset) : OVERLAP;
	const char *p;
	ssize_t n;
	int tail;

	if (end < m->start)	/* a From_ line follows at once */
		end = m->start;
	tail = tail_len(m, end, err);
	if (tail == -1)
		return -1;
	mail->offset = offset;
	mail->size = end - m->start - (uint64_t)tail;
	n = look(m, offset, line, offset, &p, err);
	if (n == -1)
		return -1;
	mail->date = from_date(p, (size_t)n < line ? (size_t)n : line);
	if (mail->date == 0 && mail->size > 0) {
		n = look(m, m->start, OVERLAP, m->start, &p, err);
		if (n == -1)
			return -1;
		if (n > OVERLAP)
			n = OVERLAP;
		mail->date = received_date(p, (uint64_t)n < mail->size ? (size_t)n : (size_t)mail->size);
	}
	if (mail->date == 0)
		mail->date = m->mtime;
	return 0;
}

/* Where the first message begins: after empty lines, if there are some. Returns 1, 0 the mbox is empty, or -1. */
static int
find_first(struct mbox_reader *m, uint64_t *offset, struct err *err)
{
	const char *p;
	ssize_t n = look(m, 0, OVERLAP, 0, &p, err);
	size_t skip = 0;

	if (n == -1)
		return -1;
	while (skip < (size_t)n && (p[skip] == '\n' || p[skip] == '\r'))
		skip++;
	*offset = skip;
	if (skip == (size_t)n)
		return 0;
	if ((size_t)n - skip >= FROM_LEN && memcmp(p + skip, FROM, FROM_LEN) == 0)
		return 1;
	return err_set(err, STATUS_TEMP, "file %s: is no mbox: it does not begin with a line 'From ...'", m->base.options.path);
}

static enum reader_end
failed(const struct mbox_reader *m)
{
	return m->changed ? READER_CHANGED : READER_FAILED;
}

static int
take_snapshot(struct mbox_reader *m, struct err *err)
{
	struct stat st;
	int ret;

	if (lock_shared(m, err) == -1)
		return -1;
	ret = fstat(m->fd, &st);
	fs_unlock(m->fd);
	if (ret == -1)
		return err_sys(err, "stat", m->base.options.path);
	m->size = m->base.total = (uint64_t)st.st_size;
	m->mtime = (int64_t)st.st_mtime;
	m->changed = false;
	m->at = 0;
	m->len = 0;
	return 0;
}

static enum reader_end
mbox_each(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err)
{
	struct mbox_reader *m = mbox_of(r);
	enum reader_end end = READER_DONE;
	uint64_t offset, len, stop;
	int got;

	if (take_snapshot(m, err) == -1)
		return READER_FAILED;
	got = find_first(m, &offset, err);
	if (got != 1)
		return got == 0 ? READER_DONE : failed(m);
	r->mail.folder = r->mail.name = "";
	r->mail.path = r->options.path;
	while (end == READER_DONE && offset < m->size) {
		if (from_line(m, offset, &len, err) == -1)
			return failed(m);
		m->start = offset + len;
		if (find_end(m, &stop, err) == -1 || describe(m, offset, stop, err) == -1)
			return failed(m);
		offset = stop == m->size ? stop : stop + 1;
		r->mail.done = offset;
		end = reader_offer(r, visit, arg, err);
	}
	return end == READER_FAILED ? failed(m) : end;
}

/* --- its bytes --- */

/* Is the '>' at p, where a line begins, a quote that the delivery added? */
static bool
is_quote(struct mailbox_reader *r, const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] == '>')
		n++;
	if (len - n < FROM_LEN || memcmp(p + n, FROM, FROM_LEN) != 0)
		return false;
	r->mail.quoted |= n == 1 ? MAIL_QUOTED_ONCE : MAIL_QUOTED_MORE;
	return r->quoting == MBOX_RD || (r->quoting == MBOX_O && n == 1);
}

/* How many bytes may be copied up to the next line that begins with '>'. */
static size_t
plain_run(const char *p, size_t len, bool *line_start)
{
	const char *hit = memmem(p, len, "\n>", 2);

	*line_start = hit != NULL || p[len - 1] == '\n';
	return hit != NULL ? (size_t)(hit - p) + 1 : len;
}

static ssize_t
mbox_read(struct mailbox_reader *r, void *buf, size_t len, struct err *err)
{
	struct mbox_reader *m = mbox_of(r);
	char *out = buf;
	size_t n, done = 0;
	const char *p;
	ssize_t got;

	if (r->pos == 0)
		m->line_start = true;
	while (done < len && r->pos < r->mail.size) {
		got = look(m, m->start + r->pos, OVERLAP, m->start, &p, err);
		if (got == -1)
			return -1;
		n = (uint64_t)got < r->mail.size - r->pos ? (size_t)got : (size_t)(r->mail.size - r->pos);
		if (m->line_start && *p == '>' && is_quote(r, p, n)) {
			m->line_start = false;
			r->pos++;
			continue;
		}
		n = plain_run(p, n < len - done ? n : len - done, &m->line_start);
		memcpy(out + done, p, n);
		done += n;
		r->pos += n;
	}
	return (ssize_t)done;
}

static void
mbox_reader_close(struct mailbox_reader *r)
{
	struct mbox_reader *m = mbox_of(r);

	free(m->window);
	free(m->next);
	close(m->fd);
}

static int
mbox_reader_open(struct mailbox_reader *r, int fd, struct err *err)
{
	struct mbox_reader *m = mbox_of(r);
	uint64_t first;

	m->fd = fd;
	m->window = calloc(1, WINDOW);
	m->next = malloc(WINDOW);
	if (m->window == NULL || m->next == NULL)
		return err_sys(err, "open mailbox", r->options.path);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (take_snapshot(m, err) == -1)
		return -1;
	return find_first(m, &first, err) == -1 ? -1 : 0;
}

const struct reader_ops reader_mbox = {
	.kind = READER_MBOX,
	.size = sizeof(struct mbox_reader),
	.open = mbox_reader_open,
	.each = mbox_each,
	.read = mbox_read,
	.close = mbox_reader_close,
};
