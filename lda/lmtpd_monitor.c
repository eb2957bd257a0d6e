/* The monitor, and how a worker asks it. */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lmtpd_monitor.h"

#define FOUND 64	/* users that are remembered from RCPT until the message comes; others are looked up again */

struct monitor {
	struct lmtpd_site *site;
	int fd;
	struct user *found[FOUND];
	size_t next;
};

union passed {	/* one descriptor */
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

static bool
is_string(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

bool
lmtpd_request_is_whole(const struct lmtpd_request *r, size_t len)
{
	return len == sizeof(*r) && (r->kind == REQUEST_FIND || r->kind == REQUEST_DELIVER) && is_string(r->user, sizeof(r->user)) &&
	    is_string(r->address, sizeof(r->address)) && is_string(r->plain, sizeof(r->plain)) && is_string(r->folder, sizeof(r->folder)) &&
	    is_string(r->sender, sizeof(r->sender)) && is_string(r->received, sizeof(r->received));
}

/* Returns the length, 0 at the end, or -1. *fd: what came with it, or -1. */
static ssize_t
receive(int from, struct lmtpd_request *request, int *fd)
{
	union passed passed;
	struct iovec iov = { request, sizeof(*request) };
	/* CMSG_SPACE() is room for two */
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = CMSG_LEN(sizeof(int)) };
	const struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n;
}

/* A place in the list for one more user, and who is known already. */
static struct user **
recall(struct monitor *m, const char *name)
{
	size_t i;

	for (i = 0; i < FOUND; i++)
		if (m->found[i] != NULL && strcmp(m->found[i]->name, name) == 0)
			return &m->found[i];
	m->next = (m->next + 1) % FOUND;
	user_free(&m->found[m->next]);
	return &m->found[m->next];
}

static const struct user *
look_up(struct monitor *m, const char *name, bool again, struct err *err)
{
	struct user **user = recall(m, name);

	if (*user != NULL && !again)
		return *user;
	user_free(user);
	return user_named(user, name, err) == 0 ? *user : NULL;
}

static void
obey(struct monitor *m, const struct lmtpd_request *request, int message)
{
	struct lmtpd_reply reply = { .status = STATUS_OK, .outcome = { .result = RESULT_DEFERRED, .text = "no message came" } };
	struct err err = { .status = STATUS_OK };
	const struct user *user = look_up(m, request->user, request->kind == REQUEST_FIND, &err);

	if (user == NULL) {
		reply.status = err.status;
		strlcpy(reply.outcome.text, err.text, sizeof(reply.outcome.text));
	} else if (request->kind == REQUEST_DELIVER && message != -1)
		lmtpd_child_deliver(m->site, user, request, message, m->fd, &reply.outcome);
	(void)send(m->fd, &reply, sizeof(reply), MSG_NOSIGNAL);
}

static void __attribute__((noreturn))
monitor(struct lmtpd_site *site, int fd)
{
	struct monitor m = { .site = site, .fd = fd };
	struct lmtpd_request request = { .kind = REQUEST_FIND };
	ssize_t n;
	int message;

	signal(SIGTERM, SIG_IGN);	/* it ends with the worker, which finishes what it has accepted */
	signal(SIGINT, SIG_IGN);
	while ((n = receive(fd, &request, &message)) > 0) {
		if (!lmtpd_request_is_whole(&request, (size_t)n))
			break;
		obey(&m, &request, message);
		if (message != -1)
			close(message);
	}
	_exit(0);
}

int
lmtpd_monitor_start(struct lmtpd_site *site, int wake, struct err *err)
{
	const int *listening;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return err_sys(err, "start a monitor", NULL);
	pid = fork();
	if (pid == 0) {
		for (listening = site->foreign; *listening != -1; listening++)
			close(*listening);
		close(wake);
		close(fds[0]);
		monitor(site, fds[1]);
	}
	close(fds[1]);
	site->monitor = fds[0];
	return pid == -1 ? err_sys(err, "start a monitor", NULL) : 0;
}

/* Returns 0, or -1: the monitor is gone. */
static int
ask(struct lmtpd_site *site, struct lmtpd_request *request, int fd, struct lmtpd_reply *reply)
{
	union passed passed = { .room = { 0 } };
	struct iovec iov = { request, sizeof(*request) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (fd != -1) {
		msg.msg_control = &passed;
		msg.msg_controllen = sizeof(passed);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(site->monitor, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(*request))
		return -1;
	do
		n = recv(site->monitor, reply, sizeof(*reply), 0);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(*reply))
		return -1;
	reply->outcome.text[sizeof(reply->outcome.text) - 1] = '\0';
	return 0;
}

int
lmtpd_monitor_find(struct lmtpd_site *site, const char *name, struct err *err)
{
	struct lmtpd_request request = { .kind = REQUEST_FIND };
	struct lmtpd_reply reply;

	if (strlcpy(request.user, name, sizeof(request.user)) >= sizeof(request.user))
		return err_set(err, STATUS_NOUSER, "no such user");
	if (ask(site, &request, -1, &reply) == -1) {
		site->trouble = true;
		return err_set(err, STATUS_TEMP, "the monitor is gone");
	}
	return reply.status == STATUS_OK ? 0 : err_set(err, reply.status, "%s", reply.outcome.text);
}

static int
write_fd(void *arg, const void *buf, size_t len, struct err *err)
{
	return fs_write(*(int *)arg, buf, len, NULL, "copy of the message", err);
}

/* A copy of the message in a file. Returns its descriptor, or -1. */
static int
copy_to_file(const struct message *m, struct err *err)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const struct sink to = { write_fd, &fd };

	if (fd == -1)
		fd = fs_temporary(err);
	if (fd == -1)
		return -1;
	if (message_replay(m, &to, err) == -1) {
		close(fd);
		return -1;
	}
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);	/* of a file on disk only its mode protects it */
	return fd;
}

/* The message in a file, for all recipients, none of whom can change what others get. Returns its descriptor, or -1. */
static int
share_message(struct lmtpd_site *site, struct err *err)
{
	int file = message_file(site->message), copy = -1;

	if (site->shared != -1)
		return site->shared;
	if (file == -1)
		file = copy = copy_to_file(site->message, err);
	if (file != -1)
		site->shared = fs_open_to_read(file);
	if (copy != -1)
		close(copy);
	return site->shared;
}

void
lmtpd_deliver_as_user(struct lmtpd_site *site, const struct lmtpd_recipient *r, const struct delivery *with, struct lmtpd_outcome *outcome)
{
	struct lmtpd_request q = { .kind = REQUEST_DELIVER };
	struct lmtpd_reply reply;
	struct err err;

	strlcpy(outcome->text, "the message could not be handed on", sizeof(outcome->text));
	strlcpy(q.user, r->user, sizeof(q.user));
	strlcpy(q.address, with->address, sizeof(q.address));
	strlcpy(q.plain, r->address.plain, sizeof(q.plain));
	strlcpy(q.folder, with->folder != NULL ? with->folder : "", sizeof(q.folder));
	strlcpy(q.sender, with->sender, sizeof(q.sender));
	if (strlcpy(q.received, with->received, sizeof(q.received)) >= sizeof(q.received) || share_message(site, &err) == -1 ||
	    ask(site, &q, site->shared, &reply) == -1)
		return;
	*outcome = reply.outcome;
}
