/*
 * dedupdb forget: delete single records, so that the next copy is delivered.
 */
#include <string.h>

#include "recover.h"
#include "tool.h"
#include "view.h"

#define ATTEMPTS 5	/* a delivery may change the record between looking and deleting */

struct match {
	uint64_t found;
	struct claim claim;	/* the first one */
};

static int
visit(void *arg, struct claim *claim, struct err *err)
{
	struct match *m = arg;

	(void)err;
	if (m->found++ == 0)
		m->claim = *claim;
	return 0;
}

static void
forgotten(struct tool *t, struct out *o, const struct claim *claim)
{
	bool pending = claim->record.state == RECORD_PENDING;
	char hex[FINGERPRINT_HEX];
	struct out item;

	fingerprint_hex(&claim->fp, hex);
	if (pending)
		tool_note("warning: %s was pending: its message may have arrived, and may come again", hex);
	if (!t->json) {
		printf("forgot %s\n", hex);
		return;
	}
	out_item(&item, o, "forgotten");
	out_text(&item, "fingerprint", hex);
	out_flag(&item, "pending", pending);
}

/* Returns an exit code. */
static int
forget(struct tool *t, struct out *o, const char *digits)
{
	struct event event;
	struct match m;
	struct err err;
	int i, rc;

	for (i = 0; i < ATTEMPTS; i++) {
		m.found = 0;
		if (ledger_each_prefix(t->ledger, digits, t->now, visit, &m, &err) == -1)
			return tool_err(&err, EX_UNAVAILABLE);
		if (m.found == 0)
			return tool_no_record(digits);
		if (m.found > 1)
			return tool_fail(EX_USAGE, "%s is the start of %llu fingerprints: give more digits; 'dedupdb show %s' has them", digits,
			    (unsigned long long)m.found, digits);
		recover_event(&event, EVENT_FORGOTTEN, &m.claim, t->now);
		rc = ledger_forget(t->ledger, &m.claim, &err);
		if (rc == -1)
			return tool_err(&err, EX_UNAVAILABLE);
		if (rc == 1) {
			forgotten(t, o, &m.claim);
			return EX_OK;
		}
	}
	return tool_fail(EX_TEMPFAIL, "%s keeps changing: a delivery is at work; try again", digits);
}

static int
forget_all(struct tool *t, int n, char **args)
{
	char digits[FINGERPRINT_HEX];
	int i, one, rc = EX_OK;
	struct out o;

	out_begin(&o, t->json);
	out_array(&o, "forgotten");
	for (i = 0; i < n; i++) {
		view_digits(args[i], digits);
		one = forget(t, &o, digits);
		if (rc == EX_OK || (rc == EXIT_UNKNOWN && one != EX_OK))	/* the first one that is worse than unknown */
			rc = one;
	}
	out_end(&o);
	return rc;
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	char digits[FINGERPRINT_HEX];
	int i, rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (optind == argc)
		return tool_usage(t, "forget takes one fingerprint or more; 'dedupdb list' shows them");
	for (i = optind; i < argc; i++)
		if (!view_digits(argv[i], digits))
			return tool_usage(t, "'%s' is no fingerprint: %d to %d hex digits", argv[i], LEDGER_PREFIX_DIGITS,
			    2 * FINGERPRINT_BYTES);
	rc = tool_ledger(t);
	if (rc == EX_OK && t->ledger == NULL)
		return tool_no_ledger("to forget anything in");
	return rc != EX_OK ? rc : forget_all(t, argc - optind, argv + optind);
}

const struct command cmd_forget = {
	.name = "forget",
	.synopsis = "[--json] FINGERPRINT...",
	.line = "Delete records: the next copy of these messages is delivered",
	.exits = "  1   no record has such a fingerprint\n",
	.examples = "  dedupdb -d joe forget 3f9c0a6d5e1b2c47\n",
	.details = "FINGERPRINT may be cut to its first 16 digits or more, as long as only one record starts so.\n",
	.run = run,
};
