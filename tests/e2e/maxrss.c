/* maxrss FILE COMMAND [ARGUMENT...]: run a command, write the largest resident set that it had, in KiB, to the file. */
#include <sys/resource.h>
#include <sys/wait.h>

#include <stdio.h>
#include <unistd.h>

#define TROUBLE 99

int
main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3) {
		fprintf(stderr, "usage: maxrss file command [argument...]\n");
		return TROUBLE;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(TROUBLE);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status) || getrusage(RUSAGE_CHILDREN, &usage) == -1)
		return TROUBLE;
	f = fopen(argv[1], "w");
	if (f == NULL || fprintf(f, "%ld\n", usage.ru_maxrss) < 0 || fclose(f) != 0)
		return TROUBLE;
	return WEXITSTATUS(status);
}
