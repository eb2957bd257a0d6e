/* Running dedup-lda-nss. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs.h"
#include "libexec.h"
#include "nss_ask.h"
#include "process.h"

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

/* All that it writes: who waits for its beginning alone waits for ever for a plug-in that hangs after it, or has left a process behind. */
static int
read_answer(int fd, int timeout_ms, char *answer, size_t *len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = clock_ms() + timeout_ms, left;
	ssize_t n = -1;
	int ready;

	for (*len = 0; n != 0 && *len < ANSWER_BYTES_MAX; *len += n > 0 ? (size_t)n : 0) {
		left = end - clock_ms();
		ready = poll(&pfd, 1, left > 0 ? (int)left : 0);
		n = ready == 1 ? read(fd, answer + *len, ANSWER_BYTES_MAX - *len) : -1;
		if (n == -1 && (ready == 0 || errno != EINTR))
			return -1;
	}
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
	process_keep_ends();
	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(err, "look up user", NULL);
	error = start_any(question, fds[1], &pid);
	close(fds[1]);
	if (error != 0) {
		close(fds[0]);
		errno = error;
		return err_sys(err, "run", PROGRAM);
	}
	*answer = malloc(ANSWER_BYTES_MAX);
	rc = *answer != NULL && read_answer(fds[0], timeout_ms, *answer, len) == 0 ? EX_OK : EX_TEMPFAIL;
	if (rc != EX_OK)
		(void)kill(pid, SIGKILL);
	close(fds[0]);
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
