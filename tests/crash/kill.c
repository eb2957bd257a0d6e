/*
 * kill [-afqv] [-j workers] [-S k/n] [-s scene] [-w wrong-agent] FOLDER: kill an agent at every system call.
 *
 * For each scene and every n: the scene is put back to its start, a delivery (or dedupdb) is killed before its n-th system call,
 * and the target is delivered twice without fault, as well as the other message of the scene if there is one. Then each message
 * must be there exactly as often as it should, byte by byte, and nothing else. With -a each call is a point for a second time:
 * after it was executed, before the process learns of it. With a twin or dedupdb beside, the process is stopped at the point
 * until that is done.
 *
 * What it can't show: what a power cut loses (power.c), and a second kill, but for those of predecessors that
 * lib/scenes.c has.
 *
 *	-a  before and after each call		-f  go on after 20 failures
 *	-j  processes (2)			-S  only part k of n of each scene's points
 *	-q  the quick scenes only, from the first call on that is about the mailbox, ledger or log
 *	-s  scenes with this in their name	-v  say which call each failure was at, with the log
 *	-w  disturb tests/wrong_agent of this kind in its one scene: something must be wrong
 *
 * One line of key=value per scene. Exit: 0 all is well (with -w: wrong), 1 not; trouble with the test itself is 1, too.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/scene.h"
#include "lib/scenes.h"

#define SHOWN 20	/* failures per scene and worker */

static struct harness options = { HARNESS_DEFAULTS };
static bool after_too;

struct point {
	unsigned int n;
	bool after;
	struct call call;
};

/* The first failures of a scene, with what it takes to look into them. */
static void
show(const struct world *w, struct tally *t, const struct point *p, const char *what)
{
	char call[TRACE_PATH + 32];

	if (t->shown++ >= SHOWN)
		return;
	printf("# %s: %s %s call %u, %s\n", w->scene->name, what, p->after ? "after" : "before", p->n,
	    call_name(&p->call, call, sizeof(call)));
	fflush(stdout);
	if (options.verbose)
		show_file(w->log);
}

static void
check_code(const struct world *w, struct tally *t, const struct point *p, const char *who, int code, bool deferred_ok)
{
	char text[64];

	if (code == 0 || (deferred_ok && code == 75))
		return;
	t->count[code == ENDED_HUNG ? COUNT_HUNG : COUNT_CODE]++;
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
	enum count verdict = world_verdict(w, w->scene->torn);

	t->count[verdict]++;
	if (verdict != COUNT_ONE)
		show(w, t, p, count_name(verdict));
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
	t->count[COUNT_POINTS]++;
	check_mail(w, t, p);
	return more;
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
work(const void *arg, unsigned int worker, struct tally *t)
{
	const struct scene *scene = arg;
	struct world w;
	struct point p = { .n = 0 };
	char folder[PATH_MAX];
	unsigned int from = 1, step = after_too ? 2 : 1;
	size_t i;

	if (scene->beside != BESIDE_TOOLS)
		crew_stay(worker);
	snprintf(folder, sizeof(folder), "%s/kill.%u", options.folder, worker);
	world_make(&w, scene, folder, options.build, options.wrong, NULL);
	if (options.quick)
		from = first_call(&w);
	for (i = crew_first(&options, worker);; i += crew_step(&options)) {
		p.n = (unsigned int)i / step + from;
		p.after = i % step == 1;
		if (!try_point(&w, t, &p) || (t->shown >= SHOWN && !options.all))
			break;
	}
	world_free(&w);
}

static bool
is_good(const struct tally *t)
{
	const unsigned int *n = t->count;

	return n[COUNT_POINTS] > 0 && n[COUNT_ONE] == n[COUNT_POINTS] && n[COUNT_HUNG] == 0 && n[COUNT_CODE] == 0;
}

static bool
play(const struct scene *scene)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_ONE, COUNT_LOST, COUNT_DOUBLED, COUNT_TORN, COUNT_DAMAGED,
		COUNT_HUNG, COUNT_CODE };
	struct tally sum;
	long began = now_ms();
	bool whole = tally_workers(options.workers, work, scene, &sum);

	printf("scene=\"%s\"", scene->name);
	tally_line(&sum, printed, sizeof(printed) / sizeof(printed[0]), began, is_good(&sum));
	if (options.wrong != NULL)
		return whole && sum.count[COUNT_LOST] + sum.count[COUNT_DOUBLED] > 0;
	return whole && is_good(&sum);
}

static bool
is_played(const struct scene *scene)
{
	return (scene->quick || !options.quick) && (options.only == NULL || strstr(scene->name, options.only) != NULL);
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'a', .flag = &after_too }, { 'f', .flag = &options.all }, { 's', "scene", .text = &options.only },
		{ 'w', "wrong-agent", .text = &options.wrong }, HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "kill", "folder", table, 1 };

	harness_read(&options, &command, argc, argv);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	if (options.wrong != NULL)
		return play(&scene_of_wrong) ? 0 : 1;
	return scenes_play(&options, is_played, play) ? 0 : 1;
}
