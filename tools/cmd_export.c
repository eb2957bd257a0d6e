/*
 * dedupdb export: every record as a line of JSON, as dump.h says.
 */
#include <string.h>

#include "dump.h"
#include "tool.h"

struct export {
	uint64_t records;
};

static int
visit(void *arg, struct claim *claim, struct err *err)
{
	struct export *e = arg;

	(void)err;
	if (tool_stopped() || ferror(stdout))
		return 1;
	dump_record(claim);
	progress("records", ++e->records);
	return 0;
}

/* A file without its last line is no export: it is not written where records may be missing. */
static int
export(struct tool *t)
{
	struct ledger_stat before, after;
	struct export e = { .records = 0 };
	struct err err;
	int ret;

	if (ledger_stat(t->ledger, &before, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (!before.exists)
		tool_note("note: there is no ledger yet: the export is empty; -d or -l names another one");
	dump_head(t);
	ret = tool_each(t, visit, &e, &err);
	progress_end();
	if (ret == -1 || ledger_stat(t->ledger, &after, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (after.set_aside_last != before.set_aside_last)
		return tool_fail(EX_UNAVAILABLE, "the database was damaged, and was set aside as env.bad.%lld: this is not what was in it. "
		    "'dedupdb restore' brings an older export back", (long long)after.set_aside_last);
	if (!tool_stopped())
		dump_end(e.records);
	return EX_OK;
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	int rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "export takes no arguments and writes to standard output");
	tool_catch_signals();
	rc = tool_ledger(t);
	if (rc == EX_OK && t->ledger == NULL)
		return tool_no_ledger("to export");
	return rc != EX_OK ? rc : export(t);
}

const struct command cmd_export = {
	.name = "export",
	.synopsis = "> FILE",
	.line = "Write every record as a line of JSON, for 'dedupdb restore'",
	.details =
	    "The first line says what the file is, the last one how many records there are. A file without its last line\n"
	    "was cut off. Deliveries may run meanwhile; what they change may be in the file or not.\n",
	.exits = "  69  the database is damaged, and what was written is no export\n",
	.examples = "  dedupdb -d joe export >joe.jsonl\n",
	.run = run,
};
