/*
 * dedup-lmtpd: take messages over LMTP and deliver each into its recipients' mailboxes, once. See dedup-lmtpd(8).
 *
 * Order: command line, sockets, user, configuration, then the master. Sockets come before the user, who may not be allowed to make them,
 * and need lmtp-network; the rest of the configuration comes after, as it is read again later.
 */
#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config_secret.h"
#include "fs.h"
#include "lmtpd_notify.h"
#include "lmtpd_server.h"
#include "process.h"
#include "version.h"

#define LOW_USER "dedup-lda"	/* whom workers become, if there is one and lmtp-user says nothing; otherwise nobody */

struct identity
lmtpd_sample(bool system, const char *address)
{
	return (struct identity){ .user = system ? "user" : address, .home = system ? "/nonexistent" : NULL, .address = address };
}

int
lmtpd_load(const struct lmtpd_server *server, struct config **config, struct err *err)
{
	struct identity who = lmtpd_sample(server->system, "user@example.org");
	struct config *loaded;

	if (config_load(&loaded, server->options.file, server->options.assignments, &who, geteuid(), false, err) == -1)
		return -1;
	if (server->system)
		secret_free(&loaded->ledger_password);	/* a user's own process reads it again; one that talks to clients has no use for it */
	*config = loaded;
	return 0;
}

static void
name_host(struct lmtpd_server *server)
{
	char *p;

	if (gethostname(server->hostname, sizeof(server->hostname)) == -1)
		server->hostname[0] = '\0';
	server->hostname[sizeof(server->hostname) - 1] = '\0';
	for (p = server->hostname; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			*p = '-';	/* it is a part of replies and header fields */
	if (server->hostname[0] == '\0')
		strlcpy(server->hostname, "localhost", sizeof(server->hostname));
}

int
lmtpd_low_user(const struct lmtpd_server *server, const struct config *config, struct user **low, struct err *err)
{
	const char *name = config->lmtp_user;
	struct err why;
	bool found;

	*low = NULL;
	if (!server->system)
		return 0;
	found = user_named(low, name[0] != '\0' ? name : LOW_USER, &why) == 0 ||
	    (name[0] == '\0' && why.status == STATUS_NOUSER && user_named(low, "nobody", &why) == 0);
	if (found && (*low)->uid != 0)
		return 0;
	if (found) {
		err_set(err, STATUS_CONFIG, "lmtp-user %s: is root, who does not talk to clients", (*low)->name);
		user_free(low);
		return -1;
	}
	return err_set(err, why.status == STATUS_NOUSER ? STATUS_CONFIG : STATUS_TEMP, "lmtp-user %s: %s",
	    name[0] != '\0' ? name : LOW_USER, why.text);
}

/* For lmtp-network, which is needed before this process becomes the user, the configuration is read once more. */
static int
open_sockets(struct lmtpd_server *server, struct err *err)
{
	const struct lmtpd_options *options = &server->options;
	struct config *config = NULL;
	bool any_network;
	size_t i;

	if (lmtpd_load(server, &config, err) == -1)
		return -1;
	any_network = config->lmtp_any_network;
	config_free(&config);
	if (lmtpd_listen_passed(&server->sockets, any_network, err) == -1)
		return -1;
	for (i = 0; i < options->address_count; i++)
		if (lmtpd_listen(&server->sockets, options->addresses[i], any_network, err) == -1)
			return -1;
	return server->sockets.n > 0 ? 0 : err_set(err, STATUS_USAGE, "nowhere to listen: use -l, or sockets of systemd");
}

/* Root delivers to users of this system, unless -u names one user for all mail: then nothing is left of root. */
static int
become_user(struct lmtpd_server *server, struct err *err)
{
	struct user *user = NULL;
	int ret;

	if (server->options.user == NULL)
		return 0;
	if (geteuid() != 0) {
		ret = user_current(&user, err);
		if (ret == 0 && strcmp(user->name, server->options.user) != 0)
			ret = err_set(err, STATUS_USAGE, "only root may use -u");
	} else {
		ret = user_named(&user, server->options.user, err);
		if (ret == 0)
			ret = user_become(user, err);
	}
	user_free(&user);
	return ret;
}

/* Returns the descriptor of the file, which is still empty, or -1. */
static int
open_pid_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
	struct stat st;

	if (fd == -1)
		return err_sys(err, "write", path);
	/* Its folder may belong to whom this process is about to become, who could have put a link to another file there. */
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		err_set(err, STATUS_TEMP, "%s: is no regular file with one name", path);
	else if (fs_try_lock(fd, path, err) == 1)
		return fd;
	else
		err_set(err, STATUS_TEMP, "%s: another server runs", path);
	close(fd);
	return -1;
}

static int
write_pid(int fd, const char *path, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == -1)
		return err_sys(err, "write", path);
	return fs_write(fd, text, (size_t)n, NULL, path, err);
}

/* The command ends when clients can connect, with 0, or when that failed. Returns the descriptor to say so, or -1. */
static int
go_to_background(struct err *err)
{
	int fds[2];
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(err, "go to the background", NULL);
	pid = fork();
	if (pid == -1)
		return err_sys(err, "go to the background", NULL);
	if (pid > 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 1 ? EX_OK : EX_TEMPFAIL);
	}
	close(fds[0]);
	(void)setsid();
	return fds[1];
}

static void
started(void *arg)
{
	int *ready = arg, null;

	if (*ready == -1)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		close(null);
	}
	(void)!write(*ready, "", 1);
	close(*ready);
	*ready = -1;
}

static int
run(struct lmtpd_server *server, struct err *err)
{
	int ready = -1;

	server->system = geteuid() == 0 && server->options.user == NULL;
	name_host(server);
	/* Before anything is read: a reload counts relative paths from the same place. */
	if (chdir("/") == -1 || open_sockets(server, err) == -1 || process_clean_environment(err) == -1)
		return -1;
	if (server->options.pid_file != NULL && (server->pid_file = open_pid_file(server->options.pid_file, err)) == -1)
		return -1;
	if (become_user(server, err) == -1 || lmtpd_load(server, &server->config, err) == -1 ||
	    lmtpd_low_user(server, server->config, &server->low, err) == -1)
		return -1;
	server->board = lmtpd_board_new(server->options.workers);
	if (server->board == NULL)
		return err_sys(err, "start workers", NULL);
	if (!server->options.foreground && (ready = go_to_background(err)) == -1)
		return -1;
	if (server->pid_file != -1 && write_pid(server->pid_file, server->options.pid_file, err) == -1)
		return -1;
	return lmtpd_master(server, started, &ready, err);
}

static int
report(const struct err *err)
{
	char line[ERR_TEXT + 16];
	int n = snprintf(line, sizeof(line), "dedup-lmtpd: %s\n", err->text);

	(void)fs_write(STDERR_FILENO, line, (size_t)n, NULL, "standard error", NULL);
	return err->status == STATUS_USAGE ? EX_USAGE : err->status == STATUS_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
}

static void
release(struct lmtpd_server *server)
{
	lmtpd_listen_end(&server->sockets);
	lmtpd_board_free(&server->board);
	config_free(&server->config);
	user_free(&server->low);
	free(server->options.assignments);
}

int
main(int argc, char **argv)
{
	struct lmtpd_server server = { .sockets = { .fds = { -1 } }, .wake = { -1, -1 }, .pid_file = -1 };
	struct err err = { .status = STATUS_TEMP, .text = "no folder to be in" };
	const char *passed = getenv("LISTEN_FDS");
	long sockets = passed != NULL ? strtol(passed, NULL, 10) : 0;
	int code = EX_OK;

	process_heap();
	process_limit(STDERR_FILENO + 1 + (sockets > 0 && sockets <= LMTPD_SOCKETS_MAX ? (int)sockets : 0));
	process_fill_descriptors();
	lmtpd_notify_start();
	if (lmtpd_options_parse(&server.options, argc, argv, &err) == -1)
		code = report(&err);
	else if (server.options.version)
		printf("dedup-lmtpd %s\n", DEDUP_LDA_VERSION);
	else if (run(&server, &err) == -1)
		code = report(&err);
	release(&server);
	return code;
}
