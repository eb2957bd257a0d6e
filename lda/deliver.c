/*
 * One delivery: stdin -> message -> fingerprint -> ledger -> mailbox -> ledger.
 *
 * The order of steps is the protocol: nothing is visible before ledger_decide() (I1, I2), nothing is taken back after it (I4), and
 * delivered is written only after the publication is durable (I5, I6).
 */
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver.h"
#include "fs.h"
#include "head.h"
#include "identify.h"
#include "recover.h"
#include "sandbox.h"
#include "work.h"

#define SWEEP_ONE_IN 64
#define ROUNDS_MAX 16	/* races with other copies that are followed before the MTA's retry is the better way */

static void
mailbox_options(const struct delivery *d, struct mailbox_options *options)
{
	struct head_options head = work_head_options(d);

	config_mailbox_options(d->config, options);
	options->folder = d->folder;
	options->sender = d->sender;
	options->head = "";
	options->drop_return_path = head_drops_return_path(&head);
	options->notice = log_notice;
	options->notice_arg = d->log;
}

/* The lines that go first depend on what the message brings; they must be there before any of it is staged. */
static int
make_head(struct work *w, struct err *err)
{
	struct head_options options = work_head_options(w->d);

	if (w->head != NULL)
		return 0;
	w->head = head_make(&options, w->message);
	if (w->head == NULL)
		return err_sys(err, "add header lines", NULL);
	w->options.head = w->head;
	return 0;
}

/* If that fails, the message is read on: no room is needed for a duplicate, and none for a copy that can be helped. */
static int
spill(void *arg, const void *buf, size_t len, struct err *err)
{
	struct work *w = arg;

	if (make_head(w, err) == -1)
		return -1;
	if (w->no_stage.status == STATUS_OK)
		(void)w->box_spill->write(w->box_spill->arg, buf, len, &w->no_stage);
	return 0;
}

/* What comes with a copy that is delivered although it is a duplicate needs the message again. */
static const struct sink *
spill_sink(struct work *w)
{
	if (w->d->config->on_duplicate != DUPLICATE_DISCARD)
		return NULL;
	w->box_spill = w->ops->spill(w->box);
	if (w->box_spill == NULL)
		return NULL;
	w->spill = (struct sink){ spill, w };
	return &w->spill;
}

/* All that is still to be opened lies in these folders. A message that goes nowhere else while it is read needs one more. */
static void
confine(struct work *w, const struct ledger_needs *ledger, bool unnamed)
{
	int folders[] = { w->ops->root(w->box), ledger->folder, -1, -1 };
	unsigned int ports[LEDGER_PORTS_MAX + 1];
	enum sandboxed result;

	if (unnamed) {
		folders[2] = open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
		folders[3] = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	memcpy(ports, ledger->ports, ledger->n_ports * sizeof(ports[0]));
	ports[ledger->n_ports] = w->ops->port != NULL ? w->ops->port(w->box) : 0;
	result = sandbox_enter(folders, sizeof(folders) / sizeof(folders[0]), ports, ledger->n_ports + 1);
	if (result != SANDBOX_ON)
		log_detail(w->d->log, result == SANDBOX_FAILED ? "no sandbox: the kernel refused" : "no sandbox: the kernel has none");
	if (unnamed) {
		close(folders[2]);
		close(folders[3]);
	}
}

static int
open_places(struct work *w, struct ledger_needs *ledger, struct err *err)
{
	*ledger = (struct ledger_needs){ .folder = -1 };
	if (w->ops->open(&w->box, &w->options, err) == -1)
		return -1;
	w->no_ledger.status = STATUS_OK;
	if (w->d->ledger != NULL && ledger_prepare(w->d->ledger, ledger, &w->no_ledger) == 0)
		w->no_ledger.status = STATUS_OK;	/* a server that was waited for has left why */
	w->options.lock_folder = ledger->folder;
	return 0;
}

static void
begin_judging(struct work *w)
{
	if (w->known && w->d->ledger != NULL)
		judge_begin(&w->judged, w->d->config, w->message, &w->fp, w->d->address);
}

/* Read the message on fd. */
static int
start(struct work *w, int fd, struct err *err)
{
	struct identify how = { .config = w->d->config, .also = head_fields };
	struct ledger_needs ledger;
	int known;

	w->staged = true;	/* if reading ends early: a spill may have begun */
	if (open_places(w, &ledger, err) == -1)
		return -1;
	how.spill = spill_sink(w);
	confine(w, &ledger, how.spill == NULL);
	known = identify(&how, fd, &w->message, &w->fp, err);
	if (known == -1 || make_head(w, err) == -1)
		return -1;
	w->staged = message_was_spilled(w->message);
	w->known = known == 1;
	begin_judging(w);
	return 0;
}

/* The message is there. */
static int
start_with(struct work *w, struct message *m, struct err *err)
{
	struct ledger_needs ledger;

	w->message = m;
	w->borrowed = true;
	if (open_places(w, &ledger, err) == -1)
		return -1;
	if (w->d->confine)
		confine(w, &ledger, w->ops->spill(w->box) == NULL);
	if (make_head(w, err) == -1)
		return -1;
	w->known = identify_message(w->d->config, m, &w->fp) == 1;
	begin_judging(w);
	return 0;
}

static int
ensure_locked(struct work *w, struct err *err)
{
	if (w->ops->lock == NULL || w->locked)
		return 0;
	if (w->ops->lock(w->box, w->known ? &w->fp : NULL, err) == -1)
		return -1;
	w->locked = true;
	return 0;
}

static int
publish(struct work *w, struct err *err)
{
	w->keep_stage = true;
	return w->ops->publish(w->box, err);
}

static int
stage(struct work *w, struct err *err)
{
	bool again = w->intent.len > 0;

	if (w->no_stage.status != STATUS_OK) {
		*err = w->no_stage;
		return -1;
	}
	/* A Maildir's stage serves again, an mbox's does not: its place may be another now. */
	if (again && w->ops->lock == NULL)
		return 0;
	w->staged = true;
	return w->ops->stage(w->box, w->message, w->known ? &w->fp : NULL, &w->intent, err);
}

/* No record can be made: the message counts more than the risk of a copy. */
static int
deliver_unrecorded(struct work *w, struct err *err)
{
	if (ensure_locked(w, err) == -1 || stage(w, err) == -1)
		return -1;
	w->action = "delivered";
	if (publish(w, err) == 0)
		return 0;
	/* What no record names nobody would clean up, and each retry would leave as much again. */
	w->keep_stage = w->judged.claim.attempted || w->ops->lock != NULL;
	return -1;
}

/* What the administrator wants without a ledger. Returns 0: deliver, -1: defer. */
static int
ledger_failed(struct work *w, const struct err *why, struct err *err)
{
	memcpy(w->trouble_text, why->text, sizeof(w->trouble_text));
	w->trouble = w->trouble_text;
	if (w->d->config->on_ledger_failure == LEDGER_DELIVER)
		return 0;
	*err = *why;
	err_retry(err);
	return -1;
}

/* The same for a delivery that has not begun. It is never rejected: only the ledger could say that the message was not accepted before. */
static int
deliver_without(struct work *w, const struct err *why, struct err *err)
{
	if (ledger_failed(w, why, err) == -1)
		return -1;
	if (deliver_unrecorded(w, err) == 0)
		return 0;
	err_retry(err);
	return -1;
}

/* The publication is durable. A Maildir's record may stay pending: the next copy proves it. An mbox's must not, if the administrator
 * prefers a late message to a second one. What was handed over can't be found again, so to try again would make a second one for certain. */
static int
mark_delivered(struct work *w, const struct event *event, struct err *err)
{
	struct err why;

	w->judged.claim.event = event;
	if (ledger_delivered(w->d->ledger, &w->judged.claim, w->ops->durable_mark, &why) == 0) {
		if (w->ops->marked != NULL)
			w->ops->marked(w->box);
		return 0;
	}
	return ledger_failed(w, &why, err) == -1 && w->ops->durable_mark && !w->ops->hands_over ? -1 : 0;
}

/* Stage and decide. Returns 1: delivered; 0: another copy was faster, look at the claim; -1. */
static int
decide(struct work *w, struct err *err)
{
	struct err why;
	bool failed;

	if (stage(w, err) == -1)
		return -1;
	failed = ledger_decide(w->d->ledger, &w->judged.claim, &w->intent, &w->judged.trace, clock_now(), &why) == -1;
	/* A commit that failed half-way may stand, perhaps seen only after a power cut: this very stage is published, or left for whoever
	 * finds the record. */
	w->keep_stage = w->judged.claim.attempted;
	if (!failed && w->judged.claim.state != CLAIM_WON)
		return 0;
	w->box->recorded = !failed || w->judged.claim.state == CLAIM_UNDECIDED;
	w->keep_stage = w->keep_stage || w->box->recorded;
	if (failed && ledger_failed(w, &why, err) == -1)
		return -1;
	w->action = "delivered";
	if (publish(w, err) == -1)
		return -1;
	return failed || mark_delivered(w, work_act(w, EVENT_DELIVERED), err) == 0 ? 1 : -1;
}

/* What another delivery had decided is finished by this copy, or by a message that is no copy of it. */
static const struct event *
finished(struct work *w)
{
	if (judge_accepts(&w->judged))
		return work_act(w, EVENT_HELPED);
	recover_event(&w->event, EVENT_RECOVERED, &w->judged.claim, clock_now());
	return &w->event;
}

/* Returns 1: settled; 0: it can't be finished, decide again; -1. */
static int
help(struct work *w, struct err *err)
{
	switch (w->ops->settle(w->box, &w->judged.claim.record, w->message, clock_now(), err)) {
	case SETTLED:
		return mark_delivered(w, finished(w), err) == -1 ? -1 : 1;
	case SETTLE_GONE:
		w->retried = w->ops->hands_over;
		return 0;
	default:
		return -1;
	}
}

static int
duplicate(struct work *w, struct err *err)
{
	if (w->d->config->on_duplicate != DUPLICATE_DISCARD)
		return work_extra_copy(w, err);
	ledger_note(w->d->ledger, work_act(w, EVENT_DUPLICATE));
	return 0;
}

/* Another message's record that a crash left pending in this mbox: each delivery shortens the time in which a reader could spoil it.
 * Not for ever: where its entry is nowhere, each look reads the whole file. */
static int
settle_other(void *arg, struct claim *claim, struct err *err)
{
	struct work *w = arg;
	struct event event;
	char path[PATH_MAX];

	if (claim->state != CLAIM_PENDING || clock_now() - claim->record.decided > PROVED_WITHIN ||
	    mailbox_of_intent(&claim->record.intent) != w->ops ||
	    w->ops->intent_path(&claim->record.intent, path, sizeof(path)) == -1 || strcmp(path, w->options.path) != 0 ||
	    memcmp(&claim->fp, &w->fp, sizeof(w->fp)) == 0 || memcmp(&claim->fp, &w->judged.own, sizeof(w->fp)) == 0)
		return 0;
	if (w->ops->settle(w->box, &claim->record, NULL, clock_now(), err) == SETTLED) {
		recover_event(&event, EVENT_RECOVERED, claim, clock_now());
		(void)ledger_delivered(w->d->ledger, claim, w->ops->durable_mark, NULL);
	}
	return 0;
}

/* One look at the ledger and what follows from it. Returns 1: done; 0: look again; -1. */
static int
round_once(struct work *w, struct err *err)
{
	bool lock = w->ops->lock != NULL && !w->locked;
	int done = 0;

	if (w->judged.claim.state == CLAIM_DUPLICATE) {
		if (!judge_accepts(&w->judged))
			return 0;	/* a separate copy was faster while others were looked for */
		return duplicate(w, err) == -1 ? -1 : 1;
	}
	if (lock) {		/* what the ledger said before the lock is only good for the common duplicate (M4) */
		if (ensure_locked(w, err) == -1)
			return -1;
		if (!w->ops->hands_over)
			(void)ledger_recent_pending(w->d->ledger, clock_now(), settle_other, w, NULL);
		return 0;
	}
	if (w->judged.claim.state == CLAIM_PENDING)
		done = help(w, err);
	if (done == 1 && !judge_accepts(&w->judged)) {
		w->judged.passed = true;
		return 0;
	}
	return done == 0 ? decide(w, err) : done;
}

static int
deliver_once(struct work *w, struct err *err)
{
	bool recorded = false;
	struct err why;
	int i, done = 0;

	if (w->no_ledger.status != STATUS_OK)
		return deliver_without(w, &w->no_ledger, err);
	for (i = 0; i < ROUNDS_MAX && done == 0; i++) {
		if (judge_ask(&w->judged, w->d->ledger, clock_now(), &why) == -1)
			return deliver_without(w, &why, err);
		recorded = recorded || w->judged.claim.present || w->judged.compared;
		done = round_once(w, err);
	}
	if (done == -1 && recorded)
		err_retry(err);		/* an earlier copy may have been accepted */
	if (done != 0)
		return done == 1 ? 0 : -1;
	if (!w->judged.claim.attempted)
		return err_set(err, STATUS_TEMP, "too many copies at the same time");
	/* It can be repaired and read, and never written: no message may wait for that. */
	err_set(&why, STATUS_TEMP, "ledger: each commit failed, and nothing of it was there");
	return deliver_without(w, &why, err);
}

/* Crashes of the past leave stages that nobody comes back for. Looking for them costs a folder's listing, so one delivery in
 * SWEEP_ONE_IN does it, chosen by its fingerprint. */
static void
sweep(struct work *w)
{
	if (w->box != NULL && w->known && w->d->ledger != NULL && w->fp.bytes[0] % SWEEP_ONE_IN == 0)
		(void)recover_sweep(w->d->ledger, w->box, clock_now(), NULL);
}

static void
finish(struct work *w)
{
	if (w->box != NULL) {
		if (w->staged && !w->keep_stage)
			w->ops->discard(w->box);
		w->ops->close(&w->box);
	}
	if (!w->borrowed)
		message_free(&w->message);
	free(w->head);
	free(w);
}

static struct work *
work_new(const struct delivery *d, struct err *err)
{
	struct work *w = malloc(sizeof(*w));

	if (w == NULL) {
		err_sys(err, "deliver", NULL);
		return NULL;
	}
	/* What is filled before it is read need not be zeroes: that is most of it, and each page costs a fault. */
	memset(w, 0, offsetof(struct work, judged.claim.record));
	w->intent.len = 0;
	w->d = d;
	w->start_ms = clock_ms();
	w->ops = d->config->mailbox_ops;
	mailbox_options(d, &w->options);
	return w;
}

/* All that follows start() or start_with(), which have returned `started`. */
static int
complete(struct work *w, int started, struct delivered *done, struct err *err)
{
	struct ledger *ledger = w->d->ledger;
	int ret = started;

	if (ret == -1)
		err_retry(err);		/* the ledger has not been asked yet: see deliver_without() */
	else
		ret = ledger == NULL || !w->known ? deliver_unrecorded(w, err) : deliver_once(w, err);
	work_log(w, ret == 0 ? NULL : err);
	*done = (struct delivered){ .action = w->action, .without_ledger = w->trouble != NULL };
	if (ret == 0 && w->trouble != NULL && strcmp(w->action, event_name(EVENT_DUPLICATE)) != 0)
		ledger_note(ledger, work_act(w, EVENT_UNRECORDED));
	if (ret == 0 && w->trouble == NULL)	/* else each file would wait for the ledger as long as this message has */
		sweep(w);
	finish(w);
	return ret;
}

int
deliver(const struct delivery *d, int fd, struct err *err)
{
	struct work *w = work_new(d, err);
	struct delivered done;

	return w == NULL ? -1 : complete(w, start(w, fd, err), &done, err);
}

int
deliver_message(const struct delivery *d, struct message *m, struct delivered *done, struct err *err)
{
	struct work *w = work_new(d, err);

	return w == NULL ? -1 : complete(w, start_with(w, m, err), done, err);
}
