/*
 * From bytes to a fingerprint, as one configuration says: the same for a delivery and for a tool that asks about a file.
 */
#ifndef IDENTIFY_H
#define IDENTIFY_H

#include "config.h"
#include "fingerprint.h"
#include "message.h"

struct identify {
	const struct config *config;
	const char *const *also;	/* further fields that the message is to keep, NULL at the end; or NULL */
	const struct sink *spill;	/* see message.h */
	fingerprint_input *explain;	/* sees every input; or NULL */
	void *explain_arg;
};

/* A spill for those who only want to know the message: large ones go nowhere. */
extern const struct sink sink_nowhere;

/* Read the message on fd and make its fingerprint. Returns 1; 0 when nothing identifies the message; -1. *m is to be freed in any
 * case; it is NULL when the message could not be read. */
int identify(const struct identify *how, int fd, struct message **m, struct fingerprint *fp, struct err *err);
/* The same for a message from elsewhere. */
int identify_from(const struct identify *how, const struct source *from, struct message **m, struct fingerprint *fp, struct err *err);

/* Only read it, as the configuration wants it read; it need not be resolved. Returns 0 or -1, and *m as above. */
int identify_read(const struct identify *how, const struct source *from, struct message **m, struct err *err);
/* The fingerprint of a message that has been read already. Returns 1, or 0 when nothing identifies it. */
int identify_message(const struct config *config, const struct message *m, struct fingerprint *fp);

#endif
