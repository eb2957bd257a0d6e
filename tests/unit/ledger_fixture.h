/* A ledger of every kind for the same tests. */
#ifndef LEDGER_FIXTURE_H
#define LEDGER_FIXTURE_H

#include "dedupdb.h"
#include "lib/redis_server.h"
#include "mail_fixture.h"
#include "store.h"

#define NOW 1800000000
#define WINDOW 1000

struct fixture {
	char folder[64];	/* "" for a store without files */
	char url[128];
	bool lasts;		/* longer than the process that opened it */
	bool ordered;		/* walks go by key */
	bool many;		/* kept open for many deliveries */
	struct ledger *ledger;
	int notices;
};

static inline void
fixture_notice(void *arg, const char *text)
{
	struct fixture *f = arg;

	(void)text;
	f->notices++;
}

static inline void
fixture_open(struct fixture *f)
{
	struct ledger_options options = { .url = f->url, .window = WINDOW, .lock_timeout_ms = 2000, .timeout_ms = 10000, .create = true, .many = f->many,
		.notice = fixture_notice, .notice_arg = f };
	struct err err;

	if (ledger_open(&f->ledger, &options, &err) == -1)
		fail_msg("%s", err.text);
}

/* Other processes see what one that ended has left. */
static inline void
fixture_reopen(struct fixture *f)
{
	if (!f->lasts)
		return;
	ledger_close(&f->ledger);
	fixture_open(f);
}

static inline int
setup_memory(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->url, sizeof(f->url), "memory:");
	f->ordered = true;
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int
setup_bdb(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	snprintf(f->folder, sizeof(f->folder), "/tmp/dedup-ledger.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return -1;
	snprintf(f->url, sizeof(f->url), "bdb:%s/L", f->folder);
	f->lasts = f->ordered = true;
	fixture_open(f);
	return 0;
}

/* The place of a file of the ledger that setup_bdb makes, or with "" of its folder. */
static inline void
fixture_path(const struct fixture *f, const char *name, char path[256])
{
	snprintf(path, 256, "%s/L%s%s", f->folder, *name != '\0' ? "/" : "", name);
}

/* Whoever opens it next has to recover. */
static inline void
remove_regions(const struct fixture *f)
{
	static const char *const names[] = { "env/__db.001", "env/__db.002", "env/__db.003" };
	char path[256];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fixture_path(f, names[i], path);
		assert_int_equal(unlink(path), 0);
	}
}

static inline int
setup_served(void **state, int (*serve)(char url[REDIS_SERVER_URL]))
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	f->lasts = true;
	if (serve(f->url) == -1)
		return -1;
	fixture_open(f);
	return 0;
}

static inline int
setup_redis(void **state)
{
	return setup_served(state, redis_server_single);
}

static inline int
setup_cluster(void **state)
{
	return setup_served(state, redis_server_cluster);
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;
	int ret = 0;

	if (f->ledger != NULL)
		ledger_close(&f->ledger);
	if (f->folder[0] != '\0')
		ret = folder_remove(f->folder);
	free(f);
	return ret;
}

/* A fingerprint made of a number: n in the first bytes, so that numbers sort like fingerprints. */
static inline struct fingerprint
fingerprint_of(unsigned int n)
{
	struct fingerprint fp = { { 0 } };

	fp.bytes[0] = (unsigned char)(n >> 16);
	fp.bytes[1] = (unsigned char)(n >> 8);
	fp.bytes[2] = (unsigned char)n;
	fp.bytes[31] = 1;
	return fp;
}

static inline struct intent
intent_of(const char *text)
{
	struct intent intent = { .len = strlen(text) };

	memcpy(intent.bytes, text, intent.len);
	return intent;
}

static inline void
claim_as(struct fixture *f, unsigned int n, int64_t now, enum claim_state expected, struct claim *claim)
{
	struct fingerprint fp = fingerprint_of(n);
	struct err err = { .text = "" };

	if (ledger_claim(f->ledger, &fp, now, claim, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(claim->state, expected);
}

static inline void
decide_as(struct fixture *f, struct claim *claim, const char *text, int64_t now, enum claim_state expected)
{
	struct intent intent = intent_of(text);
	struct err err = { .text = "" };

	if (ledger_decide(f->ledger, claim, &intent, NULL, now, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(claim->state, expected);
}

/* Deliver message n at `now`, from beginning to end. A ledger that is damaged under a commit may ask to decide again. */
static inline void
deliver_one(struct fixture *f, unsigned int n, int64_t now)
{
	struct intent intent = intent_of("intent");
	struct err err = { .text = "" };
	struct claim claim;
	int i;

	claim_as(f, n, now, CLAIM_NEW, &claim);
	for (i = 0; i < 3 && claim.state == CLAIM_NEW; i++)
		if (ledger_decide(f->ledger, &claim, &intent, NULL, now, &err) == -1)
			fail_msg("%s", err.text);
	assert_int_equal(claim.state, CLAIM_WON);
	assert_int_equal(ledger_delivered(f->ledger, &claim, false, NULL), 0);
}

struct walked {
	uint64_t records, pending, damaged;
	int64_t oldest, newest;
};

static inline int
fixture_walk(void *arg, struct claim *claim, struct err *err)
{
	struct walked *w = arg;

	(void)err;
	w->records++;
	if (claim->record.state == 0) {
		w->damaged++;
		return 0;
	}
	w->pending += claim->record.state == RECORD_PENDING;
	if (w->oldest == 0 || claim->record.first < w->oldest)
		w->oldest = claim->record.first;
	if (claim->record.first > w->newest)
		w->newest = claim->record.first;
	return 0;
}

static inline int
fixture_stop(void *arg, uint64_t done)
{
	(void)done;
	return arg != NULL;
}

/* The counters say what a walk finds. */
static inline void
check_counters(struct fixture *f, uint64_t records)
{
	struct walked w = { 0 };
	struct counters c;
	struct err err = { .text = "" };
	int64_t oldest, newest;

	assert_int_equal(ledger_each(f->ledger, NOW, fixture_walk, &w, &err), 0);
	if (ledger_count(f->ledger, &c, fixture_stop, NULL, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(w.records, records);
	assert_int_equal(counters_records(&c), w.records);
	assert_int_equal(counters_pending(&c), w.pending);
	assert_int_equal(c.damaged, w.damaged);
	assert_int_equal(counters_range(&c, &oldest, &newest), w.records > w.damaged);
	if (w.records > w.damaged) {
		assert_in_range(w.oldest, oldest, oldest + 86400);
		assert_in_range(w.newest, newest - 86400, newest);
	}
}

#define EVERY_STORE(test) \
	{ #test " (memory)", test, setup_memory, teardown, NULL }, { #test " (bdb)", test, setup_bdb, teardown, NULL }, \
	{ #test " (redis)", test, setup_redis, teardown, NULL }, { #test " (cluster)", test, setup_cluster, teardown, NULL }

#define BDB(test) { #test, test, setup_bdb, teardown, NULL }

/* Run them all, or those that need no Redis where there is none. cmocka takes a test that is skipped for one that failed. */
static inline int
fixture_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
	struct CMUnitTest *some = calloc(n, sizeof(*some));
	bool served = redis_server_is_there();
	size_t i, len = 0;
	int failed;

	if (some == NULL)
		return 1;
	for (i = 0; i < n; i++)
		if (served || (tests[i].setup_func != setup_redis && tests[i].setup_func != setup_cluster))
			some[len++] = tests[i];
	if (!served)
		printf("# no Redis here\n");
	failed = _cmocka_run_group_tests(name, some, len, NULL, NULL);
	free(some);
	return failed;
}

#define RUN_EVERY_STORE(name, tests) fixture_run(name, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
