/* What a message is to the ledger. */
#include <string.h>

#include "head.h"
#include "judge.h"

#define SEPARATE_MAX 64	/* records that are looked at for one */

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
is_known(const struct claim *claim)
{
	return claim->state == CLAIM_DUPLICATE || claim->state == CLAIM_PENDING;
}

bool
judge_accepts(const struct judgement *j)
{
	return !j->config->proven || j->separate || trace_proves(&j->verdict);
}

/* What is known of it from before stays where there is nothing to compare with. */
static int
ask(struct judgement *j, struct ledger *ledger, const struct fingerprint *key, int64_t now, struct err *err)
{
	j->separate = memcmp(key, &j->fp, sizeof(*key)) != 0;
	if (ledger_claim(ledger, key, now, &j->claim, err) == -1)
		return -1;
	if (!is_known(&j->claim))
		return 0;
	trace_compare(&j->verdict, &j->claim.record, &j->copy, now);
	j->first = j->claim.record.first;
	j->age = record_age(&j->claim.record, now);
	j->compared = true;
	return 0;
}

/* The records of separate copies, which all begin as the fingerprint does. */
struct search {
	const struct judgement *j;
	int64_t now;
	unsigned int seen;
	struct fingerprint *found;
};

static int
look_at(void *arg, struct claim *claim, struct err *err)
{
	struct search *s = arg;
	struct verdict v;

	(void)err;
	if (is_known(claim)) {
		trace_compare(&v, &claim->record, &s->j->copy, s->now);
		if (trace_proves(&v)) {
			*s->found = claim->fp;
			return 1;
		}
	}
	return ++s->seen == SEPARATE_MAX;
}

/* The key of a separate copy of which this one is proved to be a copy; if there is none, found stays. Such a walk copies records in large
 * batches: it is for those who have found the fingerprint already. */
static int
find_other(const struct judgement *j, struct ledger *ledger, int64_t now, struct fingerprint *found, struct err *err)
{
	struct search s = { .j = j, .now = now, .found = found };
	char digits[FINGERPRINT_HEX];

	fingerprint_hex(&j->fp, digits);
	digits[FINGERPRINT_TAG] = '\0';
	return ledger_each_prefix(ledger, digits, now, look_at, &s, err);
}

/* Its own record comes first: the one of fp may have expired meanwhile, or be another copy's now. */
static int
ask_proven(struct judgement *j, struct ledger *ledger, int64_t now, struct err *err)
{
	struct fingerprint key;

	if (ask(j, ledger, &j->own, now, err) == -1)
		return -1;
	if (is_known(&j->claim))
		return 0;
	if (ask(j, ledger, &j->fp, now, err) == -1)
		return -1;
	if (!j->claim.present || (j->compared && (judge_accepts(j) || (j->claim.state == CLAIM_PENDING && !j->passed))))
		return 0;
	key = j->compared ? j->own : j->fp;
	if (find_other(j, ledger, now, &key, err) == -1)
		return -1;
	return ask(j, ledger, &key, now, err);
}

int
judge_ask(struct judgement *j, struct ledger *ledger, int64_t now, struct err *err)
{
	j->compared = false;
	return j->config->proven ? ask_proven(j, ledger, now, err) : ask(j, ledger, &j->fp, now, err);
}
