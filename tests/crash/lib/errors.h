/*
 * Which errors a system call can fail with.
 *
 * Errors of disks, memory, limits and permissions, and signals. Not those of a wrong argument: they would prove nothing.
 */
#ifndef ERRORS_H
#define ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "trace.h"

#define SHORT 0		/* instead of an error: half of it is written */

enum error_group { OPENING, READING, WRITING, SYNCING, NAMING, LOOKING, MAPPING, LOCKING, SERVING };

struct error_kind {
	long nr;
	enum error_group group;
	int errors[8];		/* 0 at the end */
	int making[3];		/* the same, if it makes a file */
	bool shortens;
};

struct error {
	const char *name;
	int error;
};

extern const struct error errors[];
extern const size_t errors_len;

const char *error_name(int error);
/* NULL: no error of this call is played. */
const struct error_kind *error_kind(const struct call *call);
bool error_can_happen(const struct error_kind *kind, const struct call *call, int error);

#endif
