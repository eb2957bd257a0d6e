/* From a recipient to a reply. */
#include <bsd/string.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"
#include "fs.h"
#include "head.h"
#include "identify.h"
#include "lmtpd_site.h"
#include "redis_url.h"

#define PROGRAM "dedup-lmtpd"
#define HANGS_S 10	/* after the time limit, which ends tidily what can be ended */
#define RECIPIENT_S 60

static struct ledger *volatile ledger_in_use;	/* for the handler of fatal signals */

void
lmtpd_on_crash(void)
{
	if (ledger_in_use != NULL)
		ledger_crashed(ledger_in_use);
}

/* The ledger of this configuration, perhaps open already. NULL: none is configured, or, with err filled, it can't be opened. */
static struct ledger *
find_ledger(struct lmtpd_site *site, const struct config *config, struct log *log, struct err *err)
{
	struct ledger_options options;
	struct lmtpd_ledger *l;
	size_t i;

	if (config->ledger_url == NULL)
		return NULL;
	for (i = 0; i < LMTPD_LEDGERS; i++)
		if (site->ledgers[i].url != NULL && strcmp(site->ledgers[i].url, config->ledger_url) == 0)
			return site->ledgers[i].ledger;
	l = &site->ledgers[site->next_ledger];
	site->next_ledger = (site->next_ledger + 1) % LMTPD_LEDGERS;
	if (l->ledger != NULL)
		ledger_close(&l->ledger);
	free(l->url);
	config_ledger_options(config, &options);
	options.many = true;
	options.notice = log_notice;
	options.notice_arg = site->one_log ? log : site->log;	/* it outlives the delivery */
	l->url = strdup(config->ledger_url);
	if (l->url == NULL || ledger_open(&l->ledger, &options, err) == -1) {
		if (l->url == NULL)
			err_sys(err, "open ledger", NULL);
		free(l->url);
		l->url = NULL;
		return NULL;
	}
	return l->ledger;
}

bool
lmtpd_site_prepare(struct lmtpd_site *site)
{
	struct ledger_needs needs = { .names = false };
	struct ledger *ledger;
	struct err err;

	if (site->config->ledger_url == NULL || !redis_url_is(site->config->ledger_url))
		return true;
	ledger = find_ledger(site, site->config, site->log, &err);
	if (ledger == NULL)
		return false;
	(void)ledger_prepare(ledger, &needs, &err);	/* each delivery tries again, and says what is wrong */
	return !needs.names;
}

/* What the agent would end with, as LMTP has it: that also knows a mailbox which is full for now. */
static enum lmtpd_result
result_of(enum status status, const struct config *config)
{
	const struct exit_policy policy = exit_policy(config);

	switch (exit_code(status, &policy)) {
	case EXIT_NO_USER:
		return RESULT_REFUSED_USER;
	case EXIT_OVER_QUOTA:
		return RESULT_REFUSED_QUOTA;
	case EXIT_REFUSED:
		return RESULT_REFUSED;
	default:
		return status == STATUS_QUOTA ? RESULT_OVER_QUOTA : RESULT_DEFERRED;
	}
}

/* SIGALRM does not wake a process from a file system that hangs, and its handler could not run; SIGKILL does. Without it the worker's
 * place would be gone for good, and one after the other all places. 0: not any more. */
static void
killed_after(unsigned int limit_s)
{
	static timer_t timer;
	static bool made;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value.tv_sec = limit_s };

	made = made || timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
	if (made)
		(void)timer_settime(timer, 0, &when, NULL);
}

static void
failed(struct lmtpd_outcome *outcome, const struct config *config, const struct err *err)
{
	outcome->result = result_of(err->status, config);
	strlcpy(outcome->text, err->text, sizeof(outcome->text));
}

void
lmtpd_deliver(struct lmtpd_site *site, const struct config *config, const struct delivery *with, struct lmtpd_outcome *outcome)
{
	struct delivery d = *with;
	struct err err = { .status = STATUS_OK };
	struct delivered done = { NULL, false };
	int ret = -1;

	d.config = config;
	d.log = site->log;
	exit_after((unsigned int)config->ends_after);
	if (!site->one_log && log_open_as(&d.log, PROGRAM, config, site->verbose, &err) == -1) {
		err_retry(&err);
		goto done;
	}
	d.ledger = ledger_in_use = find_ledger(site, config, d.log, &err);
	if (err.status == STATUS_OK)
		ret = deliver_message(&d, site->message, &done, &err);
	else
		err_retry(&err);
	ledger_in_use = NULL;
	log_flush(d.log);
	if (!site->one_log)
		log_close(&d.log);
done:
	site->lost_ledger = site->lost_ledger || done.without_ledger;
	site->trouble = site->trouble || site->lost_ledger;
	if (ret == -1) {
		failed(outcome, config, &err);
		return;
	}
	outcome->result = strcmp(done.action, "duplicate") == 0 ? RESULT_DUPLICATE : RESULT_DELIVERED;
	strlcpy(outcome->text, done.action, sizeof(outcome->text));
}

static void
deliver_virtual(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with, struct lmtpd_outcome *outcome)
{
	struct identity who = lmtpd_identity(r);
	struct err err;

	if (config_resolve(site->config, &who, &err) == -1) {
		failed(outcome, site->config, &err);
		return;
	}
	killed_after((unsigned int)site->config->ends_after + HANGS_S);
	lmtpd_deliver(site, site->config, with, outcome);
	exit_after(0);
	killed_after(0);
}

/* Paths and the like are in the text, and so what an address holds: a reply is printable ASCII. */
static void
write_reply(char reply[LMTP_REPLY_MAX], const struct lmtp_envelope *e, const struct lmtpd_outcome *outcome)
{
	static const char *const codes[] = {
		[RESULT_DELIVERED] = "250 2.0.0",
		[RESULT_DUPLICATE] = "250 2.0.0",
		[RESULT_DEFERRED] = "451 4.3.0",
		[RESULT_OVER_QUOTA] = "452 4.2.2",
		[RESULT_REFUSED_QUOTA] = "552 5.2.2",
		[RESULT_REFUSED_USER] = "550 5.1.1",
		[RESULT_REFUSED] = "554 5.0.0",
	};
	char *p;

	snprintf(reply, LMTP_REPLY_MAX, "%s %s: %.200s", codes[outcome->result], e->id, outcome->text);
	for (p = reply; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = '?';
}

static void
tell(struct lmtpd_site *site, const struct lmtpd_outcome *outcome)
{
	switch (outcome->result) {
	case RESULT_DELIVERED:
		lmtpd_board_count(site->place, COUNT_DELIVERED, 1);
		site->delivered++;
		return;
	case RESULT_DUPLICATE:
		lmtpd_board_count(site->place, COUNT_DUPLICATES, 1);
		site->duplicates++;
		return;
	case RESULT_DEFERRED:
		site->trouble = true;
		/* fall through */
	case RESULT_OVER_QUOTA:
		lmtpd_board_count(site->place, COUNT_DEFERRED, 1);
		break;
	default:
		lmtpd_board_count(site->place, COUNT_REJECTED, 1);
	}
	site->failed++;
}

static void
on_deliver(void *arg, const struct lmtp_envelope *e, void *recipient, char reply[LMTP_REPLY_MAX])
{
	struct lmtpd_site *site = arg;
	const struct lmtpd_recipient *r = recipient;
	struct delivery with = { .user = r->user, .sender = e->sender.text, .address = r->address.text, .folder = r->folder };
	struct lmtpd_outcome outcome = { .result = RESULT_DEFERRED, .text = "out of memory" };
	char *received = lmtpd_received(e, site->peer, site->hostname, e->count == 1 ? r->address.text : NULL, clock_now());

	with.received = received;
	if (received != NULL && site->system)
		lmtpd_deliver_as_user(site, r, &with, &outcome);
	else if (received != NULL)
		deliver_virtual(site, r, &with, &outcome);
	free(received);
	tell(site, &outcome);
	write_reply(reply, e, &outcome);
}

static void *
on_recipient(void *arg, const struct lmtp_address *to, char reply[LMTP_REPLY_MAX])
{
	struct lmtpd_site *site = arg;
	void *r;

	if (!site->system)	/* or a process of its own looks, which is not waited for as long */
		killed_after(RECIPIENT_S);
	r = lmtpd_recipient_new(site, to, reply);
	if (!site->system)
		killed_after(0);
	log_flush(site->log);
	return r;
}

static void
on_forget(void *arg, void *recipient)
{
	struct lmtpd_recipient *r = recipient;

	(void)arg;
	lmtpd_recipient_free(&r);
}

static int
on_read(void *arg, const struct lmtp_envelope *e, const struct source *from, struct err *err)
{
	struct lmtpd_site *site = arg;
	struct identify how = { .config = site->config, .also = head_fields };

	(void)e;
	site->delivered = site->duplicates = site->failed = 0;
	return identify_read(&how, from, &site->message, err);
}

static bool
on_answered(void *arg, const struct lmtp_envelope *e, int64_t gap_ms)
{
	struct lmtpd_site *site = arg;
	struct log_line line = { .len = 0 };

	lmtpd_board_count(site->place, COUNT_MESSAGES, 1);
	lmtpd_board_gap(site->place, gap_ms);
	log_add(&line, "action", "answered");
	log_add(&line, "id", e->id);
	log_add(&line, "client", e->client);
	log_add_number(&line, "size", (long long)message_size(site->message));
	log_add_number(&line, "recipients", (long long)e->count);
	log_add_number(&line, "delivered", site->delivered);
	log_add_number(&line, "duplicates", site->duplicates);
	log_add_number(&line, "failed", site->failed);
	log_add_number(&line, "gap_ms", (long long)gap_ms);
	log_write(site->log, &line, false);
	log_flush(site->log);
	return !site->lost_ledger && ++site->messages < LMTPD_MESSAGES_MAX;
}

static void
on_drop(void *arg)
{
	struct lmtpd_site *site = arg;

	message_free(&site->message);
	if (site->shared != -1)
		close(site->shared);
	site->shared = -1;
}

void
lmtpd_site_handler(struct lmtpd_site *site, struct lmtp_handler *handler)
{
	*handler = (struct lmtp_handler){ on_recipient, on_forget, on_read, on_deliver, on_answered, on_drop, site };
}

int
lmtpd_log_open(struct log **log, bool *one, const struct config *config, bool system, bool verbose, struct err *err)
{
	struct config own = *config;

	*one = own.log_target != LOG_TO_FILE || (!system && strpbrk(own.log, "~%") == NULL);
	if (!*one)
		own.log_target = LOG_TO_SYSLOG;
	return log_open_as(log, PROGRAM, &own, verbose, err);
}

int
lmtpd_site_open(struct lmtpd_site *site, struct err *err)
{
	return lmtpd_log_open(&site->log, &site->one_log, site->config, site->system, site->verbose, err);
}

void
lmtpd_site_close(struct lmtpd_site *site)
{
	size_t i;

	for (i = 0; i < LMTPD_LEDGERS; i++) {
		if (site->ledgers[i].ledger != NULL)
			ledger_close(&site->ledgers[i].ledger);
		free(site->ledgers[i].url);
		site->ledgers[i].url = NULL;
	}
	message_free(&site->message);
	log_close(&site->log);
}
