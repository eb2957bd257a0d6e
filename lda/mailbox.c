/* The kinds of mailboxes. */
#include "mailbox.h"

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
