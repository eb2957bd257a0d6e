/* Running dedup-lda-nss. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs.h"
#include "libexec.h"
#include "nss_ask.h"

#define PROGRAM "dedup-lda-nss"
#define LIMIT_MS 61000	/* it gives up by itself after 60 s, unless a plug-in keeps it from that */
#define ANSWER_BYTES_MAX (1024 * 1024)

/* Nothing of ours, and no message: it reads nothing, and what plug-ins say must not look like an answer to the MTA. */
static int
start(const char *path, const char *const *question, int out, pid_t *pid)
{
	char *const no_environment[] = { NULL };
	const char *argv[NSS_WORDS_MAX + 2] = { PROGRAM };
	posix_spawn_file_actions_t actions;
	size_t i;
	int error;

	for (i = 0; i < NSS_WORDS_MAX && question[i] != NULL; i++)
		argv[i + 1] = question[i];
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn(pid, path, &actions, NULL, (char *const *)argv, no_environment);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int
start_any(const char *const *question, int out, pid_t *pid)
{
	char path[LIBEXEC_PATH_MAX];
	int error = ENOENT;
	unsigned int i;

	for (i = 0; error == ENOENT && libexec_path(path, PROGRAM, i) == 0; i++)
		error = start(path, question, out, pid);
	return error;
}

/* It writes its answer at once, when it has one. */
static bool
answers_within(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = clock_ms() + timeout_ms, left;
	int n;

	do {
		left = end - clock_ms();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	return n == 1;
}

static int
read_all(int fd, char **text, size_t *len)
{
	FILE *f = fdopen(fd, "r");
	size_t n = ANSWER_BYTES_MAX;
	char *buf = f != NULL ? malloc(n) : NULL;

	*text = buf;
	*len = buf != NULL ? fread(buf, 1, n, f) : 0;
	n = buf != NULL && !ferror(f) && *len < n ? 0 : 1;
	if (f != NULL)
		fclose(f);
	else
		close(fd);
	return n == 0 ? 0 : -1;
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_TEMPFAIL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

int
nss_ask_within(const char *const *question, int timeout_ms, char **answer, size_t *len, struct err *err)
{
	int fds[2], error, rc;
	pid_t pid;

	*answer = NULL;
	signal(SIGCHLD, SIG_DFL);	/* who starts us may have it ignored, and then nobody could wait */
	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(err, "look up user", NULL);
	error = start_any(question, fds[1], &pid);
	close(fds[1]);
	if (error != 0) {
		close(fds[0]);
		errno = error;
		return err_sys(err, "run", PROGRAM);
	}
	if (!answers_within(fds[0], timeout_ms))
		(void)kill(pid, SIGKILL);
	rc = read_all(fds[0], answer, len) == 0 ? EX_OK : EX_TEMPFAIL;
	error = wait_for(pid);
	if (rc == EX_OK && error == EX_OK)
		return 0;
	free(*answer);
	*answer = NULL;
	if (rc == EX_OK && error == EX_NOUSER)
		return err_set(err, STATUS_NOUSER, "no such user");
	return err_set(err, STATUS_TEMP, "look up user: the name service can't say");
}

int
nss_ask(const char *const *question, char **answer, size_t *len, struct err *err)
{
	return nss_ask_within(question, LIMIT_MS, answer, len, err);
}
