/*
 * One delivery at work: what deliver.c, which has the order of its steps, shares with extra_copy.c, for duplicates that are delivered all
 * the same, and with outcome.c, which tells what came of it.
 */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>

#include "deliver.h"
#include "head.h"
#include "judge.h"
#include "mailbox.h"

struct work {
	const struct delivery *d;
	int64_t start_ms;
	struct mailbox_options options;
	const struct mailbox_ops *ops;
	struct mailbox *box;
	struct message *message;
	bool borrowed;			/* the message is the caller's */
	char *head;
	struct sink spill;		/* ours, in front of the mailbox's */
	const struct sink *box_spill;
	struct err no_stage;		/* why a large message could not be staged while it was read, or STATUS_OK */
	struct fingerprint fp;
	bool known;			/* fp is valid: the message can be recorded */
	struct err no_ledger;		/* why it can't be used, or STATUS_OK */
	struct event event;
	bool locked, staged;
	bool retried;			/* a hand-over had been begun before, and nobody knows how it ended */
	bool keep_stage;		/* a record may name it (I4), or it is published */
	const char *action;
	const char *trouble;		/* why the ledger was left out of it; NULL: it was not */
	char trouble_text[ERR_TEXT];

	/* large: work_new() leaves the bytes of a record and an intent as they are */
	struct judgement judged;	/* what the ledger says of it; once there is a fingerprint and a ledger */
	struct intent intent;
};

struct head_options work_head_options(const struct delivery *d);

/* What is done with the message, for the log and for the ledger's history. The event is w's. */
const struct event *work_act(struct work *w, enum event_kind kind);

/* Deliver a duplicate all the same, tagged or filed. Returns 0 or -1. */
int work_extra_copy(struct work *w, struct err *err);

/* The one line of the delivery; err: why it failed, or NULL. */
void work_log(const struct work *w, const struct err *err);

#endif
