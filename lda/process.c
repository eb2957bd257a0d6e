/* What a process does about itself before anything else. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "process.h"

#define HEAP_STEP (512 * 1024)	/* bytes */

/* Variables can change what libraries do, and MTAs set some to what a sender chose. HOME counts: see user_current(). */
int
process_clean_environment(struct err *err)
{
	const char *home = getenv("HOME");	/* clearenv() forgets the list, not what is in it */

	if (clearenv() != 0 || (home != NULL && setenv("HOME", home, 1) == -1))
		return err_sys(err, "clear the environment", NULL);
	return 0;
}

/* One growth of the heap instead of one per buffer. */
void
process_heap(void)
{
#ifdef M_TOP_PAD
	mallopt(M_TOP_PAD, HEAP_STEP);
	mallopt(M_TRIM_THRESHOLD, 4 * HEAP_STEP);
#endif
}

/* What else the caller left open is not ours: a lock on it would live as long as we do. A kernel without the call leaves it harmless,
 * since nothing is written but to descriptors that were opened here. No part of a message may be left in a core file. */
void
process_limit(int first)
{
	const struct rlimit none = { 0, 0 };

#ifdef SYS_close_range
	(void)syscall(SYS_close_range, (unsigned int)first, ~0U, 0);
#endif
	(void)setrlimit(RLIMIT_CORE, &none);
	umask(077);
}

/* Descriptors 0 to 2 must be open, or the next file to be opened takes their place and gets our messages. They still can't be used: no
 * standard input is no message, not an empty one, and what is written to a closed output is lost. */
void
process_fill_descriptors(void)
{
	struct pollfd std[] = { { .fd = STDIN_FILENO }, { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };
	bool unknown = poll(std, 3, 0) == -1;
	int i, fd;

	for (i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
		if (!unknown && (std[i].revents & POLLNVAL) == 0)
			continue;
		fd = open("/dev/null", (i == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
		if (fd > STDERR_FILENO)
			close(fd);
	}
}

void
process_keep_ends(void)
{
	struct sigaction now;

	if (sigaction(SIGCHLD, NULL, &now) == 0 && (now.sa_handler == SIG_IGN || (now.sa_flags & SA_NOCLDWAIT) != 0))
		signal(SIGCHLD, SIG_DFL);
}
