/*
 * The LMTP server as its master and its workers know it.
 *
 * The master holds the listening sockets, starts workers and takes their ends; it never sees mail. Each worker serves one connection after
 * another, without privileges: see lmtpd_monitor.h. A worker that dies harms its own connection only; when the master dies, each worker
 * finishes what it has accepted and ends.
 */
#ifndef LMTPD_SERVER_H
#define LMTPD_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "lmtpd_board.h"
#include "lmtpd_listen.h"
#include "user.h"

#define LMTPD_WORKERS 100	/* the default of -w */
#define LMTPD_WORKERS_MAX 4096
#define LMTPD_SPARE_MIN 4	/* workers that wait for connections, at least */
#define LMTPD_SPARE_MAX 12	/* and at most */

struct lmtpd_options {
	const char *file;			/* -c */
	const char **assignments;		/* -o, NULL at the end; the array is owned */
	const char *addresses[LMTPD_SOCKETS_MAX];	/* -l */
	size_t address_count;
	const char *user;			/* -u */
	const char *pid_file;			/* -p */
	unsigned int workers;			/* -w */
	bool foreground;			/* -F */
	bool verbose;				/* -v */
	bool version;				/* -V */
};

struct lmtpd_server {
	struct lmtpd_options options;
	bool system;			/* recipients are users of this system */
	char hostname[256];
	struct config *config;		/* the system's, as it was read last */
	struct user *low;		/* whom workers become if recipients are users of this system */
	struct lmtpd_sockets sockets;
	struct lmtpd_board *board;
	int pid_file;			/* the master's alone: with it, a worker could tell root whom to stop; -1: none */
	int wake[2];			/* workers write a byte into [1] when their state has changed; [0] is the master's */
};

/* Returns 0, or -1 with STATUS_USAGE. Strings are borrowed from argv. */
int lmtpd_options_parse(struct lmtpd_options *options, int argc, char **argv, struct err *err);

/* Read the configuration as it is now. Returns 0, or -1 and leaves *config alone. */
int lmtpd_load(const struct lmtpd_server *server, struct config **config, struct err *err);
/* Whom it wants workers to become (lmtp-user). Returns 0, with NULL where they become nobody else, or -1. */
int lmtpd_low_user(const struct lmtpd_server *server, const struct config *config, struct user **low, struct err *err);
/* What %-variables a virtual recipient has, for a check or to see what does not depend on them: give it two names. */
struct identity lmtpd_sample(bool system, const char *address);

/* Be the master until a signal ends it and all workers have ended. started is called when clients can connect, before
 * there are workers, who would keep the terminal. Returns 0 or -1. */
int lmtpd_master(struct lmtpd_server *server, void (*started)(void *arg), void *arg, struct err *err);

/* Be a worker at this place; in a child of the master. */
void lmtpd_worker(struct lmtpd_server *server, struct lmtpd_place *place, pid_t master) __attribute__((noreturn));

#endif
