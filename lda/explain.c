/* A dry run: what deliver() would do, and why. */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"
#include "fs.h"
#include "identify.h"

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
print_first(const struct claim *claim)
{
	char text[CLOCK_TEXT];

	clock_text(text, claim->record.first);
	printf("%s, %lld s ago\n", text, (long long)record_age(&claim->record, clock_now()));
}

static void
print_verdict(const struct delivery *d, const struct claim *claim)
{
	static const char *const fate[] = { [DUPLICATE_DISCARD] = "discard it", [DUPLICATE_FOLDER] = "deliver it to the folder for duplicates",
		[DUPLICATE_TAG] = "deliver it with a tag" };

	switch (claim->state) {
	case CLAIM_DUPLICATE:
		printf("would %s: a duplicate of the message delivered at ", fate[d->config->on_duplicate]);
		print_first(claim);
		break;
	case CLAIM_PENDING:
		printf("would finish the delivery of another copy, decided at ");
		print_first(claim);
		break;
	default:
		print_target(d);
		printf(claim->present ? ": it was delivered before, but longer ago than the window\n" : ": no copy of it is on record\n");
	}
}

int
deliver_explain(const struct delivery *d, int fd, struct err *err)
{
	struct identify how = { .config = d->config, .spill = &sink_nowhere, .explain = print_input };
	struct fingerprint fp;
	char hex[FINGERPRINT_HEX];
	struct message *m;
	struct claim *claim = calloc(1, sizeof(*claim));
	int ret = -1, known;

	if (claim == NULL)
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
	} else if (ledger_claim(d->ledger, &fp, clock_now(), claim, err) == -1)
		goto done;
	else
		print_verdict(d, claim);
	ret = fflush(stdout) == 0 ? 0 : err_sys(err, "write to standard output", NULL);
done:
	message_free(&m);
	free(claim);
	return ret;
}
