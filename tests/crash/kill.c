/*
 * kill [-faqv] [-j workers] [-s scene] [-w wrong-agent] FOLDER: kill an agent at every system call.
 *
 * For each scene and every n: the scene is put back to its start, a delivery (or dedupdb) is killed before its n-th system call,
 * and the target is delivered twice without fault, as well as the other message of the scene if there is one. Then each message
 * must be there exactly as often as it should, byte by byte, and nothing else. With -a each call is a point for a second time:
 * after it was executed, before the process learns of it. With a twin or dedupdb beside, the process is stopped at the point
 * until that is done.
 *
 *	-a  before and after each call		-f  go on after 20 failures
 *	-j  processes (2)
 *	-q  the quick scenes only, from the first call on that is about the mailbox, ledger or log
 *	-s  scenes with this in their name	-v  say which call each failure was at, with the log
 *	-w  disturb tests/wrong_agent of this kind in its one scene: something must be wrong
 *
 * One line of key=value per scene. Exit: 0 all is well (with -w: wrong), 1 not; trouble with the test itself is 1, too.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/scene.h"
#include "lib/scenes.h"

#define WORKERS_MAX 16
#define SHOWN 20	/* failures per scene and worker */

struct tally {
	unsigned int points, one, lost, doubled, torn, hung, code, damaged;
	unsigned int shown;
};

struct options {
	bool after, all, quick, verbose;
	unsigned int workers;
	const char *only, *wrong, *folder, *build;
};

static struct options options = { .workers = 2 };

struct point {
	unsigned int n;
	bool after;
	struct call call;
};

static void
usage(void)
{
	fputs("usage: kill [-afqv] [-j workers] [-s scene] [-w wrong-agent] folder\n", stderr);
	exit(1);
}

/* The first failures of a scene, with what it takes to look into them. */
static void
show(const struct world *w, struct tally *t, const struct point *p, const char *what)
{
	char line[1024], call[TRACE_PATH + 32], *log;
	size_t len;

	if (t->shown++ >= SHOWN)
		return;
	snprintf(line, sizeof(line), "# %s: %s %s call %u, %s\n", w->scene->name, what, p->after ? "after" : "before", p->n,
	    call_name(&p->call, call, sizeof(call)));
	(void)!write(STDOUT_FILENO, line, strlen(line));
	log = options.verbose ? read_whole(w->log, &len) : NULL;
	if (log != NULL)
		(void)!write(STDOUT_FILENO, log, len);
	free(log);
}

static void
check_code(const struct world *w, struct tally *t, const struct point *p, const char *who, int code, bool deferred_ok)
{
	char text[64];

	if (code == 0 || (deferred_ok && code == 75))
		return;
	if (code == ENDED_HUNG)
		t->hung++;
	else
		t->code++;
	snprintf(text, sizeof(text), code == ENDED_HUNG ? "%s hung," : "%s ended with %d,", who, code);
	show(w, t, p, text);
}

static volatile sig_atomic_t stopped;

static void
on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

/* recover and prune, again and again, until they are told to stop. */
static pid_t
start_tools(const struct world *w)
{
	struct sigaction sa = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid > 0)
		return pid;
	sigaction(SIGTERM, &sa, NULL);
	while (!stopped) {
		world_tool(w, "recover");
		world_tool(w, "prune");
	}
	_exit(0);
}

/* What they are doing is done when this returns. */
static void
stop_tools(pid_t pid)
{
	if (kill(pid, SIGTERM) == -1 || waitpid(pid, NULL, 0) == -1)
		die("stop the tools");
}

/* What happens at the point. */
static void
at_point(const struct world *w, struct tally *t, struct point *p, struct tracee *tracee)
{
	switch (w->scene->beside) {
	case BESIDE_TWIN:
	case BESIDE_TWIN_KILLED:
		check_code(w, t, p, "the twin", world_twin(w, &w->mails[TARGET]), true);
		break;
	case BESIDE_RECOVER:
	case BESIDE_RECOVER_KILLED:
		(void)world_tool(w, "recover");	/* may find the ledger locked */
		break;
	default:
		break;
	}
	if (w->scene->beside == BESIDE_TWIN || w->scene->beside == BESIDE_RECOVER) {
		trace_finish(tracee);
		check_code(w, t, p, "the delivery that went on", tracee->code, true);
	} else
		trace_kill(tracee);
}

/* Returns whether the process got to the point. */
static bool
disturb(const struct world *w, struct tally *t, struct point *p)
{
	struct tracee tracee;

	trace_start(&tracee, w->disturbed, w->mails[TARGET].path, w->out);
	while (trace_step(&tracee))
		if (tracee.in_call && tracee.calls == p->n)
			break;
	if (!tracee.ended) {
		trace_call(&tracee, &p->call);
		if (!p->after || trace_step(&tracee))
			at_point(w, t, p, &tracee);
		return true;
	}
	check_code(w, t, p, "the undisturbed run", tracee.code, w->scene->tool != NULL);
	return false;
}

static void
check_mail(struct world *w, struct tally *t, const struct point *p)
{
	unsigned int i, torn = world_count(w);
	bool damaged = false;
	const struct mail *m = &w->mails[TARGET], *other = &w->mails[OTHER];

	for (i = OLD_ONE; i <= OLD_TWO; i++)
		damaged = damaged || w->mails[i].seen != w->mails[i].want;
	if (torn > w->scene->torn) {
		t->torn++;
		show(w, t, p, "torn");
	} else if (damaged) {
		t->damaged++;
		show(w, t, p, "an old message is damaged");
	} else if (m->seen < m->want || other->seen < other->want) {
		t->lost++;
		show(w, t, p, "lost");
	} else if (m->seen > m->want || other->seen > other->want) {
		t->doubled++;
		show(w, t, p, "doubled");
	} else
		t->one++;
}

/* Returns false when the process ends before there. */
static bool
try_point(struct world *w, struct tally *t, struct point *p)
{
	bool more, tools = w->scene->beside == BESIDE_TOOLS;
	pid_t pid = 0;
	int i;

	world_restore(w);
	if (tools)
		pid = start_tools(w);
	more = disturb(w, t, p);
	for (i = 0; i < 2; i++)
		check_code(w, t, p, "the next copy", world_deliver(w, &w->mails[TARGET]), false);
	if (w->mails[OTHER].want > 0)
		check_code(w, t, p, "the other's next copy", world_deliver(w, &w->mails[OTHER]), false);
	if (tools)
		stop_tools(pid);
	t->points++;
	check_mail(w, t, p);
	return more;
}

/* Being on one processor with what it traces makes a worker twice as fast. */
static void
stay(unsigned int worker)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&set);
	CPU_SET(worker % (unsigned int)(n > 0 ? n : 1), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* The first call that has to do with anything of the scene: to be killed earlier is not to have been there. */
static unsigned int
first_call(const struct world *w)
{
	struct tracee t;
	struct call call = { .nr = -1 };

	world_restore(w);
	trace_start(&t, w->disturbed, w->mails[TARGET].path, w->out);
	while (trace_step(&t)) {
		if (!t.in_call)
			continue;
		trace_call(&t, &call);
		if (strncmp(call.path, w->root, strlen(w->root)) == 0)
			break;
	}
	trace_kill(&t);
	return t.calls;
}

static void
work(const struct scene *scene, unsigned int worker, struct tally *t)
{
	struct world w;
	struct point p = { .n = 0 };
	char folder[PATH_MAX];
	unsigned int i, from = 1, step = options.after ? 2 : 1;

	if (scene->beside != BESIDE_TOOLS)
		stay(worker);
	snprintf(folder, sizeof(folder), "%s/kill.%u", options.folder, worker);
	world_make(&w, scene, folder, options.build, options.wrong, NULL);
	if (options.quick)
		from = first_call(&w);
	for (i = worker;; i += options.workers) {
		p.n = i / step + from;
		p.after = i % step == 1;
		if (!try_point(&w, t, &p) || (t->shown >= SHOWN && !options.all))
			break;
	}
	world_free(&w);
}

static void
add_up(struct tally *sum, const struct tally *t)
{
	sum->points += t->points;
	sum->one += t->one;
	sum->lost += t->lost;
	sum->doubled += t->doubled;
	sum->torn += t->torn;
	sum->hung += t->hung;
	sum->code += t->code;
	sum->damaged += t->damaged;
}

static bool
is_good(const struct tally *t)
{
	return t->points > 0 && t->one == t->points && t->hung == 0 && t->code == 0;
}

static void
print(const struct scene *scene, const struct tally *t, long ms)
{
	printf("scene=\"%s\" points=%u one=%u lost=%u doubled=%u torn=%u damaged=%u hung=%u code=%u ms=%ld%s\n", scene->name,
	    t->points, t->one, t->lost, t->doubled, t->torn, t->damaged, t->hung, t->code, ms, is_good(t) ? "" : " WRONG");
	fflush(stdout);
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static bool
play(const struct scene *scene, struct tally *tallies)
{
	struct tally sum = { .points = 0 };
	long began = now_ms();
	unsigned int i;
	bool broken = false;
	int status;

	memset(tallies, 0, WORKERS_MAX * sizeof(*tallies));
	for (i = 0; i < options.workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0) {
			work(scene, i, &tallies[i]);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		broken = broken || status != 0;
	for (i = 0; i < options.workers; i++)
		add_up(&sum, &tallies[i]);
	print(scene, &sum, now_ms() - began);
	if (options.wrong != NULL)
		return !broken && sum.lost + sum.doubled > 0;
	return !broken && is_good(&sum);
}

static bool
play_all(void)
{
	static const struct scene plain = MAILDIR("of a wrong agent", .first = NO_FILE);
	struct tally *tallies;
	bool good = true;
	size_t i;

	tallies = mmap(NULL, WORKERS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		die("mmap");
	if (options.wrong != NULL)
		return play(&plain, tallies);
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if ((options.quick && !scenes[i].quick) || (options.only != NULL && strstr(scenes[i].name, options.only) == NULL))
			continue;
		good = play(&scenes[i], tallies) && good;
	}
	return good;
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "afj:qs:vw:")) != -1) {
		switch (c) {
		case 'a':
			options.after = true;
			break;
		case 'f':
			options.all = true;
			break;
		case 'j':
			options.workers = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'q':
			options.quick = true;
			break;
		case 's':
			options.only = optarg;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'w':
			options.wrong = optarg;
			break;
		default:
			usage();
		}
	}
	options.build = getenv("BUILD");
	if (optind != argc - 1 || options.workers < 1 || options.workers > WORKERS_MAX || options.build == NULL)
		usage();
	options.folder = realpath(argv[optind], NULL);
	if (options.folder == NULL)
		die(argv[optind]);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	return play_all() ? 0 : 1;
}
