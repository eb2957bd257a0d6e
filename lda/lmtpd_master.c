/* The master of the LMTP server: it starts workers and takes their ends. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"
#include "lmtpd_notify.h"
#include "lmtpd_server.h"
#include "lmtpd_site.h"

#define STOP_MS 75000		/* for workers to finish what they have accepted; systemd allows 90 s */
#define TICK_MS 1000
#define CRASHES_MAX 20		/* workers that die in a second; then the next ones have to wait */

static volatile sig_atomic_t got_stop, got_reload, got_child;

static void
on_signal(int sig)
{
	if (sig == SIGCHLD)
		got_child = 1;
	else if (sig == SIGHUP)
		got_reload = 1;
	else
		got_stop = 1;
}

struct master {
	struct lmtpd_server *server;
	struct log *log;
	pid_t *pids;			/* of the workers, by place; 0: free. They get signals, so not on the board, to which workers can write */
	sigset_t waiting;		/* the mask while waiting */
	unsigned int crashes;		/* in this second */
	int64_t tick_ms;		/* when it began */
	bool active;			/* something may have changed since it was told last */
	char said[128];			/* to systemd */
};

static void
say(struct master *m, const char *text)
{
	log_notice(m->log, text);
	log_flush(m->log);
}

static void
set_signals(struct master *m)
{
	static const int mine[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block;
	size_t i;

	sigemptyset(&block);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaddset(&block, mine[i]);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigemptyset(&m->waiting);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaction(mine[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int
open_log(struct log **log, const struct lmtpd_server *server, const struct config *config, struct err *err)
{
	bool one;

	return lmtpd_log_open(log, &one, config, server->system, server->options.verbose, err);
}

/* Returns 0, or -1: the system has no room for one more now. */
static int
start_worker(struct master *m)
{
	struct lmtpd_board *board = m->server->board;
	unsigned int i;
	pid_t master = getpid(), pid;

	for (i = 0; i < board->size && m->pids[i] != 0; i++)
		;
	if (i == board->size)
		return -1;
	atomic_store(&board->places[i].state, PLACE_IDLE);
	pid = fork();
	if (pid == 0) {
		log_close(&m->log);
		lmtpd_worker(m->server, &board->places[i], master);
	}
	if (pid == -1) {
		atomic_store(&board->places[i].state, PLACE_FREE);
		say(m, "no process for one more worker");
		m->active = true;
		return -1;
	}
	m->pids[i] = pid;
	return 0;
}

static unsigned int
least_idle(const struct lmtpd_board *board)
{
	return board->size < LMTPD_SPARE_MIN ? board->size : LMTPD_SPARE_MIN;
}

/* Workers that wait, as many as are wanted. More connections than workers wait in the kernel: a client that waits is better off than one that
 * is turned away and keeps its queue back for minutes. */
static void
fill_places(struct master *m)
{
	struct lmtpd_board *board = m->server->board;
	unsigned int idle = lmtpd_board_in(board, PLACE_IDLE);

	while (idle < least_idle(board) && m->crashes < CRASHES_MAX && start_worker(m) == 0)
		idle++;
	atomic_store(board->crowded, idle == 0);
}

static void
take_ends(struct master *m)
{
	struct lmtpd_board *board = m->server->board;
	char text[128];
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < board->size && m->pids[i] != pid; i++)
			;
		if (i == board->size)
			continue;
		atomic_store(&board->places[i].state, PLACE_FREE);
		m->pids[i] = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		m->crashes++;
		m->active = true;
		snprintf(text, sizeof(text), "worker %ld ended with %s %d", (long)pid, WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		say(m, text);
	}
}

static unsigned int
signal_workers(const struct master *m, int sig)
{
	const struct lmtpd_board *board = m->server->board;
	unsigned int i, n = 0;

	for (i = 0; i < board->size; i++) {
		if (m->pids[i] == 0)
			continue;
		n++;
		if (sig != 0)
			kill(m->pids[i], sig);
	}
	return n;
}

/* New workers work with the new configuration; old ones end after the message they are at. */
static void
reload(struct master *m)
{
	struct lmtpd_server *server = m->server;
	struct config *config = NULL;
	struct log *log = NULL;
	struct user *low = NULL;
	struct timespec now = { 0 };
	struct err err;

	clock_gettime(CLOCK_MONOTONIC, &now);
	lmtpd_notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	if (lmtpd_load(server, &config, &err) == -1 || lmtpd_low_user(server, config, &low, &err) == -1 ||
	    open_log(&log, server, config, &err) == -1) {
		char text[ERR_TEXT + 64];

		snprintf(text, sizeof(text), "not reloaded, the old configuration stays: %s", err.text);
		say(m, text);
		config_free(&config);
		user_free(&low);
	} else {
		config_free(&server->config);
		server->config = config;
		user_free(&server->low);
		server->low = low;
		log_close(&m->log);
		m->log = log;
		say(m, "reloaded");
		signal_workers(m, SIGTERM);
	}
	lmtpd_notify("READY=1");
}

static void
tell(struct master *m)
{
	const struct lmtpd_board *board = m->server->board;
	char text[sizeof(m->said)];
	struct err err;

	snprintf(text, sizeof(text), "%u busy, %u idle of at most %u workers%s", lmtpd_board_in(board, PLACE_BUSY),
	    lmtpd_board_in(board, PLACE_IDLE), board->size, atomic_load(board->crowded) ? "; connections wait" : "");
	if (strcmp(text, m->said) != 0)
		lmtpd_notify("STATUS=%s", text);
	memcpy(m->said, text, sizeof(text));
	if (m->server->config->lmtp_stats[0] != '\0' && lmtpd_board_write(board, m->server->config->lmtp_stats, &err) == -1)
		say(m, err.text);
}

/* Once a second while anything happens. */
static void
tick(struct master *m)
{
	struct lmtpd_board *board = m->server->board;
	int64_t now = clock_ms();

	if (!m->active || now - m->tick_ms < TICK_MS)
		return;
	m->tick_ms = now;
	m->crashes = 0;
	/* Workers that could not be started are tried again: nobody else would wake us. */
	m->active = lmtpd_board_in(board, PLACE_BUSY) > 0 || lmtpd_board_in(board, PLACE_IDLE) < least_idle(board);
	tell(m);
}

static void
wait_for_something(struct master *m)
{
	struct pollfd pfd = { .fd = m->server->wake[0], .events = POLLIN };
	const struct timespec limit = { TICK_MS / 1000, 0 };
	char trash[4096];

	(void)ppoll(&pfd, 1, m->active ? &limit : NULL, &m->waiting);
	while (read(m->server->wake[0], trash, sizeof(trash)) > 0)
		m->active = true;
}

static void
stop(struct master *m)
{
	int64_t until = clock_ms() + STOP_MS;

	lmtpd_notify("STOPPING=1");
	m->active = true;
	lmtpd_listen_end(&m->server->sockets);	/* those of the workers end with them */
	signal_workers(m, SIGTERM);
	while (signal_workers(m, 0) > 0) {
		if (clock_ms() > until)
			signal_workers(m, SIGKILL);	/* as good as a power cut, which every step allows for */
		wait_for_something(m);
		take_ends(m);
	}
	tell(m);
}

/* Until a signal ends it. */
static void
work(struct master *m)
{
	while (!got_stop) {
		wait_for_something(m);
		if (got_child) {
			got_child = 0;
			take_ends(m);
		}
		if (got_reload) {
			got_reload = 0;
			reload(m);
		}
		fill_places(m);
		tick(m);
	}
}

int
lmtpd_master(struct lmtpd_server *server, void (*started)(void *arg), void *arg, struct err *err)
{
	struct master m = { .server = server };
	int ret = -1;

	m.pids = calloc(server->board->size, sizeof(*m.pids));
	if (m.pids == NULL || pipe2(server->wake, O_CLOEXEC | O_NONBLOCK) == -1) {
		err_sys(err, "start workers", NULL);
		goto done;
	}
	if (open_log(&m.log, server, server->config, err) == -1)
		goto done;
	set_signals(&m);
	say(&m, "started");
	started(arg);
	fill_places(&m);
	lmtpd_notify("READY=1");
	work(&m);
	say(&m, "stopping");
	stop(&m);
	ret = 0;
done:
	log_close(&m.log);
	free(m.pids);
	return ret;
}
