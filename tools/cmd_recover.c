/*
 * dedupdb recover: finish what crashes left behind. Safe to run at any time, beside deliveries, and to interrupt.
 */
#include <sys/stat.h>

#include <limits.h>
#include <string.h>

#include "fs.h"
#include "mailbox.h"
#include "recover.h"
#include "tool.h"

struct recovery {
	struct tool *t;
	struct mailbox_options base;
	uint64_t settled, dropped, left, failed, swept;
};

/* A ledger that hosts share may have other users' records as well, whose mailboxes are not ours to touch. */
static bool
is_ours(const struct recovery *r, const struct intent *intent)
{
	const struct mailbox_ops *ops = mailbox_of_intent(intent);
	const char *mailbox = r->t->config->mailbox_path;
	size_t len = strlen(mailbox);
	char path[PATH_MAX];

	if (r->base.host == NULL || ops == NULL || ops->intent_path(intent, path, sizeof(path)) == -1)
		return true;
	return strncmp(path, mailbox, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* One record, settled while it is visited: nothing is locked then. */
static int
visit(void *arg, struct claim *claim, struct err *err)
{
	struct recovery *r = arg;
	enum recovered result = RECOVER_LEFT;
	char hex[FINGERPRINT_HEX];
	struct err why;

	(void)err;
	if (tool_stopped())
		return 1;
	if (claim->state != CLAIM_PENDING || !is_ours(r, &claim->record.intent))
		return 0;
	progress("pending records", r->settled + r->dropped + r->left + r->failed);
	fingerprint_hex(&claim->fp, hex);
	/* Now, not when -A began: a stage that is missing proves something as long as nobody cleans up after it. */
	if (recover_record(r->t->ledger, claim, &r->base, clock_now(), r->t->config->window, &result, &why) == -1) {
		r->failed++;
		tool_note("%.*s stays pending: %s", FINGERPRINT_TAG, hex, why.text);
		return 0;	/* the other ones may do better */
	}
	if (result == RECOVER_SETTLED)
		r->settled++;
	else if (result == RECOVER_DROPPED)
		r->dropped++;
	else if (result == RECOVER_LEFT)
		r->left++;
	return 0;
}

/* A mailbox that is not there is not made for this. Where hosts share the ledger it may be the folder of many, as in is_ours(). */
static bool
is_there(const struct recovery *r)
{
	char tmp[PATH_MAX];
	struct stat st;

	snprintf(tmp, sizeof(tmp), "%s%s", r->base.path, r->base.host != NULL ? "/tmp" : "");
	return stat(tmp, &st) == 0;
}

/* Returns an exit code. */
static int
sweep(struct recovery *r)
{
	const struct mailbox_ops *ops = r->t->config->mailbox_ops;
	struct mailbox *box = NULL;
	struct err err;
	int n;

	if (ops == NULL || ops->sweep == NULL || !is_there(r))
		return EX_OK;
	if (ops->open(&box, &r->base, &err) == -1)
		return tool_err(&err, EX_TEMPFAIL);
	n = recover_sweep(r->t->ledger, box, clock_now(), &err);
	ops->close(&box);
	if (n == -1)
		return tool_err(&err, EX_TEMPFAIL);
	r->swept = (uint64_t)n;
	return EX_OK;
}

static int
recover(struct recovery *r)
{
	struct ledger_stat s = { .exists = false };
	struct err err;
	int rc = EX_OK;

	if (r->t->ledger == NULL)
		return EX_OK;
	if (ledger_stat(r->t->ledger, &s, &err) == -1 || ledger_each_pending(r->t->ledger, r->t->now, visit, r, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	progress_end();
	/* a ledger that is missing can't say which stages are named */
	if (s.exists && !tool_stopped())
		rc = sweep(r);
	return r->failed > 0 ? EX_TEMPFAIL : rc;
}

static void
print(const struct recovery *r)
{
	struct out o;

	if (!r->t->json) {
		if (r->t->all && r->settled + r->left + r->dropped + r->failed + r->swept == 0)
			return;		/* of most users, most hours */
		tool_line_begin(r->t);
		printf("%llu settled, %llu left, %llu dropped, %llu failed; %llu left-over files removed\n",
		    (unsigned long long)r->settled, (unsigned long long)r->left, (unsigned long long)r->dropped,
		    (unsigned long long)r->failed, (unsigned long long)r->swept);
		return;
	}
	tool_out_begin(r->t, &o);
	out_count(&o, "settled", r->settled);
	out_count(&o, "left", r->left);
	out_count(&o, "dropped", r->dropped);
	out_count(&o, "failed", r->failed);
	out_count(&o, "swept", r->swept);
	out_end(&o);
}

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { TOOL_OPTIONS };
	struct recovery r = { .t = t };
	int rc;

	tool_getopt(t, argc, argv, ":", table, &rc);
	if (rc != -1)
		return rc;
	if (optind < argc)
		return tool_usage(t, "recover takes no arguments");
	tool_catch_signals();
	rc = tool_ledger(t);
	if (rc != EX_OK)
		return rc;
	config_mailbox_options(t->config, &r.base);
	r.base.existing = true;
	r.base.notice = tool_notice;
	rc = recover(&r);
	print(&r);
	return rc;
}

const struct command cmd_recover = {
	.name = "recover",
	.synopsis = "[--json]",
	.line = "Finish pending publications; run it at boot and hourly",
	.details =
	    "settled: published, now or before. left: the next copy of the message has to decide, or another host has to\n"
	    "finish it. dropped: it can't be finished any more and is older than the window. failed: something was in the\n"
	    "way, which is printed. Of a ledger that hosts share, only records of this mailbox count.\n",
	.flags = COMMAND_MAILBOX | COMMAND_ALL,
	.exits = "  75  something failed; the next run tries again\n",
	.examples =
	    "  dedupdb recover\n"
	    "  dedupdb -A recover    for all users: at boot and each hour\n",
	.run = run,
};
