/*
 * A store keeps small values under fingerprints for the ledger. It knows neither records nor mailboxes.
 *
 * One const struct per kind, one kind per file. Every operation is atomic by itself; between two of them anything may happen.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dedupdb.h"

enum store_result {
	STORE_OK,		/* done */
	STORE_ABSENT,		/* no such key */
	STORE_CONFLICT,		/* the value is not the expected one: nothing was changed, `now` holds what is there */
	STORE_FAILED,		/* nothing was changed */
	STORE_UNDECIDED		/* the change was attempted and may or may not be there */
};

/* May this value be dropped when the store tidies up by itself? */
typedef bool store_expired(void *arg, const void *value, size_t len);

/* Tells the i-th value to put, and its key. */
typedef void store_item(void *arg, size_t i, struct fingerprint *key, struct store_value *value);

struct store_ops;

struct store_options {
	const char *path;		/* what follows "kind:" in the URL; all of it is in ledger->url */
	const struct ledger_options *ledger;
	store_expired *expired;
	void *expired_arg;
};

/* The head of every kind's own struct. */
struct store {
	const struct store_ops *ops;
	const struct event *event;	/* set for one put or remove: to be written with it; NULL: nothing */
};

/* Visits a copy, with nothing locked. Returns 0 to go on, 1 to stop, -1 with err filled. */
typedef int store_visit(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err);

/* Hears of long work how much is done; returns 0 to go on, 1 to stop. */
typedef ledger_tick store_tick;

struct store_ops {
	const char *name;	/* what the URL begins with, up to the first + or : */
	int (*open)(struct store **store, const struct store_options *options, struct err *err);
	void (*close)(struct store **store);
	int (*prepare)(struct store *, struct ledger_needs *needs, struct err *);	/* see ledger_prepare() */

	/* STORE_OK, STORE_ABSENT or STORE_FAILED */
	enum store_result (*get)(struct store *, const struct fingerprint *, struct store_value *value, struct err *);
	/* Put value if expected (NULL: absence) is what is there, else STORE_CONFLICT (or STORE_ABSENT: expected something, nothing is
	 * there). `now` may be `expected`, or NULL. durable: STORE_OK only after it survives power loss. `pending` says whether the
	 * value is an unfinished one, for recent_pending. An insert may drop a few expired values. */
	enum store_result (*put)(struct store *, const struct fingerprint *, const struct store_value *expected,
	    const struct store_value *value, bool durable, bool pending, struct store_value *now, struct err *);
	/* What was put before, by whoever, survives power loss when this returns 0. A durable put becomes visible to others before it
	 * is durable: act on what they put only after this. Returns 0 or -1. */
	int (*sync)(struct store *, struct err *);
	/* Delete if expected is what is there: STORE_OK, STORE_CONFLICT, STORE_ABSENT or STORE_FAILED. Not durable. */
	enum store_result (*remove)(struct store *, const struct fingerprint *, const struct store_value *expected, struct err *);

	/* The counters of all values; an old ledger that has none is counted first, in short sections. */
	int (*count)(struct store *, struct counters *counters, store_tick *tick, void *arg, struct err *err);
	/* Put each of n values where none is, or where expired() is true for the one that is; adds to *added. Not durable. In short
	 * sections. */
	int (*fill)(struct store *, size_t n, store_item *item, void *arg, uint64_t *added, struct err *);
	/* Visit values from `from` to `to` (both included): in key order, if the store has one. A walk in no order may visit a value twice. */
	int (*each)(struct store *, const struct fingerprint *from, const struct fingerprint *to, store_visit *, void *arg, struct err *);
	/* Visit values put with `pending` and not replaced since, as far as the store remembers them. */
	int (*recent_pending)(struct store *, store_visit *, void *arg, struct err *);
	/* All of them; NULL: only a walk through all values finds them. */
	int (*all_pending)(struct store *, store_visit *, void *arg, struct err *err);
	/* Delete every value for which expired() is true; adds to *deleted. */
	int (*prune)(struct store *, store_expired *expired, void *arg, uint64_t *deleted, struct err *);
	/* See ledger_copy(); NULL for kinds that have no files. */
	int (*copy)(struct store *, const char *folder, struct ledger_copy *copy, struct err *);
	/* Write an event, and count it if it is a duplicate. Errors are not reported. */
	void (*note)(struct store *, const struct event *);
	int (*each_event)(struct store *, event_visit *, void *arg, struct err *);	/* see events_each() */
	int (*stat)(struct store *, struct ledger_stat *, struct err *);
	void (*crashed)(const struct store *);	/* async-signal-safe */
};

extern const struct store_ops store_bdb;
extern const struct store_ops store_memory;
extern const struct store_ops store_redis;
extern const struct store_ops store_absent;	/* a kind that this program was linked without */

/* The kinds that this program has, NULL at the end: which file defines it decides the linker. */
extern const struct store_ops *const ledger_stores[];

#endif
