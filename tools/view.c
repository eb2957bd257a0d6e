/*
 * A record as an administrator sees it.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox.h"
#include "view.h"

static int
pending_mailbox(struct view *v, const struct intent *intent)
{
	const struct mailbox_ops *ops = mailbox_of_intent(intent);
	char path[PATH_MAX];

	if (ops == NULL)
		return 0;
	v->kind = ops->name;
	intent_host(intent, v->host);
	if (ops->intent_path == NULL || ops->intent_path(intent, path, sizeof(path)) == -1)
		return 0;
	v->mailbox = strdup(path);
	return v->mailbox == NULL ? -1 : 0;
}

int
view_make(struct view *v, const struct claim *claim, int64_t now)
{
	memset(v, 0, sizeof(*v));
	fingerprint_hex(&claim->fp, v->hex);
	if (claim->record.state != RECORD_PENDING && claim->record.state != RECORD_DELIVERED) {
		v->damaged = true;
		v->state = "damaged";
		return 0;
	}
	v->first = claim->record.first;
	v->decided = claim->record.decided;
	v->age = record_age(&claim->record, now);
	v->pending = claim->record.state == RECORD_PENDING;
	v->imported = !v->pending && (claim->record.flags & RECORD_IMPORTED) != 0;
	v->expired = !v->pending && claim->state == CLAIM_NEW;
	v->state = v->pending ? "pending" : "delivered";
	return v->pending ? pending_mailbox(v, &claim->record.intent) : 0;
}

void
view_clear(struct view *v)
{
	free(v->mailbox);
	v->mailbox = NULL;
}

void
view_print(const struct view *v, struct out *o, int64_t now, int64_t window)
{
	out_text(o, "fingerprint", v->hex);
	out_text(o, "state", v->state);
	if (v->damaged)
		return;
	out_time(o, "first", v->first, now);
	out_time(o, "decided", v->decided, now);
	out_span(o, "age", v->age);
	if (v->pending) {	/* these never expire */
		out_text(o, "kind", v->kind);
		out_text(o, "mailbox", v->mailbox);
		if (v->host[0] != '\0')
			out_text(o, "host", v->host);
		return;
	}
	out_time(o, "expires", v->first + window, now);
	out_flag(o, "expired", v->expired);
	out_flag(o, "imported", v->imported);
}

bool
view_digits(const char *text, char hex[FINGERPRINT_HEX])
{
	size_t i;

	for (i = 0; isxdigit((unsigned char)text[i]); i++) {
		if (i >= FINGERPRINT_HEX - 1)
			return false;
		hex[i] = (char)tolower((unsigned char)text[i]);
	}
	hex[i] = '\0';
	return text[i] == '\0' && i >= LEDGER_PREFIX_DIGITS;
}
