/*
 * How every intent begins: tag of the mailbox kind (1 byte), version (1), and in version 2 the host that wrote it (a length of 2, then
 * the name). Version 1 is what a ledger of one host's own holds.
 */
#ifndef INTENT_H
#define INTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "pack.h"
#include "record.h"

#define HOST_SIZE 65	/* bytes of a host's name, with the final NUL */

/* Letters, digits and . _ - only: it goes into records and log lines. */
bool intent_host_is_valid(const char *host);

/* host: "" or NULL for version 1. */
void intent_begin(struct packer *p, unsigned char tag, const char *host);
/* The other way; host gets "" for version 1. Returns 0, or -1: of another tag, or of no version that we know. */
int intent_enter(struct unpacker *u, unsigned char tag, char host[HOST_SIZE]);

/* The host that wrote an intent of any kind, or "" where it does not say. */
void intent_host(const struct intent *intent, char host[HOST_SIZE]);
/* Did another host write it, as far as it says? us: this host's name; NULL: the ledger is this host's own. */
bool intent_is_foreign(const struct intent *intent, const char *us);

#endif
