/* A command that is prepared early and run late. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "exit.h"
#include "fs.h"
#include "process.h"

#define GATE 3		/* descriptors of the child */
#define EXEC 4
#define FREE 10		/* from here on none of them is in the way */
#define NOT_RUN 127
#define READS 16	/* of 4096 bytes */
#define LOOK_MS 20	/* how often to look whether it has ended, where the kernel does not say */

struct child {
	pid_t pid;		/* -1: it was waited for */
	bool running;		/* it has been let go */
	int out;		/* what it says; -1: closed */
	int gate, exec;		/* a message to it opens the gate; errno of a failed exec comes from it */
	int pidfd;		/* tells when it ends, or -1 */
	size_t said;
	bool line_over;
	struct child_end end;
};

static void
close_one(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* --- in the child --- */

/* Signals as a program expects them: what is ignored stays so through exec, and the handlers here speak to our MTA. */
static void
plain_signals(void)
{
	struct sigaction sa;
	sigset_t none;
	int sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Its own pipes, and nothing else. Returns 0 or -1. */
static int
only_own_descriptors(int out, int gate, int exec)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	gate = fcntl(gate, F_DUPFD_CLOEXEC, FREE);
	exec = fcntl(exec, F_DUPFD_CLOEXEC, FREE);
	if (in == -1 || gate == -1 || exec == -1)
		return -1;
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1 || dup2(out, STDERR_FILENO) == -1)
		return -1;
	if (dup3(gate, GATE, O_CLOEXEC) == -1 || dup3(exec, EXEC, O_CLOEXEC) == -1)
		return -1;
#ifdef SYS_close_range
	(void)syscall(SYS_close_range, EXEC + 1, ~0U, 0);	/* without that call they are closed by exec */
#endif
	return 0;
}

/* Room for one descriptor beside a message. */
union passed {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

/* Wait for the news and the message. Returns 0, or -1: the gate was closed, or its keeper has died. */
static int
wait_at_gate(struct child_news *news)
{
	struct iovec iov = { .iov_base = news, .iov_len = sizeof(*news) };
	union passed passed;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof(passed) };
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(GATE, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	c = CMSG_FIRSTHDR(&m);
	if (n != (ssize_t)sizeof(*news) || c == NULL || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return dup2(fd, STDIN_FILENO) == -1 ? -1 : 0;
}

static void
become(const struct child_command *command, const struct child_news *news)
{
	char *const *variable;

	if (command->folder == NULL || chdir(command->folder) == -1)
		(void)!chdir("/");
	if (clearenv() != 0)
		return;
	for (variable = command->environment; *variable != NULL; variable++)
		if (putenv(*variable) != 0)
			return;
	if (news->fingerprint[0] != '\0' && setenv("FINGERPRINT", news->fingerprint, 1) == -1)
		return;
	if (news->retried && setenv("RETRIED", "yes", 1) == -1)
		return;
	execv(command->program, command->argv);
}

static _Noreturn void
run(const struct child_command *command, int out, int gate, int exec)
{
	struct child_news news;
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	plain_signals();
	(void)setpgid(0, 0);
	if (only_own_descriptors(out, gate, exec) == -1 || wait_at_gate(&news) == -1)
		_exit(NOT_RUN);
	errno = ENOMEM;
	become(command, &news);
	error = errno;
	(void)!write(EXEC, &error, sizeof(error));
	_exit(NOT_RUN);
}

/* --- in the agent --- */

struct pipes {
	int out[2], gate[2], exec[2];	/* [0] of the gate is the child's */
};

static int
pipes_open(struct pipes *p, struct err *err)
{
	memset(p, 0xff, sizeof(*p));
	if (pipe2(p->out, O_CLOEXEC) == -1 || pipe2(p->exec, O_CLOEXEC) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->gate) == -1)
		return err_sys(err, "pipe", NULL);
	return 0;
}

static void
pipes_close(struct pipes *p, bool ours_too)
{
	close_one(&p->out[1]);
	close_one(&p->gate[0]);
	close_one(&p->exec[1]);
	if (!ours_too)
		return;
	close_one(&p->out[0]);
	close_one(&p->gate[1]);
	close_one(&p->exec[0]);
}

int
child_start(struct child **out, const struct child_command *command, struct err *err)
{
	struct child *c = calloc(1, sizeof(*c));
	struct pipes p;

	*out = NULL;
	if (c == NULL)
		return err_sys(err, "start a command", NULL);
	process_keep_ends();
	c->pid = -1;
	if (pipes_open(&p, err) == 0) {
		c->pid = fork();
		if (c->pid == -1)
			err_sys(err, "fork", NULL);
		if (c->pid == 0) {
			close_one(&p.gate[1]);	/* or it would never see the gate closed */
			run(command, p.out[1], p.gate[0], p.exec[1]);
		}
	}
	pipes_close(&p, c->pid == -1);
	if (c->pid == -1) {
		free(c);
		return -1;
	}
	c->out = p.out[0];
	c->gate = p.gate[1];
	c->exec = p.exec[0];
	c->pidfd = -1;
	*out = c;
	return 0;
}

/* Has it ended? Then it has no number any more. */
static void
reap(struct child *c, int flags)
{
	pid_t got;

	do
		got = waitpid(c->pid, &c->end.status, flags);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		return;
	if (got == -1)
		c->end.status = SIGKILL;	/* nobody can tell: no success */
	exit_kills(0);
	c->pid = -1;
}

static int
open_gate(const struct child *c, const struct child_news *news, int input)
{
	struct child_news copy = *news;
	struct iovec iov = { .iov_base = &copy, .iov_len = sizeof(copy) };
	union passed passed = { .head = { .cmsg_len = 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof(passed) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(input));
	memcpy(CMSG_DATA(head), &input, sizeof(input));
	return sendmsg(c->gate, &m, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

int
child_go(struct child *c, const struct child_news *news, int input, struct err *err)
{
	int error = 0;
	ssize_t n;

	(void)setpgid(c->pid, c->pid);	/* whoever is first, it is done */
	if (fcntl(c->out, F_SETFL, O_NONBLOCK) == -1)
		return err_sys(err, "prepare a command", NULL);
#ifdef SYS_pidfd_open
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
#endif
	exit_kills(c->pid);
	c->running = true;
	if (open_gate(c, news, input) == -1)
		return err_sys(err, "let a command run", NULL);
	close_one(&c->gate);
	do
		n = read(c->exec, &error, sizeof(error));
	while (n == -1 && errno == EINTR);
	close_one(&c->exec);
	if (n == 0)
		return 0;
	reap(c, 0);	/* it ends by itself */
	errno = error;
	return err_sys(err, "run the command", NULL);
}

/* The first line is kept, the rest only read, so that the command need not wait for us. */
static void
keep_output(struct child *c, const char *p, size_t len)
{
	for (; len > 0 && !c->line_over; p++, len--) {
		if (*p == '\n')
			c->line_over = c->said > 0;
		else if (c->said < sizeof(c->end.said) - 1)
			c->end.said[c->said++] = *p < ' ' || *p > '~' ? '?' : *p;
	}
}

/* As much as a pipe holds: what it has started may write for ever, and the deadline is elsewhere. */
static void
read_output(struct child *c)
{
	char buf[4096];
	ssize_t n;
	int i;

	for (i = 0; c->out != -1 && i < READS; i++) {
		n = read(c->out, buf, sizeof(buf));
		if (n > 0)
			keep_output(c, buf, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_one(&c->out);
		else if (errno == EAGAIN)
			return;
	}
}

/* Wait until something happens: it has written, or ends. Returns 0, or -1 at the deadline. */
static int
wait_a_moment(struct child *c, int64_t deadline_ms, struct err *err)
{
	struct pollfd fds[] = { { .fd = c->out, .events = POLLIN }, { .fd = c->pidfd, .events = POLLIN } };
	int64_t left = deadline_ms == 0 ? INT32_MAX : deadline_ms - clock_ms();
	int limit = left > INT32_MAX ? INT32_MAX : (int)left;

	if (left <= 0) {
		(void)kill(-c->pid, SIGKILL);
		return err_set(err, STATUS_TEMP, "the command was killed: it took longer than time-limit allows");
	}
	if (c->pidfd == -1 && limit > LOOK_MS)
		limit = LOOK_MS;
	(void)poll(fds, sizeof(fds) / sizeof(fds[0]), limit);
	if (fds[0].revents != 0)
		read_output(c);
	if (c->pidfd == -1 || fds[1].revents != 0)
		reap(c, WNOHANG);
	return 0;
}

int
child_finish(struct child *c, int64_t deadline_ms, struct child_end *end, struct err *err)
{
	while (c->pid != -1)
		if (wait_a_moment(c, deadline_ms, err) == -1)
			return -1;
	read_output(c);
	*end = c->end;
	return 0;
}

void
child_free(struct child **out)
{
	struct child *c = *out;

	if (c == NULL)
		return;
	close_one(&c->gate);
	if (c->pid != -1 && c->running)
		(void)kill(-c->pid, SIGKILL);
	if (c->pid != -1)
		reap(c, 0);
	close_one(&c->out);
	close_one(&c->exec);
	close_one(&c->pidfd);
	free(c);
	*out = NULL;
}
