/* From calls to jobs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"

static bool
is_wanted(const char *name, const char *list)
{
	const char *p = list == NULL ? NULL : strstr(list, name);
	size_t len = strlen(name);

	return list == NULL || (p != NULL && (p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'));
}

static void
add(struct jobs *jobs, unsigned int n, int error, enum how how)
{
	jobs->job = realloc(jobs->job, (jobs->len + 1) * sizeof(*jobs->job));
	if (jobs->job == NULL)
		die("realloc");
	jobs->job[jobs->len++] = (struct job){ .n = n, .error = error, .how = how };
}

bool
job_is_on_disk(const struct call *call)
{
	static const char *const others[] = { "/proc/", "/sys/", "socket:", "pipe:" };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(call->path, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

void
jobs_add(struct jobs *jobs, unsigned int n, const struct call *call, const char *only)
{
	const struct error_kind *kind = error_kind(call);
	enum how how;
	size_t i;

	for (i = 0; kind != NULL && i < errors_len; i++) {
		if (!is_wanted(errors[i].name, only) || !error_can_happen(kind, call, errors[i].error))
			continue;
		add(jobs, n, errors[i].error, ONCE);
		if (errors[i].error != EINTR && kind->group != SERVING && job_is_on_disk(call))	/* for ever is not what signals do */
			for (how = ON; how <= ON_FILE; how++)
				add(jobs, n, errors[i].error, how);
	}
}

bool
job_goes_on(const struct job *job, const struct call *first, const struct call *call, int error)
{
	const struct error_kind *kind = error_kind(first), *other = error_kind(call);

	if (job->how == ONCE || (job->how == ON_FILE && strcmp(first->path, call->path) != 0))
		return false;
	return job_is_on_disk(call) && other != NULL && other->group == kind->group && error_can_happen(other, call, error);
}

const char *
job_how(const struct job *job)
{
	static const char *const ways[] = { "once", "from there on", "from there on, on that file," };

	return ways[job->how];
}
