/* The bytes of an mbox entry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "copy.h"
#include "fs.h"
#include "mbox_entry.h"
#include "mbox_file.h"

#define FROM "From "
#define FROM_LEN (sizeof(FROM) - 1)
#define SENDER_MAX 512		/* bytes of a sender that go into a From_ line */
#define BLOCK 65536

static int
too_long(const char *path, struct err *err)
{
	return err_set(err, STATUS_TEMP, "deliver to %s: path and header lines are too long for a record", path);
}

/* Append to the head. The intent's fixed parts leave less room than this; entry_encode() sees to that. */
static int
head_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct mbox_entry *e = arg;

	if (len > sizeof(e->head) - e->head_len)
		return too_long(e->path, err);
	memcpy(e->head + e->head_len, buf, len);
	e->head_len += len;
	return 0;
}

static int
head_text(struct mbox_entry *e, const char *text, struct err *err)
{
	return head_write(e, text, strlen(text), err);
}

/* A byte that can't break the line in pieces; a sender can't have blanks either, since they end it for readers. */
static char
safe_byte(char b, char least)
{
	unsigned char u = (unsigned char)b;

	return u < (unsigned char)least || u == 0x7f ? '_' : b;
}

static int
from_line_made(struct mbox_entry *e, const char *sender, int64_t now, struct err *err)
{
	char line[SENDER_MAX + 64], date[26 + 16], name[SENDER_MAX + 1];
	time_t t = (time_t)now;
	struct tm tm;
	size_t i;

	if (sender == NULL || sender[0] == '\0' || strcmp(sender, "<>") == 0)
		sender = "MAILER-DAEMON";
	for (i = 0; i < SENDER_MAX && sender[i] != '\0'; i++)
		name[i] = safe_byte(sender[i], '!');
	name[i] = '\0';
	if (gmtime_r(&t, &tm) == NULL || asctime_r(&tm, date) == NULL)
		return err_set(err, STATUS_TEMP, "deliver to %s: the clock is wrong", e->path);
	snprintf(line, sizeof(line), FROM "%s %s", name, date);
	return head_text(e, line, err);
}

static int
from_line(struct mbox_entry *e, const char *envelope, const char *sender, int64_t now, struct err *err)
{
	size_t i, len = envelope == NULL ? 0 : strlen(envelope);
	char b;

	while (len > 0 && (envelope[len - 1] == '\r' || envelope[len - 1] == ' '))
		len--;
	if (len <= FROM_LEN || strncmp(envelope, FROM, FROM_LEN) != 0)
		return from_line_made(e, sender, now, err);
	for (i = 0; i < len; i++) {
		b = safe_byte(envelope[i], ' ');
		if (head_write(e, &b, 1, err) == -1)
			return -1;
	}
	return head_text(e, "\n", err);
}

/* The header lines that the delivery adds, by the same copier as all else. */
static int
added_lines(struct mbox_entry *e, const char *lines, struct err *err)
{
	struct copy_options options = { .head = lines, .quote_from = true };
	struct sink sink = { head_write, e };
	struct copier *c = malloc(sizeof(*c));
	int ret;

	if (c == NULL)
		return err_sys(err, "deliver to", e->path);
	copier_init(c, &options, &sink);
	ret = copier_finish(c, err);
	free(c);
	return ret;
}

static int
head_make(struct mbox_entry *e, const struct mailbox_options *options, int fd, const char *envelope, int64_t now, struct err *err)
{
	char id[MBOX_ID_HEX], line[sizeof(MBOX_ID_FIELD) + MBOX_ID_HEX + 4];
	int missing = mbox_newlines_missing(fd, e->s0, e->path, err);

	if (missing == -1)
		return -1;
	e->head_len = 0;
	witness_id(e->id, id);
	snprintf(line, sizeof(line), MBOX_ID_FIELD ": %s\n", id);
	if (head_write(e, "\n\n", (size_t)missing, err) == -1 ||
	    from_line(e, envelope, options->sender, now, err) == -1 ||
	    head_text(e, line, err) == -1)
		return -1;
	return added_lines(e, options->head == NULL ? "" : options->head, err);
}

int
entry_replay(const struct mbox_entry *e, const struct message *m, const struct sink *to, struct err *err)
{
	struct copy_options options = { .head = "", .follows = true, .drop_return_path = e->drop_return_path, .quote_from = true };
	struct copier *c = malloc(sizeof(*c));
	int ret = -1;

	if (c == NULL)
		return err_sys(err, "deliver to", e->path);
	copier_init(c, &options, to);
	if (to->write(to->arg, e->head, e->head_len, err) == 0 && message_replay(m, &c->in, err) == 0 &&
	    copier_finish(c, err) == 0)
		/* An empty line of our own follows, even where the message ends with one, so that none of it is taken away. */
		ret = c->last == '\n' || c->last == -1 ? to->write(to->arg, "\n", 1, err) : to->write(to->arg, "\n\n", 2, err);
	free(c);
	return ret;
}

static void
kept_add(struct kept *kept, const void *buf, size_t len)
{
	size_t room = kept->room == 0 ? 16384 : kept->room;
	unsigned char *p;

	if (kept->too_many)
		return;
	while (room < MBOX_KEEP_MAX && room - kept->len < len)
		room *= 2;
	p = room - kept->len < len ? NULL : room == kept->room ? kept->buf : realloc(kept->buf, room);
	if (p == NULL) {
		free(kept->buf);
		memset(kept, 0, sizeof(*kept));
		kept->too_many = true;
		return;
	}
	kept->buf = p;
	kept->room = room;
	memcpy(p + kept->len, buf, len);
	kept->len += len;
}

struct measure {
	uint64_t len;
	struct digest digest;
	struct witness_reader reader;
	struct kept *kept;
};

static int
measure_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct measure *m = arg;

	(void)err;
	m->len += len;
	digest_add(&m->digest, buf, len);
	witness_add(&m->reader, buf, len);
	kept_add(m->kept, buf, len);
	return 0;
}

/* Length and digests of the entry. */
static int
entry_measure(struct mbox_entry *e, const struct message *m, struct kept *kept, struct err *err)
{
	struct measure measure = { .kept = kept };
	struct sink sink = { measure_write, &measure };

	digest_start(&measure.digest);
	witness_start(&measure.reader, e->id, NULL);
	if (entry_replay(e, m, &sink, err) == -1)
		return -1;
	digest_end(&measure.digest, e->digest);
	witness_end(&measure.reader);
	if (!measure.reader.found)
		return err_set(err, STATUS_TEMP, "deliver to %s: the entry could not be found again", e->path);
	e->len = measure.len;
	e->witness = measure.reader.seen;
	return 0;
}

int
entry_make(struct mbox_entry *e, const struct mailbox_options *options, int fd, const struct message *m,
    const unsigned char *id, int64_t now, struct kept *kept, struct err *err)
{
	struct stat st;
	int got;

	if (strlen(options->path) >= sizeof(e->path))
		return too_long(options->path, err);
	if (fstat(fd, &st) == -1)
		return err_sys(err, "stat", options->path);
	memset(e, 0, sizeof(*e));
	memcpy(e->path, options->path, strlen(options->path));
	snprintf(e->host, sizeof(e->host), "%s", options->host != NULL ? options->host : "");
	e->dev = (uint64_t)st.st_dev;
	e->ino = (uint64_t)st.st_ino;
	e->s0 = (uint64_t)st.st_size;
	e->drop_return_path = options->drop_return_path;
	if (id != NULL)
		memcpy(e->id, id, sizeof(e->id));
	else if (getentropy(e->id, sizeof(e->id)) == -1)
		return err_sys(err, "random number for", e->path);
	e->prefix_len = e->s0 < MBOX_PREFIX_MAX ? e->s0 : MBOX_PREFIX_MAX;
	got = mbox_digest(fd, e->s0 - e->prefix_len, e->prefix_len, e->prefix, e->path, err);
	if (got == 0)
		return err_set(err, STATUS_TEMP, "read %s: it became shorter", e->path);
	if (got == -1 || head_make(e, options, fd, message_envelope(m), now, err) == -1)
		return -1;
	return entry_measure(e, m, kept, err);
}

bool
entry_is_made_for(const struct mbox_entry *e, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_ino == e->ino;
}

int
entry_prefix_matches(const struct mbox_entry *e, int fd, uint64_t size, struct err *err)
{
	unsigned char digest[DIGEST_BYTES];
	int got;

	if (size < e->s0)
		return 0;
	got = mbox_digest(fd, e->s0 - e->prefix_len, e->prefix_len, digest, e->path, err);
	return got == 1 ? memcmp(digest, e->prefix, sizeof(digest)) == 0 : got;
}

int
entry_is_at(const struct mbox_entry *e, int fd, uint64_t offset, struct err *err)
{
	unsigned char digest[DIGEST_BYTES];
	int got = mbox_digest(fd, offset, e->len, digest, e->path, err);

	return got == 1 ? memcmp(digest, e->digest, sizeof(digest)) == 0 : got;
}

int
entry_is_readable_at(const struct mbox_entry *e, int fd, uint64_t offset, struct err *err)
{
	int missing = mbox_newlines_missing(fd, offset, e->path, err);
	size_t has = strspn(e->head, "\n");	/* a From_ line ends it */

	if (missing == -1)
		return -1;
	return (size_t)missing > has ? 0 : entry_is_at(e, fd, offset, err);
}

/* A comparison of the entry with the end of the file. */
struct comparison {
	const struct mbox_entry *e;
	int fd;
	uint64_t size;		/* of the file */
	bool zeros, same;
	uint64_t len;
	struct digest digest;
	unsigned char buf[BLOCK];
};

static int
compare_piece(struct comparison *c, const unsigned char *p, size_t len, struct err *err)
{
	ssize_t n = fs_pread(c->fd, c->buf, len, (off_t)(c->e->s0 + c->len), c->e->path, err);
	size_t i;

	if (n == -1)
		return -1;
	if ((size_t)n != len)
		c->same = false;
	for (i = 0; i < len && c->same; i++)
		if (c->buf[i] != p[i] && !(c->zeros && c->buf[i] == 0))
			c->same = false;
	return 0;
}

static int
compare_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct comparison *c = arg;
	const unsigned char *p = buf;
	uint64_t left;
	size_t n, here;

	digest_add(&c->digest, buf, len);
	for (; len > 0; p += n, len -= n, c->len += n) {
		n = len < BLOCK ? len : BLOCK;
		left = c->e->s0 + c->len < c->size ? c->size - c->e->s0 - c->len : 0;
		here = left < n ? (size_t)left : n;
		if (here > 0 && compare_piece(c, p, here, err) == -1)
			return -1;
	}
	return 0;
}

int
entry_is_tail(const struct mbox_entry *e, int fd, uint64_t size, const struct message *m, bool zeros, struct err *err)
{
	struct comparison *c;
	struct sink sink = { compare_write, NULL };
	unsigned char digest[DIGEST_BYTES];
	int ret = -1;

	if (size <= e->s0 || size - e->s0 > e->len)
		return 0;
	c = malloc(sizeof(*c));
	if (c == NULL)
		return err_sys(err, "read", e->path);
	memset(c, 0, offsetof(struct comparison, buf));
	c->e = e;
	c->fd = fd;
	c->size = size;
	c->zeros = zeros;
	c->same = true;
	sink.arg = c;
	digest_start(&c->digest);
	if (entry_replay(e, m, &sink, err) == 0) {
		digest_end(&c->digest, digest);
		ret = c->same && c->len == e->len && memcmp(digest, e->digest, sizeof(digest)) == 0;
	}
	free(c);
	return ret;
}

int
entry_find(const struct mbox_entry *e, int fd, uint64_t *start, uint64_t *end, struct err *err)
{
	struct witness_reader reader;
	unsigned char *buf;
	ssize_t n;
	int ret = -1;

	buf = malloc(BLOCK);
	if (buf == NULL)
		return err_sys(err, "read", e->path);
	witness_start(&reader, e->id, &e->witness);
	do {
		n = fs_pread(fd, buf, BLOCK, (off_t)reader.offset, e->path, err);
		if (n == -1)
			goto out;
		witness_add(&reader, buf, (size_t)n);
	} while (n == BLOCK && !reader.found);
	witness_end(&reader);
	ret = reader.found;
	*start = reader.start;
	*end = reader.end;
out:
	free(buf);
	return ret;
}
