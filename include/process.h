/*
 * What a process does about itself before anything else: what its caller has left it must change nothing.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "status.h"

/* Only HOME stays of the environment: see user_current(). Returns 0 or -1. */
int process_clean_environment(struct err *err);
/* The heap grows and shrinks in steps that suit one delivery, where libc can be told so. */
void process_heap(void);
/* Close all descriptors from `first` on, write no core files, make files for nobody else. */
void process_limit(int first);
/* Descriptors 0 to 2 are open afterwards, so that none of ours gets their places; those that were not can be used as little as before. */
void process_fill_descriptors(void);
/* Processes that are started from now on can be waited for, even if who started this one has their ends ignored. A handler stays. */
void process_keep_ends(void);

#endif
