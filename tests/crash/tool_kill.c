/*
 * tool_kill [-afqv] [-j workers] [-r seed] [-S k/n] [-s command] [-w] FOLDER: kill dedupdb at every system call, in every command.
 *
 * For each command and every n: mailbox and ledger are put back to their start, the command is killed before its n-th system call, and
 * then the ledger must be healthy: `verify` says so; the command runs to its end; what was delivered before is a duplicate, what was
 * pending comes once, and a new message comes once; and the counters of `stat` are those that a walk by `list` finds.
 *
 *	-a  also after each call		-f  go on after 20 failures
 *	-j  processes (2)			-q  every so many calls only, from one on that -r chooses
 *	-s  commands with this in their name	-S  only part k of n of each command's points
 *	-v  print what the tools said		-w  after the kill take the ledger away: every command must be found wrong
 *
 * What becomes of the files that dedupe --apply moves: dedupe_kill. One line of key=value for each command. Exit: 0 all is well (with -w:
 * wrong), 1 not; trouble with the test itself is 1, too.
 */
#include <sys/stat.h>

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/scene.h"
#include "lib/scenes.h"

#define SHOWN 20	/* failures per command and worker */
#define WORDS 6
#define SOME 32		/* of so many points -q takes one */
#define FEW 400

/* One command, and what is there when it begins. Of its words %M is the mailbox, %F the target's fingerprint, %T its file, and %E an
 * export of the ledger. */
struct play {
	struct scene scene;
	const char *words[WORDS];
	bool wiped;		/* the ledger was lost after the export */
	bool forgets;		/* the target's record */
	bool unfinished;	/* a pending record becomes old: verify tells of it, until the next copy has come */
	unsigned int stride;	/* with -q; 0: SOME */
	int code;		/* how the command ends */
	int again;		/* the same, if what it had to do is done */
};

#define KNOWN .had = true, .other = CRASH_DECIDED

static const struct play plays[] = {
	{ .scene = MAILDIR("stat", KNOWN), .words = { "stat" } },
	{ .scene = MAILDIR("stat --prometheus", KNOWN), .words = { "stat", "--prometheus" } },
	{ .scene = MAILDIR("list", KNOWN), .words = { "list", "--sort" } },
	{ .scene = MAILDIR("show FILE", KNOWN), .words = { "show", "%T" } },
	{ .scene = MAILDIR("show FINGERPRINT", KNOWN), .words = { "show", "%F" } },
	{ .scene = MAILDIR("why", KNOWN), .words = { "why", "<target@crash.example.org>" } },
	{ .scene = MAILDIR("gaps", KNOWN), .words = { "gaps" } },
	{ .scene = MAILDIR("check", KNOWN), .words = { "check", "%T" }, .code = 1, .again = 1 },
	{ .scene = MAILDIR("prune", KNOWN, .aged = true), .words = { "prune" } },
	{ .scene = MAILDIR("forget", KNOWN), .words = { "forget", "%F" }, .forgets = true, .again = 1 },
	{ .scene = MAILDIR("recover", KNOWN), .words = { "recover" } },
	{ .scene = MAILDIR("import", .had = true), .words = { "import", "%M" }, .wiped = true },
	{ .scene = MAILDIR("import, known", KNOWN), .words = { "import", "%M" } },
	{ .scene = MBOX("import", .had = true, .first = ""), .words = { "import", "%M" }, .wiped = true },
	{ .scene = MAILDIR("verify", KNOWN), .words = { "verify" }, .stride = FEW },
	{ .scene = MAILDIR("export", KNOWN), .words = { "export" } },
	{ .scene = MAILDIR("restore", KNOWN), .words = { "restore", "%E" }, .wiped = true, .unfinished = true },
	{ .scene = MAILDIR("restore, known", KNOWN), .words = { "restore", "%E" } },
	{ .scene = MBOX("restore", KNOWN, .first = ""), .words = { "restore", "%E" }, .wiped = true },
	{ .scene = MAILDIR("dedupe", KNOWN), .words = { "dedupe", "--apply", "%M" } },
	{ .scene = MBOX("dedupe", KNOWN, .first = ""), .words = { "dedupe", "%M" } },
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

static struct harness options = { HARNESS_DEFAULTS };
static bool after_too, take_ledger;
static uint64_t seed;

/* A worker's copy of a play. */
struct stage {
	const struct play *play;
	struct world w;
	struct tally *tally;
	char *export, *tmp, fp[65];
	char *argv[ARGS_MAX];
	bool after;		/* the point */
	unsigned int n;
	struct call call;
};

static void
wrong(struct stage *s, enum count what, const char *text, int code)
{
	char call[TRACE_PATH + 32];

	s->tally->count[what]++;
	if (s->tally->shown++ >= SHOWN)
		return;
	printf("# %s: %s (%d): killed %s call %u, %s\n", s->play->scene.name, text, code, s->after ? "after" : "before", s->n,
	    call_name(&s->call, call, sizeof(call)));
	fflush(stdout);
	if (options.verbose) {
		show_file(s->w.out);
		show_file(s->w.log);
	}
}

/* --- running dedupdb --- */

static void
command(const struct stage *s, char **argv, const char *const *words)
{
	size_t n, i;

	memcpy(argv, s->w.tool, sizeof(s->w.tool));
	for (n = 0; argv[n] != NULL; n++)
		;
	for (i = 0; words[i] != NULL; i++, n++) {
		if (strcmp(words[i], "%M") == 0)
			argv[n] = s->w.mailbox;
		else if (strcmp(words[i], "%F") == 0)
			argv[n] = (char *)s->fp;
		else if (strcmp(words[i], "%T") == 0)
			argv[n] = s->w.mails[TARGET].path;
		else if (strcmp(words[i], "%E") == 0)
			argv[n] = s->export;
		else
			argv[n] = (char *)words[i];
	}
	argv[n] = NULL;
}

static int
tool(const struct stage *s, const char *out, const char *const *words)
{
	char *argv[ARGS_MAX];

	command(s, argv, words);
	if (unlink(out) == -1 && access(out, F_OK) == 0)
		die(out);
	return run_plain(argv, NULL, out);
}

static char *
output(const struct stage *s)
{
	size_t len;
	char *text = read_whole(s->w.out, &len);

	if (text == NULL)
		die(s->w.out);
	return text;
}

static unsigned int
occurrences(const char *text, const char *what)
{
	unsigned int n = 0;

	for (text = strstr(text, what); text != NULL; text = strstr(text + 1, what))
		n++;
	return n;
}

/* --- a healthy ledger --- */

static void
check_verify(struct stage *s, bool unfinished_ok)
{
	static const char *const verify[] = { "verify", NULL };
	int code = tool(s, s->w.out, verify);
	char *text = output(s);

	if (code == 1 && unfinished_ok && occurrences(text, "\nproblem ") == 1 && strstr(text, "deliveries that did not finish") != NULL)
		code = 0;
	free(text);
	if (code != 0)
		wrong(s, COUNT_DAMAGED, "verify finds something", code);
}

/* The counters are kept by each change; list reads every record. */
static void
check_counters(struct stage *s)
{
	static const char *const stat[] = { "--json", "stat", NULL }, *const list[] = { "--json", "list", NULL };
	unsigned int records = UINT_MAX, pending = UINT_MAX, listed, listed_pending;
	int code = tool(s, s->w.out, stat);
	char *text = output(s), *at = strstr(text, "\"records\":");

	if (code != 0 || at == NULL || sscanf(at, "\"records\":%u,\"pending\":%u,", &records, &pending) != 2)
		wrong(s, COUNT_CODE, "stat fails", code);
	free(text);
	code = tool(s, s->w.out, list);
	text = output(s);
	listed = occurrences(text, "\n");
	listed_pending = occurrences(text, "\"state\":\"pending\"");
	free(text);
	if (code != 0)
		wrong(s, COUNT_CODE, "list fails", code);
	else if (records != listed || pending != listed_pending)
		wrong(s, COUNT_DAMAGED, "stat counts what list does not find", (int)(records - listed));
}

static void
check_again(struct stage *s)
{
	const struct play *p = s->play;
	int code = tool(s, s->w.out, p->words);

	if (code != p->code && code != p->again)
		wrong(s, code == ENDED_HUNG ? COUNT_HUNG : COUNT_CODE, "the command fails afterwards", code);
}

static void
deliver_twice(struct stage *s, size_t which)
{
	int i, code;

	for (i = 0; i < 2; i++) {
		code = world_deliver(&s->w, &s->w.mails[which]);
		if (code != 0)
			wrong(s, code == ENDED_HUNG ? COUNT_HUNG : COUNT_CODE, "a delivery fails", code);
	}
}

static void
check_mail(struct stage *s)
{
	enum count verdict;

	deliver_twice(s, TARGET);
	deliver_twice(s, OTHER);
	deliver_twice(s, NEWCOMER);
	verdict = world_verdict(&s->w, 0);
	if (verdict == COUNT_ONE && s->w.mails[NEWCOMER].seen != 1)	/* in no other harness it comes */
		verdict = s->w.mails[NEWCOMER].seen == 0 ? COUNT_LOST : COUNT_DOUBLED;
	if (verdict == COUNT_ONE)
		s->tally->count[COUNT_ONE]++;
	else
		wrong(s, verdict, count_name(verdict), 0);
}

/* --- points --- */

/* Returns false when the command ends before there. */
static bool
disturb(struct stage *s)
{
	struct tracee tracee;

	trace_start(&tracee, s->argv, NULL, s->w.out);
	while (trace_step(&tracee))
		if (tracee.in_call && tracee.calls == s->n)
			break;
	if (tracee.ended) {
		if (tracee.code != s->play->code)
			wrong(s, COUNT_CODE, "the undisturbed command fails", tracee.code);
		return false;
	}
	trace_call(&tracee, &s->call);
	if (s->after)
		trace_step(&tracee);
	trace_kill(&tracee);
	return true;
}

static bool
try_point(struct stage *s)
{
	bool more;

	world_restore(&s->w);
	s->call.nr = -1;
	more = disturb(s);
	if (take_ledger)
		remove_tree(s->w.ledger);
	s->tally->count[COUNT_POINTS]++;
	check_verify(s, s->play->unfinished);
	if (!take_ledger)	/* an import would bring it back */
		check_again(s);
	check_mail(s);
	check_counters(s);
	check_verify(s, false);
	remove_tree(s->tmp);	/* what verify leaves when it is killed */
	if (mkdir(s->tmp, 0700) == -1)
		die(s->tmp);
	return more;
}

/* --- the beginning --- */

static void
find_fingerprint(struct stage *s)
{
	static const char *const show[] = { "show", "%T", NULL };
	char *text, *at;

	(void)tool(s, s->w.out, show);
	text = output(s);
	at = strstr(text, "\nfingerprint ");
	if (at == NULL || sscanf(at, "\nfingerprint %64s", s->fp) != 1)
		die("find the fingerprint");
	free(text);
}

static void
prepare(struct stage *s, const char *folder)
{
	static const char *const export[] = { "export", NULL };
	char keep[PATH_MAX + 8];

	world_make(&s->w, &s->play->scene, folder, options.build, NULL, NULL);
	if (asprintf(&s->export, "%s/export.jsonl", folder) == -1 || asprintf(&s->tmp, "%s/tmp", folder) == -1)
		die("prepare");
	if (mkdir(s->tmp, 0700) == -1 || setenv("TMPDIR", s->tmp, 1) == -1)
		die(s->tmp);
	find_fingerprint(s);
	if (tool(s, s->export, export) != 0)
		die("prepare an export");
	s->w.mails[OTHER].want = 1;
	if (s->play->wiped)
		remove_tree(s->w.ledger);
	if (s->play->forgets)
		s->w.mails[TARGET].want = 2;
	snapshot_free(&s->w.snapshot);
	snprintf(keep, sizeof(keep), "%s/keep", folder);
	s->w.snapshot = snapshot_take(s->w.root, keep);
	command(s, s->argv, s->play->words);
}

static void
work(const void *arg, unsigned int worker, struct tally *t)
{
	struct stage s = { .play = arg, .tally = t };
	unsigned int step = after_too ? 2 : 1, stride = s.play->stride != 0 ? s.play->stride : SOME;
	char folder[PATH_MAX];
	size_t i;

	crew_stay(worker);
	snprintf(folder, sizeof(folder), "%s/tool_kill.%u", options.folder, worker);
	prepare(&s, folder);
	for (i = crew_first(&options, worker);; i += crew_step(&options)) {
		s.n = (unsigned int)i / step + 1;
		s.after = i % step == 1;
		if (options.quick)
			s.n = (unsigned int)(i * stride + seed % stride) + 1;
		if (!try_point(&s) || (t->shown >= SHOWN && !options.all))
			break;
	}
	world_free(&s.w);
	free(s.export);
	free(s.tmp);
}

static bool
play(const struct play *p)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_ONE, COUNT_LOST, COUNT_DOUBLED, COUNT_TORN, COUNT_DAMAGED,
		COUNT_HUNG, COUNT_CODE };
	struct tally sum;
	long began = now_ms();
	bool whole = tally_workers(options.workers, work, p, &sum);
	const unsigned int *n = sum.count;
	bool good = whole && n[COUNT_POINTS] > 0 && n[COUNT_ONE] == n[COUNT_POINTS] &&
	    n[COUNT_DAMAGED] + n[COUNT_HUNG] + n[COUNT_CODE] == 0;

	printf("command=\"%s\"", p->scene.name);
	tally_line(&sum, printed, sizeof(printed) / sizeof(printed[0]), began, good);
	return take_ledger ? whole && n[COUNT_DOUBLED] > 0 : good;
}

static bool
is_played(const struct play *p)
{
	if (take_ledger && (p->forgets || p->scene.aged))
		return false;	/* these two may come again anyway */
	return options.only == NULL || strstr(p->scene.name, options.only) != NULL;
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'a', .flag = &after_too }, { 'f', .flag = &options.all }, { 'r', "seed", .seed = &seed },
		{ 's', "command", .text = &options.only }, { 'w', .flag = &take_ledger }, HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command line = { "tool_kill", "folder", table, 1 };
	size_t i, number = 0;
	bool good = true;

	harness_read(&options, &line, argc, argv);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	for (i = 0; i < PLAYS; i++)
		if (is_played(&plays[i])) {
			crew_progress(&options, ++number, PLAYS, plays[i].scene.name);
			good = play(&plays[i]) && good;
		}
	return good ? 0 : 1;
}
