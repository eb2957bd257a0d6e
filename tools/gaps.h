/*
 * dedupdb gaps: at which hops copies were made, and how long after the first one they came.
 *
 * Three steps: gaps_gather() writes what one ledger's events tell into a file that the processes of -A share; gaps_read() makes the
 * report of it; gaps_text(), gaps_json() and gaps_html() print that. Names and queue ids are bytes that others chose: every printer
 * escapes them. The report has no Message-ID, no address and no name of a user.
 */
#ifndef GAPS_H
#define GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "events.h"
#include "tool.h"
#include "trace.h"

#define GAPS_BUCKETS 36		/* of the histogram; evenly wide on a logarithmic scale, as far as round times are */
#define GAPS_MARKS 4		/* timeouts that senders are known to have: 1, 2, 5 and 10 minutes */
#define GAPS_NEWEST 5		/* copies of a hop that are shown one by one */
#define GAPS_PROOFS (PROOF_SEPARATE + 1)
#define GAPS_WORDS 512		/* bytes */
#define GAPS_SPAN (2 * AGE_TEXT + 4)

#define RFC1047_WAIT 300	/* s: the least that RFC 1047 lets a sender wait for the reply to the final dot */
#define RFC5321_WAIT 600	/* s: the same in RFC 5321, section 4.5.3.2.6 */

/* What the command line asked for. */
struct gaps_query {
	bool has_since;
	int64_t since;		/* s since 1970: events from then on */
	const char *host;	/* only hops of this host or domain; NULL: all */
	const char *html;	/* file for the page, "-": standard output; NULL: none */
	bool by_root;		/* root has called; perhaps it has become another user since */
};

struct gaps_copy {
	int64_t time;		/* s since 1970: the copy reached us */
	int64_t delay;		/* s between the two acceptances; GAP_UNKNOWN, or 0 and more */
	unsigned int proof;	/* PROOF_*, with PROOF_SURE or without */
	char sender[EVENT_NAME], receiver[EVENT_NAME], queue_id[EVENT_QUEUE];
};

/* Of one ledger, or added up. */
struct gaps_totals {
	uint64_t ledgers, events, deliveries, copies;	/* deliveries and copies: of the period */
	uint64_t unknown;	/* copies whose hop is not known */
	bool has_oldest;
	int64_t oldest;		/* s since 1970: the oldest event */
	bool cut;		/* older events were written over: before `whole` not all are known */
	int64_t whole;
};

/* Ways in which a copy is made; a hop is a pair of hosts and one of these. */
enum gaps_class { GAPS_RETRY, GAPS_GAP, GAPS_FORK, GAPS_LOOP, GAPS_SEPARATE, GAPS_UNKNOWN };

enum gaps_cause { CAUSE_RETRY, CAUSE_TIMEOUT, CAUSE_BREAK, CAUSE_NO_REPLY, CAUSE_FORK, CAUSE_LOOP, CAUSE_SEPARATE };

struct gaps_hop {
	enum gaps_class class;
	const struct gaps_copy *copies;	/* the shortest delay first, unknown ones last */
	size_t n, dated;		/* copies, and those with a delay */
	int64_t shortest, median, longest;	/* s; valid if dated > 0 */
	size_t proofs[GAPS_PROOFS], sure;
	size_t within_5, within_10;	/* copies of a gap that came before the wait of either RFC was over */
	enum gaps_cause cause;
	size_t mark, at_mark;		/* CAUSE_TIMEOUT: which of gaps_marks, and how many delays are there */
	const struct gaps_copy *newest[GAPS_NEWEST];	/* the newest first */
	size_t newest_n;
};

struct gaps_report {
	struct gaps_query query;
	int64_t now;
	bool has_from;
	int64_t from;			/* s since 1970: where the period begins */
	struct gaps_totals totals;
	struct gaps_copy *copies;	/* with a known hop */
	size_t n, room;
	struct gaps_hop *hops;		/* most copies first */
	size_t hops_n;
	uint64_t buckets[GAPS_BUCKETS];	/* delays of copies that were handed over again: GAPS_RETRY and GAPS_GAP */
	uint64_t in_buckets;
};

/* Lower edges, in s: a bucket ends where the next one begins, the last one never. */
extern const int64_t gaps_edges[GAPS_BUCKETS];
extern const int64_t gaps_marks[GAPS_MARKS];
/* Is a timeout marked at the lower edge of this bucket? Its place in gaps_marks, or -1. */
int gaps_mark_at(size_t bucket);
/* The buckets to draw: those in use, and all round the marks. */
void gaps_range(const struct gaps_report *r, size_t *first, size_t *last);
uint64_t gaps_highest(const struct gaps_report *r);

/* Both return an exit code. */
int gaps_gather(struct tool *t, const struct gaps_query *query);
int gaps_read(struct gaps_report *r, const struct tool *t, const struct gaps_query *query);
void gaps_free(struct gaps_report *r);
/* Copies are there: sort them into hops, and find the likely causes. Returns 0, or -1 without memory. */
int gaps_judge(struct gaps_report *r);

enum gaps_class gaps_class_of(unsigned int proof);
const char *gaps_cause_name(enum gaps_cause cause);
/* The likely cause, and how it is known that the copy was made there; in plain words, of printable ASCII. */
void gaps_cause_words(const struct gaps_hop *hop, char text[GAPS_WORDS]);
void gaps_proof_words(const struct gaps_hop *hop, char text[GAPS_WORDS]);
/* What the delays say of the sender's timeout; "" if nothing. */
void gaps_wait_words(const struct gaps_hop *hop, char text[GAPS_WORDS]);
/* "5m 2s - 9m 58s", "5m 2s", or "unknown". */
void gaps_range_words(const struct gaps_hop *hop, char text[GAPS_SPAN]);
/* The names of the two hosts, or what stands for one that is not known or is no host. */
const char *gaps_sender(const struct gaps_hop *hop);
const char *gaps_receiver(const struct gaps_hop *hop);
/* "1 copy", "2 copies". */
const char *gaps_plural(uint64_t n, const char *one, const char *more);

void gaps_text(const struct gaps_report *r);
void gaps_json(const struct gaps_report *r);
void gaps_html(const struct gaps_report *r, FILE *f);

#endif
