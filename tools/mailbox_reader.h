/*
 * Every message of a mailbox that exists, one after the other: a Maildir with its Maildir++ folders, or an mbox (mboxo, mboxrd).
 *
 * Only reads, beside mail readers and deliveries. In a Maildir a message that is renamed meanwhile (flags, new to cur) is found
 * again; one that is gone, or moved to a folder that was read before, is left out. An mbox is read up to the size that it had at
 * the start, in pieces under a shared fcntl lock, each held for milliseconds; each piece overlaps the one before, so that a file
 * that was rewritten meanwhile is noticed: READER_CHANGED.
 *
 * Memory: some megabytes, however many messages there are and however large they are.
 */
#ifndef MAILBOX_READER_H
#define MAILBOX_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "status.h"

enum reader_kind { READER_MAILDIR, READER_MBOX };

/* Maildir: the letters after ":2,". An mbox has none here. */
enum mail_flag {
	MAIL_DRAFT = 1, MAIL_FLAGGED = 2, MAIL_PASSED = 4, MAIL_REPLIED = 8, MAIL_SEEN = 16, MAIL_TRASHED = 32
};

/* How lines that look like separators were made harmless when the message came into an mbox. The file does not say. */
enum mbox_quoting {
	MBOX_RD,	/* mboxrd: ^>*From has got one more '>' */
	MBOX_O,		/* mboxo: ^From has; a line that had one before is as it was */
	MBOX_AS_IT_IS	/* no line has: every '>' was there before */
};

/* What of that was met while the message was read: the readings of mboxrd, mboxo and as it is differ. */
enum mail_quoted {
	MAIL_QUOTED_ONCE = 1,	/* ^>From */
	MAIL_QUOTED_MORE = 2	/* ^>>+From */
};

/* One message, as a visitor sees it; all of it is borrowed until the visitor returns. */
struct mail {
	const char *folder;	/* Maildir: "" the inbox, else the name without its leading dot. mbox: "" */
	const char *path;	/* of the file; of an mbox: the mbox */
	const char *name;	/* Maildir: the file's name in cur or new, as it is now. mbox: "" */
	bool in_new;		/* Maildir: in new/ */
	uint64_t offset;	/* mbox: where its From_ line begins. Maildir: 0 */
	uint64_t size;		/* bytes, as stored; without the From_ line and the empty line at the end */
	int64_t date;		/* s since 1970: when it was delivered. Maildir: the earlier one of the name's time and mtime; mbox:
				 * the From_ line, or else the first Received field, or else the file's mtime. Not after now. */
	unsigned flags;		/* enum mail_flag */
	unsigned quoted;	/* enum mail_quoted; whole after the message was read to its end */
	uint64_t done;		/* work that is done with this message, out of mailbox_reader_total() */
};

/* Is this folder to be read? Asked once for each; "" is the inbox. */
typedef bool reader_wanted(void *arg, const char *folder);
/* Hears of work that is done without a visit; returns 0 to go on, 1 to stop. */
typedef int reader_tick(void *arg, uint64_t done);
/* Returns 0 to go on, 1 to stop, -1 with err filled. */
typedef int reader_visit(void *arg, struct mail *mail, struct err *err);

struct reader_options {
	const char *path;
	int64_t since;		/* messages that were delivered before are counted and not visited; INT64_MIN: visit all */
	int64_t now;
	reader_wanted *wanted;	/* NULL: every folder */
	reader_tick *tick;	/* or NULL */
	void *arg;		/* of both */
	int lock_timeout_ms;	/* mbox: for each piece */
};

enum reader_end {
	READER_DONE,
	READER_STOPPED,		/* by the visitor */
	READER_CHANGED,		/* an mbox was rewritten meanwhile: read it again from the start. err says so */
	READER_FAILED
};

struct mailbox_reader;

/* What the path is decides. Strings are borrowed. Returns 0 or -1. */
int mailbox_reader_open(struct mailbox_reader **r, const struct reader_options *options, struct err *err);
void mailbox_reader_close(struct mailbox_reader **r);

enum reader_kind mailbox_reader_kind(const struct mailbox_reader *r);
/* How much work there is: for a Maildir messages, about; for an mbox bytes. */
uint64_t mailbox_reader_total(const struct mailbox_reader *r);
/* What was not visited in the last mailbox_reader_each(). */
struct reader_left_out {
	uint64_t old;		/* delivered before `since` */
	uint64_t unreadable;	/* could not be opened; err has the reason of the first one */
	struct err err;
};
const struct reader_left_out *mailbox_reader_left_out(const struct mailbox_reader *r);
/* Visit them all. May be called again. */
enum reader_end mailbox_reader_each(struct mailbox_reader *r, reader_visit *visit, void *arg, struct err *err);

/* In a visitor: the bytes of the message as they were delivered, from the first one on; as often as wanted. quoting counts for an
 * mbox only. */
const struct source *mail_bytes(struct mailbox_reader *r, enum mbox_quoting quoting);

#endif
