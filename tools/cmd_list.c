/*
 * dedupdb list: one line per record, as they come from the ledger; with --sort they are collected first.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"
#include "view.h"

struct list {
	struct tool *t;
	bool pending, sort, terminal;
	bool have_since, have_until;
	int64_t since, until;
	struct view *rows;	/* --sort */
	size_t len, room;
};

static void
print_json(const struct view *v)
{
	struct out o;

	out_begin(&o, true);
	out_text(&o, "fingerprint", v->hex);
	out_text(&o, "state", v->state);
	if (!v->damaged) {
		out_time(&o, "first", v->first, v->first);
		out_count(&o, "age", (uint64_t)v->age);
		out_flag(&o, "expired", v->expired);
		out_flag(&o, "imported", v->imported);
	}
	if (v->pending) {
		out_text(&o, "kind", v->kind);
		out_text(&o, "mailbox", v->mailbox);
		if (v->host[0] != '\0')
			out_text(&o, "host", v->host);
	}
	out_end(&o);
}

/* Columns on a terminal; tabs for a program. */
static void
print_text(const struct view *v, bool terminal)
{
	char first[AGE_TEXT] = "-", age[AGE_TEXT] = "-";

	if (!v->damaged) {
		time_text(v->first, false, first);
		age_text(v->age, age);
	}
	printf(terminal ? "%.*s  %-9s  %-25s  %-8s  %s" : "%.*s\t%s\t%s\t%s\t%s", FINGERPRINT_TAG, v->hex,
	    v->imported ? "imported" : v->state, first, age, v->damaged ? "-" : v->expired ? "expired" : "counts");
	if (v->mailbox != NULL) {
		fputs(terminal ? "   " : "\t", stdout);
		escaped_text(stdout, v->mailbox);
	}
	putchar('\n');
}

static void
print_row(const struct list *l, const struct view *v)
{
	if (l->t->json)
		print_json(v);
	else
		print_text(v, l->terminal);
}

static bool
wanted(const struct list *l, const struct claim *claim)
{
	const struct record *r = &claim->record;

	if (r->state != RECORD_PENDING && r->state != RECORD_DELIVERED)
		return !l->pending && !l->have_since && !l->have_until;	/* it has no time */
	return (!l->pending || r->state == RECORD_PENDING) && (!l->have_since || r->first >= l->since) &&
	    (!l->have_until || r->first < l->until);
}

static int
collect(struct list *l, const struct view *v, struct err *err)
{
	struct view *grown;

	if (l->len == l->room) {
		l->room = l->room == 0 ? 256 : 2 * l->room;
		grown = reallocarray(l->rows, l->room, sizeof(*grown));
		if (grown == NULL)
			return err_set(err, STATUS_TEMP, "no memory to sort in; list without --sort needs none");
		l->rows = grown;
	}
	l->rows[l->len++] = *v;
	progress("records", l->len);
	return 0;
}

static int
visit(void *arg, struct claim *claim, struct err *err)
{
	struct list *l = arg;
	struct view v;
	int rc = 0;

	if (tool_stopped() || ferror(stdout))
		return 1;
	if (!wanted(l, claim))
		return 0;
	if (view_make(&v, claim, l->t->now) == -1)
		return err_set(err, STATUS_TEMP, "no memory");
	if (l->sort)
		rc = collect(l, &v, err);
	else
		print_row(l, &v);
	if (!l->sort || rc == -1)
		view_clear(&v);
	return rc;
}

static int
by_time(const void *a, const void *b)
{
	const struct view *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return strcmp(x->hex, y->hex);
}

static int
list(struct list *l)
{
	struct err err;
	size_t i;
	int rc = EX_OK;

	l->terminal = isatty(STDOUT_FILENO);
	if (l->terminal && !l->t->json)
		printf("%-16s  %-9s  %-25s  %-8s  %-7s  %s\n", "FINGERPRINT", "STATE", "FIRST", "AGE", "WINDOW", "MAILBOX");
	if (tool_each(l->t, visit, l, &err) == -1)
		rc = tool_err(&err, EX_UNAVAILABLE);
	progress_end();
	if (l->len > 0)
		qsort(l->rows, l->len, sizeof(*l->rows), by_time);
	for (i = 0; i < l->len; i++) {
		if (rc == EX_OK && !tool_stopped() && !ferror(stdout))
			print_row(l, &l->rows[i]);
		view_clear(&l->rows[i]);
	}
	free(l->rows);
	return rc;
}

static int
read_time(const struct tool *t, const char *text, bool *have, int64_t *time)
{
	*have = true;
	return tool_time(t, text, time);
}

static int
run(struct tool *t, int argc, char **argv)
{
	enum { SINCE = OPTION_FIRST, UNTIL, PENDING, SORT };
	static const struct option table[] = {
		{ "since", required_argument, NULL, SINCE }, { "until", required_argument, NULL, UNTIL },
		{ "pending", no_argument, NULL, PENDING }, { "sort", no_argument, NULL, SORT }, TOOL_OPTIONS
	};
	struct list l = { .t = t };
	int c, rc, bad = EX_OK;

	while ((c = tool_getopt(t, argc, argv, ":", table, &rc)) != -1 && bad == EX_OK) {
		if (c == SINCE)
			bad = read_time(t, optarg, &l.have_since, &l.since);
		else if (c == UNTIL)
			bad = read_time(t, optarg, &l.have_until, &l.until);
		else if (c == PENDING)
			l.pending = true;
		else
			l.sort = true;
	}
	if (bad != EX_OK || rc != -1)
		return bad != EX_OK ? bad : rc;
	if (optind < argc)
		return tool_usage(t, "list takes no arguments; one record is shown by 'dedupdb show'");
	tool_catch_signals();
	rc = tool_ledger(t);
	return rc != EX_OK ? rc : list(&l);
}

const struct command cmd_list = {
	.name = "list",
	.synopsis = "[--since=TIME] [--until=TIME] [--pending] [--sort] [--json]",
	.line = "The records, one per line",
	.options =
	    "      --since=TIME        only records first seen at TIME or later\n"
	    "      --until=TIME        only records first seen before TIME\n"
	    "      --pending           only deliveries that were decided and did not finish\n"
	    "      --sort              the oldest first; otherwise in the ledger's order, and at once\n",
	.details =
	    "TIME is a date or time of ISO 8601 (2026-11-20, 2026-11-20T12:00:00Z; local time unless it names a zone),\n"
	    "@SECONDS since 1970, or an age: 2h is two hours ago. Columns: fingerprint (its first 16 digits), state,\n"
	    "first seen, age, whether it still counts, and where a pending message goes; tabs between them unless on\n"
	    "a terminal. With --json one object per line.\n",
	.examples =
	    "  dedupdb list --since=2h --sort\n"
	    "  dedupdb list --pending --json\n",
	.run = run,
};
