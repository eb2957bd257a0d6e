/* A dry run: what deliver() would do, and why. */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"
#include "fs.h"
#include "identify.h"
#include "intent.h"
#include "judge.h"
#include "target.h"

/* Bytes of the message go to a terminal: only printable ones as they are. */
static void
print_input(void *arg, const char *label, const void *value, size_t len)
{
	const unsigned char *p = value, *end;

	(void)arg;
	if (value == NULL)
		return;
	end = p + len;
	printf("  %s: ", label);
	if (strcmp(label, "body-digest") == 0)
		for (; p < end; p++)
			printf("%02x", *p);
	for (; p < end; p++)
		printf(*p < ' ' || *p >= 0x7f ? "\\x%02x" : "%c", *p);
	putchar('\n');
}

static void
print_target(const struct delivery *d)
{
	printf("would deliver to %s:%s", d->config->mailbox_ops->name, d->config->mailbox_path);
	if (d->folder != NULL && d->folder[0] != '\0')
		printf(", folder %s", d->folder);
}

static void
print_first(const struct judgement *j)
{
	char text[CLOCK_TEXT];

	clock_text(text, j->first);
	printf("%s, %lld s ago\n", text, (long long)j->age);
}

static void
print_way(const struct judgement *j)
{
	char words[TRACE_WORDS];
	struct event event;

	event_begin(&event, EVENT_DUPLICATE, &j->fp, 0);
	trace_tell(&event, &j->verdict);
	trace_words(&event, words);
	if (words[0] != '\0')
		printf("%s\n", words);
}

static void
print_new(const struct delivery *d, const struct judgement *j)
{
	print_target(d);
	if (j->separate && j->compared) {
		printf(": nothing proves that it is a copy of the message delivered at ");
		print_first(j);
	} else if (j->claim.present)
		printf(": it was delivered before, but longer ago than the window\n");
	else
		printf(": no copy of it is on record\n");
}

/* Would a pending record be left to the host that made it? A Maildir's marker, or the file that an mbox is, may still prove the contrary to a
 * delivery. */
static bool
is_left(const struct delivery *d, const struct judgement *j)
{
	const struct mailbox_ops *ops = d->config->mailbox_ops;
	const struct record *r = &j->claim.record;
	int64_t limit = ops->hands_over ? d->config->time_limit + CLOCKS_DIFFER : PROVED_WITHIN;
	enum looked looked;

	if (mailbox_of_intent(&r->intent) != ops || !intent_is_foreign(&r->intent, d->config->this_host) || clock_now() - r->decided >= limit)
		return false;
	looked = ops->look(r, NULL);
	return looked == LOOKED_ABSENT || looked == LOOKED_FAILED;
}

static void
print_pending(const struct delivery *d, const struct judgement *j)
{
	bool left = is_left(d, j);
	char host[HOST_SIZE];

	intent_host(&j->claim.record.intent, host);
	if (left)
		printf("would defer: host %s is to finish the delivery of another copy, which can't be seen here, begun at ", host);
	else if (d->config->mailbox_ops->hands_over)
		printf("would hand it over again, since nobody knows how a hand-over ended that was begun at ");
	else
		printf("would finish the delivery of another copy, decided at ");
	print_first(j);
	if (!left && !judge_accepts(j))
		printf("and would be delivered as well: nothing proves that it is a copy of that one\n");
}

static void
print_verdict(const struct delivery *d, const struct judgement *j)
{
	static const char *const fate[] = {
		[DUPLICATE_DISCARD] = "discard it",
		[DUPLICATE_FOLDER] = "deliver it to the folder for duplicates",
		[DUPLICATE_TAG] = "deliver it with a tag",
	};

	switch (j->claim.state) {
	case CLAIM_DUPLICATE:
		printf("would %s: a duplicate of the message delivered at ", fate[d->config->on_duplicate]);
		print_first(j);
		break;
	case CLAIM_PENDING:
		print_pending(d, j);
		break;
	default:
		print_new(d, j);
	}
	if (j->compared)
		print_way(j);
}

int
deliver_explain(const struct delivery *d, int fd, struct err *err)
{
	struct identify how = { .config = d->config, .also = judge_fields, .spill = &sink_nowhere, .explain = print_input };
	struct judgement *j = calloc(1, sizeof(*j));
	char hex[FINGERPRINT_HEX];
	struct fingerprint fp;
	struct message *m;
	int ret = -1, known;

	if (j == NULL)
		return err_sys(err, "explain", NULL);
	printf("fingerprint of:\n");
	known = identify(&how, fd, &m, &fp, err);
	if (known == -1)
		goto done;
	if (known == 1) {
		fingerprint_hex(&fp, hex);
		printf("fingerprint %s\n", hex);
	}
	if (known == 0 || d->ledger == NULL) {
		print_target(d);
		printf(known == 0 ? " and record nothing: it has neither Message-ID nor Date\n" : ": there is no ledger\n");
	} else {
		judge_begin(j, d->config, m, &fp, d->address);
		if (judge_ask(j, d->ledger, clock_now(), err) == -1)
			goto done;
		print_verdict(d, j);
	}
	ret = fflush(stdout) == 0 ? 0 : err_sys(err, "write to standard output", NULL);
done:
	message_free(&m);
	free(j);
	return ret;
}
