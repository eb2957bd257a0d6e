/*
 * dedupdb show and check: one message or one record; for people, and for scripts.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "history.h"
#include "lookup.h"
#include "tool.h"
#include "view.h"

/* --- show FINGERPRINT --- */

struct records {
	struct tool *t;
	struct out *out;
	uint64_t seen;
};

/* What was done with it, as far as is known. Returns an exit code. */
static int
show_history(struct tool *t, const struct fingerprint *fp, const struct record *record, struct out *o)
{
	char hex[FINGERPRINT_HEX];
	struct history h;
	int rc;

	fingerprint_hex(fp, hex);
	rc = history_find(&h, t, NULL, hex);
	if (rc == EX_OK)
		history_print(&h, fp, record, t, o);
	history_free(&h);
	return rc;
}

static int
show_record(void *arg, struct claim *claim, struct err *err)
{
	struct records *s = arg;
	struct out item;
	struct view v;

	if (view_make(&v, claim, s->t->now) == -1)
		return err_set(err, STATUS_TEMP, "no memory");
	if (s->seen++ > 0 && !s->t->json)
		putchar('\n');
	out_item(&item, s->out, "records");
	view_print(&v, &item, s->t->now, s->t->config->window);
	view_clear(&v);
	(void)show_history(s->t, &claim->fp, &claim->record, &item);
	return ferror(stdout) != 0;
}

static int
show_fingerprint(struct tool *t, const char *digits)
{
	struct records s = { .t = t };
	struct err err;
	struct out o;

	if (t->ledger == NULL)
		return tool_no_ledger("to look a fingerprint up in");
	out_begin(&o, t->json);
	out_array(&o, "records");
	s.out = &o;
	if (ledger_each_prefix(t->ledger, digits, t->now, show_record, &s, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	out_end(&o);
	if (s.seen == 0)
		return tool_no_record(digits);
	return EX_OK;
}

/* --- show FILE --- */

struct shown {
	struct out out;
	const char *file;	/* not yet printed, or NULL */
};

/* The inputs are printed as they come, below the file's name; that waits for them, since there may be no such file. */
static void
show_input(void *arg, const char *label, const void *value, size_t len)
{
	struct shown *s = arg;
	struct out item;
	const char *key = label;

	if (s->file != NULL)
		out_text(&s->out, "file", strcmp(s->file, "-") == 0 ? "standard input" : s->file);
	s->file = NULL;
	out_item(&item, &s->out, "inputs");
	if (item.object != NULL) {
		out_text(&item, "label", label);
		key = "value";
	} else
		item.indent += 2;
	if (value == NULL)
		out_text(&item, key, NULL);
	else if (len == BODY_DIGEST_BYTES && strcmp(label, "body-digest") == 0)
		out_digest(&item, key, value, len);
	else
		out_bytes(&item, key, value, len);
}

static void
show_answer(const struct lookup *l, struct tool *t, struct out *o)
{
	char hex[FINGERPRINT_HEX], why[LOOKUP_WHY];
	struct out inner;
	struct view v;

	out_size(o, "size", message_size(l->m));
	if (l->identified)
		fingerprint_hex(&l->fp, hex);
	out_text(o, "fingerprint", l->identified ? hex : NULL);
	if (l->known && l->claim.present && view_make(&v, &l->claim, t->now) == 0) {
		out_nest(&inner, o, "record");
		view_print(&v, &inner, t->now, t->config->window);
		view_clear(&v);
	} else if (l->known)
		out_text(o, "record", NULL);
	if (l->known)
		(void)show_history(t, &l->fp, l->claim.present ? &l->claim.record : NULL, o);
	lookup_why(l, t, why);
	out_text(o, "verdict", lookup_verdict(l));
	out_text(o, "why", why);
}

static int
show_file(struct tool *t, const char *file)
{
	struct shown s = { .file = file };
	struct lookup l;
	int rc;

	out_begin(&s.out, t->json);
	rc = lookup_message(&l, t, file, show_input, &s);
	if (rc == EX_OK) {
		show_answer(&l, t, &s.out);
		out_end(&s.out);
	}
	lookup_free(&l);
	return rc;
}

static int
run_show(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_ADDRESS, TOOL_OPTIONS };
	char digits[FINGERPRINT_HEX];
	int rc;

	while (tool_getopt(t, argc, argv, ":a:", table, &rc) != -1)
		t->address = optarg;
	if (rc != -1)
		return rc;
	if (argc - optind != 1)
		return tool_usage(t, "show takes one fingerprint or message file");
	rc = tool_ledger(t);
	if (rc != EX_OK)
		return rc;
	if (view_digits(argv[optind], digits) && access(argv[optind], F_OK) == -1)
		return show_fingerprint(t, digits);
	return show_file(t, argv[optind]);
}

const struct command cmd_show = {
	.name = "show",
	.synopsis = "[-a ADDRESS] [--json] FINGERPRINT|FILE",
	.line = "One record; or how a message's fingerprint is made, its record, and what would happen to a copy",
	.options = TOOL_ADDRESS_HELP,
	.details =
	    "FINGERPRINT may be cut to its first 16 digits or more. FILE is one message, as it came or from a Maildir;\n"
	    "'-' is standard input. Bytes that are not printable ASCII are shown as \\xHH.\n",
	.exits = "  1   no record has such a fingerprint; 66 FILE can't be read\n",
	.examples =
	    "  dedupdb show 3f9c0a6d5e1b2c47       the record behind a log line\n"
	    "  dedupdb -l none show message.eml    how the fingerprint is made, without a ledger\n",
	.run = run_show,
};

/* --- check --- */

static void
tell(const struct lookup *l, const struct tool *t, bool verbose)
{
	char hex[FINGERPRINT_HEX], why[LOOKUP_WHY];
	struct out o;

	lookup_why(l, t, why);
	if (t->json) {
		if (l->identified)
			fingerprint_hex(&l->fp, hex);
		out_begin(&o, true);
		out_text(&o, "verdict", lookup_verdict(l));
		out_text(&o, "fingerprint", l->identified ? hex : NULL);
		out_text(&o, "why", why);
		out_end(&o);
	} else if (verbose)
		printf("%s: %s\n", lookup_verdict(l), why);
}

static int
check(struct tool *t, const char *file, bool verbose)
{
	struct lookup l;
	int rc;

	rc = lookup_message(&l, t, file, NULL, NULL);
	if (rc == EX_OK) {
		tell(&l, t, verbose);
		/* A pending one is new: only the next delivery can know whether it was published, and finishes it. */
		if (l.identified && !l.known)
			rc = EX_TEMPFAIL;
		else if (l.known && l.judged.claim.state == CLAIM_DUPLICATE)
			rc = EXIT_UNKNOWN;
	}
	lookup_free(&l);
	return rc;
}

static int
run_check(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { { "verbose", no_argument, NULL, 'v' }, TOOL_ADDRESS, TOOL_OPTIONS };
	bool verbose = false;
	int c, rc;

	while ((c = tool_getopt(t, argc, argv, ":a:v", table, &rc)) != -1) {
		if (c == 'v')
			verbose = true;
		else
			t->address = optarg;
	}
	if (rc != -1)
		return rc;
	if (argc - optind > 1)
		return tool_usage(t, "check takes one message file");
	rc = tool_ledger(t);
	return rc != EX_OK ? rc : check(t, optind < argc ? argv[optind] : "-", verbose);
}

const struct command cmd_check = {
	.name = "check",
	.synopsis = "[-v] [-a ADDRESS] [--json] [FILE]",
	.line = "For scripts: is a message new (exit 0), a duplicate (1), or can't it be said (75)",
	.options =
	    "  -v, --verbose           say the answer in words\n"
	    TOOL_ADDRESS_HELP,
	.details =
	    "FILE is one message; without it, or as '-', standard input. Records nothing: a later delivery decides.\n"
	    "A delivery that was decided and did not finish counts as new: the next one finishes it.\n",
	.exits =
	    "  0   the message is new, or can't be identified\n"
	    "  1   it is a duplicate\n"
	    "  75  it can't be said; no other trouble has a code of its own\n",
	.examples = "  dedupdb check <message; case $? in 0) echo new;; 1) echo duplicate;; *) echo unknown;; esac\n",
	.flags = COMMAND_VERDICT,
	.run = run_check,
};
