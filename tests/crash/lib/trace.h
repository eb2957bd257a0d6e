/*
 * Running an agent, plainly or one system call at a time.
 *
 * One process at a time is watched: whatever lives longer than TRACE_LIMIT_S is killed and counts as hung. Everything here is for
 * test programs: trouble with the machinery itself prints a line and exits 1.
 */
#ifndef TRACE_H
#define TRACE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#define TRACE_LIMIT_S 10
#define TRACE_PATH 512		/* bytes of a path that are kept, with the final NUL */

/* How a process ended: its exit code, or one of these. */
#define ENDED_SIGNAL 256	/* plus the signal */
#define ENDED_HUNG 1000

struct call {
	long nr;
	unsigned long long args[6];
	char path[TRACE_PATH];	/* what it works on: the path it names, or that of its descriptor; "" for none */
	char to[TRACE_PATH];	/* the second path of a rename or link */
};

struct tracee {
	pid_t pid;
	bool in_call;		/* stopped at the entry of a call, else at the exit of one */
	unsigned int calls;	/* begun so far */
	bool ended;
	int code;		/* when it has ended: exit code, ENDED_SIGNAL + signal or ENDED_HUNG */
};

/* Can a child be traced here? */
bool trace_possible(void);

/* Start a process; with `traced` it stops at its first instruction. */
pid_t trace_spawn(char *const *argv, const char *input, const char *out, bool traced);
/* Run to the end; input is the file that it gets as standard input. Outputs go to the file `out`. NULL stands for /dev/null. */
int run_plain(char *const *argv, const char *input, const char *out);
/* The same, killed after so many microseconds if it still lives then: ENDED_SIGNAL + SIGKILL. */
int run_killed(char *const *argv, const char *input, const char *out, long us);

/* Start a process; it is stopped before its first system call, with no call begun. */
void trace_start(struct tracee *t, char *const *argv, const char *input, const char *out);
/* On to the next entry or exit of a system call. False: it has ended. */
bool trace_step(struct tracee *t);
/* SIGKILL it where it is: at an entry that call is not executed. */
void trace_kill(struct tracee *t);
/* Let it run on untraced, to its end. */
void trace_finish(struct tracee *t);

/* At the entry of a call: which one. */
void trace_call(const struct tracee *t, struct call *call);
const char *call_name(const struct call *call, char *buf, size_t size);
/* At the exit: what it returned, or -errno. */
long trace_result(const struct tracee *t);
/* Its memory. */
void trace_read(const struct tracee *t, unsigned long long at, void *buf, size_t len);
void trace_write(const struct tracee *t, unsigned long long at, const void *buf, size_t len);
/* At the entry: do not execute it, and make it return -error at its exit. Steps to that exit; false: it has ended. */
bool trace_fail(struct tracee *t, int error);
/* At the entry: give it another argument. */
void trace_argument(const struct tracee *t, int which, unsigned long long value);
/* Can results be forged on this machine? */
bool trace_can_fail(void);

/* Print a message, with errno, and exit 1. */
void die(const char *what) __attribute__((noreturn));

#endif
