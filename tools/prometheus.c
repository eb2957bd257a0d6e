/* The text format of Prometheus. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prometheus.h"

/* A line of t->gathered: the place of the metric, a blank, and the sample without the metric's name. */
int
prometheus_sample(const struct tool *t, size_t metric, uint64_t value)
{
	FILE *f = t->gathered;
	const char *p;

	fprintf(f, "%zu {user=\"", metric);
	for (p = t->user->name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p >= ' ' && *p < 0x7f)
			putc(*p, f);
		else	/* it might be no UTF-8, for which the whole file would be refused */
			fprintf(f, "\\\\x%02x", (unsigned char)*p);
	}
	fprintf(f, "\"} %" PRIu64 "\n", value);
	return fflush(f) == 0 ? 0 : (tool_fail(EX_TEMPFAIL, "collect samples: no memory"), -1);
}

static void
print_metric(FILE *gathered, const struct metric *metric, size_t place)
{
	char *line = NULL, *end;
	size_t size = 0;
	bool titled = false;

	rewind(gathered);
	while (getline(&line, &size, gathered) != -1) {
		if (strtoul(line, &end, 10) != place)
			continue;
		if (!titled)
			printf("# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, metric->type);
		titled = true;
		printf("%s%s", metric->name, end + 1);
	}
	free(line);
}

int
prometheus_print(struct tool *t, const struct metric *metrics)
{
	size_t i;

	for (i = 0; metrics[i].name != NULL; i++)
		print_metric(t->gathered, &metrics[i], i);
	return ferror(t->gathered) ? tool_fail(EX_TEMPFAIL, "collect samples: read error") : EX_OK;
}
