/*
 * hold fcntl|ofd FILE COMMAND [ARGUMENT...]: run a command while another process, this one, holds a lock on the file.
 *
 * fcntl: a lock of the process, as most mail programs take on an mbox. ofd: one of the open file, as on a ledger.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TROUBLE 99	/* an exit code that the agent never has */

int
main(int argc, char **argv)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, status;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: hold fcntl|ofd file command [argument...]\n");
		return TROUBLE;
	}
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd == -1 || fcntl(fd, strcmp(argv[1], "ofd") == 0 ? F_OFD_SETLK : F_SETLK, &lock) == -1) {
		perror(argv[2]);
		return TROUBLE;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[3], argv + 3);
		_exit(TROUBLE);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
		return TROUBLE;
	return WEXITSTATUS(status);
}
