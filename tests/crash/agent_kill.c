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
#include "lib/snapshot.h"
#include "lib/trace.h"
#include "lib/tree.h"

#define SIZE 300	/* of the messages, bytes */
#define ALONE_S 5	/* for a delivery to end that has lost a process */

enum { OLD_ONE, OLD_TWO, TARGET, MAILS };

struct tally {
	unsigned int points, one, lost, doubled, torn, damaged, stuck, hung, forgotten;
};

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
usage(void)
{
	fputs("usage: agent_kill [-1v] [-s first|new|duplicate] folder maildir|mbox home mailbox command [argument ...]\n", stderr);
	exit(2);
}

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
			t->tally.hung++;
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

static void
count(struct test *t, unsigned int n, const struct call *call)
{
	unsigned int torn = agent_count(&t->agent, t->mails, MAILS);
	const struct mail *m = &t->mails[TARGET];
	const char *what = NULL;

	if (t->mails[OLD_ONE].seen != t->mails[OLD_ONE].want || t->mails[OLD_TWO].seen != t->mails[OLD_TWO].want) {
		t->tally.damaged++;
		what = "damaged";
	} else if (m->seen < m->want) {
		t->tally.lost++;
		what = "lost";
	} else if (m->seen > m->want && t->done) {
		t->tally.forgotten++;
		what = "forgotten";
	} else if (m->seen > m->want) {
		t->tally.doubled++;
		what = "doubled";
	} else if (torn > 0) {
		t->tally.torn++;
		what = "torn";
	} else
		t->tally.one++;
	if (what != NULL)
		show(t, n, call, what);
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
	t->tally.points++;
	for (i = 0; i < 2; i++)
		if (!agent_takes(&t->agent, &t->mails[TARGET])) {
			t->tally.stuck++;
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
	const struct tally *s = &t->tally;

	printf("scene=%s killed=%s points=%u one=%u lost=%u doubled=%u torn=%u damaged=%u stuck=%u hung=%u forgotten=%u\n", t->scene,
	    t->single ? "one" : "all", s->points, s->one, s->lost, s->doubled, s->torn, s->damaged, s->stuck,
	    s->hung, s->forgotten);
	return s->points > 0 && s->one == s->points;
}

int
main(int argc, char **argv)
{
	struct test t = { .scene = "first" };
	size_t i;
	unsigned int n = 1;
	int c;

	while ((c = getopt(argc, argv, "+1s:v")) != -1) {
		switch (c) {
		case '1':
			t.single = true;
			break;
		case 's':
			t.scene = optarg;
			break;
		case 'v':
			t.verbose = true;
			break;
		default:
			usage();
		}
	}
	if (!agent_make(&t.agent, argc - optind, argv + optind))
		usage();
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
