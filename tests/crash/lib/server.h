/*
 * The LMTP server as a harness runs it: two workers at most, in the background, so that its processes are no children of the harness.
 */
#ifndef SERVER_H
#define SERVER_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>

#define SERVER_OPTIONS 24
#define SERVER_SOCKET 100	/* bytes of its path */

struct server {
	char socket[SERVER_SOCKET], pid_file[PATH_MAX], out[PATH_MAX];
	char program[PATH_MAX];
	char *argv[SERVER_OPTIONS];	/* NULL at the end; each is to be freed but for the first */
	pid_t master;			/* 0: there is none */
	pid_t session;			/* of all its processes, also after it died */
	bool monitors;			/* each worker has one */
};

/* In this folder; more are options of dedup-lmtpd, NULL at the end. Nothing is started. */
void server_make(struct server *s, const char *folder, const char *build, const char *const *more);
void server_free(struct server *s);

/* Start it, if it is not there; one at a time. It is stopped when this process exits. Waits for processes of an earlier one, which may still
 * hold the socket. */
void server_start(struct server *s);
/* SIGTERM, and wait until all of its processes have ended. */
void server_stop(struct server *s);
/* kill -9. Its workers go on until they have finished what they have accepted. */
void server_kill_master(struct server *s);

/* The only worker that has no connection. */
pid_t server_idle_worker(const struct server *s);
/* Another one in its place, which has not served anybody yet. */
pid_t server_fresh_worker(const struct server *s);
/* Has this process no socket open but one that listens, and that to its monitor? */
bool server_is_idle(const struct server *s, pid_t worker);
/* The monitor of this worker, or 0. */
pid_t server_monitor(const struct server *s, pid_t worker);
/* Wait until the master, its workers and their monitors are the only processes. False: others are still there after a while. */
bool server_settle(const struct server *s);

#endif
