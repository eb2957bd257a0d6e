/*
 * The inside of mailbox_reader.h: one const struct for each kind of mailbox.
 */
#ifndef READER_H
#define READER_H

#include "mailbox_reader.h"

struct reader_ops;

/* The head of every kind's own struct. */
struct mailbox_reader {
	const struct reader_ops *ops;
	struct reader_options options;
	struct mail mail;		/* the one that is visited */
	struct source bytes;		/* of it */
	enum mbox_quoting quoting;
	uint64_t pos;			/* how much of it was read */
	uint64_t total;
	struct reader_left_out left_out;
};

struct reader_ops {
	enum reader_kind kind;
	size_t size;			/* of its own struct, which begins with struct mailbox_reader; it comes zeroed */
	/* fd: the folder or file, which becomes the reader's in any case. Returns 0 or -1; close follows then, too. */
	int (*open)(struct mailbox_reader *r, int fd, struct err *err);
	enum reader_end (*each)(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err);
	ssize_t (*read)(struct mailbox_reader *r, void *buf, size_t len, struct err *err);
	void (*close)(struct mailbox_reader *r);	/* all but r itself */
};

extern const struct reader_ops reader_maildir, reader_mbox;

/* Call the visitor, if the message is young enough. Returns READER_DONE: go on. */
enum reader_end reader_offer(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err);

#endif
