/*
 * The text format of Prometheus, as node_exporter reads it from a file (its textfile collector).
 *
 * All samples of a metric must stand together, and with -A each user's samples come from a process of its own. So they are collected in
 * t->gathered, which these processes share, and printed in the end.
 */
#ifndef PROMETHEUS_H
#define PROMETHEUS_H

#include "tool.h"

struct metric {
	const char *name, *type, *help;	/* of the last one: NULL */
};

/* Collect a value of the metric with this place in the table, with the user's name as its label. Returns 0 or -1, having said why. */
int prometheus_sample(const struct tool *t, size_t metric, uint64_t value);
/* Print what was collected, metric by metric; nothing if nothing was. Returns an exit code. */
int prometheus_print(struct tool *t, const struct metric *metrics);

#endif
