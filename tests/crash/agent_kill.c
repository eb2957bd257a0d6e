/*
 * agent_kill [-1v] [-s scene] FOLDER maildir|mbox HOME MAILBOX COMMAND [ARGUMENT]...: kill any delivery agent at every system call.
 *
 * As kill.c does with ours, but it knows nothing of the agent, which may be several processes. For every n its home is put back to
 * the start of the scene, a delivery is killed when any of its processes begins the n-th system call of all of them together, and
 * the same message is given to it twice more, without fault. HOME is the agent's, prepared, with no mail in it yet.
 *
 *	-1  kill only the process that makes the call; the others go on, and whatever the agent exits with, the copies follow
 *	-s  first: nothing was delivered before (the default); new: two messages were; duplicate: the same message was, too
 *	-v  say which call each failure was at
 *
 * What it can't show: the order in which several processes make their calls is the scheduler's, so a second run may find more.
 *
 * One line of key=value: how often the message was there once, lost, doubled, or something else was torn; damaged: a message of
 * before was; stuck: three times, each an hour later, the agent did not take a copy; hung, besides: the others of a delivery waited
 * for the killed one until they were killed, too; forgotten: the agent went on, delivered and said 0, but did not know the copies
 * that followed. Exit: 0 each was there once, 1 not; trouble with the test itself is 1 or 2.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent.h"
#include "lib/options.h"
#include "lib/snapshot.h"
#include "lib/tally.h"
#include "lib/trace.h"
#include "lib/tree.h"

#define SIZE 300	/* of the messages, bytes */
#define ALONE_S 5	/* for a delivery to end that has lost a process */

enum { OLD_ONE, OLD_TWO, TARGET, MAILS };

struct test {
	struct agent agent;
	struct mail mails[MAILS];
	struct snapshot *start;
	bool single, verbose;
	bool done;		/* the killed delivery said 0, and rightly: an MTA does not try again */
	const char *scene;
	struct tally tally;
};

static void
show(const struct test *t, unsigned int n, const struct call *call, const char *what)
{
	char name[TRACE_PATH + 32];

	if (t->verbose)
		printf("# %s: call %u, %s\n", what, n, call_name(call, name, sizeof(name)));
}

/* Returns whether the agent got to the point. */
static bool
disturb(struct test *t, unsigned int n, struct call *call)
{
	struct tracee caller = { .in_call = true };
	struct tree tree;

	tree_start(&tree, t->agent.argv, t->mails[TARGET].path, t->agent.out);
	while (tree_step(&tree))
		if (tree.calls == n)
			break;
	if (tree.stopped == 0)
		return false;
	caller.pid = tree.stopped;
	trace_call(&caller, call);
	if (t->single) {
		tree_kill_one(&tree);
		tree_finish(&tree, ALONE_S);
		if (tree.code == ENDED_HUNG) {
			t->tally.count[COUNT_HUNG]++;
			show(t, n, call, "hung");
		}
	} else
		tree_kill_all(&tree);
	if (tree.code == 0) {
		(void)agent_count(&t->agent, t->mails, MAILS);
		t->done = t->mails[TARGET].seen == t->mails[TARGET].want;
	}
	return true;
}

static enum count
verdict(struct test *t)
{
	unsigned int torn = agent_count(&t->agent, t->mails, MAILS);
	const struct mail *m = &t->mails[TARGET];

	if (t->mails[OLD_ONE].seen != t->mails[OLD_ONE].want || t->mails[OLD_TWO].seen != t->mails[OLD_TWO].want)
		return COUNT_DAMAGED;
	if (m->seen < m->want)
		return COUNT_LOST;
	if (m->seen > m->want)
		return t->done ? COUNT_FORGOTTEN : COUNT_DOUBLED;
	return torn > 0 ? COUNT_TORN : COUNT_ONE;
}

static void
count(struct test *t, unsigned int n, const struct call *call)
{
	enum count c = verdict(t);

	t->tally.count[c]++;
	if (c != COUNT_ONE)
		show(t, n, call, count_name(c));
}

/* Returns false when the delivery ends before there. */
static bool
try_point(struct test *t, unsigned int n)
{
	struct call call = { .nr = -1 };
	int i;

	snapshot_restore(t->start);
	t->done = false;
	if (!disturb(t, n, &call))
		return false;
	t->tally.count[COUNT_POINTS]++;
	for (i = 0; i < 2; i++)
		if (!agent_takes(&t->agent, &t->mails[TARGET])) {
			t->tally.count[COUNT_STUCK]++;
			show(t, n, &call, "stuck");
			return true;
		}
	count(t, n, &call);
	return true;
}

static void
deliver_well(const struct test *t, struct mail *m)
{
	int code = agent_deliver(&t->agent, m);

	if (code != 0) {
		fprintf(stderr, "preparing: exit %d\n", code);
		exit(2);
	}
	m->want = 1;
}

static void
prepare(struct test *t)
{
	static const char *const names[MAILS] = { "one", "two", "target" };
	char keep[PATH_MAX];
	size_t i;

	for (i = 0; i < MAILS; i++)
		mail_make(&t->mails[i], t->agent.folder, names[i], SIZE);
	if (strcmp(t->scene, "first") != 0) {
		deliver_well(t, &t->mails[OLD_ONE]);
		deliver_well(t, &t->mails[OLD_TWO]);
	}
	if (strcmp(t->scene, "duplicate") == 0)
		deliver_well(t, &t->mails[TARGET]);
	snprintf(keep, sizeof(keep), "%s/keep", t->agent.folder);
	t->start = snapshot_take(t->agent.home, keep);
	/* An agent that is set up wrongly would look bad at each point. */
	deliver_well(t, &t->mails[TARGET]);
	if (agent_count(&t->agent, t->mails, MAILS) > 0 || t->mails[TARGET].seen != 1) {
		fputs("preparing: an undisturbed delivery did not land\n", stderr);
		exit(2);
	}
}

static bool
print(const struct test *t)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_ONE, COUNT_LOST, COUNT_DOUBLED, COUNT_TORN,
		COUNT_DAMAGED, COUNT_STUCK, COUNT_HUNG, COUNT_FORGOTTEN };
	const unsigned int *n = t->tally.count;

	printf("scene=%s killed=%s", t->scene, t->single ? "one" : "all");
	tally_print(&t->tally, printed, sizeof(printed) / sizeof(printed[0]));
	putchar('\n');
	return n[COUNT_POINTS] > 0 && n[COUNT_ONE] == n[COUNT_POINTS];
}

int
main(int argc, char **argv)
{
	struct test t = { .scene = "first" };
	const struct option table[] = {
		{ '1', .flag = &t.single }, { 'v', .flag = &t.verbose }, { 's', "first|new|duplicate", .text = &t.scene }, { 0 },
	};
	const struct command command = { "agent_kill", AGENT_OPERANDS, table, 2 };
	int at = options_read(&command, argc, argv);
	unsigned int n = 1;
	size_t i;

	if (!agent_make(&t.agent, argc - at, argv + at))
		options_usage(&command);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	prepare(&t);
	while (try_point(&t, n))
		n++;
	snapshot_free(&t.start);
	for (i = 0; i < MAILS; i++)
		mail_free(&t.mails[i]);
	agent_free(&t.agent);
	return print(&t) ? 0 : 1;
}
