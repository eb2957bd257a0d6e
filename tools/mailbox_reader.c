/* Reading mailboxes: what both kinds share. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"

static ssize_t
read_bytes(void *arg, void *buf, size_t len, struct err *err)
{
	struct mailbox_reader *r = arg;

	return r->ops->read(r, buf, len, err);
}

/* fd: see reader.h */
static int
open_kind(struct mailbox_reader **out, const struct reader_ops *ops, const struct reader_options *options, int fd, struct err *err)
{
	struct mailbox_reader *r = calloc(1, ops->size);

	if (r == NULL) {
		close(fd);
		return err_sys(err, "open mailbox", options->path);
	}
	r->ops = ops;
	r->options = *options;
	r->bytes.read = read_bytes;
	r->bytes.arg = r;
	*out = r;
	if (ops->open(r, fd, err) == 0)
		return 0;
	mailbox_reader_close(out);
	return -1;
}

int
mailbox_reader_open(struct mailbox_reader **r, const struct reader_options *options, struct err *err)
{
	struct stat st;
	int fd;

	*r = NULL;
	fd = open(options->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return err_sys(err, "open mailbox", options->path);
	if (fstat(fd, &st) == -1) {
		err_sys(err, "stat", options->path);
		close(fd);
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return open_kind(r, &reader_maildir, options, fd, err);
	if (S_ISREG(st.st_mode))
		return open_kind(r, &reader_mbox, options, fd, err);
	close(fd);
	return err_set(err, STATUS_TEMP, "mailbox %s: is neither a folder nor a regular file", options->path);
}

void
mailbox_reader_close(struct mailbox_reader **r)
{
	if (*r != NULL)
		(*r)->ops->close(*r);
	free(*r);
	*r = NULL;
}

enum reader_kind
mailbox_reader_kind(const struct mailbox_reader *r)
{
	return r->ops->kind;
}

uint64_t
mailbox_reader_total(const struct mailbox_reader *r)
{
	return r->total;
}

const struct reader_left_out *
mailbox_reader_left_out(const struct mailbox_reader *r)
{
	return &r->left_out;
}

enum reader_end
mailbox_reader_each(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err)
{
	memset(&r->mail, 0, sizeof(r->mail));
	memset(&r->left_out, 0, sizeof(r->left_out));
	return r->ops->each(r, visit, arg, err);
}

const struct source *
mail_bytes(struct mailbox_reader *r, enum mbox_quoting quoting)
{
	r->quoting = quoting;
	r->pos = 0;
	return &r->bytes;
}

enum reader_end
reader_offer(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err)
{
	int got;

	if (r->mail.date > r->options.now)	/* a clock or a time zone was wrong */
		r->mail.date = r->options.now;
	if (r->mail.date < r->options.since) {
		r->left_out.old++;
		if (r->options.tick != NULL && r->options.tick(r->options.arg, r->mail.done) != 0)
			return READER_STOPPED;
		return READER_DONE;
	}
	r->mail.quoted = 0;
	got = visit(arg, &r->mail, err);
	if (got == -1)
		return READER_FAILED;
	return got == 0 ? READER_DONE : READER_STOPPED;
}
