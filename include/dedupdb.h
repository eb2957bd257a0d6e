/*
 * The ledger: which messages a mailbox already has.
 *
 * A delivery goes claim -> decide -> (publish) -> delivered. The commit of the pending record in ledger_decide() is the one atomic
 * decision: before it the message is not accepted, after it the recorded intent is what will be published, by whoever comes.
 *
 * After a crash: ledger_claim changes nothing. What ledger_decide won survives kill -9 and power loss. ledger_delivered survives
 * kill -9, and power loss only when asked for; a mark that is lost leaves the record pending, which the next copy settles.
 *
 * A ledger that is lost or restored old may cost a duplicate, never a message.
 */
#ifndef DEDUPDB_H
#define DEDUPDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "events.h"
#include "fingerprint.h"
#include "host.h"
#include "record.h"
#include "status.h"

#define LEDGER_PREFIX_DIGITS 16	/* the least number of hex digits that names a record */
#define LEDGER_PORTS_MAX 64

struct ledger;
struct trace;	/* trace.h */

struct ledger_options {
	const char *url;	/* bdb:/absolute/folder, memory:, or as in redis_url.h */
	int64_t window;		/* seconds that a delivered record counts */
	int lock_timeout_ms;	/* how long to wait for other processes */
	bool strict;		/* also make directory entries durable one by one */
	bool create;		/* make a missing ledger; without it a missing one is empty */
	uint32_t history;	/* how many events are kept, up to EVENTS_MAX; 0: none */
	bool many;		/* changes will follow one another: do not close the database after each */
	bool bulk;		/* and they are long work, in which deliveries go first */
	/* of a ledger that a server keeps */
	int timeout_ms;		/* how long one operation may take, with all that it waits for */
	const char *password;	/* NULL: none; copied */
	host_lookup *lookup;	/* NULL: hosts are given as addresses only */
	/* Told of repairs and of damage that was set aside; NULL: nobody is. */
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
};

enum claim_state {
	CLAIM_NEW,		/* no record, or one that expired: stage the message, then ledger_decide() */
	CLAIM_DUPLICATE,	/* delivered inside the window: drain the input, exit 0 */
	CLAIM_PENDING,		/* someone decided: settle record.intent, then ledger_delivered(); or ledger_decide() again if that is
				 * impossible */
	CLAIM_WON,		/* our intent is decided: publish, then ledger_delivered() */
	CLAIM_UNDECIDED		/* the commit failed half-way: our intent may be decided. Never remove the stage; publish it or exit 75 */
};

/* An encoded record, as a store keeps it. */
struct store_value {
	size_t len;
	unsigned char bytes[RECORD_MAX];
};

/* One message's way through the ledger. The caller provides it, zeroed; nothing needs to be freed. */
struct claim {
	enum claim_state state;
	struct fingerprint fp;
	bool attempted;		/* a commit of ours failed half-way: its stage is never removed, whatever was read since */
	bool present;		/* raw holds a record as it was read: what a replacement is compared with */
	/* Set by the caller after the look-up: what ledger_delivered() or ledger_forget() write down if they succeed. Borrowed until
	 * then; NULL: nothing. */
	const struct event *event;
	struct record record;	/* decoded; valid when present and whole */
	struct store_value raw;
};

/* Has this program what it takes to use such a ledger? */
bool ledger_has(const char *url);
/* Returns 0, or -1: there is no ledger for this delivery. Nothing is opened on disk before the first claim. */
int ledger_open(struct ledger **ledger, const struct ledger_options *options, struct err *err);
void ledger_close(struct ledger **ledger);

/* What a sandbox has to leave to a ledger. */
struct ledger_needs {
	int folder;		/* a descriptor, which stays the ledger's, of the folder below which all of it is; -1: it needs none */
	bool names;		/* of hosts have still to be looked up, which a sandbox does not let anybody do */
	size_t n_ports;		/* TCP ports that it may have to connect to */
	unsigned int ports[LEDGER_PORTS_MAX];
};
/* Open, and perhaps make, what a sandbox would keep us from. Returns 0, or -1: the ledger can't be used now. `needs` is filled in either
 * case. */
int ledger_prepare(struct ledger *ledger, struct ledger_needs *needs, struct err *err);

/* Look fp up: fills claim. Returns 0, or -1: the ledger can't be used now. */
int ledger_claim(struct ledger *ledger, const struct fingerprint *fp, int64_t now, struct claim *claim, struct err *err);

/* Put a pending record with this intent (not the claim's own), and the trace of the copy that it is (NULL: none), where the claim saw
 * none, an expired one, or the pending one it holds (compare-and-swap).
 * Returns 0: claim->state says what is true now: CLAIM_WON, or the winner's CLAIM_PENDING or CLAIM_DUPLICATE; CLAIM_NEW means that
 * the record changed back to absent or expired: decide again. Returns -1: with claim->state CLAIM_UNDECIDED the intent may be
 * decided, with any other nothing was written; claim->record is ours in either case. */
int ledger_decide(struct ledger *ledger, struct claim *claim, const struct intent *intent, const struct trace *trace, int64_t now,
    struct err *err);

/* Mark the claimed record delivered; call it only after the publication is durable (I6). durable: survive power loss too. Returns 0
 * (also when somebody else marked it first), or -1: the record stays pending. The claim is used up: its record has no
 * intent any more. */
int ledger_delivered(struct ledger *ledger, struct claim *claim, bool durable, struct err *err);

/* Write down what changes no record; EVENT_DUPLICATE is counted as well, EVENT_UNRECORDED does without the database and waits for
 * nobody. Not durable; errors are not reported since nothing depends on it. */
void ledger_note(struct ledger *ledger, const struct event *event);
/* Every event that is still there, as events_each(). */
int ledger_each_event(struct ledger *ledger, event_visit *visit, void *arg, struct err *err);

/* A visitor returns 0 to go on, 1 to stop (no error), -1 with err filled. The ledger is not locked while it runs. */
typedef int ledger_visit(void *arg, struct claim *claim, struct err *err);

/* Every record, in key order if the ledger has one, each claimed as of `now`. Records that come or go meanwhile may be missed. A record that
 * does not decode is given with present = true and record.state 0. */
int ledger_each(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err);
/* Recently pending records: every one that a crash of ours left, unless there were many or the machine lost power. */
int ledger_recent_pending(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err);
/* Every pending record, and perhaps others. */
int ledger_each_pending(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err);
/* Records whose fingerprint starts with `digits` hex digits (LEDGER_PREFIX_DIGITS or more). */
int ledger_each_prefix(struct ledger *ledger, const char *digits, int64_t now, ledger_visit *visit, void *arg, struct err *err);

/* Delete the record, if it still is as claimed. Returns 1 deleted, 0 it has changed or is gone, -1 error. */
int ledger_forget(struct ledger *ledger, struct claim *claim, struct err *err);

/* Delete delivered records older than max_age seconds, in short sections. */
int ledger_prune(struct ledger *ledger, int64_t now, int64_t max_age, uint64_t *deleted, struct err *err);

/* Take over a record that was kept elsewhere, where the claim saw none, an expired one or one that can't be read (compare-and-swap). What
 * counts here is never changed. Survives kill -9, and power loss after ledger_sync(). Returns 1 taken, 0 something else is there now,
 * which the claim holds, or -1: it may have been taken. */
int ledger_restore(struct ledger *ledger, struct claim *claim, const struct record *record, int64_t now, struct err *err);
/* Tells the i-th of many records. */
typedef void ledger_kept(void *arg, size_t i, struct fingerprint *fp, struct record *record);
/* The same for n delivered records at a time, as ledger_import() does it: each is taken where there is none, or one that has expired. *taken: how
 * many. Returns 0, or -1: some may have been taken. */
int ledger_restore_many(struct ledger *ledger, size_t n, ledger_kept *kept, void *arg, uint64_t *taken, struct err *err);
/* What was put before survives power loss when this returns 0. */
int ledger_sync(struct ledger *ledger, struct err *err);

struct ledger_copy {
	bool exists;		/* without a ledger nothing is copied */
	bool valid;		/* its header can be read */
	const char *repair;	/* why the next use will begin with a recovery; NULL: it will not */
	uint64_t failures;	/* as in ledger_stat */
	int64_t held_ms;	/* how long deliveries had to wait */
};
/* Can it be copied? A ledger that a server keeps has no files of its own. */
bool ledger_has_files(const struct ledger *ledger);
/* Copy the database into `folder`, empty and the user's own: opened as a ledger there, it is what the next use of this one would find,
 * damage and all. Changes nothing here. Most of it is made while deliveries go on. Returns 0 or -1. */
int ledger_copy(struct ledger *ledger, const char *folder, struct ledger_copy *copy, struct err *err);

/* A message that was delivered without this ledger. */
struct imported {
	struct fingerprint fp;
	int64_t first;		/* s since 1970: when */
};

/* Record these as delivered where there is no record, or one that has expired; any other is left as it is. In short sections, as fast as
 * sorted ones can be. Survives kill -9, and power loss after ledger_sync(). *added: how many. Returns 0, or -1: some may be recorded. */
int ledger_import(struct ledger *ledger, const struct imported *items, size_t n, int64_t now, uint64_t *added, struct err *err);

struct ledger_stat {
	uint64_t duplicates;	/* discarded since the ledger was made */
	uint64_t bytes;		/* on disk, all files */
	uint64_t failures;	/* repairs that failed and were not followed by a success */
	uint64_t set_aside;	/* damaged databases that are kept */
	int64_t set_aside_last;	/* s since 1970: when the newest of them was */
	bool dirty;		/* a process died at work; the next use repairs */
	bool exists;
};
int ledger_stat(struct ledger *ledger, struct ledger_stat *stat, struct err *err);

/* Hears of long work how much is done; returns 0 to go on, 1 to stop (no error). */
typedef int ledger_tick(void *arg, uint64_t done);

/* The counters, which each change of a record keeps: no walk is needed. Only a ledger that an older version has filled is counted first, in
 * short sections; when tick stops that, the counters are those so far, and the next time it goes on from there. */
int ledger_count(struct ledger *ledger, struct counters *counters, ledger_tick *tick, void *arg, struct err *err);

/* For a handler of fatal signals only (async-signal-safe): if the process died inside the database, blame the database, so that the
 * next use repairs harder. */
void ledger_crashed(const struct ledger *ledger);

#endif
