/*
 * touched OUT PROGRAM [ARGUMENT...]: run a static program step by step, and write to OUT which of its instructions were executed, one
 * address a line, as the linker's map has them. For tests/bench/layout.
 */
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CODE_BYTES (64UL * 1024 * 1024)	/* more than a program has */
#define USAGE 64
#define TROUBLE 75

static bool seen[CODE_BYTES];

static unsigned long
entry_of(const char *program)
{
	Elf64_Ehdr header = { 0 };
	FILE *f = fopen(program, "r");

	if (f != NULL) {
		(void)!fread(&header, sizeof(header), 1, f);
		fclose(f);
	}
	return header.e_entry;
}

/* What is to be found at its first instruction has been moved by as much as all else. */
static int
step_through(pid_t pid, unsigned long entry)
{
	struct user_regs_struct regs;
	unsigned long base = 0;
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == -1)
			return -1;
		if (base == 0)
			base = regs.rip - entry;
		if (regs.rip - base < CODE_BYTES)
			seen[regs.rip - base] = true;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1)
			return -1;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	FILE *out;
	pid_t pid;

	if (argc < 3)
		return USAGE;
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[2], argv + 2);
		_exit(TROUBLE);
	}
	if (pid == -1 || step_through(pid, entry_of(argv[2])) == -1)
		return TROUBLE;
	out = fopen(argv[1], "w");
	if (out == NULL)
		return TROUBLE;
	for (unsigned long i = 0; i < CODE_BYTES; i++)
		if (seen[i])
			fprintf(out, "%lx\n", i);
	return fclose(out) == 0 ? 0 : TROUBLE;
}
