/* What a message is to the ledger. */
#include <string.h>

#include "head.h"
#include "judge.h"

const char *const judge_fields[] = { "received", "delivered-to", NULL };

void
judge_begin(struct judgement *j, const struct config *config, const struct message *m, const struct fingerprint *fp, const char *address)
{
	struct head_options head = { .config = config, .address = address };
	const char *const *trusted = (const char *const *)config->trusted_hosts;

	j->config = config;
	j->fp = *fp;
	trace_make(&j->trace, m, trusted);
	if (config->proven)
		trace_key(&j->own, fp, &j->trace);
	j->copy = (struct trace_copy){ .m = m, .trace = &j->trace, .trusted = trusted, .loops = head_tells_loop(&head, m) };
}

static bool
is_known(const struct judgement *j)
{
	return j->claim.state == CLAIM_DUPLICATE || j->claim.state == CLAIM_PENDING;
}

bool
judge_accepts(const struct judgement *j)
{
	return !j->config->proven || j->separate || trace_proves(&j->verdict);
}

/* What is known of it from before stays where there is nothing to compare with. */
static int
ask(struct judgement *j, struct ledger *ledger, bool separate, int64_t now, struct err *err)
{
	j->separate = separate;
	if (ledger_claim(ledger, separate ? &j->own : &j->fp, now, &j->claim, err) == -1)
		return -1;
	if (!is_known(j))
		return 0;
	trace_compare(&j->verdict, &j->claim.record, &j->copy, now);
	j->first = j->claim.record.first;
	j->age = record_age(&j->claim.record, now);
	j->compared = true;
	return 0;
}

/* Its own record comes first: the one of fp may have expired meanwhile, or be another copy's now. */
int
judge_ask(struct judgement *j, struct ledger *ledger, int64_t now, struct err *err)
{
	j->compared = false;
	if (j->config->proven) {
		if (ask(j, ledger, true, now, err) == -1)
			return -1;
		if (is_known(j))
			return 0;
	}
	if (ask(j, ledger, false, now, err) == -1)
		return -1;
	if (!is_known(j) || judge_accepts(j) || (j->claim.state == CLAIM_PENDING && !j->passed))
		return 0;
	return ask(j, ledger, true, now, err);
}
