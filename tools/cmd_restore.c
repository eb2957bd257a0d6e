/*
 * dedupdb restore: take over the records of an export.
 *
 * A record that says "delivered" discards mail, and no restore may lose any. So:
 *
 * - What counts in the ledger stays as it is. A record of the file is taken where there is none, or one that has expired or can't be read.
 * - A delivered record that has expired is left out. One from the future counts from now on, or it would discard for ever.
 * - A pending record is taken with its decision dated back by the day of proof: a stage that is missing proves nothing any more, since
 *   the mailbox may be another one, or restored as well. The worst of it is a duplicate.
 *
 * Each record is taken by itself, in any order, once or again: an interrupted restore is finished by a second one. Delivered ones are taken
 * many at a time, as those of an import; what one of them meets that is not absent or expired is then looked at by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "history.h"
#include "mailbox.h"
#include "tool.h"

#define ATTEMPTS 5	/* a delivery may change the record meanwhile */
#define TOLD 10		/* wrong lines that are told one by one */
#define BATCH 4096	/* delivered records that are taken together */

/* A delivered record: it has no intent, which would be most of its size. */
struct kept {
	struct fingerprint fp;
	int64_t first, decided;
	uint16_t flags;
	uint16_t trace_len;
	unsigned char trace[TRACE_MAX];
};

struct restore {
	struct tool *t;
	struct dump_reader reader;
	bool dry, ended;
	uint64_t restored, pending;	/* pending ones are among the restored */
	uint64_t present, expired, damaged, wrong;
	struct kept batch[BATCH];
	size_t n;
};

static int
say(const struct restore *r, int code, const char *text)
{
	return tool_fail(code, "%s: line %llu: %s", r->reader.name, (unsigned long long)r->reader.number, text);
}

static void
wrong_line(struct restore *r, const char *text)
{
	if (r->wrong++ < TOLD)
		say(r, EX_OK, text);
}

/* What no delivery can have written: times before 1970 and in the future. */
static int64_t
in_reason(int64_t when, int64_t now)
{
	return when > now ? now : when < 0 ? 0 : when;
}

static void
adapt(struct record *record, int64_t now)
{
	record->first = in_reason(record->first, now);
	record->decided = in_reason(record->decided, now);
	if (record->state == RECORD_PENDING && record->decided > now - PROVED_WITHIN)
		record->decided = now - PROVED_WITHIN;
}

static void
taken(struct restore *r, const struct record *record)
{
	r->restored++;
	if (record->state == RECORD_PENDING)
		r->pending++;
}

/* Returns an exit code. The first attempt finds out what is there. */
static int
take(struct restore *r, const struct fingerprint *fp, const struct record *record)
{
	struct claim claim = { .fp = *fp };
	char hex[FINGERPRINT_HEX];
	struct err err;
	int i, got = 0;

	if (r->dry && ledger_claim(r->t->ledger, fp, r->t->now, &claim, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	for (i = 0; i < ATTEMPTS && got == 0; i++) {
		if (claim.state != CLAIM_NEW) {
			r->present++;
			return EX_OK;
		}
		got = r->dry ? 1 : ledger_restore(r->t->ledger, &claim, record, r->t->now, &err);
	}
	if (got == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (got == 0) {
		fingerprint_hex(fp, hex);
		return tool_fail(EX_TEMPFAIL, "%s keeps changing: a delivery is at work; try again", hex);
	}
	taken(r, record);
	return EX_OK;
}

static void
unpack(void *arg, size_t i, struct fingerprint *fp, struct record *record)
{
	const struct kept *kept = &((const struct restore *)arg)->batch[i];

	*fp = kept->fp;
	record->state = RECORD_DELIVERED;
	record->flags = kept->flags;
	record->first = kept->first;
	record->decided = kept->decided;
	record->intent.len = 0;
	record->trace_len = kept->trace_len;
	memcpy(record->trace, kept->trace, kept->trace_len);
}

/* Take what has been put by. Returns an exit code. */
static int
flush(struct restore *r)
{
	struct fingerprint fp;
	struct record record;
	uint64_t added;
	struct err err;
	size_t i;
	int rc = EX_OK;

	if (ledger_restore_many(r->t->ledger, r->n, unpack, r, &added, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	r->restored += added;
	if (added < r->n) {	/* those of this batch count as present, too */
		for (i = 0; i < r->n && rc == EX_OK; i++) {
			unpack(r, i, &fp, &record);
			rc = take(r, &fp, &record);
		}
		r->present -= added < r->present ? added : r->present;
	}
	r->n = 0;
	return rc;
}

static int
put_by(struct restore *r, const struct dump_line *line)
{
	struct kept *kept = &r->batch[r->n++];
	const struct record *record = &line->record;

	kept->fp = line->fp;
	kept->flags = record->flags;
	kept->first = record->first;
	kept->decided = record->decided;
	kept->trace_len = (uint16_t)record->trace_len;
	memcpy(kept->trace, record->trace, record->trace_len);
	return r->n < BATCH ? EX_OK : flush(r);
}

static int
restore_record(struct restore *r, struct dump_line *line)
{
	const struct tool *t = r->t;

	adapt(&line->record, t->now);
	if (line->record.state == RECORD_DELIVERED && record_age(&line->record, t->now) > t->config->window) {
		r->expired++;
		return EX_OK;
	}
	if (line->record.state == RECORD_DELIVERED && !r->dry)
		return put_by(r, line);
	return take(r, &line->fp, &line->record);
}

/* Returns an exit code. */
static int
check_head(const struct restore *r, struct dump_line *line, enum dump_read read, const struct err *err)
{
	const char *scope = r->t->config->scope;

	if (read == DUMP_EOF)
		return tool_fail(EX_DATAERR, "%s: is empty", r->reader.name);
	if (read == DUMP_FAILED)
		return tool_fail(EX_IOERR, "%s", err->text);
	if (read == DUMP_WRONG)
		return say(r, EX_DATAERR, err->text);
	if (line->kind != DUMP_HEAD)
		return say(r, EX_DATAERR, "this is not the first line of an export");
	if (line->scope != NULL && scope != NULL && strcmp(line->scope, scope) != 0)
		tool_note("note: these records are of %s, and fingerprints of messages for %s are others: they will match no copy",
		    line->scope, scope);
	free(line->scope);
	return EX_OK;
}

/* All but the first line. Returns an exit code. */
static int
restore_line(struct restore *r, struct dump_line *line)
{
	if (r->ended || line->kind == DUMP_HEAD) {
		free(line->scope);
		wrong_line(r, r->ended ? "it follows the last line of the export" : "a second export begins here");
		return EX_OK;
	}
	if (line->kind == DUMP_RECORD)
		return restore_record(r, line);
	if (line->kind == DUMP_DAMAGED) {
		r->damaged++;
		return EX_OK;
	}
	r->ended = true;
	if (line->records != r->reader.number - 2)
		wrong_line(r, "it counts other records than there are: lines are missing, or there are too many");
	return EX_OK;
}

static int
restore_lines(struct restore *r)
{
	struct dump_line line;
	enum dump_read read;
	struct err err;
	int rc = check_head(r, &line, dump_next(&r->reader, &line, &err), &err);

	while (rc == EX_OK && !tool_stopped() && (read = dump_next(&r->reader, &line, &err)) != DUMP_EOF) {
		progress("lines", r->reader.number);
		if (read == DUMP_FAILED)
			return tool_fail(EX_IOERR, "%s", err.text);
		if (read == DUMP_WRONG)
			wrong_line(r, err.text);
		else
			rc = restore_line(r, &line);
	}
	progress_end();
	return rc;
}

/* What the whole file was like. Returns an exit code. */
static int
judge(const struct restore *r)
{
	if (r->wrong > TOLD)
		tool_note("%s: %llu more lines are wrong", r->reader.name, (unsigned long long)r->wrong - TOLD);
	if (!r->ended)
		return tool_fail(EX_DATAERR, "%s: ends after %llu lines without the last one: it was cut off, and records are missing",
		    r->reader.name, (unsigned long long)r->reader.number - 1);
	return r->wrong > 0 ? EX_DATAERR : EX_OK;
}

static void
print(const struct restore *r)
{
	struct out o;

	if (!r->t->json) {
		printf("%llu record%s %s, %llu of them pending; %llu already there, %llu expired, %llu damaged, %llu wrong\n",
		    (unsigned long long)r->restored, r->restored == 1 ? "" : "s", r->dry ? "would be restored" : "restored",
		    (unsigned long long)r->pending, (unsigned long long)r->present, (unsigned long long)r->expired,
		    (unsigned long long)r->damaged, (unsigned long long)r->wrong);
		return;
	}
	out_begin(&o, true);
	out_flag(&o, "dry_run", r->dry);
	out_flag(&o, "complete", r->ended && r->wrong == 0);
	out_count(&o, "restored", r->restored);
	out_count(&o, "pending", r->pending);
	out_count(&o, "present", r->present);
	out_count(&o, "expired", r->expired);
	out_count(&o, "damaged", r->damaged);
	out_count(&o, "wrong", r->wrong);
	out_end(&o);
}

/* The file is open, and the user is who owns the ledger. */
static int
restore(struct restore *r)
{
	struct err err;
	int rc, worse;

	if (r->t->ledger == NULL)
		return tool_no_ledger("to restore into");
	rc = restore_lines(r);
	worse = r->n > 0 ? flush(r) : EX_OK;	/* also of a file that can't be read to its end */
	rc = rc != EX_OK ? rc : worse;
	if (rc == EX_OK && !tool_stopped())
		rc = judge(r);
	if (!r->dry)
		history_sum(r->t, EVENT_RESTORED, r->restored, r->reader.name);
	if (r->restored > 0 && !r->dry && ledger_sync(r->t->ledger, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (r->reader.number > 1)
		print(r);
	if (tool_stopped())
		tool_note("interrupted: what was restored stays; run it again for the rest");
	return rc;
}

static int
run_restore(struct restore *r, int argc, char **argv)
{
	static const struct option table[] = { { "dry-run", no_argument, NULL, 'n' }, TOOL_OPTIONS };
	struct tool *t = r->t;
	const char *file;
	int rc;

	while (tool_getopt(t, argc, argv, ":n", table, &rc) != -1)
		r->dry = true;
	if (rc != -1)
		return rc;
	if (argc - optind > 1)
		return tool_usage(t, "restore takes one file");
	file = optind < argc ? argv[optind] : "-";
	r->reader.name = strcmp(file, "-") == 0 ? "standard input" : file;
	/* before root becomes the user: the file may be root's */
	r->reader.file = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (r->reader.file == NULL)
		return tool_fail(EX_NOINPUT, "open %s: %s", file, strerror(errno));
	tool_catch_signals();
	t->changing = !r->dry;
	rc = tool_ledger(t);
	if (rc == EX_OK && geteuid() == 0 && (t->ledger == NULL || ledger_has_files(t->ledger)))
		rc = tool_usage(t, "root would make a ledger that nobody else can use: say whose with -d user");
	if (rc == EX_OK)
		rc = restore(r);
	if (r->reader.file != stdin)
		fclose(r->reader.file);
	return rc;
}

static int
run(struct tool *t, int argc, char **argv)
{
	struct restore *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return tool_fail(EX_TEMPFAIL, "no memory");
	r->t = t;
	rc = run_restore(r, argc, argv);
	free(r);
	return rc;
}

const struct command cmd_restore = {
	.name = "restore",
	.synopsis = "[-n] [--json] [FILE]",
	.line = "Take over the records of an export; what the ledger has stays as it is",
	.options = "  -n, --dry-run           only say what would be restored\n",
	.details =
	    "Without FILE, or as '-', standard input. A record is taken where the ledger has none, or one that has expired\n"
	    "or can't be read. Expired ones are left out. Restore only what belongs to the mailbox as it is now: copies of\n"
	    "a message that a restored record calls delivered are discarded. Safe beside deliveries, to interrupt, and to\n"
	    "run again.\n",
	.exits =
	    "  65  the file is damaged or was cut off; its good records have been restored\n"
	    "  66  it can't be opened; 74 it can't be read to its end\n",
	.examples = "  dedupdb -d joe restore joe.jsonl\n",
	.run = run,
};
