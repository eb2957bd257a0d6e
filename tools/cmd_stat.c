/*
 * dedupdb stat: how much there is, and whether it is well. It reads counters: a ledger of any size answers at once.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "prometheus.h"
#include "tool.h"

#define PENDING_LONG 3600	/* s; a pending record that old is no delivery at work */

struct facts {
	struct ledger_stat stat;	/* as it was when this command came: to read the counters repairs the ledger */
	uint64_t bytes;			/* after that */
	uint64_t records, pending, unfinished, expired, damaged;
	bool dated;
	int64_t oldest, newest;
	bool healthy;
	char health[256];
};

static int
tick(void *arg, uint64_t done)
{
	(void)arg;
	progress("records", done);
	return tool_stopped() != 0;
}

static void
count(const struct tool *t, const struct counters *c, struct facts *f)
{
	f->records = counters_records(c);
	f->pending = counters_pending(c);
	f->unfinished = counters_pending_before(c, t->now - PENDING_LONG);
	f->expired = counters_delivered_before(c, t->now - t->config->window);
	f->damaged = c->damaged;
	f->dated = counters_range(c, &f->oldest, &f->newest);
}

static void judge(struct facts *f, bool healthy, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void
judge(struct facts *f, bool healthy, const char *fmt, ...)
{
	va_list ap;

	f->healthy = healthy;
	va_start(ap, fmt);
	vsnprintf(f->health, sizeof(f->health), fmt, ap);
	va_end(ap);
}

/* The worst first, and what to do. */
static void
diagnose(const struct tool *t, struct facts *f)
{
	char age[AGE_TEXT];

	if (t->ledger == NULL)
		judge(f, true, "no ledger by configuration (ledger = none): nothing is recorded");
	else if (!f->stat.exists)
		judge(f, true, "there is no ledger yet; the first delivery makes it");
	else if (f->stat.failures > 0)
		judge(f, false, "%" PRIu64 " failed repairs in a row: is the disk full or broken? After more, the database is set aside "
		    "as env.bad.TIME and started afresh", f->stat.failures);
	else if (f->damaged > 0)
		judge(f, false, "%" PRIu64 " damaged: 'dedupdb list' shows which, 'dedupdb forget' removes them", f->damaged);
	else if (f->unfinished > 0)
		judge(f, false, "%" PRIu64 " unfinished: run 'dedupdb recover'", f->unfinished);
	else if (f->stat.set_aside > 0 && t->now - f->stat.set_aside_last < t->config->window) {
		age_text(t->now - f->stat.set_aside_last, age);
		judge(f, true, "healthy again: a damaged database was set aside %s ago, and copies of what it knew may come; check the "
		    "disk, then remove env.bad.* in the ledger's folder", age);
	} else if (f->stat.dirty)
		judge(f, true, "a process died while writing; the next delivery repairs it");
	else
		judge(f, true, "healthy");
}

static int
gather(struct tool *t, struct facts *f)
{
	struct ledger_stat after;
	struct counters counters;
	struct err err;

	memset(f, 0, sizeof(*f));
	memset(&counters, 0, sizeof(counters));
	if (t->ledger != NULL) {
		if (ledger_stat(t->ledger, &f->stat, &err) == -1 ||
		    ledger_count(t->ledger, &counters, tick, NULL, &err) == -1 || ledger_stat(t->ledger, &after, &err) == -1)
			return tool_err(&err, EX_UNAVAILABLE);
		progress_end();
		f->bytes = after.bytes;
	}
	count(t, &counters, f);
	diagnose(t, f);
	return EX_OK;
}

static void
print(const struct tool *t, const struct facts *f)
{
	struct out o;

	tool_out_begin(t, &o);
	out_text(&o, "ledger", t->config->ledger_url);
	out_count(&o, "records", f->records);
	out_count(&o, "pending", f->pending);
	if (f->unfinished > 0 || t->json)
		out_count(&o, "unfinished", f->unfinished);
	out_count(&o, "expired", f->expired);
	if (f->damaged > 0 || t->json)
		out_count(&o, "damaged", f->damaged);
	if (f->dated) {
		out_time(&o, "oldest", f->oldest, t->now);
		out_time(&o, "newest", f->newest, t->now);
	} else {
		out_text(&o, "oldest", NULL);
		out_text(&o, "newest", NULL);
	}
	out_size(&o, "size", f->bytes);
	out_count(&o, "duplicates", f->stat.duplicates);
	out_span(&o, "window", t->config->window);
	if (f->stat.set_aside > 0 || t->json)
		out_count(&o, "set_aside", f->stat.set_aside);
	if (t->json)
		out_flag(&o, "healthy", f->healthy);
	out_text(&o, "health", f->health);
	out_end(&o);
}

static const struct metric metrics[] = {
	{ "dedup_lda_records", "gauge", "Records in the ledger." },
	{ "dedup_lda_records_pending", "gauge", "Records of deliveries that were decided and are not finished." },
	{ "dedup_lda_records_unfinished", "gauge", "Pending records that are older than an hour: dedupdb recover is needed." },
	{ "dedup_lda_records_expired", "gauge", "Delivered records older than the window that are not pruned yet, to a few hours." },
	{ "dedup_lda_records_damaged", "gauge", "Records that can not be read." },
	{ "dedup_lda_oldest_record_timestamp_seconds", "gauge", "When the oldest record was first seen." },
	{ "dedup_lda_newest_record_timestamp_seconds", "gauge", "When the newest record was first seen." },
	{ "dedup_lda_ledger_size_bytes", "gauge", "Space that the ledger takes on disk." },
	{ "dedup_lda_duplicates_total", "counter", "Duplicates that were discarded." },
	{ "dedup_lda_window_seconds", "gauge", "How long a delivered record counts." },
	{ "dedup_lda_ledger_failed_repairs", "gauge", "Repairs of the ledger that failed since one succeeded." },
	{ "dedup_lda_ledger_set_aside", "gauge", "Damaged databases that were set aside and are still there." },
	{ "dedup_lda_ledger_healthy", "gauge", "1 if dedupdb stat finds nothing to do." },
	{ NULL, NULL, NULL }
};
#define HEALTHY (sizeof(metrics) / sizeof(metrics[0]) - 2)	/* the last one */

static int
export(const struct tool *t, const struct facts *f)
{
	const struct {
		uint64_t n;
		bool absent;
	} values[] = {
		{ .n = f->records }, { .n = f->pending }, { .n = f->unfinished }, { .n = f->expired }, { .n = f->damaged },
		{ (uint64_t)f->oldest, !f->dated }, { (uint64_t)f->newest, !f->dated }, { .n = f->bytes }, { .n = f->stat.duplicates },
		{ .n = (uint64_t)t->config->window }, { .n = f->stat.failures }, { .n = f->stat.set_aside }, { .n = f->healthy },
	};
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!values[i].absent && prometheus_sample(t, i, values[i].n) == -1)
			return EX_TEMPFAIL;
	return EX_OK;
}

static int
finish(struct tool *t, int ran)
{
	(void)ran;
	return prometheus_print(t, metrics);
}

static int
run(struct tool *t, int argc, char **argv)
{
	enum { PROMETHEUS = OPTION_FIRST };
	static const struct option table[] = { { "prometheus", no_argument, NULL, PROMETHEUS }, TOOL_OPTIONS };
	bool prometheus = false;
	struct facts f;
	int rc;

	while (tool_getopt(t, argc, argv, ":", table, &rc) != -1)
		prometheus = true;
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "stat takes no arguments");
	if (prometheus && t->json)
		return tool_usage(t, "--prometheus is one format, --json another: choose one");
	tool_catch_signals();
	rc = tool_ledger(t);
	if (rc == EX_OK)
		rc = gather(t, &f);
	/* Without a word of it, what was exported last would stay. */
	if (prometheus && rc != EX_OK && rc != EXIT_NO_LEDGER && t->user != NULL && tool_stopped() == 0)
		(void)prometheus_sample(t, HEALTHY, 0);
	if (rc != EX_OK || tool_stopped() != 0)
		return rc;
	if (prometheus)
		return export(t, &f);
	print(t, &f);
	return EX_OK;
}

const struct command cmd_stat = {
	.name = "stat",
	.synopsis = "[--json | --prometheus]",
	.line = "Counts, times, size on disk and health of the ledger",
	.options =
	    "      --prometheus        print the text format that node_exporter reads from a file; with -A a label says\n"
	    "                          whose ledger it is\n",
	.details =
	    "Nothing is walked through: deliveries keep the counts. 'expired' and 'oldest' are right to a few hours.\n",
	.examples =
	    "  dedupdb -d joe stat\n"
	    "  dedupdb -A stat --prometheus >dedup-lda.prom\n",
	.flags = COMMAND_ALL | COMMAND_ASKS,
	.run = run,
	.finish = finish,
};
