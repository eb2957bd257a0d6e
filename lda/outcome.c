/* What came of a delivery: its event and its line in the log. */
#include <bsd/string.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "fs.h"
#include "work.h"

struct head_options
work_head_options(const struct delivery *d)
{
	return (struct head_options){ .config = d->config, .sender = d->sender, .address = d->address, .received = d->received,
		.relay = d->config->mailbox_ops->takes_envelope };
}

/* Is there something to say of how this copy came to be? */
static bool
is_copy(const struct work *w, const char *action)
{
	return w->known && w->judged.compared && (w->judged.separate || strcmp(action, event_name(EVENT_DELIVERED)) != 0);
}

const struct event *
work_act(struct work *w, enum event_kind kind)
{
	const struct field *id = message_field(w->message, "message-id", 0);
	const char *folder = kind == EVENT_FILED ? w->d->config->duplicate_folder : w->d->folder;

	w->action = event_name(kind);
	event_begin(&w->event, kind, &w->fp, clock_now());
	if (id != NULL)
		event_message_id(&w->event, id->value, id->len);
	if (kind != EVENT_UNRECORDED)	/* else perhaps no record was ever read */
		w->event.first = w->judged.claim.record.first;
	w->event.size = message_size(w->message);
	if (folder != NULL)
		strlcpy(w->event.place, folder, sizeof(w->event.place));
	if (kind != EVENT_UNRECORDED && is_copy(w, w->action)) {
		w->event.first = w->judged.first;
		trace_tell(&w->event, &w->judged.verdict);
	}
	return &w->event;
}

static void
log_time(struct log_line *line, const char *key, int64_t t)
{
	char text[CLOCK_TEXT];

	clock_text(text, t);
	log_add(line, key, text);
}

static void
log_message(const struct work *w, struct log_line *line)
{
	const struct field *id = message_field(w->message, "message-id", 0);
	char hex[FINGERPRINT_HEX];

	if (id != NULL)
		log_add_bytes(line, "msgid", id->value, id->len);
	else
		log_add(line, "msgid", "");
	if (w->known) {
		fingerprint_hex(&w->fp, hex);
		hex[FINGERPRINT_TAG] = '\0';
		log_add(line, "fp", hex);
	}
}

/* Where the copy was made. */
static void
log_verdict(const struct verdict *v, struct log_line *line)
{
	const char *receiver = v->proof == PROOF_SAME_CHAIN ? "dedup-lda" : v->receiver;
	char text[2 * EVENT_NAME + 2];

	if (v->sender[0] != '\0' && receiver[0] != '\0') {
		snprintf(text, sizeof(text), "%s->%s", v->sender, receiver);
		log_add(line, "hop", text);
	}
	if (v->gap != GAP_UNKNOWN) {
		snprintf(text, sizeof(text), "%llds", (long long)v->gap);
		log_add(line, "gap", text);
	}
	log_add(line, "proof", trace_proof_name((unsigned int)v->proof));
	log_add(line, "sure", v->sure ? "yes" : "no");
}

static void
log_copy(const struct judgement *j, struct log_line *line)
{
	log_time(line, "first", j->first);
	log_add_number(line, "age", (long long)j->age);
	log_verdict(&j->verdict, line);
}

void
work_log(const struct work *w, const struct err *err)
{
	const struct config *config = w->d->config;
	struct head_options head = work_head_options(w->d);
	const struct exit_policy policy = exit_policy(config);
	bool rejected = err != NULL && exit_code(err->status, &policy) != EXIT_TEMPORARY;
	struct log_line line;
	char mailbox[PATH_MAX + 16];

	line.len = 0;
	log_add(&line, "action", err == NULL ? w->action : rejected ? "rejected" : "deferred");
	if (w->message != NULL)
		log_message(w, &line);
	log_add(&line, "user", w->d->user);
	snprintf(mailbox, sizeof(mailbox), "%s:%s", w->ops->name, config->mailbox_path);
	log_add(&line, "mailbox", mailbox);
	if (w->d->folder != NULL && w->d->folder[0] != '\0')
		log_add(&line, "folder", w->d->folder);
	if (w->message != NULL) {
		log_add_number(&line, "size", (long long)message_size(w->message));
		if (head_tells_loop(&head, w->message))
			log_add(&line, "loop", "yes");
	}
	log_add_number(&line, "ms", (long long)(clock_ms() - w->start_ms));
	if (err == NULL && is_copy(w, w->action))
		log_copy(&w->judged, &line);
	if (w->retried)
		log_add(&line, "retried", "yes");
	if (w->trouble != NULL)
		log_add(&line, "ledger", w->trouble);
	if (err != NULL)
		log_add(&line, "reason", err->text);
	log_write(w->d->log, &line, err != NULL || w->trouble != NULL);
}
