/* Finishing what a crash left, without the message at hand. */
#include <limits.h>
#include <string.h>

#include "intent.h"
#include "recover.h"

void
recover_event(struct event *event, enum event_kind kind, struct claim *claim, int64_t now)
{
	event_begin(event, kind, &claim->fp, now);
	event->first = claim->record.first;
	claim->event = event;
}

/* A copy may still come, and will be delivered with or without this record. It is kept as long as it may help. */
static int
leave_or_drop(struct ledger *ledger, struct claim *claim, int64_t now, int64_t window, enum recovered *result, struct err *err)
{
	struct event event;

	if (now - claim->record.decided <= window + PROVED_WITHIN)
		return 0;
	recover_event(&event, EVENT_DROPPED, claim, now);
	switch (ledger_forget(ledger, claim, err)) {
	case 1:
		*result = RECOVER_DROPPED;
		return 0;
	case 0:
		*result = RECOVER_CHANGED;
		return 0;
	default:
		return -1;
	}
}

/* The record in the claim is pending, and the mailbox is open and locked where its kind needs that. */
static int
settle(struct ledger *ledger, struct claim *claim, struct mailbox *box, int64_t now, int64_t window, enum recovered *result,
    struct err *err)
{
	struct event event;

	switch (box->ops->settle(box, &claim->record, NULL, now, err)) {
	case SETTLED:
		recover_event(&event, EVENT_RECOVERED, claim, now);
		if (ledger_delivered(ledger, claim, box->ops->durable_mark, err) == -1)
			return -1;
		if (box->ops->marked != NULL)
			box->ops->marked(box);
		*result = RECOVER_SETTLED;
		return 0;
	case SETTLE_GONE:
		return leave_or_drop(ledger, claim, now, window, result, err);
	case SETTLE_ELSEWHERE:
		return 0;
	default:
		return -1;
	}
}

int
recover_record(struct ledger *ledger, struct claim *claim, const struct mailbox_options *base, int64_t now, int64_t window,
    enum recovered *result, struct err *err)
{
	const struct mailbox_ops *ops = mailbox_of_intent(&claim->record.intent);
	struct mailbox_options options = *base;
	struct fingerprint fp = claim->fp;
	struct mailbox *box = NULL;
	char path[PATH_MAX];
	int ret = -1;

	*result = RECOVER_LEFT;
	if (ops == NULL || ops->intent_path(&claim->record.intent, path, sizeof(path)) == -1)
		return err_set(err, STATUS_TEMP, "a pending record has an intent of no known kind");
	if (ops->hands_over)	/* there is no message to hand over, and nothing to look at */
		return leave_or_drop(ledger, claim, now, window, result, err);
	options.path = path;
	options.existing = true;
	options.folder = NULL;
	if (ops->open(&box, &options, err) == -1)	/* another host's may not be here */
		return intent_is_foreign(&claim->record.intent, base->host) ? leave_or_drop(ledger, claim, now, window, result, err) : -1;
	if (ops->lock != NULL && ops->lock(box, &fp, err) == -1)
		goto done;
	if (ledger_claim(ledger, &fp, now, claim, err) == -1)
		goto done;
	if (claim->state != CLAIM_PENDING) {
		*result = RECOVER_CHANGED;
		ret = 0;
	} else
		ret = settle(ledger, claim, box, now, window, result, err);
done:
	ops->close(&box);
	return ret;
}

struct question {
	struct ledger *ledger;
	int64_t now;
	bool named;
};

static int
is_named(void *arg, struct claim *claim, struct err *err)
{
	struct question *q = arg;

	(void)err;
	if (claim->record.state != RECORD_DELIVERED)	/* one that can't be read might name it */
		q->named = true;
	return q->named;
}

static int
named(void *arg, const char *digits)
{
	struct question *q = arg;

	q->named = false;
	return ledger_each_prefix(q->ledger, digits, q->now, is_named, q, NULL) == -1 ? -1 : q->named;
}

int
recover_sweep(struct ledger *ledger, struct mailbox *box, int64_t now, struct err *err)
{
	struct question q = { .ledger = ledger, .now = now };

	return box->ops->sweep == NULL ? 0 : box->ops->sweep(box, now, named, &q, err);
}
