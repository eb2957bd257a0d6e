/*
 * What trace.c and trace_compare.c share.
 */
#ifndef TRACE_WAY_H
#define TRACE_WAY_H

#include "trace.h"

/* How many hops are kept. */
size_t trace_kept(const struct trace *t);
/* Hop i of the message, 0 the oldest; NULL: there is none, or it is not kept. */
const struct trace_hop *trace_at(const struct trace *t, size_t i);

#endif
