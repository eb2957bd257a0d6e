/* What a server and all processes that it has started have used so far. */
#ifndef PROCS_H
#define PROCS_H

#include <sys/types.h>

#include <stdint.h>

struct usage {
	uint64_t cpu_us;	/* of the processes that are alive */
	uint64_t rss_kib;	/* the largest that any of them ever was */
};

void procs_usage(pid_t server, struct usage *usage);

#endif
