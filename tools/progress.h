/*
 * How far long work is, on standard error.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>

/* A number that grows; on a terminal only. */
void progress(const char *what, uint64_t n);

/* Work whose end is known: a bar with rate and time left on a terminal, elsewhere a line every few seconds. */
struct progress {
	const char *title;	/* of the lines; borrowed */
	const char *what;	/* is counted, in the plural */
	uint64_t total;		/* of work, in whatever unit */
	int64_t began, next;	/* clock_ms() */
};
void progress_begin(struct progress *p, const char *title, const char *what, uint64_t total);
/* n things are done, which is `done` of the total. */
void progress_at(struct progress *p, uint64_t n, uint64_t done);

/* Wipe what stands on the terminal, to print something else. */
void progress_end(void);

#endif
