/*
 * agent_kill [-1v] [-s scene] FOLDER maildir|mbox HOME MAILBOX COMMAND [ARGUMENT]...: kill any delivery agent at every system call.
 *
 * As kill.c does with ours, but it knows nothing of the agent, which may be several processes: for every n its home is put back to the
 * start of the scene, a delivery is killed when any of its processes begins the n-th system call of all of them together, and the same
 * message is given to it twice more, without fault. The call is not executed. HOME is the agent's, prepared and with no mail in it.
 *
 *	-1  kill only the process that makes the call; the others go on, and what the agent exits with is not looked at
 *	-s  first: nothing was delivered before (the default); new: two messages were; duplicate: the same message was, too
 *	-v  say which call each failure was at
 *
 * One line of key=value. Lost, doubled, torn (something else is in the mailbox), damaged (so are the messages of before), stuck (three
 * times, each an hour later, it did not take a copy). Exit: 0 each was there exactly once, 1 not; trouble with the test is 2.
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

enum { OLD_ONE, OLD_TWO, TARGET, MAILS };

struct tally {
	unsigned int points, one, lost, doubled, torn, damaged, stuck;
};

struct test {
	struct agent agent;
	struct mail mails[MAILS];
	struct snapshot *start;
	bool single, verbose;
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

	tree_start(&tree, t->agent.argv, t->mails[TARGET].path, t->agent.out, AGENT_LIMIT_S);
	while (tree_step(&tree))
		if (tree.calls == n)
			break;
	if (tree.stopped == 0)
		return false;
	caller.pid = tree.stopped;
	trace_call(&caller, call);
	if (t->single) {
		tree_kill_one(&tree);
		tree_finish(&tree);
	} else
		tree_kill_all(&tree);
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
prepare(struct test *t, const char *folder)
{
	static const char *const names[MAILS] = { "one", "two", "target" };
	char keep[PATH_MAX];
	size_t i;

	for (i = 0; i < MAILS; i++)
		mail_make(&t->mails[i], folder, names[i], SIZE);
	if (strcmp(t->scene, "first") != 0) {
		deliver_well(t, &t->mails[OLD_ONE]);
		deliver_well(t, &t->mails[OLD_TWO]);
	}
	if (strcmp(t->scene, "duplicate") == 0)
		deliver_well(t, &t->mails[TARGET]);
	t->mails[TARGET].want = 1;
	snprintf(keep, sizeof(keep), "%s/keep", folder);
	t->start = snapshot_take(t->agent.home, keep);
}

static bool
print(const struct test *t)
{
	const struct tally *s = &t->tally;

	printf("scene=%s killed=%s points=%u one=%u lost=%u doubled=%u torn=%u damaged=%u stuck=%u\n", t->scene,
	    t->single ? "one" : "all", s->points, s->one, s->lost, s->doubled, s->torn, s->damaged, s->stuck);
	return s->points > 0 && s->one == s->points;
}

int
main(int argc, char **argv)
{
	struct test t = { .scene = "first" };
	char out[PATH_MAX], *folder;
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
	if (optind == argc || (folder = realpath(argv[optind], NULL)) == NULL || !agent_make(&t.agent, argc - optind - 1, argv + optind + 1))
		usage();
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	snprintf(out, sizeof(out), "%s/out", folder);
	t.agent.out = out;
	prepare(&t, folder);
	while (try_point(&t, n))
		n++;
	snapshot_free(&t.start);
	for (i = 0; i < MAILS; i++)
		mail_free(&t.mails[i]);
	free(folder);
	return print(&t) ? 0 : 1;
}
