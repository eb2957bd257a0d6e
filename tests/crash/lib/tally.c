/* Counting. */
#include <sys/mman.h>

#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "tally.h"

const char *
count_name(enum count c)
{
	static const char *const names[COUNTS] = {
		[COUNT_POINTS] = "points", [COUNT_STATES] = "states", [COUNT_MISSED] = "missed", [COUNT_PROMISED] = "promised",
		[COUNT_ONE] = "one", [COUNT_EXIT75] = "exit75", [COUNT_EXCUSED] = "excused", [COUNT_ASIDE] = "aside",
		[COUNT_LOST] = "lost", [COUNT_DOUBLED] = "doubled", [COUNT_TORN] = "torn", [COUNT_DAMAGED] = "damaged",
		[COUNT_STUCK] = "stuck", [COUNT_HUNG] = "hung", [COUNT_CODE] = "code", [COUNT_DISTURBED] = "disturbed",
		[COUNT_FORGOTTEN] = "forgotten",
	};

	return names[c];
}

static void
add(struct tally *sum, const struct tally *t)
{
	size_t i;

	for (i = 0; i < COUNTS; i++)
		sum->count[i] += t->count[i];
}

struct counted_work {
	void (*work)(const void *arg, unsigned int worker, struct tally *t);
	const void *arg;
	struct tally *tallies;
};

static bool
count_work(void *arg, unsigned int worker)
{
	const struct counted_work *w = arg;

	w->work(w->arg, worker, &w->tallies[worker]);
	return true;
}

bool
tally_workers(unsigned int workers, void (*work)(const void *arg, unsigned int worker, struct tally *t), const void *arg,
    struct tally *sum)
{
	size_t size = workers * sizeof(struct tally);
	struct counted_work w = { .work = work, .arg = arg, .tallies = crew_memory(size) };
	bool whole = crew_run(workers, count_work, &w);
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < workers; i++)
		add(sum, &w.tallies[i]);
	munmap(w.tallies, size);
	return whole;
}

void
tally_print(const struct tally *t, const enum count *which, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		printf(" %s=%u", count_name(which[i]), t->count[which[i]]);
}

void
tally_line(const struct tally *t, const enum count *which, size_t n, long began, bool good)
{
	tally_print(t, which, n);
	printf(" ms=%ld%s\n", now_ms() - began, good ? "" : " WRONG");
	fflush(stdout);
}
