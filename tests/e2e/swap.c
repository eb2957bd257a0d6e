/*
 * swap A B: let two files of any kind change places, again and again, until it is killed. For races against whoever uses one of them.
 */
#include <sys/syscall.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)	/* of Linux; not every C library knows it */
#endif

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: swap a b\n");
		return 64;
	}
	while (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) == 0)
		;
	perror("swap");
	return 1;
}
