/*
 * The exit codes of the agent, and the first line of its output, all in one place.
 *
 * 75 is the only code that every MTA takes as "keep it and try again": Postfix bounces most of the others, and Exim bounces a death by
 * signal. Postfix believes the enhanced status code (RFC 3463) at the start of the output before the exit code.
 */
#ifndef EXIT_H
#define EXIT_H

#include <sys/types.h>

#include <stdbool.h>

#include "config.h"
#include "status.h"

#define EXIT_DELIVERED 0
#define EXIT_NO_USER 67		/* EX_NOUSER */
#define EXIT_REFUSED 69		/* EX_UNAVAILABLE */
#define EXIT_TEMPORARY 75	/* EX_TEMPFAIL */
#define EXIT_OVER_QUOTA 77	/* EX_NOPERM */

/* What the administrator lets differ from 75. */
struct exit_policy {
	bool reject_unknown, reject_over_quota, reject_refused;
};

struct exit_policy exit_policy(const struct config *config);
/* The exit code for what went wrong. */
int exit_code(enum status status, const struct exit_policy *policy);
/* The line that goes with it, to standard error. Call it before any other output. */
void exit_report(int code, const char *reason);

/* From here on signals that would kill the process end it with 75 instead. */
void exit_on_signals(void);
/* The same without a change of what is blocked. */
void exit_catch_signals(void);
/* The same when it has lived limit_s seconds from now on. */
void exit_after(unsigned int limit_s);
/* Whatever of the above ends the process also kills this process group; 0: none. */
void exit_kills(pid_t group);
/* on_crash is called before the process ends because it is broken (SIGSEGV and the like) or late; it must be async-signal-safe. */
void exit_on_crash(void (*on_crash)(void));

#endif
