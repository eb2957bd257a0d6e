/* A worker of the LMTP server: it serves one connection after another. */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"
#include "fs.h"
#include "lmtpd_monitor.h"
#include "lmtpd_server.h"
#include "redis_url.h"
#include "sandbox.h"

#define CONNECTIONS_MAX 5000	/* as LMTPD_MESSAGES_MAX, of connections that perhaps bring none */
#define ACCEPT_PAUSE_MS 100	/* when the system has no room for one more */

static volatile sig_atomic_t stopping;
static const int *volatile listening;	/* our descriptors of the listening sockets, -1 at the end; for on_stop() */

/* Who is to stop does not listen any more, even if it has a message to finish: the next server must find the place free. */
static void
on_stop(int sig)
{
	const int *fd;

	(void)sig;
	for (fd = listening; !stopping && *fd != -1; fd++)
		close(*fd);
	stopping = 1;
}

/* Signals that end the worker only set a flag, and are only let in while it waits. Until here the master's mask keeps them. */
static void
set_signals(sigset_t *waiting)
{
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t block;

	exit_catch_signals();
	exit_on_crash(lmtpd_on_crash);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGHUP, SIG_IGN);	/* the master's affair, even if a terminal sends it to all */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(waiting);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_SETMASK, &block, NULL);
}

static void
change_state(struct lmtpd_server *server, struct lmtpd_place *place, enum lmtpd_state state)
{
	atomic_store(&place->state, state);
	(void)!write(server->wake[1], "", 1);	/* when it is full, the master is awake */
}

/* The folder in which two paths lie; NULL without memory, or for the root. */
static char *
common_folder(const char *a, const char *b)
{
	size_t n = 0, slash = 0;

	for (; a[n] == b[n] && a[n] != '\0'; n++)
		if (a[n] == '/')
			slash = n;
	return slash == 0 ? NULL : strndup(a, slash);
}

static int
open_folder(const char *path)
{
	return path == NULL ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

struct places {
	char *mailbox, *ledger, *log;
};

/* Is the ledger kept by a server? */
static bool
is_remote(const char *url)
{
	return url != NULL && redis_url_is(url);
}

/* Where mailboxes, ledgers and logs of all recipients are: above what two recipients differ in. */
static bool
find_places(struct config *config, struct places *places)
{
	struct identity a = lmtpd_sample(false, "a@a.example"), b = lmtpd_sample(false, "b@b.example");
	char *mailbox, *ledger, *log;
	bool known = false;

	memset(places, 0, sizeof(*places));
	if (config_resolve(config, &a, NULL) == -1 || (config->mailbox_ops != &maildir_ops && config->mailbox_ops != &mbox_ops))
		return false;
	mailbox = strdup(config->mailbox_path);
	ledger = config->ledger_url != NULL ? strdup(config->ledger_url) : NULL;
	log = config->log_path != NULL ? strdup(config->log_path) : NULL;
	if (mailbox != NULL && config_resolve(config, &b, NULL) == 0) {
		places->mailbox = common_folder(mailbox, config->mailbox_path);
		if (ledger != NULL && strncmp(ledger, "bdb:", 4) == 0)
			places->ledger = common_folder(ledger + 4, config->ledger_url + 4);
		if (log != NULL)
			places->log = common_folder(log, config->log_path);
		known = places->mailbox != NULL && (ledger == NULL || places->ledger != NULL || is_remote(ledger));
	}
	free(mailbox);
	free(ledger);
	free(log);
	return known;
}

/* Virtual recipients are all in a few places, and a worker that somebody takes over shall get no further. Users of this system are
 * delivered to by children of the monitor, each of which confines itself: this process only needs a place for large messages. */
static void
confine(struct lmtpd_server *server, struct lmtpd_site *site)
{
	struct places places = { NULL, NULL, NULL };
	enum sandboxed result = SANDBOX_FAILED;
	int folders[6];
	size_t i, n = sizeof(folders) / sizeof(folders[0]);

	if (server->system || (lmtpd_site_prepare(site) && find_places(server->config, &places))) {
		folders[0] = open_folder(places.mailbox);
		folders[1] = open_folder(places.ledger);
		folders[2] = open_folder(places.log);
		folders[3] = open_folder("/var/tmp");
		folders[4] = open_folder("/tmp");
		folders[5] = open_folder("/proc/sys/kernel/random");	/* the boot id */
		/* Which servers of Redis there will be while this worker lives, nobody knows. */
		result = sandbox_enter(folders, n, NULL, !server->system && is_remote(server->config->ledger_url) ? SANDBOX_ANY_PORT : 0);
		for (i = 0; i < n; i++)
			if (folders[i] != -1)
				close(folders[i]);
	}
	if (result != SANDBOX_ON)
		log_detail(site->log, result == SANDBOX_FAILED ? "no sandbox" : "no sandbox: the kernel has none");
	free(places.mailbox);
	free(places.ledger);
	free(places.log);
}

/* Who connected, as a Received field tells it. */
static void
name_peer(char peer[LMTPD_PEER_MAX], int fd)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&from;
	socklen_t len = sizeof(from);
	char text[INET6_ADDRSTRLEN] = "";
	int on = 1;

	peer[0] = '\0';
	(void)getpeername(fd, (struct sockaddr *)&from, &len);
	if (from.ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)) != NULL)
		snprintf(peer, LMTPD_PEER_MAX, "([%s])", text);
	else if (from.ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)) != NULL)
		snprintf(peer, LMTPD_PEER_MAX, "([IPv6:%s])", text);
	if (from.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Returns a connection, or -1: the worker is to stop. */
static int
next_connection(const struct lmtpd_server *server, const sigset_t *waiting)
{
	struct pollfd pfds[LMTPD_SOCKETS_MAX];
	size_t i;
	int fd;

	for (i = 0; i < server->sockets.n; i++)
		pfds[i] = (struct pollfd){ .fd = server->sockets.fds[i], .events = POLLIN };
	while (!stopping) {
		if (ppoll(pfds, server->sockets.n, NULL, waiting) <= 0)
			continue;
		for (i = 0; i < server->sockets.n; i++) {
			if (pfds[i].revents == 0)
				continue;
			fd = accept4(pfds[i].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fd != -1)
				return fd;
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)	/* another worker may have been faster */
				clock_sleep_ms(ACCEPT_PAUSE_MS);
		}
	}
	return -1;
}

static void
serve(struct lmtpd_server *server, struct lmtpd_site *site, int fd, const sigset_t *waiting)
{
	const struct lmtp_settings settings = {
		.hostname = server->hostname,
		.max_size = (uint64_t)server->config->lmtp_max_size,
		.max_recipients = (size_t)server->config->lmtp_max_recipients,
		.timeout_ms = server->config->lmtp_timeout * 1000,
		.data_timeout_ms = server->config->lmtp_data_timeout * 1000,
	};
	const struct lmtp_weather weather = { &stopping, server->board->crowded, waiting };
	struct lmtp_handler handler;
	struct lmtp_io *io = malloc(sizeof(*io));

	if (io != NULL) {
		name_peer(site->peer, fd);
		lmtpd_site_handler(site, &handler);
		lmtp_io_init(io, fd, fd, &weather);
		(void)lmtp_session_run(io, &settings, &handler);
	}
	free(io);
	close(fd);
}

static void
work(struct lmtpd_server *server, struct lmtpd_site *site, struct lmtpd_place *place, const sigset_t *waiting)
{
	unsigned int served;
	int fd;

	for (served = 0; served < CONNECTIONS_MAX && site->messages < LMTPD_MESSAGES_MAX && !site->trouble; served++) {
		change_state(server, place, PLACE_IDLE);
		if (lmtpd_board_in(server->board, PLACE_IDLE) > LMTPD_SPARE_MAX)
			return;
		fd = next_connection(server, waiting);
		if (fd == -1)
			return;
		change_state(server, place, PLACE_BUSY);
		lmtpd_board_count(place, COUNT_CONNECTIONS, 1);
		serve(server, site, fd, waiting);
	}
}

/* What is left of root is a monitor, from before this process has seen a client. */
static int
give_up_root(const struct lmtpd_server *server, struct lmtpd_site *site, struct err *err)
{
	if (!server->system)
		return 0;
	if (lmtpd_monitor_start(site, server->wake[1], err) == -1)
		return -1;
	return user_become(server->low, err);
}

void
lmtpd_worker(struct lmtpd_server *server, struct lmtpd_place *place, pid_t master)
{
	struct lmtpd_site site = {
		.config = server->config,
		.file = server->options.file,
		.assignments = server->options.assignments,
		.hostname = server->hostname,
		.verbose = server->options.verbose,
		.system = server->system,
		.place = place,
		.foreign = server->sockets.fds,
		.monitor = -1,
		.shared = -1,
	};
	sigset_t waiting;
	struct err err;

	listening = server->sockets.fds;
	set_signals(&waiting);
	close(server->wake[0]);
	if (server->pid_file != -1)
		close(server->pid_file);
	if (lmtpd_site_open(&site, &err) == -1 || give_up_root(server, &site, &err) == -1) {
		exit_report(EXIT_TEMPORARY, err.text);
		_exit(EXIT_TEMPORARY);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);	/* not earlier: a change of the user takes it back */
	if (getppid() != master)
		stopping = 1;
	tzset();	/* the sandbox hides the file that libc looks for when it is asked for a date */
	confine(server, &site);
	log_flush(site.log);
	work(server, &site, place, &waiting);
	lmtpd_site_close(&site);
	_exit(0);
}
