/*
 * What a pending record says about a Maildir delivery: which file to rename where.
 */
#ifndef MAILDIR_INTENT_H
#define MAILDIR_INTENT_H

#include <limits.h>
#include <stdint.h>

#include "intent.h"
#include "record.h"

#define MAILDIR_TAG 'M'
#define MAILDIR_NAME_MAX 256	/* bytes, with the final NUL */

struct maildir_intent {
	char host[HOST_SIZE];		/* that staged it; "": not told, since the ledger is one host's own */
	uint64_t device, inode;		/* of tmp/ when the message was staged */
	uint64_t size;			/* bytes of the staged file: ",S=" of the published name */
	char path[PATH_MAX];		/* of the Maildir or its folder, absolute */
	char name[MAILDIR_NAME_MAX];	/* of the file in tmp/ */
	uint64_t marker;		/* inode of its marker; 0: there is none. Only with a host */
};

/* Returns 0, or -1 when the path is too long for an intent. */
int maildir_intent_encode(const struct maildir_intent *in, struct intent *intent);
/* Returns 0, or -1 for bytes that are no intent of a Maildir: a path must be absolute, a name must be one component. */
int maildir_intent_decode(struct maildir_intent *in, const struct intent *intent);

#endif
