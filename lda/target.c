/* What the kinds that hand a message over have in common. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "fingerprint_lock.h"
#include "pack.h"
#include "target.h"

#define VERSION 1

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

	pack_int(&p, t->base.ops->tag, 1);
	pack_int(&p, VERSION, 1);
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
	return t->lock == -1 ? -1 : 0;
}

/* Nobody can tell how an earlier hand-over ended, and every doubt delivers. */
enum settled
target_settle(struct mailbox *box, const struct record *record, const struct message *m, int64_t now, struct err *err)
{
	(void)record;
	(void)now;
	(void)err;
	if (m != NULL)
		target_of(box)->retried = true;
	return SETTLE_GONE;
}

int
target_intent_path(const struct intent *intent, char *path, size_t size)
{
	struct unpacker u = { .bytes = intent->bytes, .left = intent->len };
	char target[PATH_MAX];

	if (intent->len > sizeof(intent->bytes))
		return -1;
	(void)unpack_int(&u, 1);	/* the tag, by which this function was found */
	if (unpack_int(&u, 1) != VERSION)
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
