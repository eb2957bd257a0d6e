/*
 * What makes two deliveries the same message for the same mailbox: SHA-256 over length-prefixed fields.
 *
 * Inputs, in this order: format version, scope, Message-ID (or what stands in for it), Resent-Message-ID, the configured header
 * fields, the body's canonical form and digest. Received, Delivered-To and the like differ between copies and never count.
 */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

#define FINGERPRINT_BYTES 32
#define FINGERPRINT_HEX (2 * FINGERPRINT_BYTES + 1)	/* bytes, with the final NUL */
#define FINGERPRINT_TAG 16	/* hex digits in file names and logs */

struct fingerprint {
	unsigned char bytes[FINGERPRINT_BYTES];
};

struct fingerprint_options {
	const char *scope;		/* whose deliveries are compared: the mailbox, perhaps the recipient */
	const char *const *headers;	/* further fields that count, lower case, NULL at the end */
	enum body_form body;		/* as the message was read */
};

/* Called for every input in its order; value is NULL for a field that is absent. */
typedef void fingerprint_input(void *arg, const char *label, const void *value, size_t len);

/* Fields that a message must keep (message_options.fields) for these options: a NULL-terminated array to be freed with free(), its
 * strings borrowed from options; `also` adds names of the caller's. NULL without memory. */
const char **fingerprint_fields(const struct fingerprint_options *options, const char *const *also);

/* False when nothing identifies the message (neither Message-ID nor Date): deliver it and record nothing. explain, when not NULL, sees
 * every input. */
bool fingerprint_make(struct fingerprint *fp, const struct message *m, const struct fingerprint_options *options,
    fingerprint_input *explain, void *arg);

void fingerprint_hex(const struct fingerprint *fp, char hex[FINGERPRINT_HEX]);

#endif
