/*
 * One hand-over of a message at a time: a lock for each fingerprint, all in one file beside the ledger.
 *
 * The file is made once and never removed, is always empty, and says nothing: the locks are on bytes far behind its end. A process that
 * dies in any way frees its own.
 */
#ifndef FINGERPRINT_LOCK_H
#define FINGERPRINT_LOCK_H

#include "fingerprint.h"
#include "status.h"

/* Take the lock of this fingerprint, in a folder of our own, polling up to timeout_ms; tried at least once. Returns a descriptor, which
 * holds the lock until it is closed, or -1: STATUS_TEMP, also when somebody else had it all the time. */
int fingerprint_lock(int folder, const struct fingerprint *fp, int timeout_ms, struct err *err);

#endif
