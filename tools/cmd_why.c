/*
 * dedupdb why: what became of a message, by its Message-ID.
 */
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "lookup.h"
#include "tool.h"
#include "view.h"

static int
print_message(const struct history *h, struct tool *t, const struct fingerprint *fp, struct out *o)
{
	const struct event *named = history_named(h, fp);
	char hex[FINGERPRINT_HEX], why[LOOKUP_WHY];
	struct lookup l;
	struct out item;
	int rc;

	rc = lookup_fingerprint(&l, t, fp);
	if (rc != EX_OK)
		return rc;
	out_item(&item, o, "messages");
	fingerprint_hex(fp, hex);
	if (named != NULL)
		out_bytes(&item, "message_id", named->id, named->id_len);
	if (named != NULL && named->id_len < named->id_whole)
		out_flag(&item, "message_id_cut", true);
	out_text(&item, "fingerprint", hex);
	history_print(h, fp, l.claim.present ? &l.claim.record : NULL, t, &item);
	lookup_why(&l, t, why);
	out_text(&item, "verdict", lookup_verdict(&l));
	out_text(&item, "why", why);
	if (!t->json)
		putchar('\n');
	return EX_OK;
}

/* So that nobody takes what is not there for what never was. */
static void
print_reach(const struct history *h, const struct tool *t, struct out *o)
{
	struct out inner;

	out_nest(&inner, o, "history");
	out_count(&inner, "events", h->known);
	out_count(&inner, "at_most", (uint64_t)t->config->history);
	if (h->known > 0)
		out_time(&inner, "oldest", h->oldest, t->now);
	else
		out_text(&inner, "oldest", NULL);
}

static int
unknown(const struct history *h, const struct tool *t, const char *what)
{
	char oldest[AGE_TEXT], age[AGE_TEXT], sum[HISTORY_TEXT];

	if (h->known == 0)
		return tool_fail(EXIT_UNKNOWN, "nothing is known of %.150s: the ledger's history is empty%s", what,
		    t->config->history == 0 ? " (history = 0)" : "");
	time_text(h->oldest, false, oldest);
	age_text(t->now - h->oldest, age);
	history_sum_words(h, sum);
	return tool_fail(EXIT_UNKNOWN, "nothing is known of %.150s: the ledger's history goes back to %s (%s); %sif you have the message, "
	    "'dedupdb show FILE' looks for its record", what, oldest, age, sum);
}

static int
add_record(void *arg, struct claim *claim, struct err *err)
{
	return history_add(arg, &claim->fp, err);
}

/* What was imported or restored, or is older than the history, has a record and no event. Returns an exit code. */
static int
find_records(struct history *h, const struct tool *t, const char *digits)
{
	struct err err;

	return ledger_each_prefix(t->ledger, digits, t->now, add_record, h, &err) == -1 ? tool_err(&err, EX_UNAVAILABLE) : EX_OK;
}

static int
tell(struct tool *t, const char *what, bool digits)
{
	char hex[FINGERPRINT_HEX];
	struct history h;
	struct out o;
	size_t i;
	int rc;

	if (digits)
		view_digits(what, hex);
	rc = history_find(&h, t, digits ? NULL : what, digits ? hex : NULL);
	if (rc == EX_OK && digits && h.messages_len == 0)
		rc = find_records(&h, t, hex);
	if (rc == EX_OK) {
		out_begin(&o, t->json);
		out_array(&o, "messages");
		for (i = 0; rc == EX_OK && i < h.messages_len; i++)
			rc = print_message(&h, t, &h.messages[i], &o);
		if (h.messages_len > 0 || t->json)
			print_reach(&h, t, &o);
		out_end(&o);
	}
	if (rc == EX_OK && h.messages_len == 0)
		rc = unknown(&h, t, what);
	history_free(&h);
	return rc;
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	char hex[FINGERPRINT_HEX];
	int rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (argc - optind != 1 || argv[optind][0] == '\0')
		return tool_usage(t, "why takes one Message-ID, in quotes for the shell, or fingerprint");
	rc = tool_ledger(t);
	if (rc != EX_OK)
		return rc;
	if (t->ledger == NULL)
		return tool_no_ledger("that could have a history");
	return tell(t, argv[optind], view_digits(argv[optind], hex));
}

const struct command cmd_why = {
	.name = "why",
	.synopsis = "[--json] MESSAGE-ID|FINGERPRINT",
	.line = "What became of a message: its deliveries and discards, and what would happen to a copy",
	.details =
	    "MESSAGE-ID is the field's value, with or without the <>. FINGERPRINT may be cut to its first 16 digits or\n"
	    "more. The ledger keeps as many events as 'history' of dedup-lda.conf(5) says; how far they go back is\n"
	    "printed.\n",
	.exits = "  1   nothing is known of it\n",
	.examples = "  dedupdb -d joe why '<4F2@mx.example.org>'    quoted for the shell\n",
	.run = run,
};
