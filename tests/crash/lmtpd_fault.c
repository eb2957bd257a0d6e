/*
 * lmtpd_fault [-fqv] [-e errors] [-j workers] [-p policy] [-S k/n] [-s scene] [-u joe:ann] FOLDER: system calls of a
 * worker of the LMTP server fail.
 *
 * For each scene, each call that a worker or a child of it makes for a message, and each error that it can fail with: as tests/crash/fault.c
 * does with the agent. The client must be told 250, and the message is there exactly once; or 4xx, and it is there at most once; or
 * nothing, if what failed was the connection or the process itself. server_play.h says what must be true in the end. With
 * on-ledger-failure=deliver, where the ledger was what failed and the client was told 250, the next copy may be delivered as well: that is
 * counted as excused.
 *
 *	-e  only these, as ENOSPC,EIO,short	-f  go on after many failures
 *	-j  processes (2), for each of which 6 play, each with a server
 *	-p  deliver or defer; both without it
 *	-q  the quick scenes, every 5th fault	-s  scenes with this in their name
 *	-S  only part k of n of each scene's points
 *	-u  deliver to this user of the system; the bystander's is the other one
 *	-v  say what the server logged, too	-w  take every answer for a 250, which has to be found out
 *
 * One line of key=value for each scene and policy. Exit: 0 all is well (with -w: wrong), 1 not.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crew.h"
#include "lib/jobs.h"
#include "lib/server_play.h"
#include "lib/snapshot.h"

#define SHOWN 20
#define QUICK_STEP 5
#define AT_ONCE 6	/* what waits a second for a lock, or for processes to end, leaves the processor to the others */

/* What became of a job. */
struct outcome {
	const struct job *job;
	struct call call;
	bool reached;
	bool ledger;		/* it was the ledger's */
};

/* What all workers play. */
struct part {
	const struct server_scene *scene;
	const char *policy;
	struct jobs jobs;
	unsigned int workers;
	atomic_size_t *taken;
};

static struct harness options = { HARNESS_DEFAULTS };
static const char *only_errors, *only_policy, *users;
static bool careless;

static void
make_play(struct server_play *p, const struct part *part, unsigned int worker)
{
	char folder[PATH_MAX], policy[64];
	const char *const more[] = { "-o", policy, "-o", "lock-timeout=1s", NULL };

	snprintf(folder, sizeof(folder), "%.4000s/%u", options.folder, worker);
	snprintf(policy, sizeof(policy), "on-ledger-failure=%s", part->policy);
	server_play_make(p, part->scene, folder, options.build, users, more);
}

static void
begin(struct server_play *p)
{
	if (server_play_begin(p))
		return;
	puts("SKIP: ptrace is forbidden here");
	exit(0);
}

/* A message that nobody disturbs; jobs may be NULL. */
static void
watch(struct server_play *p, struct jobs *jobs)
{
	struct call call;

	begin(p);
	while (server_play_step(p, &call))
		if (jobs != NULL)
			jobs_add(jobs, p->calls, &call, only_errors);
	if (!server_play_leave(p) || server_play_judge(p) != COUNT_ONE) {
		fputs("a message that nobody disturbs is not delivered\n", stderr);
		exit(1);
	}
}

/* Of the second message: what is made once is made. */
static void
plan(struct part *part)
{
	struct server_play p;

	make_play(&p, part, part->workers);
	watch(&p, NULL);
	watch(&p, &part->jobs);
	server_play_free(&p);
}

/* At the call. False: who made it has ended. */
static bool
fail_call(struct server_play *p, struct outcome *o, const struct call *call, int error)
{
	struct tracee t = { .pid = p->tree.stopped, .in_call = true };

	o->ledger = o->ledger || strncmp(call->path, p->ledger, strlen(p->ledger)) == 0;
	if (error != SHORT)
		return trace_fail(&t, error);
	trace_argument(&t, 2, call->args[2] / 2);
	return true;
}

static void
disturb(struct server_play *p, struct outcome *o)
{
	const struct job *job = o->job;
	const struct error_kind *kind;
	struct call call;
	int error = job->error;

	while (server_play_step(p, &call)) {
		if (p->calls < job->n)
			continue;
		if (p->calls == job->n) {
			kind = error_kind(&call);
			o->call = call;
			o->reached = kind != NULL && error_can_happen(kind, &call, error);
			if (!o->reached || !fail_call(p, o, &call, error) || job->how == ONCE)
				return;
			error = error == SHORT ? ENOSPC : error;
		} else if (job_goes_on(job, &o->call, &call, error) && !fail_call(p, o, &call, error))
			return;
	}
}

static void
show(struct server_play *p, struct tally *t, const struct outcome *o, const char *what, const char *reply)
{
	char text[TRACE_PATH + 32];

	if (t->shown++ >= SHOWN)
		return;
	printf("# %s: %s: %s %s at call %u, %s; told \"%s\"\n", p->scene->name, what, error_name(o->job->error), job_how(o->job), o->job->n,
	    call_name(&o->call, text, sizeof(text)), reply);
	if (options.verbose)
		show_file(p->log);
	fflush(stdout);
}

/* No disk, but the connection, or what makes processes. */
static bool
may_hang_up(const struct call *call)
{
	const struct error_kind *kind = error_kind(call);

	return kind->group == SERVING || kind->group == MAPPING || strncmp(call->path, "socket:", 7) == 0;
}

/* Is what the client was told true, before anybody comes to its help? */
static enum count
check_at_once(struct server_play *p, const struct outcome *o, const char *reply)
{
	unsigned int copies = server_play_copies(p);

	if (p->tree.code == ENDED_HUNG)
		return COUNT_HUNG;
	if (copies > 1)
		return COUNT_DOUBLED;
	if (strncmp(reply, "250", 3) == 0 || (careless && reply[0] != '2'))
		return copies == 1 ? COUNT_ONE : COUNT_LOST;
	return reply[0] == '4' || (reply[0] == '\0' && may_hang_up(&o->call)) ? COUNT_ONE : COUNT_CODE;
}

static void
try_job(struct server_play *p, struct tally *t, const struct job *job, bool defers)
{
	struct outcome o = { .job = job };
	char reply[CLIENT_REPLY];
	enum count c, last;
	bool taken;

	begin(p);
	disturb(p, &o);
	taken = server_play_leave(p);
	memcpy(reply, p->client.reply, sizeof(reply));
	c = o.reached ? check_at_once(p, &o, reply) : COUNT_ONE;
	last = server_play_judge(p);
	if (c == COUNT_ONE)
		c = last == COUNT_DOUBLED && p->target.seen == 2 && taken && o.ledger && !defers ? COUNT_EXCUSED : last;
	t->count[o.reached ? COUNT_POINTS : COUNT_MISSED]++;
	t->count[COUNT_EXIT75] += reply[0] == '4';
	if (o.reached || c != COUNT_ONE)
		t->count[c]++;
	if (c != COUNT_ONE && c != COUNT_EXCUSED)
		show(p, t, &o, count_name(c), reply);
}

static void
work(const void *arg, unsigned int worker, struct tally *t)
{
	const struct part *part = arg;
	bool defers = strcmp(part->policy, "defer") == 0;
	size_t step = options.quick ? QUICK_STEP : 1, i;
	struct server_play p;

	make_play(&p, part, worker);
	watch(&p, NULL);
	while ((i = crew_next(&options, part->taken) * step) < part->jobs.len) {
		if (!options.all && t->shown >= SHOWN)
			break;
		try_job(&p, t, &part->jobs.job[i], defers);
	}
	server_play_free(&p);
}

static bool
play_policy(const struct server_scene *scene, const char *policy)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_MISSED, COUNT_ONE, COUNT_EXIT75, COUNT_EXCUSED, COUNT_LOST, COUNT_DOUBLED,
		COUNT_TORN, COUNT_DAMAGED, COUNT_STUCK, COUNT_HUNG, COUNT_CODE, COUNT_DISTURBED, COUNT_FORGOTTEN };
	struct part part = { .scene = scene, .policy = policy, .workers = users != NULL ? 1 : options.workers * AT_ONCE };
	struct tally sum;
	long began = now_ms();
	bool good;

	plan(&part);
	part.taken = crew_memory(sizeof(*part.taken));
	good = tally_workers(part.workers, work, &part, &sum);
	munmap(part.taken, sizeof(*part.taken));
	free(part.jobs.job);
	good = good && sum.count[COUNT_POINTS] > 0 && sum.count[COUNT_ONE] + sum.count[COUNT_EXCUSED] == sum.count[COUNT_POINTS];
	printf("scene=\"%s\" policy=%s", scene->name, policy);
	tally_line(&sum, printed, sizeof(printed) / sizeof(printed[0]), began, good);
	return careless ? sum.count[COUNT_LOST] > 0 : good;
}

static bool
play(const struct server_scene *scene)
{
	static const char *const policies[] = { "deliver", "defer" };
	bool good = true;
	size_t i;

	for (i = 0; i < 2; i++)
		if (only_policy == NULL || strcmp(only_policy, policies[i]) == 0)
			good = play_policy(scene, policies[i]) && good;
	return good;
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'f', .flag = &options.all }, { 'w', .flag = &careless }, { 'e', "errors", .text = &only_errors },
		{ 'p', "policy", .text = &only_policy }, { 's', "scene", .text = &options.only }, { 'u', "joe:ann", .text = &users },
		HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "lmtpd_fault", "folder", table, 1 };

	harness_read(&options, &command, argc, argv);
	if (users != NULL)
		options.workers = 1;	/* there is one such home */
	if (!trace_can_fail()) {
		puts("SKIP: the machine is no x86-64");
		return 0;
	}
	return server_scenes_play(&options, users != NULL, play) ? 0 : 1;
}
