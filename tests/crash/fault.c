/*
 * fault [-fqv] [-e errors] [-j workers] [-p policy] [-s scene] [-w wrong-agent] FOLDER: make system calls of an agent fail.
 *
 * For each scene, each call of a delivery that can fail, and each error it can fail with: the scene is put back to its start and
 * the delivery runs with that call not executed, but returning the error: once, or from there on for all calls of its kind, or
 * for those that are about the same file. A disk that becomes full is "short": half of a write is done, and with "on" the next
 * one fails with ENOSPC. Calls before main() are left alone.
 *
 * Then it must have exited with 0 and the message is there exactly once, or with 75 and it is there at most once. Two more
 * deliveries, without faults, must exit with 0 and leave it there exactly once. With on-ledger-failure=deliver, where the ledger
 * was what failed and it exited with 0, they may leave it there twice, and it may itself, of a message that was there before: that is
 * counted as excused. A ledger that was thrown away for it counts as aside.
 *
 *	-e  only these, as ENOSPC,EIO,short	-f  go on after 20 failures
 *	-j  processes (2)			-p  deliver or defer; both without it
 *	-q  the quick scenes, few errors	-s  scenes with this in their name
 *	-v  say what the agent said, too	-w  the wrong agent of this kind: something must be wrong
 *
 * One line of key=value per scene and policy. Exit: 0 all is well (with -w: wrong), 1 not, or trouble with the test itself.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
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
#define SHORT 0		/* instead of an error: half of it is written */
#define TEMPORARY 75

enum group { OPENING, READING, WRITING, SYNCING, NAMING, LOOKING, MAPPING, LOCKING };
enum how { ONCE, ON, ON_FILE };

static const struct kind {
	long nr;
	enum group group;
	int errors[8];		/* 0 at the end */
	int making[3];		/* the same, if it makes a file */
	bool shortens;
} kinds[] = {
	{ SYS_openat, OPENING, { EIO, EINTR, ENOMEM, EACCES, EMFILE }, { ENOSPC, EDQUOT }, false },
	{ SYS_read, READING, { EIO, EINTR, ENOMEM }, { 0 }, false },
	{ SYS_pread64, READING, { EIO, EINTR, ENOMEM }, { 0 }, false },
	{ SYS_getdents64, READING, { EIO, ENOMEM }, { 0 }, false },
	{ SYS_write, WRITING, { ENOSPC, EDQUOT, EIO, EINTR, ENOMEM }, { 0 }, true },
	{ SYS_pwrite64, WRITING, { ENOSPC, EDQUOT, EIO, EINTR, ENOMEM }, { 0 }, true },
	{ SYS_ftruncate, WRITING, { EIO, EINTR, EACCES }, { 0 }, false },
	{ SYS_fsync, SYNCING, { ENOSPC, EDQUOT, EIO, EINTR }, { 0 }, false },
	{ SYS_fdatasync, SYNCING, { ENOSPC, EDQUOT, EIO, EINTR }, { 0 }, false },
	{ SYS_renameat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_linkat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_mkdirat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_unlinkat, NAMING, { EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_newfstatat, LOOKING, { EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_fstatfs, LOOKING, { EIO, ENOMEM }, { 0 }, false },
	{ SYS_lseek, LOOKING, { EIO }, { 0 }, false },
#ifdef SYS_rename
	{ SYS_rename, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_mkdir, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_unlink, NAMING, { EIO, ENOMEM, EACCES }, { 0 }, false },
#endif
	{ SYS_mmap, MAPPING, { ENOMEM }, { 0 }, false },
	{ SYS_fcntl, LOCKING, { EINTR, EACCES, ENOLCK }, { 0 }, false },
	{ SYS_flock, LOCKING, { EINTR, ENOLCK }, { 0 }, false },
};

static const struct {
	const char *name;
	int error;
} names[] = {
	{ "short", SHORT }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO }, { "EINTR", EINTR }, { "ENOMEM", ENOMEM },
	{ "EACCES", EACCES }, { "EMFILE", EMFILE }, { "ENOLCK", ENOLCK },
};

struct job {
	unsigned int n;
	int error;
	enum how how;
};

struct jobs {
	struct job *job;
	size_t len;
};

/* What became of one of them. */
struct outcome {
	const struct job *job;
	struct call call;
	bool ledger;		/* it was the ledger's */
	bool reached;
	int code;
};

struct tally {
	unsigned int points, missed, one, deferred, excused, aside, lost, doubled, torn, damaged, hung, code;
	unsigned int shown;
};

static struct {
	bool all, quick, verbose;
	unsigned int workers;
	const char *errors, *only, *policy, *wrong, *folder, *build;
} options = { .workers = 2 };

static void
usage(void)
{
	fputs("usage: fault [-fqv] [-e errors] [-j workers] [-p policy] [-s scene] [-w wrong-agent] folder\n", stderr);
	exit(1);
}

static const char *
error_name(int error)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return "?";
}

static const struct kind *
kind_of(const struct call *call)
{
	size_t i;

	if (call->nr == SYS_fcntl && call->args[1] != F_SETLK && call->args[1] != F_OFD_SETLK)
		return NULL;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].nr == call->nr)
			return &kinds[i];
	return NULL;
}

static bool
can_fail_with(const struct kind *kind, const struct call *call, int error)
{
	size_t i;

	if (error == SHORT)
		return kind->shortens && call->args[2] > 1;
	for (i = 0; kind->errors[i] != 0; i++)
		if (kind->errors[i] == error)
			return true;
	if (kind->group == OPENING && (call->args[2] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0)
		for (i = 0; kind->making[i] != 0; i++)
			if (kind->making[i] == error)
				return true;
	return false;
}

static bool
is_wanted(const char *name)
{
	const char *list = options.errors, *p = list == NULL ? NULL : strstr(list, name);
	size_t len = strlen(name);

	return list == NULL || (p != NULL && (p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'));
}

static void
add_job(struct jobs *jobs, unsigned int n, int error, enum how how)
{
	jobs->job = realloc(jobs->job, (jobs->len + 1) * sizeof(*jobs->job));
	if (jobs->job == NULL)
		die("realloc");
	jobs->job[jobs->len++] = (struct job){ .n = n, .error = error, .how = how };
}

/* What fails for good is a disk. */
static bool
is_on_disk(const struct call *call)
{
	return strncmp(call->path, "/proc/", 6) != 0 && strncmp(call->path, "/sys/", 5) != 0;
}

static void
add_jobs(struct jobs *jobs, unsigned int n, const struct call *call)
{
	const struct kind *kind = kind_of(call);
	enum how how;
	size_t i;

	for (i = 0; kind != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is_wanted(names[i].name) || !can_fail_with(kind, call, names[i].error))
			continue;
		add_job(jobs, n, names[i].error, ONCE);
		if (names[i].error != EINTR && is_on_disk(call))	/* for ever is not what signals do */
			for (how = ON; how <= ON_FILE; how++)
				add_job(jobs, n, names[i].error, how);
	}
}

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
			add_jobs(jobs, t.calls, &call);
	}
}

static bool
is_same(const struct kind *kind, const struct outcome *o, const struct call *call, int error)
{
	const struct kind *other = kind_of(call);

	if (o->job->how == ON_FILE && strcmp(o->call.path, call->path) != 0)
		return false;
	return is_on_disk(call) && other != NULL && other->group == kind->group && can_fail_with(other, call, error);
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
	const struct kind *kind = NULL;
	struct tracee t;
	struct call call;
	int error = o->job->error;

	trace_start(&t, w->disturbed, w->mails[TARGET].path, w->out);
	while (trace_step(&t)) {
		if (!t.in_call || t.calls < o->job->n)
			continue;
		trace_call(&t, &call);
		if (t.calls == o->job->n) {
			kind = kind_of(&call);
			o->call = call;
			o->reached = kind != NULL && can_fail_with(kind, &call, error);
			if (o->reached && !fail_call(&t, w, o, &call, error))
				break;
			if (!o->reached || o->job->how == ONCE)
				trace_finish(&t);
			error = error == SHORT ? ENOSPC : error;
		} else if (is_same(kind, o, &call, error) && !fail_call(&t, w, o, &call, error))
			break;
		if (t.ended)
			break;
	}
	o->code = t.code;
}

static void
show_file(const char *path)
{
	size_t len;
	char *bytes = read_whole(path, &len);

	if (bytes != NULL)
		(void)!write(STDOUT_FILENO, bytes, len);
	free(bytes);
}

static void
show(const struct world *w, struct tally *t, const struct outcome *o, const char *what)
{
	static const char *const ways[] = { "once", "from there on", "from there on, on that file," };
	char line[1024], call[TRACE_PATH + 32];

	if (t->shown++ >= 2 * SHOWN)
		return;
	snprintf(line, sizeof(line), "# %s: %s: %s %s at call %u, %s: exit %d\n", w->scene->name, what, error_name(o->job->error),
	    ways[o->job->how], o->job->n, call_name(&o->call, call, sizeof(call)), o->code);
	(void)!write(STDOUT_FILENO, line, strlen(line));
	if (!options.verbose)
		return;
	show_file(w->out);
	show_file(w->log);
}

static bool
is_damaged(const struct world *w)
{
	return w->mails[OLD_ONE].seen != w->mails[OLD_ONE].want || w->mails[OLD_TWO].seen != w->mails[OLD_TWO].want;
}

static bool
was_there(const struct scene *scene)
{
	return (scene->had && !scene->aged) || scene->target == CRASH_PUBLISHED || scene->target == CRASH_SYNCED;
}

/* What the delivery said must be true before anybody comes to its help. */
static bool
check_at_once(struct world *w, struct tally *t, const struct outcome *o, bool excuse)
{
	unsigned int torn = world_count(w);
	const struct mail *m = &w->mails[TARGET];

	if (o->code == ENDED_HUNG) {
		t->hung++;
		show(w, t, o, "hung");
	} else if (o->code != 0 && o->code != TEMPORARY) {
		t->code++;
		show(w, t, o, "wrong exit code");
	} else if (is_damaged(w)) {
		t->damaged++;
		show(w, t, o, "an old message is damaged");
	} else if (m->seen > m->want && !(excuse && was_there(w->scene) && m->seen == m->want + 1)) {
		t->doubled++;
		show(w, t, o, "doubled at once");
	} else if (o->code == 0 && m->seen < m->want) {
		t->lost++;
		show(w, t, o, "exit 0, and the message is not there");
	} else if (o->code == 0 && torn > w->scene->torn) {
		t->torn++;
		show(w, t, o, "exit 0, and something is torn");
	} else
		return true;
	return false;
}

static void
check_in_the_end(struct world *w, struct tally *t, const struct outcome *o, bool excuse)
{
	unsigned int torn = world_count(w);
	const struct mail *m = &w->mails[TARGET], *other = &w->mails[OTHER];

	if (torn > w->scene->torn) {
		t->torn++;
		show(w, t, o, "torn in the end");
	} else if (is_damaged(w)) {
		t->damaged++;
		show(w, t, o, "an old message is damaged in the end");
	} else if (m->seen < m->want || other->seen < other->want) {
		t->lost++;
		show(w, t, o, "lost in the end");
	} else if (m->seen == m->want && other->seen == other->want)
		t->one++;
	else if (excuse) {
		t->excused++;
	} else {
		t->doubled++;
		show(w, t, o, "doubled in the end");
	}
}

static bool
redeliver(const struct world *w, struct tally *t, struct outcome *o, const struct mail *m)
{
	int code = world_deliver(w, m);

	if (code == 0)
		return true;
	if (code == ENDED_HUNG)
		t->hung++;
	else
		t->code++;
	show(w, t, o, code == ENDED_HUNG ? "the next copy hung" : "the next copy was not taken");
	return false;
}

static void
try_job(struct world *w, struct tally *t, const struct job *job, bool defers)
{
	struct outcome o = { .job = job };
	bool excuse, taken;

	world_restore(w);
	disturb(w, &o);
	if (!o.reached) {
		t->missed++;
		return;
	}
	t->points++;
	t->deferred += o.code == TEMPORARY;
	excuse = !defers && o.code == 0 && (o.ledger || world_logged(w, " ledger="));
	if (world_logged(w, "set aside as")) {
		t->aside++;
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

static void
stay(unsigned int worker)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&set);
	CPU_SET(worker % (unsigned int)(n > 0 ? n : 1), &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void
make_world(struct world *w, const struct scene *scene, unsigned int worker, const char *policy)
{
	const char *more[] = { NULL, "lock-timeout=1s", NULL };
	char folder[PATH_MAX], setting[64];

	snprintf(setting, sizeof(setting), "on-ledger-failure=%s", policy);
	more[0] = setting;
	snprintf(folder, sizeof(folder), "%s/fault.%u", options.folder, worker);
	world_make(w, scene, folder, options.build, options.wrong, more);
}

static void
work(const struct scene *scene, const struct jobs *jobs, unsigned int worker, const char *policy, struct tally *t)
{
	struct world w;
	size_t i;

	stay(worker);
	make_world(&w, scene, worker, policy);
	for (i = worker; i < jobs->len && (options.all || t->points - t->one - t->excused < SHOWN); i += options.workers)
		try_job(&w, t, &jobs->job[i], strcmp(policy, "defer") == 0);
	world_free(&w);
}

static void
add_up(struct tally *sum, const struct tally *t)
{
	sum->points += t->points;
	sum->missed += t->missed;
	sum->one += t->one;
	sum->deferred += t->deferred;
	sum->excused += t->excused;
	sum->aside += t->aside;
	sum->lost += t->lost;
	sum->doubled += t->doubled;
	sum->torn += t->torn;
	sum->damaged += t->damaged;
	sum->hung += t->hung;
	sum->code += t->code;
}

static bool
is_good(const struct tally *t)
{
	return t->points > 0 && t->one + t->excused == t->points;
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static void
print(const struct scene *scene, const char *policy, const struct tally *t, long ms)
{
	printf("scene=\"%s\" policy=%s points=%u missed=%u one=%u exit75=%u excused=%u aside=%u lost=%u doubled=%u torn=%u "
	    "damaged=%u hung=%u code=%u ms=%ld%s\n", scene->name, policy, t->points, t->missed, t->one, t->deferred, t->excused,
	    t->aside, t->lost, t->doubled, t->torn, t->damaged, t->hung, t->code, ms, is_good(t) ? "" : " WRONG");
	fflush(stdout);
}

static bool
play(const struct scene *scene, const char *policy, struct tally *tallies)
{
	struct tally sum = { .points = 0 };
	struct jobs jobs = { .job = NULL };
	struct world w;
	long began = now_ms();
	unsigned int i;
	bool broken = false;
	int status;

	make_world(&w, scene, options.workers, policy);
	plan(&jobs, &w);
	world_free(&w);
	memset(tallies, 0, WORKERS_MAX * sizeof(*tallies));
	for (i = 0; i < options.workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0) {
			work(scene, &jobs, i, policy, &tallies[i]);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		broken = broken || status != 0;
	for (i = 0; i < options.workers; i++)
		add_up(&sum, &tallies[i]);
	print(scene, policy, &sum, now_ms() - began);
	free(jobs.job);
	if (options.wrong != NULL)
		return !broken && sum.lost + sum.torn > 0;
	return !broken && is_good(&sum);
}

static bool
play_policies(const struct scene *scene, struct tally *tallies)
{
	static const char *const policies[] = { "deliver", "defer" };
	bool good = true;
	size_t i;

	for (i = 0; i < 2; i++)
		if (options.policy == NULL || strcmp(options.policy, policies[i]) == 0)
			good = play(scene, policies[i], tallies) && good;
	return good;
}

static bool
is_played(const struct scene *scene)
{
	if (scene->beside != BESIDE_NOTHING || scene->tool != NULL)
		return false;
	if (scene->options[1] != NULL && strncmp(scene->options[1], "on-ledger-failure", 17) == 0)
		return false;	/* the policy is set here */
	if (options.only != NULL)
		return strstr(scene->name, options.only) != NULL;
	return !options.quick || (scene->quick && scene->target == CRASH_NEVER);
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
		return play(&plain, "defer", tallies);
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (is_played(&scenes[i]))
			good = play_policies(&scenes[i], tallies) && good;
	return good;
}

static void
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "e:fj:p:qs:vw:")) != -1) {
		switch (c) {
		case 'e':
			options.errors = optarg;
			break;
		case 'f':
			options.all = true;
			break;
		case 'j':
			options.workers = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			options.policy = optarg;
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
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	options.build = getenv("BUILD");
	if (optind != argc - 1 || options.workers < 1 || options.workers > WORKERS_MAX - 1 || options.build == NULL)
		usage();
	if (options.quick && options.errors == NULL)
		options.errors = "short,ENOSPC";
	options.folder = realpath(argv[optind], NULL);
	if (options.folder == NULL)
		die(argv[optind]);
	if (!trace_possible() || !trace_can_fail()) {
		puts("SKIP: ptrace is forbidden, or the machine is no x86-64");
		return 0;
	}
	return play_all() ? 0 : 1;
}
