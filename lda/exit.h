/*
 * The exit codes of the agent, and the first line of its output, all in one place.
 *
 * 75 is the only code that every MTA takes as "keep it and try again": Postfix bounces most of the others, and Exim bounces a death by
 * signal. Postfix believes the enhanced status code (RFC 3463) at the start of the output before the exit code.
 */
#ifndef EXIT_H
#define EXIT_H

#include <stdbool.h>

#include "status.h"

#define EXIT_DELIVERED 0
#define EXIT_NO_USER 67		/* EX_NOUSER */
#define EXIT_TEMPORARY 75	/* EX_TEMPFAIL */
#define EXIT_OVER_QUOTA 77	/* EX_NOPERM */

/* The exit code for what went wrong, as far as the administrator lets it differ from 75. */
int exit_code(enum status status, bool reject_unknown, bool reject_over_quota);
/* The line that goes with it, to standard error. Call it before any other output. */
void exit_report(int code, const char *reason);

/* From here on signals that would kill the process end it with 75 instead. */
void exit_on_signals(void);
/* The same when it has lived limit_s seconds from now on. */
void exit_after(unsigned int limit_s);
/* on_crash is called before the process ends because it is broken (SIGSEGV and the like) or late; it must be async-signal-safe. */
void exit_on_crash(void (*on_crash)(void));

#endif
