/*
 * dedupdb import: record what a mailbox already holds, so that no further copy of it is delivered.
 *
 * Messages are read for some seconds, and then recorded, in short sections of the ledger. Nothing that has a record is changed, so an
 * import can be interrupted, killed and run again at any time.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "history.h"
#include "identify.h"
#include "mailbox_reader.h"
#include "special_folder.h"
#include "tool.h"

#define BATCH 65536	/* fingerprints that are recorded together, in their order: neighbours are on the same page */
#define FLUSH_MS 3000	/* how much reading a kill may cost */
#define TRIES 3		/* an mbox that is rewritten meanwhile is read again */

struct names {
	const char **names;
	size_t count;
};

struct counts {
	uint64_t messages;	/* were read */
	uint64_t known;		/* fingerprints that had a record */
	uint64_t older, drafts, unidentified, unreadable;
};

struct import {
	struct tool *t;
	bool dry_run;
	struct names also, skip;	/* folders */
	struct mailbox_reader *reader;
	struct progress progress;
	uint64_t visited;
	struct imported batch[BATCH];
	size_t n;
	int64_t flushed;		/* clock_ms() */
	uint64_t recorded;
	bool no_ledger;			/* it has failed */
	struct counts counts;
	struct out out;
	const char *path;		/* of the mailbox that is read */
};

static bool
is_named(const struct names *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		if (strcmp(n->names[i], name) == 0)
			return true;
	return false;
}

static void
say_skipped(struct import *im, const char *folder)
{
	struct out item;

	out_item(&item, &im->out, "skipped");
	if (im->t->json) {
		out_text(&item, "mailbox", im->path);
		out_text(&item, "folder", folder);
	} else
		tool_note("%s: folder %s is left out; --also '%s' reads it", im->path, folder, folder);
}

/* Copies of own mail that a mail reader put there were not delivered: a delivered one, perhaps through a list, is no duplicate of them. */
static bool
wanted(void *arg, const char *folder)
{
	struct import *im = arg;

	if (!is_named(&im->skip, folder) && (is_named(&im->also, folder) || !special_folder(folder)))
		return true;
	say_skipped(im, folder);
	return false;
}

static int
by_fingerprint(const void *a, const void *b)
{
	const struct imported *left = a, *right = b;

	return memcmp(left->fp.bytes, right->fp.bytes, sizeof(left->fp.bytes));
}

/* Only asks. */
static int
look_up(struct import *im, uint64_t *absent, struct err *err)
{
	struct claim claim;
	size_t i;

	*absent = 0;
	for (i = 0; i < im->n; i++) {
		if (i > 0 && by_fingerprint(&im->batch[i], &im->batch[i - 1]) == 0)
			continue;	/* the one before is what it is a copy of */
		if (im->t->ledger != NULL && ledger_claim(im->t->ledger, &im->batch[i].fp, im->t->now, &claim, err) == -1)
			return -1;
		*absent += im->t->ledger == NULL || (claim.state == CLAIM_NEW && (!claim.present || claim.record.state != 0));
	}
	return 0;
}

static int
flush(struct import *im, struct err *err)
{
	uint64_t added = 0;
	int ret;

	if (im->n == 0)
		return 0;
	qsort(im->batch, im->n, sizeof(im->batch[0]), by_fingerprint);
	ret = im->dry_run ? look_up(im, &added, err) : ledger_import(im->t->ledger, im->batch, im->n, im->t->now, &added, err);
	im->recorded += added;
	im->no_ledger = im->no_ledger || ret == -1;
	if (ret == 0)
		im->counts.known += im->n - added;
	im->n = 0;
	im->flushed = clock_ms();
	return ret;
}

/* The fingerprint of the message when it is read in this way. Returns 1, 0 none, or -1. */
static int
identify_mail(struct import *im, enum mbox_quoting quoting, struct fingerprint *fp, struct err *err)
{
	const struct identify how = { .config = im->t->config, .spill = &sink_nowhere };
	struct message *m = NULL;
	int found = identify_from(&how, mail_bytes(im->reader, quoting), &m, fp, err);

	message_free(&m);
	return found;
}

static int
add(struct import *im, const struct fingerprint *fp, int64_t first, struct err *err)
{
	im->batch[im->n].fp = *fp;
	im->batch[im->n].first = first;
	return ++im->n == BATCH || clock_ms() - im->flushed >= FLUSH_MS ? flush(im, err) : 0;
}

static bool
is_among(const struct fingerprint *fp, const struct fingerprint *others, size_t n)
{
	while (n > 0)
		if (memcmp(others[--n].bytes, fp->bytes, sizeof(fp->bytes)) == 0)
			return true;
	return false;
}

#define UNREAD (-2)

/* An mbox does not say which lines its writer has quoted. Each way to read it gets a record: the one that is right is among them, and
 * the others are of no message. Returns as identify_mail(), or UNREAD for its -1: the message, not the ledger, is what failed. */
static int
add_readings(struct import *im, const struct mail *mail, struct err *err)
{
	static const enum mbox_quoting ways[] = { MBOX_RD, MBOX_AS_IT_IS, MBOX_O };
	struct fingerprint fp[3];
	size_t i, n = 1;
	int found = 1;

	for (i = 0; i < n && found == 1; i++) {
		found = identify_mail(im, ways[i], &fp[i], err);
		if (i == 0 && mail->quoted != 0)
			n = mail->quoted == (MAIL_QUOTED_ONCE | MAIL_QUOTED_MORE) ? 3 : 2;
		/* they are the same where only a header line is quoted that does not count */
		if (found == 1 && !is_among(&fp[i], fp, i) && add(im, &fp[i], mail->date, err) == -1)
			return -1;
	}
	return found == -1 ? UNREAD : found;
}

static int
tick(void *arg, uint64_t done)
{
	struct import *im = arg;

	progress_at(&im->progress, ++im->visited, done);
	return tool_stopped() != 0;
}

static int
visit(void *arg, struct mail *mail, struct err *err)
{
	struct import *im = arg;
	int found;

	if (tick(im, mail->done) != 0)
		return 1;
	if (mail->flags & MAIL_DRAFT) {
		im->counts.drafts++;
		return 0;
	}
	found = add_readings(im, mail, err);
	if (found == UNREAD && mailbox_reader_kind(im->reader) == READER_MAILDIR) {
		im->counts.unreadable++;
		tool_note("%s: %s", mail->path, err->text);
		return 0;
	}
	if (found < 0)
		return -1;
	im->counts.messages++;
	im->counts.unidentified += found == 0;
	return 0;
}

/* All of a mailbox that could be opened. */
static enum reader_end
read_mailbox(struct import *im, struct err *err)
{
	struct counts before = im->counts;
	const struct reader_left_out *left_out;
	enum reader_end end = READER_CHANGED;
	int tries;

	for (tries = 0; tries < TRIES && end == READER_CHANGED; tries++) {
		im->counts = before;
		im->visited = 0;
		progress_begin(&im->progress, "import", "messages", mailbox_reader_total(im->reader));
		end = mailbox_reader_each(im->reader, visit, im, err);
		/* What was read before a failure counts, too. */
		if (end != READER_CHANGED && flush(im, end == READER_FAILED ? NULL : err) == -1)
			end = READER_FAILED;
	}
	progress_end();
	left_out = mailbox_reader_left_out(im->reader);
	im->counts.older += left_out->old;
	im->counts.unreadable += left_out->unreadable;
	if (left_out->unreadable > 0)
		tool_note("%" PRIu64 " messages could not be read, the first one: %s", left_out->unreadable, left_out->err.text);
	return end;
}

/* Returns an exit code. */
static int
import_mailbox(struct import *im, char *path)
{
	const struct reader_options options = { .path = path, .now = im->t->now, .since = im->t->now - im->t->config->window,
		.wanted = wanted, .tick = tick, .arg = im, .lock_timeout_ms = config_ms(im->t->config->lock_timeout) };
	size_t len = strlen(path);
	enum reader_end end;
	const char *base;
	struct err err;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	im->path = path;
	base = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	if (*base != '\0' && !wanted(im, *base == '.' ? base + 1 : base))
		return EX_OK;
	if (mailbox_reader_open(&im->reader, &options, &err) == -1)
		return tool_err(&err, EX_NOINPUT);
	end = read_mailbox(im, &err);
	mailbox_reader_close(&im->reader);
	if (end == READER_CHANGED || end == READER_FAILED)
		return tool_err(&err, im->no_ledger ? EX_UNAVAILABLE : EX_TEMPFAIL);
	return im->counts.unreadable > 0 ? EX_NOINPUT : EX_OK;
}

static void
print(struct import *im)
{
	const struct counts *c = &im->counts;
	struct out *o = &im->out;

	out_count(o, im->dry_run ? "would record" : "recorded", im->recorded);
	out_count(o, "known", c->known);
	out_count(o, "too old", c->older);
	out_count(o, "drafts", c->drafts);
	out_count(o, "not identified", c->unidentified);
	out_count(o, "unreadable", c->unreadable);
}

static void
print_json(struct import *im)
{
	const struct counts *c = &im->counts;
	struct out *o = &im->out;

	out_array(o, "skipped");
	out_flag(o, "dry_run", im->dry_run);
	out_count(o, "messages", c->messages);
	out_count(o, "recorded", im->recorded);
	out_count(o, "known", c->known);
	out_count(o, "older", c->older);
	out_count(o, "drafts", c->drafts);
	out_count(o, "unidentified", c->unidentified);
	out_count(o, "unreadable", c->unreadable);
	out_flag(o, "interrupted", tool_stopped() != 0);
	out_end(o);
}

static int
import_all(struct import *im, int count, char **paths)
{
	struct err err;
	uint64_t before;
	int i, one, rc = EX_OK;

	out_begin(&im->out, im->t->json);
	for (i = 0; i < count && !tool_stopped(); i++) {
		before = im->recorded;
		one = import_mailbox(im, paths[i]);
		if (!im->dry_run)
			history_sum(im->t, EVENT_IMPORTED, im->recorded - before, paths[i]);
		if (one != EX_OK)
			rc = one;
	}
	if (!im->dry_run && im->recorded > 0 && ledger_sync(im->t->ledger, &err) == -1)
		rc = tool_err(&err, EX_UNAVAILABLE);
	if (im->t->json)
		print_json(im);
	else
		print(im);
	if (tool_stopped())
		tool_note("interrupted: run it again to go on; what is recorded already is only read");
	return rc;
}

static int
take_name(struct names *n, const char *name)
{
	const char **grown = reallocarray(n->names, n->count + 1, sizeof(*grown));

	if (grown == NULL)
		return tool_fail(EX_TEMPFAIL, "no memory");
	grown[n->count++] = name;
	n->names = grown;
	return EX_OK;
}

/* Returns an exit code, or -1 to go on. */
static int
read_options(struct import *im, int argc, char **argv)
{
	enum { ALSO = OPTION_FIRST, SKIP };
	static const struct option table[] = { { "dry-run", no_argument, NULL, 'n' }, { "also", required_argument, NULL, ALSO },
		{ "skip", required_argument, NULL, SKIP }, TOOL_ADDRESS, TOOL_OPTIONS };
	int c, rc, taken = EX_OK;

	while ((c = tool_getopt(im->t, argc, argv, ":a:n", table, &rc)) != -1 && taken == EX_OK) {
		if (c == 'a')
			im->t->address = optarg;
		else if (c == 'n')
			im->dry_run = true;
		else
			taken = take_name(c == ALSO ? &im->also : &im->skip, optarg);
	}
	return rc != -1 ? rc : taken != EX_OK ? taken : -1;
}

static int
run_import(struct import *im, int argc, char **argv)
{
	int rc = read_options(im, argc, argv);

	if (rc != -1)
		return rc;
	if (optind == argc)
		return tool_usage(im->t, "import takes one mailbox or more, each a Maildir or an mbox");
	tool_catch_signals();
	im->t->changing = !im->dry_run;
	rc = tool_ledger(im->t);
	if (rc != EX_OK)
		return rc;
	if (im->t->ledger == NULL)
		return tool_no_ledger("to import into");
	if (im->t->config->each_alias && im->t->address == NULL)
		return tool_usage(im->t, "with alias-copies = each the recipient counts: give it with -a address");
	return import_all(im, argc - optind, argv + optind);
}

static int
run(struct tool *t, int argc, char **argv)
{
	struct import *im = calloc(1, sizeof(*im));
	int rc;

	if (im == NULL)
		return tool_fail(EX_TEMPFAIL, "no memory");
	im->t = t;
	im->flushed = clock_ms();
	rc = run_import(im, argc, argv);
	free(im->also.names);
	free(im->skip.names);
	free(im);
	return rc;
}

const struct command cmd_import = {
	.name = "import",
	.synopsis = "[-n] [--also=FOLDER]... [--skip=FOLDER]... [-a ADDRESS] [--json] MAILBOX...",
	.line = "Record what a Maildir or mbox already holds, so that no further copy of it is delivered",
	.options =
	    "  -n, --dry-run           record nothing, only say how much there is\n"
	    "      --also=FOLDER       read this folder, too: Sent, Drafts, Trash and the like are left out\n"
	    "      --skip=FOLDER       leave this folder out\n"
	    TOOL_ADDRESS_HELP,
	.details =
	    "MAILBOX is a Maildir, with its folders, or an mbox. Messages that were delivered before the window are left\n"
	    "out. What has a record is not changed: an import can be interrupted and run again.\n",
	.exits = "  66  a mailbox, or a message of it, can't be read; the others were recorded\n",
	.examples =
	    "  dedupdb -d joe import --dry-run /home/joe/Maildir\n"
	    "  dedupdb -d joe import --also=Sent /home/joe/Maildir /var/mail/joe\n",
	.flags = COMMAND_MAILBOX,
	.run = run,
};
