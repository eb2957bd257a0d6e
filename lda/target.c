/* What the kinds that hand a message over have in common. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "fingerprint_lock.h"
#include "intent.h"
#include "target.h"

static struct target *
target_of(struct mailbox *box)
{
	return (struct target *)box;
}

void
target_init(struct target *t, const struct mailbox_ops *ops, const struct mailbox_options *options)
{
	t->base.ops = ops;
	t->options = options;
	t->message = NULL;
	t->lock = -1;
	t->retried = false;
}

void
target_release(struct target *t)
{
	if (t->lock != -1)
		close(t->lock);
	t->lock = -1;
}

int
target_copy(const struct target *t, const struct sink *to, struct err *err)
{
	const struct copy_options copy = { .head = t->options->head, .drop_return_path = t->options->drop_return_path };

	return copy_message(t->message, &copy, to, err);
}

int
target_stage(struct target *t, const struct message *m, struct intent *intent, struct err *err)
{
	struct packer p = { .bytes = intent->bytes, .size = sizeof(intent->bytes) };
	const char *path = t->options->path;

	intent_begin(&p, t->base.ops->tag, t->options->host);
	pack_string(&p, path, strlen(path));
	if (p.full)
		return err_set(err, STATUS_TEMP, "hand over to %.64s...: the target is too long for a record", path);
	intent->len = p.len;
	t->message = m;
	return 0;
}

int
target_root(struct mailbox *box)
{
	(void)box;
	return -1;
}

const struct sink *
target_spill(struct mailbox *box)
{
	(void)box;
	return NULL;
}

int
target_lock(struct mailbox *box, const struct fingerprint *fp, struct err *err)
{
	struct target *t = target_of(box);

	if (fp == NULL || t->options->lock_folder == -1 || t->lock != -1)
		return 0;
	t->lock = fingerprint_lock(t->options->lock_folder, fp, t->options->lock_timeout_ms, err);
	if (t->lock != -1)
		return 0;
	err_retry(err);		/* a full quota beside the ledger says nothing of the mailbox's */
	return -1;
}

/* Our lock has shown that the writer is gone if it is a process of this host. Of another one only the time says so. */
static bool
may_be_at_work(const struct target *t, const struct record *record, int64_t now)
{
	bool excluded = t->lock != -1 && !intent_is_foreign(&record->intent, t->options->host);

	return !excluded && t->options->host != NULL && now - record->decided < t->options->time_limit_s + CLOCKS_DIFFER;
}

/* Nobody can tell how an earlier hand-over ended, and every doubt delivers. */
enum settled
target_settle(struct mailbox *box, const struct record *record, const struct message *m, int64_t now, struct err *err)
{
	char host[HOST_SIZE];

	if (may_be_at_work(target_of(box), record, now)) {
		intent_host(&record->intent, host);
		err_set(err, STATUS_TEMP, "host %s may be handing over a copy of this message: its time-limit is not over yet",
		    host[0] != '\0' ? host : "(not told)");
		return SETTLE_ELSEWHERE;
	}
	if (m != NULL)
		target_of(box)->retried = true;
	return SETTLE_GONE;
}

int
target_intent_path(const struct intent *intent, char *path, size_t size)
{
	struct unpacker u = { .bytes = intent->bytes, .left = intent->len };
	char target[PATH_MAX], host[HOST_SIZE];

	/* the tag is the one by which this function was found */
	if (intent->len > sizeof(intent->bytes) || intent_enter(&u, intent->bytes[0], host) == -1)
		return -1;
	unpack_text(&u, target, sizeof(target));
	if (u.bad || u.left != 0 || target[0] == '\0' || strlen(target) >= size)
		return -1;
	memcpy(path, target, strlen(target) + 1);
	return 0;
}

enum looked
target_look(const struct record *record, struct err *err)
{
	(void)record;
	(void)err;
	return LOOKED_ABSENT;
}
