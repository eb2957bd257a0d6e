/*
 * dedupdb stat: how much there is, and whether it is well.
 */
#include <inttypes.h>
#include <string.h>

#include "tool.h"

#define PENDING_LONG 3600	/* s; a pending record that old is no delivery at work */

struct counts {
	int64_t now;
	uint64_t records, pending, stuck, expired, damaged;
	int64_t oldest, newest;
	bool dated;
};

static int
count(void *arg, struct claim *claim, struct err *err)
{
	struct counts *c = arg;
	const struct record *r = &claim->record;

	(void)err;
	progress("records", ++c->records);
	if (r->state != RECORD_PENDING && r->state != RECORD_DELIVERED) {
		c->damaged++;
		return tool_stopped() != 0;
	}
	if (r->state == RECORD_PENDING) {
		c->pending++;
		if (c->now - r->decided > PENDING_LONG)
			c->stuck++;
	} else if (claim->state == CLAIM_NEW)
		c->expired++;
	if (!c->dated || r->first < c->oldest)
		c->oldest = r->first;
	if (!c->dated || r->first > c->newest)
		c->newest = r->first;
	c->dated = true;
	return tool_stopped() != 0;
}

/* `before`: as it was when this command came; to count the records repairs the ledger. */
static const char *
health(const struct tool *t, const struct ledger_stat *before, const struct counts *c, char *buf, size_t size)
{
	if (t->ledger == NULL)
		return "no ledger by configuration (ledger = none): nothing is recorded";
	if (!before->exists)
		return "there is no ledger yet; the first delivery makes it";
	if (before->failures > 0) {
		snprintf(buf, size, "%" PRIu64 " failed repairs in a row: is the disk full or broken? After more, the database is "
		    "set aside as env.bad.TIME and started afresh", before->failures);
		return buf;
	}
	if (c->damaged > 0) {
		snprintf(buf, size, "%" PRIu64 " damaged: 'dedupdb list' shows which, 'dedupdb forget' removes them", c->damaged);
		return buf;
	}
	if (c->stuck > 0) {
		snprintf(buf, size, "%" PRIu64 " unfinished: run 'dedupdb recover'", c->stuck);
		return buf;
	}
	if (before->dirty)
		return "a process died while writing; the next delivery repairs it";
	return "healthy";
}

static void
print(const struct tool *t, const struct ledger_stat *s, const struct ledger_stat *after, const struct counts *c)
{
	char buf[256];
	struct out o;

	tool_out_begin(t, &o);
	out_text(&o, "ledger", t->config->ledger_url);
	out_count(&o, "records", c->records);
	out_count(&o, "pending", c->pending);
	out_count(&o, "expired", c->expired);
	if (c->damaged > 0 || t->json)
		out_count(&o, "damaged", c->damaged);
	if (c->dated) {
		out_time(&o, "oldest", c->oldest, t->now);
		out_time(&o, "newest", c->newest, t->now);
	} else {
		out_text(&o, "oldest", NULL);
		out_text(&o, "newest", NULL);
	}
	out_size(&o, "size", after->bytes);
	out_count(&o, "duplicates", s->duplicates);
	out_span(&o, "window", t->config->window);
	out_text(&o, "health", health(t, s, c, buf, sizeof(buf)));
	out_end(&o);
}

static int
gather(struct tool *t, struct ledger_stat *before, struct ledger_stat *after, struct counts *c)
{
	struct err err;

	memset(before, 0, sizeof(*before));
	*after = *before;
	if (t->ledger == NULL)
		return EX_OK;
	if (ledger_stat(t->ledger, before, &err) == -1 || tool_each(t, count, c, &err) == -1 ||
	    ledger_stat(t->ledger, after, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	progress_end();
	return EX_OK;
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	struct counts c = { .now = 0 };
	struct ledger_stat before, after;
	int rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "stat takes no arguments");
	tool_catch_signals();
	rc = tool_ledger(t);
	c.now = t->now;
	if (rc == EX_OK)
		rc = gather(t, &before, &after, &c);
	if (rc == EX_OK && tool_stopped() == 0)
		print(t, &before, &after, &c);
	return rc;
}

const struct command cmd_stat = {
	.name = "stat",
	.synopsis = "[--json]",
	.line = "Counts, times, size on disk and health of the ledger",
	.flags = COMMAND_ALL,
	.run = run,
};
