/*
 * fault [-fqv] [-e errors] [-j workers] [-p policy] [-S k/n] [-s scene] [-w wrong-agent] FOLDER: system calls fail.
 *
 * For each scene, each call of a delivery that can fail, and each error it can fail with: the scene is put back to its start and
 * the delivery runs with that call not executed, but returning the error: once, or from there on for all calls of its kind, or for
 * those that are about the same file. A disk that becomes full is "short": half of a write is done, and with "on" the next one
 * fails with ENOSPC. Calls before main() are left alone.
 *
 * Then it must have exited with 0 and the message is there exactly once, or with 75 and it is there at most once. Two more
 * deliveries, without faults, must exit with 0 and leave it there exactly once. With on-ledger-failure=deliver, where the ledger
 * was what failed and it exited with 0, they may leave it there twice, and it may itself, of a message that was there before: that
 * is counted as excused. So is the piece of it that a predecessor's kill had left in the mbox, if it stays. A ledger that was thrown
 * away for it counts as aside.
 *
 * What it can't show: two errors of different kinds in one delivery, a call that fails although it was executed (of that kind only
 * a write that is done in part is played), and errors of calls that lib/errors.c does not name.
 *
 *	-e  only these, as ENOSPC,EIO,short	-f  go on after 20 failures
 *	-j  processes (2) for a scene; 6 scenes are played at once
 *	-p  deliver or defer; both without it
 *	-q  the quick scenes, few errors	-s  scenes with this in their name
 *	-S  only part k of n of each scene's points
 *	-v  say what the agent said, too	-w  the wrong agent of this kind: something must be wrong
 *
 * One line of key=value per scene and policy. Exit: 0 all is well (with -w: wrong), 1 not, or trouble with the test itself.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crew.h"
#include "lib/jobs.h"
#include "lib/scene.h"
#include "lib/scenes.h"

#define SHOWN 20	/* failures per scene and worker */
#define TEAMS 6		/* a delivery that waits a second for a lock leaves the processor to the others */
#define TEMPORARY 75

/* What became of one of them. */
struct outcome {
	const struct job *job;
	struct call call;
	bool ledger;		/* it was the ledger's */
	bool reached;
	int code;
};

static struct harness options = { HARNESS_DEFAULTS };
static const char *only_errors, *only_policy;
static const char *const policies[] = { "deliver", "defer" };
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* The loader's calls are not ours: main() has begun with this one. */
static bool
is_in_main(const struct world *w, const struct call *call)
{
	return call->nr == SYS_umask || strncmp(call->path, w->root, strlen(w->root)) == 0;
}

static void
plan(struct jobs *jobs, const struct world *w)
{
	struct tracee t;
	struct call call;
	bool begun = false;

	world_restore(w);
	trace_start(&t, w->disturbed, w->mails[TARGET].path, w->out);
	while (trace_step(&t)) {
		if (!t.in_call)
			continue;
		trace_call(&t, &call);
		begun = begun || is_in_main(w, &call);
		if (begun)
			jobs_add(jobs, t.calls, &call, only_errors);
	}
}

/* At the call: make it fail. False: it has ended. */
static bool
fail_call(struct tracee *t, const struct world *w, struct outcome *o, const struct call *call, int error)
{
	o->ledger = o->ledger || strncmp(call->path, w->ledger, strlen(w->ledger)) == 0;
	if (error != SHORT)
		return trace_fail(t, error);
	trace_argument(t, 2, call->args[2] / 2);
	return trace_step(t);
}

static void
disturb(const struct world *w, struct outcome *o)
{
	const struct error_kind *kind;
	struct tracee t;
	struct call call;
	int error = o->job->error;

	trace_start(&t, w->disturbed, w->mails[TARGET].path, w->out);
	while (trace_step(&t)) {
		if (!t.in_call || t.calls < o->job->n)
			continue;
		trace_call(&t, &call);
		if (t.calls == o->job->n) {
			kind = error_kind(&call);
			o->call = call;
			o->reached = kind != NULL && error_can_happen(kind, &call, error);
			if (o->reached && !fail_call(&t, w, o, &call, error))
				break;
			if (!o->reached || o->job->how == ONCE)
				trace_finish(&t);
			error = error == SHORT ? ENOSPC : error;
		} else if (job_goes_on(o->job, &o->call, &call, error) && !fail_call(&t, w, o, &call, error))
			break;
		if (t.ended)
			break;
	}
	o->code = t.code;
}

static void
show(const struct world *w, struct tally *t, const struct outcome *o, const char *what)
{
	char call[TRACE_PATH + 32];

	if (t->shown++ >= 2 * SHOWN)
		return;
	printf("# %s: %s: %s %s at call %u, %s: exit %d\n", w->scene->name, what, error_name(o->job->error), job_how(o->job), o->job->n,
	    call_name(&o->call, call, sizeof(call)), o->code);
	fflush(stdout);
	if (!options.verbose)
		return;
	show_file(w->out);
	show_file(w->log);
}

/* Count a failure. Returns false. */
static bool
fails(const struct world *w, struct tally *t, const struct outcome *o, enum count c, const char *what)
{
	t->count[c]++;
	show(w, t, o, what);
	return false;
}

static bool
was_there(const struct scene *scene)
{
	return (scene->had && !scene->aged) || scene->target == CRASH_PUBLISHED || scene->target == CRASH_SYNCED;
}

/* What a killed predecessor left of the entry: only the record says whose that is, so without the ledger nobody may cut it off. */
static unsigned int
pieces(const struct scene *scene, bool excuse)
{
	return scene->torn + (excuse && scene->target == CRASH_TORN);
}

/* What the delivery said must be true before anybody comes to its help. */
static bool
check_at_once(struct world *w, struct tally *t, const struct outcome *o, bool excuse)
{
	unsigned int torn = world_count(w);
	const struct mail *m = &w->mails[TARGET];

	if (o->code == ENDED_HUNG)
		return fails(w, t, o, COUNT_HUNG, "hung");
	if (o->code != 0 && o->code != TEMPORARY)
		return fails(w, t, o, COUNT_CODE, "wrong exit code");
	if (world_is_damaged(w))
		return fails(w, t, o, COUNT_DAMAGED, "an old message is damaged");
	if (m->seen > m->want && !(excuse && was_there(w->scene) && m->seen == m->want + 1))
		return fails(w, t, o, COUNT_DOUBLED, "doubled at once");
	if (o->code == 0 && m->seen < m->want)
		return fails(w, t, o, COUNT_LOST, "exit 0, and the message is not there");
	if (o->code == 0 && torn > pieces(w->scene, excuse))
		return fails(w, t, o, COUNT_TORN, "exit 0, and something is torn");
	return true;
}

static void
check_in_the_end(struct world *w, struct tally *t, const struct outcome *o, bool excuse)
{
	enum count verdict = world_verdict(w, w->scene->torn);
	char text[64];

	if (excuse && verdict != COUNT_ONE) {
		verdict = world_verdict(w, pieces(w->scene, excuse));
		if (verdict == COUNT_ONE || verdict == COUNT_DOUBLED)
			verdict = COUNT_EXCUSED;
	}
	t->count[verdict]++;
	if (verdict == COUNT_ONE || verdict == COUNT_EXCUSED)
		return;
	snprintf(text, sizeof(text), "%s in the end", count_name(verdict));
	show(w, t, o, text);
}

static bool
redeliver(const struct world *w, struct tally *t, const struct outcome *o, const struct mail *m)
{
	int code = world_deliver(w, m);

	if (code == 0)
		return true;
	if (code == ENDED_HUNG)
		return fails(w, t, o, COUNT_HUNG, "the next copy hung");
	return fails(w, t, o, COUNT_CODE, "the next copy was not taken");
}

static void
try_job(struct world *w, struct tally *t, const struct job *job, bool defers)
{
	struct outcome o = { .job = job };
	bool excuse, taken;

	world_restore(w);
	disturb(w, &o);
	if (!o.reached) {
		t->count[COUNT_MISSED]++;
		return;
	}
	t->count[COUNT_POINTS]++;
	t->count[COUNT_EXIT75] += o.code == TEMPORARY;
	excuse = !defers && o.code == 0 && (o.ledger || world_logged(w, " ledger="));
	if (world_logged(w, "set aside as")) {
		t->count[COUNT_ASIDE]++;
		if (options.verbose)
			show(w, t, &o, "the ledger was set aside");
	}
	if (!check_at_once(w, t, &o, excuse))
		return;
	taken = redeliver(w, t, &o, &w->mails[TARGET]) && redeliver(w, t, &o, &w->mails[TARGET]);
	if (w->mails[OTHER].want > 0)
		taken = redeliver(w, t, &o, &w->mails[OTHER]) && taken;
	if (taken)
		check_in_the_end(w, t, &o, excuse);
}

/* What the workers of a team play. */
struct part {
	const struct scene *scene;
	const char *policy;
	unsigned int team;
	struct jobs jobs;
	atomic_size_t *taken;
};

static void
make_world(struct world *w, const struct part *part, unsigned int worker)
{
	const char *more[] = { NULL, "lock-timeout=1s", NULL };
	char folder[PATH_MAX], setting[64];

	snprintf(setting, sizeof(setting), "on-ledger-failure=%s", part->policy);
	more[0] = setting;
	snprintf(folder, sizeof(folder), "%s/fault.%u.%u", options.folder, part->team, worker);
	world_make(w, part->scene, folder, options.build, options.wrong, more);
}

static void
work(const void *arg, unsigned int worker, struct tally *t)
{
	const struct part *part = arg;
	bool defers = strcmp(part->policy, "defer") == 0;
	struct world w;
	size_t i;

	crew_stay(worker);
	make_world(&w, part, worker);
	while ((i = crew_next(&options, part->taken)) < part->jobs.len) {
		if (!options.all && t->count[COUNT_POINTS] - t->count[COUNT_ONE] - t->count[COUNT_EXCUSED] >= SHOWN)
			break;
		try_job(&w, t, &part->jobs.job[i], defers);
	}
	world_free(&w);
}

static bool
is_good(const struct tally *t)
{
	const unsigned int *n = t->count;

	return (n[COUNT_POINTS] > 0 || options.share.of > 1) && n[COUNT_ONE] + n[COUNT_EXCUSED] == n[COUNT_POINTS];
}

static bool
play_policy(const struct scene *scene, const char *policy, unsigned int team)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_MISSED, COUNT_ONE, COUNT_EXIT75, COUNT_EXCUSED, COUNT_ASIDE,
		COUNT_LOST, COUNT_DOUBLED, COUNT_TORN, COUNT_DAMAGED, COUNT_HUNG, COUNT_CODE };
	struct part part = { .scene = scene, .policy = policy, .team = team };
	struct tally sum;
	struct world w;
	long began = now_ms();
	bool whole;

	make_world(&w, &part, options.workers);
	plan(&part.jobs, &w);
	world_free(&w);
	part.taken = crew_memory(sizeof(*part.taken));
	whole = tally_workers(options.workers, work, &part, &sum);
	munmap(part.taken, sizeof(*part.taken));
	free(part.jobs.job);
	printf("scene=\"%s\" policy=%s", scene->name, policy);
	tally_line(&sum, printed, sizeof(printed) / sizeof(printed[0]), began, is_good(&sum));
	if (options.wrong != NULL)
		return whole && sum.count[COUNT_LOST] + sum.count[COUNT_TORN] > 0;
	return whole && is_good(&sum);
}

static bool
play(size_t i, unsigned int team, void *arg)
{
	(void)arg;
	return play_policy(&scenes[i / POLICIES], policies[i % POLICIES], team);
}

static bool
is_played(size_t i)
{
	const struct scene *scene = &scenes[i / POLICIES];

	if (only_policy != NULL && strcmp(only_policy, policies[i % POLICIES]) != 0)
		return false;
	if (scene->beside != BESIDE_NOTHING || scene->tool != NULL)
		return false;
	if (scene->options[1] != NULL && strncmp(scene->options[1], "on-ledger-failure", 17) == 0)
		return false;	/* the policy is set here */
	if (options.only != NULL)
		return strstr(scene->name, options.only) != NULL;
	return !options.quick || (scene->quick && scene->target == CRASH_NEVER);
}

static void
name(size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%s, %s", scenes[i / POLICIES].name, policies[i % POLICIES]);
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'f', .flag = &options.all }, { 'e', "errors", .text = &only_errors }, { 'p', "policy", .text = &only_policy },
		{ 's', "scene", .text = &options.only }, { 'w', "wrong-agent", .text = &options.wrong },
		HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "fault", "folder", table, 1 };
	const struct crew_scenes runs = { .len = scenes_len * POLICIES, .is_played = is_played, .name = name, .play = play, .teams = TEAMS };

	harness_read(&options, &command, argc, argv);
	if (options.quick && only_errors == NULL)
		only_errors = "short,ENOSPC";
	if (!trace_possible() || !trace_can_fail()) {
		puts("SKIP: ptrace is forbidden, or the machine is no x86-64");
		return 0;
	}
	if (options.wrong != NULL)
		return play_policy(&scene_of_wrong, "defer", 0) ? 0 : 1;
	return crew_scenes(&options, &runs) ? 0 : 1;
}
