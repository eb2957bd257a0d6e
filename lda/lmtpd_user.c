/* Delivery by a child that becomes the recipient. */
#include <sys/wait.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "fs.h"
#include "head.h"
#include "identify.h"
#include "lmtpd_site.h"

#define STARTUP_LIMIT 60U	/* s, until the user's configuration says time-limit */

/* The message, read again from where it is kept. */
struct again {
	const struct message *m;
	uint64_t done;
};

static ssize_t
read_again(void *arg, void *buf, size_t len, struct err *err)
{
	struct again *again = arg;
	ssize_t n = message_pread(again->m, buf, len, again->done, err);

	if (n > 0)
		again->done += (uint64_t)n;
	return n;
}

/* The user's configuration may want other header fields or another form of the body than the system's. */
static int
fit_message(struct lmtpd_site *site, const struct config *config, struct err *err)
{
	struct again again = { .m = site->message };
	const struct source from = { read_again, &again };
	struct identify how = { .config = config, .also = head_fields };
	struct message *m = NULL;

	if (identify_fits(site->config, config))
		return 0;
	if (identify_read(&how, &from, &m, err) == -1) {
		message_free(&m);
		return -1;
	}
	message_free(&site->message);
	site->message = m;
	return 0;
}

/* Nothing of the server may be left to a process that belongs to a user. */
static void
leave_server(struct lmtpd_site *site)
{
	const int *fd;

	for (fd = site->foreign; *fd != -1; fd++)
		close(*fd);
	close(site->connection);
}

static int
deliver_as(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with, struct lmtpd_outcome *outcome)
{
	struct identity who = lmtpd_identity(r);
	struct delivery d = *with;
	struct config *config = NULL;
	struct err err;
	int ret = -1;

	if (user_become(r->who, &err) == 0 &&
	    config_load(&config, site->file, site->assignments, &who, r->who->uid, site->file == NULL, &err) == 0 &&
	    fit_message(site, config, &err) == 0) {
		site->one_log = false;	/* the user's own */
		d.confine = true;
		lmtpd_deliver(site, config, &d, outcome);
		ret = 0;
	} else
		strlcpy(outcome->text, err.text, sizeof(outcome->text));
	config_free(&config);
	return ret;
}

static void __attribute__((noreturn))
child(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with, int out)
{
	struct lmtpd_outcome outcome = { .result = RESULT_DEFERRED };

	leave_server(site);
	exit_on_signals();
	signal(SIGTERM, SIG_IGN);	/* the server may stop: what was accepted is delivered */
	signal(SIGINT, SIG_IGN);
	exit_after(STARTUP_LIMIT);
	if (deliver_as(site, r, with, &outcome) == -1) {
		struct log_line line = { .len = 0 };

		log_add(&line, "action", "deferred");
		log_add(&line, "user", r->user);
		log_add(&line, "reason", outcome.text);
		log_write(site->log, &line, true);
		log_flush(site->log);
	}
	lmtpd_site_close(site);
	(void)fs_write(out, &outcome, sizeof(outcome), NULL, "pipe", NULL);
	_exit(0);
}

/* What a process of a user says is believed about that user's mailbox and nothing else. */
static void
read_outcome(int fd, struct lmtpd_outcome *outcome)
{
	struct lmtpd_outcome said = { .text = "" };
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(said)) {
		n = read(fd, (char *)&said + have, sizeof(said) - have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		have += (size_t)n;
	}
	if ((unsigned int)said.result > RESULT_REFUSED)
		return;
	said.text[sizeof(said.text) - 1] = '\0';
	*outcome = said;
}

void
lmtpd_deliver_as_user(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with, struct lmtpd_outcome *outcome)
{
	int fds[2], status;
	pid_t pid;

	strlcpy(outcome->text, "the delivery ended without a result", sizeof(outcome->text));
	if (pipe2(fds, O_CLOEXEC) == -1) {
		strlcpy(outcome->text, "no pipe for the delivery", sizeof(outcome->text));
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child(site, r, with, fds[1]);
	}
	close(fds[1]);
	if (pid > 0)
		read_outcome(fds[0], outcome);
	else
		strlcpy(outcome->text, "no process for the delivery", sizeof(outcome->text));
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
}
