/*
 * dedupdb verify: is all well with the ledger?
 *
 * It looks at a copy, and opens that as the next delivery would open the ledger: with a recovery and a look at every page. So nothing that
 * is found changes the ledger. Most of the copy is made while deliveries go on; they wait only while it is made consistent.
 * Pending records are compared with the mailboxes that they name. A ledger without files is read where it is, after its servers' settings.
 */
#include <sys/stat.h>

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mailbox.h"
#include "tool.h"

#define TMP "/var/tmp"	/* on disk: a ledger can be large */
#define AT_WORK 3600	/* s; a younger pending record may be a delivery at work */
#define TOLD 10		/* records of one kind that are told one by one */
#define FINDINGS (2 * TOLD + 4)

struct finding {
	char problem[ERR_TEXT];
	char advice[160];
};

struct verify {
	struct tool *t;
	char *folder;		/* of the copy */
	struct ledger *ledger;	/* the copy */
	struct ledger_copy copy;
	struct ledger_stat stat;	/* of the ledger itself */
	char damage[ERR_TEXT];	/* the first thing that the copy complained of */
	bool served;		/* it has no files: there is no copy */
	bool damaged;		/* the database, or its server: no record is known then */
	uint64_t records, delivered, pending, unreadable;
	uint64_t staged, published, absent, unreachable, unfinished;
	size_t found;
	struct finding findings[FINDINGS];
};

static struct finding *
find(struct verify *v, const char *advice)
{
	struct finding *f = &v->findings[v->found++];

	snprintf(f->advice, sizeof(f->advice), "%s", advice);
	return f;
}

/* --- the records --- */

static void
unreadable(struct verify *v, const char *hex)
{
	struct finding *f;

	if (v->unreadable++ >= TOLD)
		return;
	f = find(v, "the next copy of its message is delivered and replaces it; or ");
	snprintf(f->problem, sizeof(f->problem), "record %s can't be read", hex);
	snprintf(f->advice + strlen(f->advice), sizeof(f->advice) - strlen(f->advice), "'dedupdb forget %.*s'", FINGERPRINT_TAG, hex);
}

static void
unreachable(struct verify *v, const char *hex, const struct err *err)
{
	struct finding *f;

	if (v->unreachable++ >= TOLD)
		return;
	f = find(v, "mount or mend the mailbox, then run 'dedupdb recover'");
	snprintf(f->problem, sizeof(f->problem), "%.*s is pending, and its mailbox can't be looked at: %.400s", FINGERPRINT_TAG, hex,
	    err->text);
}

static void
look(struct verify *v, const struct record *record, const char *hex)
{
	const struct mailbox_ops *ops = mailbox_of_intent(&record->intent);
	enum looked looked = LOOKED_FAILED;
	struct err err;

	v->pending++;
	if (v->served && geteuid() == 0)
		return;		/* root looks into no user's mailbox */
	if (ops == NULL)
		err_set(&err, STATUS_TEMP, "its intent is of no known kind");
	else
		looked = ops->look(record, &err);
	if (looked == LOOKED_FAILED && ops != NULL && v->served)
		return;		/* it may be another user's, or another host's */
	if (looked == LOOKED_FAILED)
		unreachable(v, hex, &err);
	else if (looked == LOOKED_ABSENT)
		v->absent++;
	else {
		(*(looked == LOOKED_STAGED ? &v->staged : &v->published))++;
		if (v->t->now - record->decided > AT_WORK)
			v->unfinished++;
	}
}

static int
visit(void *arg, struct claim *claim, struct err *err)
{
	struct verify *v = arg;
	char hex[FINGERPRINT_HEX];

	(void)err;
	progress("records", ++v->records);
	fingerprint_hex(&claim->fp, hex);
	if (claim->record.state == RECORD_PENDING)
		look(v, &claim->record, hex);
	else if (claim->record.state == RECORD_DELIVERED)
		v->delivered++;
	else
		unreadable(v, hex);
	return tool_stopped() != 0;
}

/* --- the copy --- */

static int
make_folder_in(struct verify *v, const char *place)
{
	int why;

	if (asprintf(&v->folder, "%s/dedupdb-verify.XXXXXX", place) == -1)
		why = ENOMEM;
	else if (mkdtemp(v->folder) != NULL)
		return EX_OK;
	else {
		why = errno;
		free(v->folder);
	}
	v->folder = NULL;
	/* root's own TMPDIR, where the user may do nothing */
	if (why == EACCES && strcmp(place, TMP) != 0)
		return make_folder_in(v, TMP);
	return tool_fail(EX_TEMPFAIL, "make a folder in %s: %s; TMPDIR names another place", place, strerror(why));
}

static int
make_folder(struct verify *v)
{
	const char *place = getenv("TMPDIR");

	return make_folder_in(v, place != NULL && place[0] == '/' ? place : TMP);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void
remove_folder(struct verify *v)
{
	ledger_close(&v->ledger);
	if (v->folder != NULL)
		(void)nftw(v->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(v->folder);
}

/* That it has to be recovered is no news: every copy has. */
static void
complain(void *arg, const char *text)
{
	struct verify *v = arg;
	size_t len = strlen("ledger ") + strlen(v->folder) + strlen(": ");

	text += strlen(text) > len ? len : 0;
	if (v->damage[0] == '\0' && strncmp(text, "recovering", strlen("recovering")) != 0)
		snprintf(v->damage, sizeof(v->damage), "%.400s", text);
}

static int
open_copy(struct verify *v, struct err *err)
{
	struct ledger_options options;
	char *url;
	int ret;

	memset(&options, 0, sizeof(options));
	config_ledger_options(v->t->config, &options);
	if (asprintf(&url, "bdb:%s", v->folder) == -1)
		return err_sys(err, "open the copy", NULL);
	options.url = url;
	options.create = true;
	options.notice = complain;
	options.notice_arg = v;
	ret = ledger_open(&v->ledger, &options, err);
	free(url);
	return ret;
}

/* The records of a server are read as they are. Returns an exit code. */
static int
examine_served(struct verify *v)
{
	struct ledger_needs needs;
	struct finding *f;
	struct err err;

	v->served = v->copy.exists = v->copy.valid = true;
	if (ledger_prepare(v->t->ledger, &needs, &err) == -1) {
		v->damaged = true;
		f = find(v, "until that is mended, on-ledger-failure says what becomes of mail");
		snprintf(f->problem, sizeof(f->problem), "%.500s", err.text);
		return EX_OK;
	}
	if (ledger_stat(v->t->ledger, &v->stat, &err) == -1 || ledger_each(v->t->ledger, v->t->now, visit, v, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	return EX_OK;
}

/* Returns an exit code. */
static int
examine(struct verify *v)
{
	struct ledger_stat stat;
	struct err err;
	int rc;

	if (!ledger_has_files(v->t->ledger))
		return examine_served(v);
	rc = make_folder(v);
	if (rc != EX_OK)
		return rc;
	if (ledger_stat(v->t->ledger, &v->stat, &err) == -1 || ledger_copy(v->t->ledger, v->folder, &v->copy, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (!v->copy.exists)
		return EX_OK;
	if (open_copy(v, &err) == -1 || ledger_each(v->ledger, v->t->now, visit, v, &err) == -1 ||
	    ledger_stat(v->ledger, &stat, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	v->damaged = stat.set_aside != 0;	/* the copy has lost its records as the ledger will */
	return EX_OK;
}

/* --- the verdict --- */

static void
sum_up(struct verify *v)
{
	struct finding *f;

	if (v->damaged && !v->served) {
		f = find(v, "the next delivery sets it aside as env.bad.TIME and starts afresh; bring an export back with 'dedupdb restore'");
		snprintf(f->problem, sizeof(f->problem), "the database is damaged: %.400s", v->damage);
	}
	if (v->copy.failures > 0) {
		f = find(v, "is the disk full or broken? The log says more");
		snprintf(f->problem, sizeof(f->problem), "repairs that failed in a row: %llu", (unsigned long long)v->copy.failures);
	}
	if (v->unfinished > 0) {
		f = find(v, "run 'dedupdb recover'");
		snprintf(f->problem, sizeof(f->problem), "deliveries that did not finish, older than an hour: %llu",
		    (unsigned long long)v->unfinished);
	}
}

static const char *
state(const struct verify *v)
{
	if (!v->copy.exists)
		return "there is none yet; the first delivery makes it";
	if (v->served)
		return v->damaged ? "it can't be used" : "kept by a server";
	if (!v->copy.valid)
		return "its header can't be read; the next delivery recovers";
	return v->copy.repair == NULL ? "clean" : v->copy.repair;
}

static void
print_counts(const struct verify *v, struct out *o)
{
	out_count(o, "records", v->records);
	out_count(o, "delivered", v->delivered);
	out_count(o, "unreadable", v->unreadable);
	out_count(o, "pending", v->pending);
	if (v->pending == 0 && o->object == NULL)
		return;
	out_count(o, "staged", v->staged);
	out_count(o, "published", v->published);
	out_count(o, "absent", v->absent);
	out_count(o, "unreachable", v->unreachable);
}

static void
print(const struct verify *v)
{
	struct out o, item;
	size_t i;

	tool_out_begin(v->t, &o);
	out_text(&o, "ledger", v->t->config->ledger_url);
	out_text(&o, "state", v->t->ledger == NULL ? "no ledger by configuration" : state(v));
	out_text(&o, "database", !v->copy.exists || (v->served && v->damaged) ? NULL : v->damaged ? "damaged" : "sound");
	out_size(&o, "size", v->stat.bytes);
	if (v->stat.set_aside != 0)
		out_time(&o, "set_aside_last", v->stat.set_aside_last, v->t->now);
	else
		out_text(&o, "set_aside_last", NULL);
	if (!v->damaged)
		print_counts(v, &o);
	out_count(&o, "waited_ms", (uint64_t)v->copy.held_ms);
	out_text(&o, "verdict", v->found > 0 ? "not well" : "well");
	out_array(&o, "problems");
	for (i = 0; i < v->found; i++) {
		out_item(&item, &o, "problems");
		out_text(&item, "problem", v->findings[i].problem);
		out_text(&item, "advice", v->findings[i].advice);
	}
	out_end(&o);
}

static int
verify(struct verify *v)
{
	int rc = v->t->ledger == NULL ? EX_OK : examine(v);

	progress_end();
	remove_folder(v);
	if (rc != EX_OK || tool_stopped())
		return rc;
	sum_up(v);
	print(v);
	return v->found > 0 ? EXIT_UNKNOWN : EX_OK;
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	struct verify v = { .t = t };
	int rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "verify takes no arguments");
	tool_catch_signals();
	rc = tool_ledger(t);
	return rc != EX_OK ? rc : verify(&v);
}

const struct command cmd_verify = {
	.name = "verify",
	.synopsis = "[--json]",
	.line = "Check database, records and pending deliveries: exit 1 with what is wrong and what to do",
	.details =
	    "Changes nothing. A copy of the database is checked. It is made beside deliveries, which wait only at its end, for\n"
	    "waited_ms. It needs as much room as the ledger, in TMPDIR or /var/tmp. Of pending deliveries the message is staged (recover\n"
	    "publishes it), published, or absent (moved by a reader, or the next copy is delivered), or its mailbox is\n"
	    "unreachable. A ledger in Redis is read as it is, without a copy, and the settings of its servers are checked.\n",
	.exits = "  1   something is wrong: what, and what to do, is printed\n",
	.examples =
	    "  dedupdb -d joe verify\n"
	    "  dedupdb -A verify    for all users\n",
	.flags = COMMAND_ALL | COMMAND_ASKS,
	.run = run,
};
