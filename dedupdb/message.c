/* One message: read once, kept for replay or handed on. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "body.h"
#include "fs.h"
#include "header.h"
#include "message.h"

#define CHUNK (64 * 1024)	/* bytes read at once */

struct message {
	struct field *fields;
	size_t count;
	char *envelope;
	uint64_t size;
	char *memory;		/* all of it, if it is small */
	size_t room;
	int file;		/* or here; -1: not */
	bool spilled;		/* or gone to the sink */
	unsigned char digest[BODY_DIGEST_BYTES];
};

/* What is needed while reading only. */
struct reader {
	struct message *m;
	const struct sink *spill;
	struct header header;
	struct body body;
	bool in_body;
};

void
message_free(struct message **m)
{
	if (*m == NULL)
		return;
	fields_free((*m)->fields, (*m)->count);
	free((*m)->envelope);
	free((*m)->memory);
	if ((*m)->file != -1)
		close((*m)->file);
	free(*m);
	*m = NULL;
}

uint64_t
message_size(const struct message *m)
{
	return m->size;
}

const char *
message_envelope(const struct message *m)
{
	return m->envelope;
}

const unsigned char *
message_body_digest(const struct message *m)
{
	return m->digest;
}

const struct field *
message_field(const struct message *m, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (strcasecmp(m->fields[i].name, name) == 0 && n-- == 0)
			return &m->fields[i];
	return NULL;
}

int
message_was_spilled(const struct message *m)
{
	return m->spilled;
}

int
message_file(const struct message *m)
{
	return m->file;
}

static int
replay_file(const struct message *m, const struct sink *to, struct err *err)
{
	char chunk[CHUNK];
	uint64_t done;
	size_t want;
	ssize_t n;

	for (done = 0; done < m->size; done += (uint64_t)n) {
		want = m->size - done < sizeof(chunk) ? (size_t)(m->size - done) : sizeof(chunk);
		n = fs_pread(m->file, chunk, want, (off_t)done, "temporary file", err);
		if (n == -1)
			return -1;
		if (n == 0)
			return err_set(err, STATUS_TEMP, "read temporary file: it became shorter");
		if (to->write(to->arg, chunk, (size_t)n, err) == -1)
			return -1;
	}
	return 0;
}

int
message_replay(const struct message *m, const struct sink *to, struct err *err)
{
	if (m->spilled)
		return err_set(err, STATUS_TEMP, "message was handed on while it was read and can not be replayed");
	if (m->file != -1)
		return replay_file(m, to, err);
	return m->size == 0 ? 0 : to->write(to->arg, m->memory, (size_t)m->size, err);
}

static ssize_t
read_fd(void *arg, void *buf, size_t len, struct err *err)
{
	const int *fd = arg;
	struct pollfd pfd = { .fd = *fd, .events = POLLIN };
	ssize_t n;

	while ((n = read(*fd, buf, len)) == -1) {
		if (errno == EAGAIN)
			poll(&pfd, 1, -1);	/* somebody else made the pipe non-blocking */
		else if (errno != EINTR)
			return err_sys(err, "read", "message");
	}
	return n;
}

static int
keep_in_memory(struct message *m, const char *p, size_t len, struct err *err)
{
	size_t size = (size_t)m->size, room = m->room;
	char *memory;

	while (room < size + len)
		room = room == 0 ? len : 2 * room;
	if (room > MESSAGE_MEMORY)
		room = MESSAGE_MEMORY;
	if (room > m->room) {
		memory = realloc(m->memory, room);
		if (memory == NULL)
			return err_sys(err, "read message", NULL);
		m->memory = memory;
		m->room = room;
	}
	memcpy(m->memory + size, p, len);
	return 0;
}

/* Hand the bytes on, to the sink or the temporary file. */
static int
hand_on(struct reader *r, const char *p, size_t len, struct err *err)
{
	if (len == 0)
		return 0;
	if (r->m->spilled)
		return r->spill->write(r->spill->arg, p, len, err);
	if (fs_write(r->m->file, p, len, NULL, "temporary file", err) == 0)
		return 0;
	if (err != NULL)
		err->status = STATUS_TEMP;	/* a quota here says nothing about the mailbox's */
	return -1;
}

/* The message outgrows memory: send on what there is. */
static int
outgrow(struct reader *r, struct err *err)
{
	struct message *m = r->m;

	if (r->spill == NULL) {
		m->file = fs_temporary(err);
		if (m->file == -1)
			return -1;
	} else
		m->spilled = true;
	if (hand_on(r, m->memory, (size_t)m->size, err) == -1)
		return -1;
	free(m->memory);
	m->memory = NULL;
	m->room = 0;
	return 0;
}

static int
keep(struct reader *r, const char *p, size_t len, struct err *err)
{
	struct message *m = r->m;

	if (!m->spilled && m->file == -1) {
		if (m->size + len <= MESSAGE_MEMORY)
			return keep_in_memory(m, p, len, err);
		if (outgrow(r, err) == -1)
			return -1;
	}
	return hand_on(r, p, len, err);
}

static int
parse(struct reader *r, const char *p, size_t len, struct err *err)
{
	size_t used = 0;

	if (!r->in_body) {
		if (header_add(&r->header, p, len, &used, err) == -1)
			return -1;
		if (r->header.part != HEADER_ENDED)
			return 0;
		r->in_body = true;
		body_add(&r->body, r->header.line, r->header.line_len);
	}
	body_add(&r->body, p + used, len - used);
	return 0;
}

/* The message owns what the header has found, from the start: a spill may ask for it. */
static void
take_fields(struct reader *r)
{
	r->m->fields = r->header.fields;
	r->m->count = r->header.count;
	r->m->envelope = r->header.envelope;
}

static int
read_all(struct reader *r, const struct source *from, struct err *err)
{
	char chunk[CHUNK];
	ssize_t n;
	int parsed;

	while ((n = from->read(from->arg, chunk, sizeof(chunk), err)) > 0) {
		parsed = parse(r, chunk, (size_t)n, err);
		take_fields(r);
		if (parsed == -1 || keep(r, chunk, (size_t)n, err) == -1)
			return -1;
		r->m->size += (uint64_t)n;
	}
	return n == 0 ? 0 : -1;
}

/* Bring the parts to their end and take what they found. */
static int
finish(struct reader *r, struct err *err)
{
	int ended;

	if (!r->in_body) {
		ended = header_end(&r->header, err);
		take_fields(r);
		if (ended == -1)
			return -1;
		body_add(&r->body, r->header.line, r->header.line_len);
	}
	body_end(&r->body, r->m->digest);
	return 0;
}

int
message_read_from(struct message **m, const struct source *from, const struct message_options *options, struct err *err)
{
	struct reader r;	/* large; its parts begin by themselves */
	int ret = -1;

	r.spill = options->spill;
	r.in_body = false;
	*m = r.m = calloc(1, sizeof(*r.m));
	if (r.m == NULL)
		return err_sys(err, "read message", NULL);
	r.m->file = -1;
	body_start(&r.body, options->body);
	if (header_start(&r.header, options->fields, err) == -1)
		goto out_message;
	if (read_all(&r, from, err) == -1 || finish(&r, err) == -1)
		goto out_header;
	ret = 0;
out_header:
	r.header.fields = NULL;
	r.header.count = 0;
	r.header.envelope = NULL;
	header_drop(&r.header);
out_message:
	if (ret == -1)
		message_free(m);
	return ret;
}

struct source
message_source(int *fd)
{
	return (struct source){ read_fd, fd };
}

int
message_read(struct message **m, int fd, const struct message_options *options, struct err *err)
{
	const struct source from = message_source(&fd);

	return message_read_from(m, &from, options, err);
}
