/*
 * What the kinds that hand a message over have in common.
 *
 * Protocol: lock the fingerprint, ask the ledger, decide (the pending record says that a hand-over was begun, and to what), hand over,
 * mark delivered, unlock. Whoever finds a pending record under the lock knows that its writer is gone, and not whether the other side had
 * taken the message: it is handed over again. So it comes at least once; it comes twice only when a process or the machine died, or the
 * answer was lost, between the other side's taking it and our mark.
 */
#ifndef TARGET_H
#define TARGET_H

#include "mailbox.h"

#define CLOCKS_DIFFER 60	/* s between two hosts, at most */

struct target {
	struct mailbox base;
	const struct mailbox_options *options;
	const struct message *message;	/* what is to be handed over; NULL: nothing is staged */
	int lock;			/* on the fingerprint, or -1 */
	bool retried;			/* an earlier hand-over of the same message was begun, and its end is not known */
};

void target_init(struct target *t, const struct mailbox_ops *ops, const struct mailbox_options *options);
/* Unlock. The struct itself is the kind's own to free. */
void target_release(struct target *t);

/* The message as a mailbox would hold it, into a sink. */
int target_copy(const struct target *t, const struct sink *to, struct err *err);
/* Stage: remember the message, and write the intent, which names the target. */
int target_stage(struct target *t, const struct message *m, struct intent *intent, struct err *err);

/* Members of struct mailbox_ops that are the same for all of them. */
int target_root(struct mailbox *box);
const struct sink *target_spill(struct mailbox *box);
int target_lock(struct mailbox *box, const struct fingerprint *fp, struct err *err);
enum settled target_settle(struct mailbox *box, const struct record *record, const struct message *m, int64_t now, struct err *err);
int target_intent_path(const struct intent *intent, char *path, size_t size);
enum looked target_look(const struct record *record, struct err *err);

#endif
