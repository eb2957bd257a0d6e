/*
 * A record as an administrator sees it.
 */
#ifndef VIEW_H
#define VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "dedupdb.h"
#include "intent.h"
#include "output.h"

struct view {
	char hex[FINGERPRINT_HEX];
	const char *state;	/* pending, delivered or damaged */
	bool damaged;		/* it does not decode: no times */
	bool pending;
	bool imported;		/* by dedupdb import: it was delivered without this ledger */
	bool expired;		/* delivered, and older than the window */
	int64_t first, decided, age;	/* s */
	const char *kind;	/* of mailbox, of a pending record; or NULL */
	char *mailbox;		/* where a pending record publishes, or NULL; owned */
	char host[HOST_SIZE];	/* that decided it, if several use the ledger, or "" */
};

/* claim: as ledger_claim, ledger_each and ledger_each_prefix fill it. Returns 0, or -1 without memory. */
int view_make(struct view *v, const struct claim *claim, int64_t now);
void view_clear(struct view *v);
/* All of it, into an object. */
void view_print(const struct view *v, struct out *o, int64_t now, int64_t window);

/* Is text a fingerprint or the start of one, LEDGER_PREFIX_DIGITS digits or more? In lower case into hex. */
bool view_digits(const char *text, char hex[FINGERPRINT_HEX]);

#endif
