/*
 * dedupdb gaps: where and after how long copies were made, in the terminal, as JSON, or as a page for another postmaster.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gaps.h"
#include "replace_file.h"
#include "tool.h"

static bool
to_stdout(const struct gaps_query *query)
{
	return query->html != NULL && strcmp(query->html, "-") == 0;
}

static int
prepare(struct tool *t, int argc, char **argv)
{
	enum { SINCE = OPTION_FIRST, HOST, HTML };
	static const struct option table[] = {
		{ "since", required_argument, NULL, SINCE }, { "host", required_argument, NULL, HOST },
		{ "html", required_argument, NULL, HTML }, TOOL_OPTIONS
	};
	static struct gaps_query query;
	int c, rc, bad = EX_OK;

	t->options = &query;
	query.by_root = geteuid() == 0;
	while (bad == EX_OK && (c = tool_getopt(t, argc, argv, ":", table, &rc)) != -1) {
		if (c == SINCE) {
			query.has_since = true;
			bad = tool_time(t, optarg, &query.since);
		} else if (c == HOST)
			query.host = optarg;
		else
			query.html = optarg;
	}
	if (bad != EX_OK || rc != -1)
		return bad != EX_OK ? bad : rc;
	if (optind < argc)
		return tool_usage(t, "gaps takes no arguments");
	if (query.host != NULL && query.host[0] == '\0')
		return tool_usage(t, "--host needs the name of a host or a domain");
	if (query.html != NULL && query.html[0] == '\0')
		return tool_usage(t, "--html needs the name of a file, or - for standard output");
	if (t->json && to_stdout(&query))
		return tool_usage(t, "--json and the page can't both go to standard output");
	return -1;
}

static int
run(struct tool *t, int argc, char **argv)
{
	int rc;

	(void)argc;
	(void)argv;
	tool_catch_signals();
	rc = tool_ledger(t);
	if (rc != EX_OK)
		return rc;
	if (t->ledger == NULL)
		return tool_no_ledger("that could have a history");
	return gaps_gather(t, t->options);
}

/* Root became the owner of the ledger before it was opened. */
static int
refused(const struct gaps_query *query, const struct err *err)
{
	if (query->by_root && geteuid() != 0)
		return tool_fail(EX_CANTCREAT, "%s (as the owner of the ledger; '--html - >FILE' writes it as root)", err->text);
	return tool_err(err, EX_CANTCREAT);
}

static int
write_page(const struct tool *t, const struct gaps_report *r)
{
	struct replacement file;
	struct err err;

	if (to_stdout(&r->query)) {
		gaps_html(r, stdout);
		return EX_OK;
	}
	if (replace_open(&file, r->query.html, &err) == -1)
		return refused(&r->query, &err);
	gaps_html(r, file.f);
	return replace_commit(&file, 0644 & ~t->umask, &err) == 0 ? EX_OK : refused(&r->query, &err);
}

static int
finish(struct tool *t, int ran)
{
	struct gaps_report r;
	int rc;

	rc = gaps_read(&r, t, t->options);
	if (rc == EX_OK && tool_stopped() == 0 && (r.totals.ledgers > 0 || (t->all && ran == EX_OK))) {	/* otherwise run has said why not */
		if (r.query.html != NULL)
			rc = write_page(t, &r);
		if (t->json)
			gaps_json(&r);
		else if (r.query.html == NULL)
			gaps_text(&r);
	}
	gaps_free(&r);
	return rc;
}

const struct command cmd_gaps = {
	.name = "gaps",
	.synopsis = "[--since=TIME] [--host=NAME] [--json] [--html=FILE]",
	.line = "At which hops copies were made, and after how long",
	.options =
	    "      --since=TIME        only what was done at TIME or later, as for 'dedupdb list'\n"
	    "      --host=NAME         only hops that this host, or a host of this domain, has part in\n"
	    "      --html=FILE         write a page for the postmaster of the other side; - is standard output\n",
	.details =
	    "The most frequent hop first: copies, median and range of their delays, sender and receiver, the likely\n"
	    "cause, what the delays say of the sender's wait, and how all that is known. Below that the delays as a\n"
	    "histogram, with the timeouts that senders are known to have. The delay is the time between two acceptances\n"
	    "of a message at the receiver: the sender's wait for the reply, and the time until its next try. So one of\n"
	    "less than 10 minutes shows that the sender lost the connection or did not wait 10 minutes; a longer one does\n"
	    "not show how long it waited. The report reaches back as far as the ledger's events do ('history' of\n"
	    "dedup-lda.conf(5)). With -A it is one report of all users.\n",
	.exits =
	    "  73  the page can't be written\n",
	.examples =
	    "  dedupdb -A gaps --since=4w\n"
	    "  dedupdb -A gaps --host=mx.example.org --html=gaps.html\n",
	.flags = COMMAND_ALL,
	.prepare = prepare,
	.run = run,
	.finish = finish,
};
