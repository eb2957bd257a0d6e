/*
 * lmtpd_kill [-fmqw] [-j workers] [-r seed] [-S k/n] [-s scene] [-u joe:ann] FOLDER: kill a worker of the LMTP server at every system call.
 *
 * For each scene and every n a worker takes a message, and the process that makes the n-th system call is killed: before that call, and in
 * another point after it. That is the worker, or with -u, as root, its monitor, or a child of that which delivers as a user or looks one up;
 * then who is left goes on. server_play.h says what must be true in the end; and where the client was told 250, the message is there before
 * that. Which is the n-th call may differ a little from time to time: what is printed is the one it was.
 *
 *	-f  go on after many failures		-m  in every eighth point or so, at random, the master is killed as well
 *	-j  processes, each with a server	-q  the quick scenes, every 7th call
 *	-r  seed of what is random		-S  only part k of n of the points
 *	-s  scenes with this in their name	-u  deliver to this user of the system; the bystander's is the other one
 *	-w  with a ledger that goes away at the kill, which has to be found out
 *
 * One line of key=value for each scene; promised: the client had its 250 before the kill. Exit: 0 all is well (with -w: wrong), 1 not.
 */
#include <sys/syscall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/dice.h"
#include "lib/options.h"
#include "lib/server_play.h"
#include "lib/snapshot.h"

#define SHOWN 20
#define QUICK_STEP 7
#define CALLS_MAX 5000		/* of one delivery: then the test itself is wrong */
#define MASTER_TOO 8

static struct harness options = { HARNESS_DEFAULTS };
static const char *users;
static bool master_too, ledger_goes;
static uint64_t seed = 1;

static void
show(struct server_play *p, struct tally *t, bool after, const struct call *call, const char *what)
{
	char text[TRACE_PATH + 32];

	if (t->shown++ >= SHOWN)
		return;
	printf("# %s: %s %s call %u%s, %s; told \"%s\"\n", p->scene->name, what, after ? "after" : "before", p->calls,
	    p->server.master == 0 ? " and the master killed" : "", call_name(call, text, sizeof(text)), p->client.reply);
	fflush(stdout);
}

/* Returns false when the message is done with before there. */
static bool
disturb(struct server_play *p, unsigned int n, bool after, struct call *call)
{
	do
		if (!server_play_step(p, call))
			return false;
	while (p->calls < n);
	/* A monitor's wait for its next request does not return, and the time it took to see that would be a bystander's silence. */
	if (!after || call->nr == SYS_recvmsg || tree_return(&p->tree))
		tree_kill_one(&p->tree);
	return true;
}

static bool
try_point(struct server_play *p, struct tally *t, struct dice *dice, unsigned int n, bool after)
{
	struct call call = { .nr = -1 };
	enum count c;
	bool reached, promised, kept;	/* the client was told 250; and then it is there, before anybody comes to its help */

	if (!server_play_begin(p)) {
		puts("SKIP: ptrace is forbidden here");
		exit(0);
	}
	reached = disturb(p, n, after, &call);
	if (reached && master_too && dice_roll(dice, MASTER_TOO) == 0)
		server_kill_master(&p->server);
	promised = server_play_leave(p);
	kept = !promised || server_play_copies(p) == 1;
	if (ledger_goes)
		remove_tree(p->ledger);
	c = server_play_judge(p);
	if (!kept)
		c = COUNT_LOST;
	t->count[COUNT_PROMISED] += promised && reached;
	t->count[COUNT_POINTS] += reached;
	if (reached || c != COUNT_ONE)
		t->count[c]++;
	if (c != COUNT_ONE)
		show(p, t, after, &call, count_name(c));
	return reached;
}

static void
work(const void *arg, unsigned int worker, struct tally *t)
{
	const struct server_scene *scene = arg;
	const char *const no_options[] = { NULL };
	size_t step = options.quick ? QUICK_STEP : 1, n;
	struct server_play p;
	struct dice dice;
	char folder[PATH_MAX];

	dice_sow(&dice, seed + worker);
	snprintf(folder, sizeof(folder), "%.4000s/%u", options.folder, worker);
	server_play_make(&p, scene, folder, options.build, users, no_options);
	for (n = crew_first(&options, worker) * step + 1; n < CALLS_MAX; n += crew_step(&options) * step) {
		if (!try_point(&p, t, &dice, (unsigned int)n, false) || !try_point(&p, t, &dice, (unsigned int)n, true))
			break;
		if (!options.all && t->shown >= SHOWN)
			break;
	}
	server_play_free(&p);
}

static bool
play(const struct server_scene *scene)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_PROMISED, COUNT_ONE, COUNT_LOST, COUNT_DOUBLED, COUNT_TORN, COUNT_DAMAGED,
		COUNT_STUCK, COUNT_HUNG, COUNT_DISTURBED, COUNT_FORGOTTEN };
	const unsigned int *n;
	struct tally sum;
	long began = now_ms();
	bool whole = tally_workers(options.workers, work, scene, &sum), good;

	n = sum.count;
	good = whole && n[COUNT_POINTS] > 0 && n[COUNT_ONE] == n[COUNT_POINTS];
	printf("scene=\"%s\"", scene->name);
	tally_line(&sum, printed, sizeof(printed) / sizeof(printed[0]), began, good);
	return ledger_goes ? n[COUNT_DOUBLED] > 0 : good;
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'f', .flag = &options.all }, { 'm', .flag = &master_too }, { 'w', .flag = &ledger_goes }, { 'r', "seed", .seed = &seed },
		{ 's', "scene", .text = &options.only }, { 'u', "joe:ann", .text = &users }, HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "lmtpd_kill", "folder", table, 1 };

	harness_read(&options, &command, argc, argv);
	if (users != NULL)
		options.workers = 1;	/* there is one such home */
	return server_scenes_play(&options, users != NULL, play) ? 0 : 1;
}
