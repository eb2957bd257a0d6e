/*
 * From a message in a file to its fingerprint and what the ledger says to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "identify.h"
#include "lookup.h"

static int
open_file(const char *file, int *fd)
{
	*fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *fd == -1 ? tool_fail(EX_NOINPUT, "%s: %s", file, strerror(errno)) : EX_OK;
}

/* Returns an exit code. */
static int
ask_ledger(struct lookup *l, struct tool *t)
{
	struct err err;

	if (t->ledger == NULL || !l->identified)
		return EX_OK;
	if (ledger_claim(t->ledger, &l->fp, t->now, &l->claim, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	if (l->m == NULL)
		l->judged.claim = l->claim;
	else {
		judge_begin(&l->judged, t->config, l->m, &l->fp, t->address);
		if (judge_ask(&l->judged, t->ledger, t->now, &err) == -1)
			return tool_err(&err, EX_UNAVAILABLE);
	}
	l->known = true;
	return EX_OK;
}

int
lookup_fingerprint(struct lookup *l, struct tool *t, const struct fingerprint *fp)
{
	memset(l, 0, sizeof(*l));
	l->fp = *fp;
	l->identified = true;
	return ask_ledger(l, t);
}

int
lookup_message(struct lookup *l, struct tool *t, const char *file, fingerprint_input *explain, void *arg)
{
	const struct identify how = {
		.config = t->config,
		.also = judge_fields,
		.spill = &sink_nowhere,
		.explain = explain,
		.explain_arg = arg,
	};
	struct err err;
	int fd, rc, found;

	memset(l, 0, sizeof(*l));
	if (t->config->each_alias && t->address == NULL)
		return tool_fail(EX_USAGE, "with alias-copies = each the recipient counts: give it with -a address");
	rc = open_file(file, &fd);
	if (rc != EX_OK)
		return rc;
	found = identify(&how, fd, &l->m, &l->fp, &err);
	if (fd != STDIN_FILENO)
		close(fd);
	if (found == -1)
		return tool_err(&err, EX_TEMPFAIL);
	l->identified = found == 1;
	return ask_ledger(l, t);
}

void
lookup_free(struct lookup *l)
{
	message_free(&l->m);
}

const char *
lookup_verdict(const struct lookup *l)
{
	if (!l->identified)
		return "unidentified";
	if (!l->known)
		return "unknown";
	switch (l->judged.claim.state) {
	case CLAIM_DUPLICATE:
		return "duplicate";
	case CLAIM_PENDING:
		return "pending";
	default:
		return "new";
	}
}

static const char *
duplicate_fate(const struct config *c)
{
	switch (c->on_duplicate) {
	case DUPLICATE_FOLDER:
		return "is filed in the folder for duplicates";
	case DUPLICATE_TAG:
		return "is delivered with a tag";
	default:
		return "is discarded";
	}
}

/* For a copy that has been compared. It may be the very one that the mailbox has. */
static void
add_way(const struct lookup *l, char why[LOOKUP_WHY])
{
	struct event event = { .kind = EVENT_DUPLICATE };
	char words[TRACE_WORDS];
	size_t n = strlen(why);

	if (!l->judged.compared)
		return;
	trace_tell(&event, &l->judged.verdict);
	trace_words(&event, words);
	if (l->judged.verdict.proof == PROOF_SAME_CHAIN)
		snprintf(why + n, LOOKUP_WHY - n, "; this one came the same way");
	else if (words[0] != '\0')
		snprintf(why + n, LOOKUP_WHY - n, "; this one: %s", words);
}

static void
known_why(const struct lookup *l, const struct tool *t, char why[LOOKUP_WHY])
{
	const struct judgement *j = &l->judged;
	const struct record *r = &j->claim.record;
	const char *proved = t->config->proven && l->m == NULL ? ", if it is proved to be a copy," : "";
	char first[AGE_TEXT], until[AGE_TEXT];

	time_text(r->first, t->json, first);
	time_text(r->first + t->config->window, t->json, until);
	if (j->claim.state == CLAIM_DUPLICATE)
		snprintf(why, LOOKUP_WHY, "a copy was delivered at %s; until %s another one%s %s", first, until, proved,
		    duplicate_fate(t->config));
	else if (j->claim.state == CLAIM_PENDING)
		snprintf(why, LOOKUP_WHY, "a delivery was decided at %s and did not finish; the next copy finishes it%s", first,
		    l->m == NULL || judge_accepts(j) ? "" : ", and is delivered as well: nothing proves that it is one");
	else if (j->separate && j->compared) {
		time_text(j->first, t->json, first);
		snprintf(why, LOOKUP_WHY, "a message with this fingerprint was delivered at %s, but nothing proves that this is a copy of it",
		    first);
	} else if (!j->claim.present)
		snprintf(why, LOOKUP_WHY, "the ledger does not know it: the next copy is delivered and recorded");
	else if (r->state == RECORD_DELIVERED)
		snprintf(why, LOOKUP_WHY, "a copy was delivered at %s, but that counts only until %s", first, until);
	else
		snprintf(why, LOOKUP_WHY, "its record can't be read: the next copy is delivered and replaces it");
}

void
lookup_why(const struct lookup *l, const struct tool *t, char why[LOOKUP_WHY])
{
	if (!l->identified)
		snprintf(why, LOOKUP_WHY, "it has neither Message-ID nor Date: every copy is delivered, none is recorded");
	else if (!l->known)
		snprintf(why, LOOKUP_WHY, "there is no ledger to ask");
	else {
		known_why(l, t, why);
		add_way(l, why);
	}
}
