/* Dividing the work. */
#include <sys/mman.h>
#include <sys/wait.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "trace.h"

#define NAME_MAX_BYTES 128

void *
crew_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

bool
crew_run(unsigned int workers, bool (*work)(void *arg, unsigned int worker), void *arg)
{
	bool good = true;
	unsigned int i;
	int status;

	fflush(stdout);
	for (i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0)
			exit(work(arg, i) ? 0 : 1);
	}
	while (wait(&status) > 0)
		good = good && status == 0;
	return good;
}

size_t
crew_first(const struct harness *h, unsigned int worker)
{
	return (size_t)h->share.number * h->workers + worker;
}

size_t
crew_step(const struct harness *h)
{
	return (size_t)h->share.of * h->workers;
}

size_t
crew_next(const struct harness *h, atomic_size_t *taken)
{
	size_t n = atomic_fetch_add(taken, 1);

	return crew_first(h, (unsigned int)(n % h->workers)) + n / h->workers * crew_step(h);
}

void
crew_stay(unsigned int worker)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&set);
	CPU_SET(worker % (unsigned int)(n > 0 ? n : 1), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

struct scenes_work {
	const struct harness *h;
	const struct crew_scenes *scenes;
	size_t *mine, len;	/* those of this share */
	atomic_size_t *next;
};

static bool
take_scenes(void *arg, unsigned int worker)
{
	const struct scenes_work *w = arg;
	char name[NAME_MAX_BYTES];
	bool good = true;
	size_t i;

	if (w->scenes->begin != NULL)
		w->scenes->begin();
	while ((i = atomic_fetch_add(w->next, 1)) < w->len) {
		w->scenes->name(w->mine[i], name, sizeof(name));
		crew_progress(w->h, i + 1, w->len, name);
		good = w->scenes->play(w->mine[i], worker, w->scenes->arg) && good;
	}
	return good;
}

bool
crew_scenes(const struct harness *h, const struct crew_scenes *scenes)
{
	struct scenes_work w = { .h = h, .scenes = scenes };
	unsigned int teams = scenes->teams, of = teams > 0 ? 1 : h->share.of, number = teams > 0 ? 0 : h->share.number;
	size_t i, played = 0;
	bool good;

	w.mine = calloc(scenes->len, sizeof(*w.mine));
	if (w.mine == NULL)
		die("calloc");
	w.next = crew_memory(sizeof(*w.next));
	for (i = 0; i < scenes->len; i++)
		if (scenes->is_played(i) && played++ % of == number)
			w.mine[w.len++] = i;
	good = crew_run(teams > 0 ? teams : h->workers, take_scenes, &w);
	munmap(w.next, sizeof(*w.next));
	free(w.mine);
	return good;
}

long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

void
crew_progress(const struct harness *h, size_t number, size_t of, const char *name)
{
	long s = (now_ms() - h->began_ms) / 1000;

	if (h->quick || h->wrong != NULL)
		return;
	printf("# %ld:%02ld:%02ld %zu of %zu: %s\n", s / 3600, s / 60 % 60, s % 60, number, of, name);
	fflush(stdout);
}
