/* The engine for several processes: ptrace(2). */
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "trace.h"
#include "tree.h"

#define OPTIONS \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	    PTRACE_O_TRACEEXEC)

static volatile sig_atomic_t too_late;

static void
on_alarm(int sig)
{
	(void)sig;
	too_late = 1;
}

/* Again and again, so that a signal just before a wait is no lost one. 0: no more. */
static void
alarm_after(unsigned int seconds)
{
	struct itimerval timer = { .it_value = { .tv_sec = seconds }, .it_interval = { .tv_sec = seconds > 0 } };
	struct sigaction sa = { .sa_handler = on_alarm };

	too_late = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void
go_on(const struct tree *t, pid_t pid, int sig)
{
	/* ESRCH: it has just been killed */
	if (ptrace(t->loose ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)sig) == -1 && errno != ESRCH)
		die("ptrace");
}

static size_t
place(const struct tree *t, pid_t pid)
{
	size_t i;

	for (i = 0; i < t->n && t->members[i] != pid; i++)
		;
	return i;
}

static bool
is_new(struct tree *t, pid_t pid)
{
	if (place(t, pid) < t->n)
		return false;
	if (t->n == TREE_MAX) {
		errno = EAGAIN;
		die("too many processes");
	}
	t->members[t->n++] = pid;
	return true;
}

static void
remove_member(struct tree *t, pid_t pid, int status)
{
	size_t i = place(t, pid);

	if (pid == t->first)
		t->code = WIFEXITED(status) ? WEXITSTATUS(status) : ENDED_SIGNAL + WTERMSIG(status);
	if (i < t->n)
		t->members[i] = t->members[--t->n];
}

static bool
at_entry(pid_t pid)
{
	struct ptrace_syscall_info info;

	memset(&info, 0, sizeof(info));
	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) != -1 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static bool
at_call(int status)
{
	return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

/* One of them has stopped: what it goes on with, as if nobody had looked. */
static int
signal_of(struct tree *t, pid_t pid, int status)
{
	bool new = is_new(t, pid);

	return at_call(status) || status >> 16 != 0 || (new && WSTOPSIG(status) == SIGSTOP) ? 0 : WSTOPSIG(status);
}

/* One of them has stopped. Returns whether it is about to make a call; if not, it goes on. */
static bool
look(struct tree *t, pid_t pid, int status)
{
	int sig = signal_of(t, pid, status);

	if (!t->loose && at_call(status) && at_entry(pid))
		return true;
	go_on(t, pid, sig);
	return false;
}

void
tree_start(struct tree *t, char *const *argv, const char *input, const char *out)
{
	int status;

	memset(t, 0, sizeof(*t));
	t->first = t->stopped = trace_spawn(argv, input, out, true);
	alarm_after(TREE_LIMIT_S);
	if (waitpid(t->first, &status, __WALL) == -1)
		die("waitpid");
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
		errno = EPERM;
		die("start a traced process");
	}
	if (ptrace(PTRACE_SETOPTIONS, t->first, NULL, (void *)(uintptr_t)OPTIONS) == -1)
		die("PTRACE_SETOPTIONS");
	(void)is_new(t, t->first);
}

/* Returns whether it is traced now. */
static bool
seize(struct tree *t, pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(uintptr_t)OPTIONS) == -1)
		return false;
	(void)is_new(t, pid);
	return ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0;
}

bool
tree_attach(struct tree *t, pid_t pid)
{
	memset(t, 0, sizeof(*t));
	t->first = pid;
	alarm_after(TREE_LIMIT_S);
	return seize(t, pid);
}

void
tree_add(struct tree *t, pid_t pid)
{
	(void)seize(t, pid);
}

/* There may be members that have not shown up yet, so what tells the end is that there are no children. */
bool
tree_step(struct tree *t)
{
	pid_t pid;
	int status;

	if (t->stopped != 0)
		go_on(t, t->stopped, 0);
	t->stopped = 0;
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		if (too_late) {
			tree_kill_all(t);
			t->code = ENDED_HUNG;
			return false;
		}
		if (pid > 0 && !WIFSTOPPED(status))
			remove_member(t, pid, status);
		else if (pid > 0 && look(t, pid, status)) {
			t->stopped = pid;
			t->calls++;
			return true;
		}
	}
	alarm_after(0);
	return false;
}

bool
tree_return(struct tree *t)
{
	pid_t caller = t->stopped, pid;
	int status;

	go_on(t, caller, 0);
	t->stopped = 0;
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		if (too_late)
			break;
		if (pid <= 0)
			continue;
		if (!WIFSTOPPED(status)) {
			remove_member(t, pid, status);
			if (pid == caller)
				return false;
		} else if (pid == caller && at_call(status) && !at_entry(pid)) {
			t->stopped = caller;
			return true;
		} else
			go_on(t, pid, signal_of(t, pid, status));
	}
	tree_kill_all(t);
	t->code = ENDED_HUNG;
	return false;
}

void
tree_leave(struct tree *t)
{
	size_t i;
	pid_t pid;
	int status;

	for (i = 0; i < t->n; i++)
		if (t->members[i] != t->stopped)
			(void)ptrace(PTRACE_INTERRUPT, t->members[i], NULL, NULL);
	if (t->stopped != 0)
		(void)ptrace(PTRACE_DETACH, t->stopped, NULL, NULL);
	t->stopped = 0;
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		if (pid > 0 && !WIFSTOPPED(status))
			remove_member(t, pid, status);
		else if (pid > 0)
			(void)ptrace(PTRACE_DETACH, pid, NULL, (void *)(uintptr_t)signal_of(t, pid, status));
	}
	alarm_after(0);
}

void
tree_kill_one(struct tree *t)
{
	kill(t->stopped, SIGKILL);
	t->stopped = 0;
}

void
tree_kill_all(struct tree *t)
{
	size_t i;
	pid_t pid;
	int status;

	for (i = 0; i < t->n; i++)
		kill(t->members[i], SIGKILL);
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		if (pid > 0 && WIFSTOPPED(status))
			kill(pid, SIGKILL);	/* forked just now */
		else if (pid > 0)
			remove_member(t, pid, status);
	}
	t->stopped = 0;
	alarm_after(0);
}

void
tree_finish(struct tree *t, unsigned int limit_s)
{
	alarm_after(limit_s);
	t->loose = true;
	while (tree_step(t))
		;
}
