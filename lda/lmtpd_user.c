/* Delivery by a child that becomes the recipient. */
#include <sys/wait.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "fs.h"
#include "head.h"
#include "identify.h"
#include "lmtpd_monitor.h"

#define STARTUP_LIMIT 60U	/* s, until the user's configuration says time-limit */
#define LOOK_MS 1000		/* how often to look whether the child was stopped */
#define MARGIN_MS 1000

/* The message, from its beginning, whoever else reads the same file. */
struct beginning {
	int fd;
	uint64_t done;
	uint64_t limit;		/* 0: none */
};

static ssize_t
read_on(void *arg, void *buf, size_t len, struct err *err)
{
	struct beginning *b = arg;
	ssize_t n = fs_pread(b->fd, buf, len, (off_t)b->done, "copy of the message", err);

	if (n > 0)
		b->done += (uint64_t)n;
	if (b->limit != 0 && b->done > b->limit)	/* the worker has looked, if it is still itself */
		return err_set(err, STATUS_TEMP, "the message is larger than lmtp-max-size");
	return n;
}

static int
read_message(struct lmtpd_site *site, const struct config *config, int fd, struct err *err)
{
	struct beginning beginning = { .fd = fd, .limit = (uint64_t)site->config->lmtp_max_size };
	const struct source from = { read_on, &beginning };
	struct identify how = { .config = config, .also = head_fields };

	return identify_read(&how, &from, &site->message, err);
}

static int
deliver_as(struct lmtpd_site *site, const struct user *user, const struct lmtpd_request *q, int message, struct lmtpd_outcome *outcome)
{
	const struct identity who = { .user = q->user, .home = user->home, .address = q->plain };
	const struct delivery d = { .user = q->user, .sender = q->sender, .address = q->address, .folder = q->folder,
		.received = q->received, .confine = true };
	struct config *config = NULL;
	struct err err;
	int ret = -1;

	if (user_become(user, &err) == 0 &&
	    config_load(&config, site->file, site->assignments, &who, user->uid, site->file == NULL, &err) == 0) {
		if (config->ends_after > site->config->time_limit)
			config->ends_after = site->config->time_limit;
		exit_after((unsigned int)config->ends_after);
		ret = read_message(site, config, message, &err);
	}
	if (ret == 0) {
		site->one_log = false;	/* the user's own */
		lmtpd_deliver(site, config, &d, outcome);
	} else
		strlcpy(outcome->text, err.text, sizeof(outcome->text));
	config_free(&config);
	return ret;
}

static void __attribute__((noreturn))
child(struct lmtpd_site *site, const struct user *user, const struct lmtpd_request *q, int message, int out)
{
	struct lmtpd_outcome outcome = { .result = RESULT_DEFERRED };

	exit_on_signals();
	signal(SIGTERM, SIG_IGN);	/* the server may stop: what was accepted is delivered */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);	/* as in a worker */
	exit_after(STARTUP_LIMIT);
	if (deliver_as(site, user, q, message, &outcome) == -1) {
		struct log_line line = { .len = 0 };

		log_add(&line, "action", "deferred");
		log_add(&line, "user", q->user);
		log_add(&line, "reason", outcome.text);
		log_write(site->log, &line, true);
		log_flush(site->log);
	}
	lmtpd_site_close(site);
	(void)fs_write(out, &outcome, sizeof(outcome), NULL, "pipe", NULL);
	_exit(0);
}

/* How long a child's own limits let it live: before it reads the message, while it does, and afterwards. */
static int64_t
life_ms(const struct config *config)
{
	return (STARTUP_LIMIT + 2 * config->time_limit) * 1000 + MARGIN_MS;
}

/* A user may stop the own process, and then no time limit ends it; nor does one where a file system hangs and lets nothing but a kill through,
 * which may be the user's own. That is as good as kill -9, which every step allows for. */
static void
await_outcome(int fd, pid_t pid, int64_t end)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	siginfo_t info = { .si_pid = 0 };

	while (poll(&pfd, 1, LOOK_MS) <= 0)
		if ((waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == pid) || clock_ms() >= end)
			(void)kill(pid, SIGKILL);
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
lmtpd_child_deliver(struct lmtpd_site *site, const struct user *user, const struct lmtpd_request *request, int message, int other,
    struct lmtpd_outcome *outcome)
{
	int fds[2], status;
	pid_t pid;

	strlcpy(outcome->text, "the delivery ended without a result", sizeof(outcome->text));
	if (pipe2(fds, O_CLOEXEC) == -1) {
		strlcpy(outcome->text, "no pipe for the delivery", sizeof(outcome->text));
		return;
	}
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);	/* a result is written at once, or it is none */
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		close(other);
		child(site, user, request, message, fds[1]);
	}
	close(fds[1]);
	if (pid > 0) {
		await_outcome(fds[0], pid, clock_ms() + life_ms(site->config));
		read_outcome(fds[0], outcome);
		(void)kill(pid, SIGKILL);	/* its last word was that, or it is dead; it may have been stopped since */
	} else
		strlcpy(outcome->text, "no process for the delivery", sizeof(outcome->text));
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
}
