/*
 * What a harness of failing calls plays: one call, one error, and what fails after it.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "errors.h"
#include "trace.h"

enum how { ONCE, ON, ON_FILE };

struct job {
	unsigned int n;		/* the call, counted from 1 */
	int error;
	enum how how;
};

struct jobs {
	struct job *job;	/* to be freed */
	size_t len;
};

/* All jobs for the n-th call. Only: names of errors with commas between them; NULL: all. */
void jobs_add(struct jobs *jobs, unsigned int n, const struct call *call, const char *only);
/* Does this later call fail, too? First: the one of the job. */
bool job_goes_on(const struct job *job, const struct call *first, const struct call *call, int error);
/* "once" and so on. */
const char *job_how(const struct job *job);
/* What fails for good is a disk. */
bool job_is_on_disk(const struct call *call);

#endif
