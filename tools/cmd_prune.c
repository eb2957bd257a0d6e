/*
 * dedupdb prune: delete expired records now. Every delivery tidies a little by itself; this does it all at once.
 */
#include <string.h>

#include "tool.h"

static int
prune(struct tool *t, int64_t age)
{
	uint64_t deleted = 0;
	struct err err;
	struct out o;

	if (age < t->config->window)
		tool_note("note: younger than the window: further copies of these messages will be delivered");
	/* No handler for signals here: to be killed is safe, the ledger repairs itself. */
	if (t->ledger != NULL && ledger_prune(t->ledger, t->now, age, &deleted, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (t->json) {
		tool_out_begin(t, &o);
		out_count(&o, "deleted", deleted);
		out_span(&o, "older_than", age);
		out_end(&o);
	} else if (!t->all || deleted > 0) {
		tool_line_begin(t);
		printf("%llu record%s deleted\n", (unsigned long long)deleted, deleted == 1 ? "" : "s");
	}
	return EX_OK;
}

static int
run(struct tool *t, int argc, char **argv)
{
	enum { OLDER = OPTION_FIRST };
	static const struct option table[] = { { "older-than", required_argument, NULL, OLDER }, TOOL_OPTIONS };
	int64_t age = -1;
	int rc;

	while (tool_getopt(t, argc, argv, ":", table, &rc) != -1)
		if (duration_parse(optarg, &age) == -1 || age < 0)
			return tool_usage(t, "'%s' is no duration, such as 7d or 12h", optarg);
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "prune takes no arguments; single records are deleted by 'dedupdb forget'");
	rc = tool_ledger(t);
	return rc != EX_OK ? rc : prune(t, age == -1 ? t->config->window : age);
}

const struct command cmd_prune = {
	.name = "prune",
	.synopsis = "[--older-than=DURATION] [--json]",
	.line = "Delete expired records now, and say how many",
	.options = "      --older-than=DURATION\n"
	    "                          delivered records older than that (7d, 12h) instead of the window\n",
	.details =
	    "Pending records are never pruned. Deliveries prune as they go: no timer is needed for this.\n",
	.examples = "  dedupdb prune --older-than=30d\n",
	.flags = COMMAND_ALL,
	.run = run,
};
