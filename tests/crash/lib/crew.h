/*
 * Workers: processes that divide the work of a harness among them, and what it prints on its way.
 *
 * Work is divided in one of three ways. Either all workers play the same scene, each its own points of it. Or each takes the next scene
 * that nobody has. Or a team of workers does so, of which each plays its own points: where most of the time is spent waiting, there
 * are more teams than processors. A share (-S) takes every n-th point or scene, so that its parts can run elsewhere or later;
 * what is chosen at random does not depend on it.
 */
#ifndef CREW_H
#define CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "options.h"

#define CREW_MAX 16

/* Zeroed memory that is the same for all processes that are forked from now on. */
void *crew_memory(size_t size);

/* Run work() in so many processes and wait for them. False: one of them ended with another code than 0. */
bool crew_run(unsigned int workers, bool (*work)(void *arg, unsigned int worker), void *arg);

/* The first point of a worker, and how far it is to its next one. */
size_t crew_first(const struct harness *h, unsigned int worker);
size_t crew_step(const struct harness *h);
/* Or the next one that no worker has taken: of points that take unlike times. `taken` is in crew_memory(), 0 at first. */
size_t crew_next(const struct harness *h, atomic_size_t *taken);
/* Keep a worker on one processor, with what it traces: that is twice as fast. */
void crew_stay(unsigned int worker);

/* Scenes, of which each worker takes the next one, or each team. */
struct crew_scenes {
	size_t len;
	bool (*is_played)(size_t i);
	void (*name)(size_t i, char *buf, size_t size);
	bool (*play)(size_t i, unsigned int worker, void *arg);	/* or team; returns whether all is well */
	void (*begin)(void);	/* once for each worker; NULL: nothing */
	void *arg;
	unsigned int teams;	/* of h->workers processes, which play() starts; a share is one of points then. 0: none */
};

/* Play those of this share. Returns whether all is well. */
bool crew_scenes(const struct harness *h, const struct crew_scenes *scenes);

/* Milliseconds of a clock that nobody sets. */
long now_ms(void);
/* With a harness that is not quick: say which scene begins, and how long it has run until now. */
void crew_progress(const struct harness *h, size_t number, size_t of, const char *name);

#endif
