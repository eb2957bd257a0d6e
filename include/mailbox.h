/*
 * A mailbox writer: how a message becomes visible in one kind of mailbox. One const struct per kind, one kind per file.
 *
 * Some kinds are files here (maildir, mbox); others hand the message over to another program or server (pipe, lmtp), which is not asked
 * again: what a crash leaves of such a hand-over is unknown.
 *
 * A delivery goes open -> [lock] -> stage -> (ledger_decide) -> publish -> (ledger_delivered) -> close. What a crash leaves at any
 * point is found through the intent in the pending record, and finished with settle.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fingerprint.h"
#include "message.h"
#include "record.h"
#include "status.h"

#define PROVED_WITHIN (24 * 3600)	/* s after the decision: later a missing stage proves nothing, somebody may have cleaned tmp/ */

enum mbox_lock { MBOX_LOCK_NONE, MBOX_LOCK_FCNTL, MBOX_LOCK_DOTLOCK };
#define MBOX_LOCKS 2

struct mailbox_options {
	const char *path;		/* absolute, no slash at the end; of a kind that hands over: the target as configured */
	const char *host;		/* this one, where the ledger is other hosts', too; NULL: where it is not */
	struct mailbox *before;		/* open, of the same kind and path: what it found before a sandbox serves again, in open; or NULL */
	const char *folder;		/* Maildir++ folder, with or without its leading dot; "" or NULL: the inbox */
	bool existing;			/* make nothing: a mailbox that is not there is an error */
	bool create_folder;		/* make a folder that is missing; otherwise the inbox takes the message */
	const char *sender;		/* envelope sender, "" is the null sender, NULL: not known */
	const char *head;		/* header lines to put first, each with its newline; "" for none; read when the message is staged */
	bool drop_return_path;		/* leave the message's own Return-Path fields out */
	bool strict;			/* make every directory entry durable by itself */
	enum mbox_lock locks[MBOX_LOCKS];
	int lock_timeout_ms;
	int64_t stale_lock_s;		/* when a dotlock that names no process here counts as left over */
	void (*notice)(void *arg, const char *text);	/* told of things worth a line in the log; may be NULL */
	void *notice_arg;
	/* for kinds that hand over */
	const char *user, *home;	/* whose mail it is; home is NULL when there is none */
	const char *recipient;		/* the original recipient's address, or else the user's name */
	const char *delimiter;		/* what begins the extension of an address, or "" */
	char *const *command;		/* the words of a pipe's command, NULL at the end */
	int lock_folder;		/* where fingerprints are locked, read by lock(); -1: nowhere, and nobody is kept out */
	int64_t time_limit_s;		/* how long a delivery can last, on any host */
	int64_t deadline_ms;		/* of clock_ms(): a hand-over is given up then; 0: never */
};

enum settled {
	SETTLED,		/* the recorded publication is durable: mark the record delivered */
	SETTLE_GONE,		/* it did not happen and can't be finished any more, or nobody can tell: decide again and deliver */
	SETTLE_FAILED,		/* not known now, nothing was changed: exit 75, the record stays */
	SETTLE_ELSEWHERE	/* the same, since it is another host's to finish: what it wrote can't be seen here */
};

enum looked {
	LOOKED_STAGED,		/* staged: whoever settles the record publishes it */
	LOOKED_PUBLISHED,	/* in the mailbox */
	LOOKED_ABSENT,		/* neither: a reader has moved it, or the next copy has to be delivered */
	LOOKED_FAILED		/* the mailbox is not there, or can't be read */
};

struct mailbox_ops;

/* The head of every kind's own struct. */
struct mailbox {
	const struct mailbox_ops *ops;
	bool recorded;		/* set by the caller: a record may name the stage, so a helper may have published it */
};

struct mailbox_ops {
	const char *name;	/* as in the configuration: maildir, mbox */
	unsigned char tag;	/* first byte of this kind's intents */
	bool durable_mark;	/* the delivered mark must survive power loss, or the message may come twice */
	bool hands_over;	/* a pending record says that a hand-over was begun, and nobody can find out how it ended: at least once */
	bool takes_envelope;	/* sender and recipient go beside the message, and the other side adds the fields that tell them */

	/* Open it, making what may be made (a Maildir in the user's existing folder; never a home). Returns 0 or -1. The options are
	 * borrowed until close. */
	int (*open)(struct mailbox **box, const struct mailbox_options *options, struct err *err);
	/* The folder below which all of this mailbox is, for a sandbox: a descriptor that stays the box's; -1: there is none. */
	int (*root)(struct mailbox *box);
	/* The TCP port that is still to be connected to, for a sandbox; 0: none. NULL for kinds that need none. */
	unsigned int (*port)(struct mailbox *box);
	/* Where a large message goes while it is read; NULL when this kind wants to replay it. */
	const struct sink *(*spill)(struct mailbox *box);
	/* Keep others out until close; NULL for kinds that need no lock. The ledger must be asked again once it is held. A kind that hands
	 * over keeps out who has the same fingerprint; fp is NULL for a message that has none. */
	int (*lock)(struct mailbox *box, const struct fingerprint *fp, struct err *err);
	/* Write what no mail reader sees yet, durably, and say in intent how anyone can publish it. After a crash it is rubbish that
	 * nobody sees. The message is borrowed until publish returns. */
	int (*stage)(struct mailbox *box, const struct message *m, const struct fingerprint *fp, struct intent *intent,
	    struct err *err);
	/* Make the staged message visible, durably. 0: it survives power loss. -1: it may or may not be visible; the record stays. With
	 * STATUS_QUOTA, STATUS_NOUSER or STATUS_REFUSED it is not, nor will it be by somebody else's help. */
	int (*publish)(struct mailbox *box, struct err *err);
	/* Finish the publication of a pending record, perhaps another process's or folder's. m is our own copy of the message, or NULL
	 * where there is none at hand. */
	enum settled (*settle)(struct mailbox *box, const struct record *record, const struct message *m, int64_t now,
	    struct err *err);
	/* The record of what was last published or settled is marked delivered: take away what only served to settle it. NULL for kinds
	 * that leave nothing. */
	void (*marked)(struct mailbox *box);
	/* Take our own stage away. Only while nothing can name it: before ledger_decide(), or after it was lost to another (I4). */
	void (*discard)(struct mailbox *box);
	/* Unlock and free. Leaves a stage alone that was neither published nor discarded. */
	void (*close)(struct mailbox **box);

	/* The mailbox path that an intent of this kind names, into path (size bytes); 0 or -1. */
	int (*intent_path)(const struct intent *intent, char *path, size_t size);
	/* Where is the message of a pending record? Changes nothing and takes no lock, so a delivery at work may make the answer old. */
	enum looked (*look)(const struct record *record, struct err *err);
	/* Remove our own left-over stages that no record names; `named` asks the ledger by the fingerprint's hex digits and returns 1, 0
	 * or -1 (not known). NULL for kinds that leave none. Returns how many, or -1. */
	int (*sweep)(struct mailbox *box, int64_t now, int (*named)(void *arg, const char *digits), void *arg, struct err *err);
};

extern const struct mailbox_ops maildir_ops;
extern const struct mailbox_ops mbox_ops;
extern const struct mailbox_ops lmtp_ops;
extern const struct mailbox_ops pipe_ops;

/* What a kind answers that finds nothing of another host's young record. */
enum settled mailbox_leave_to(const char *host, const char *path, struct err *err);

/* The kind that wrote an intent, or NULL. */
const struct mailbox_ops *mailbox_of_intent(const struct intent *intent);

#endif
