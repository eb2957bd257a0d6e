/* The kinds of mailboxes. */
#include "mailbox.h"

enum settled
mailbox_leave_to(const char *host, const char *path, struct err *err)
{
	err_set(err, STATUS_TEMP, "host %s has begun to deliver a copy, and it can't be seen in %s here: left to that host", host, path);
	return SETTLE_ELSEWHERE;
}

const struct mailbox_ops *
mailbox_of_intent(const struct intent *intent)
{
	static const struct mailbox_ops *const kinds[] = { &maildir_ops, &mbox_ops, &lmtp_ops, &pipe_ops };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (intent->len > 0 && intent->bytes[0] == kinds[i]->tag)
			return kinds[i];
	return NULL;
}
