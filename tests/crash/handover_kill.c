/*
 * handover_kill [-afqvw] [-s pipe|lmtp] FOLDER: kill an agent that hands messages over, at every system call.
 *
 * For each kind and every n the home is put back to its start, a delivery is killed before its n-th system call, and the target is
 * delivered twice without fault. Then what has taken the messages (take.c) must have the target whole, once; twice only in the window that the manual
 * speaks of: when the message had been taken at the kill, and the record was still pending.
 *
 *	-a  each call is a point for a second time: after it was executed		-f  go on after many failures
 *	-q  from the first call on that is about the home	-s  this kind only	-v  say which call each failure was at
 *	-w  without a ledger, which has to be found out
 *
 * One line of key=value for each kind; excused: twice, in the window, which must have been hit. Exit: 0 all is well (with -w: wrong), 1
 * not.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dedupdb.h"
#include "lib/crew.h"
#include "lib/mail.h"
#include "lib/options.h"
#include "lib/snapshot.h"
#include "lib/tally.h"
#include "lib/trace.h"

#define SIZE 300	/* of the messages, bytes */
#define SHOWN 20
#define WORDS 12
#define PATH_SHORT 90	/* of a Unix socket */

enum { OLD, TARGET, MAILS };

struct test {
	const char *kind;
	char root[PATH_MAX], maildir[PATH_MAX], socket[PATH_SHORT], ledger[PATH_MAX], out[PATH_MAX];
	char words[WORDS][2 * PATH_MAX];
	char *argv[WORDS + 1];
	struct mail mails[MAILS];
	struct snapshot *start;
	pid_t server;
	struct tally tally;
};

static struct harness options = { HARNESS_DEFAULTS };
static bool after_too, no_ledger;

static void add(struct test *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct test *t, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	for (n = 0; t->argv[n] != NULL; n++)
		;
	va_start(ap, fmt);
	if (n == WORDS || (size_t)vsnprintf(t->words[n], sizeof(t->words[n]), fmt, ap) >= sizeof(t->words[n]))
		die("command line");
	va_end(ap);
	t->argv[n] = t->words[n];
}

/* A connection that was served is over for the server when it has greeted the next one. */
static bool
server_is_idle(const struct test *t)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;
	bool got;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", t->socket);
	got = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && read(fd, &c, 1) == 1;
	close(fd);
	return got;
}

static void
start_server(struct test *t)
{
	char take[PATH_MAX], listen[] = "-l";
	char *argv[] = { take, listen, t->socket, t->maildir, NULL };
	const struct timespec moment = { .tv_nsec = 10000000 };

	snprintf(take, sizeof(take), "%s/tests/take", options.build);
	(void)unlink(t->socket);
	t->server = trace_spawn(argv, NULL, t->out, false);
	while (!server_is_idle(t))
		nanosleep(&moment, NULL);
}

/* What the dead agent has left running comes to an end: a command is our child now. */
static void
settle_down(const struct test *t)
{
	siginfo_t info;

	for (;;) {
		memset(&info, 0, sizeof(info));
		if (t->server != 0) {
			(void)server_is_idle(t);
			return;
		}
		if (waitid(P_ALL, 0, &info, WEXITED) == -1)
			return;
	}
}

static int
find_state(void *arg, struct claim *claim, struct err *err)
{
	(void)err;
	if (claim->record.state == RECORD_PENDING)
		*(bool *)arg = true;
	return 0;
}

/* Has the ledger a pending record? */
static bool
is_pending(const struct test *t)
{
	struct ledger_options o = { .window = 1000000, .lock_timeout_ms = 1000 };
	char url[PATH_MAX + 8];
	struct ledger *ledger;
	struct err err;
	bool pending = false;

	snprintf(url, sizeof(url), "bdb:%s", t->ledger);
	o.url = url;
	if (ledger_open(&ledger, &o, &err) == -1 || ledger_each(ledger, time(NULL), find_state, &pending, &err) == -1) {
		fprintf(stderr, "look into the ledger: %s\n", err.text);
		exit(1);
	}
	ledger_close(&ledger);
	return pending;
}

static void
show(struct test *t, unsigned int n, bool after, const struct call *call, const char *what)
{
	char text[TRACE_PATH + 32];

	t->tally.shown++;
	if (options.verbose)
		printf("# %s: %s %s call %u, %s\n", t->kind, what, after ? "after" : "before", n, call_name(call, text, sizeof(text)));
}

static bool
disturb(struct test *t, unsigned int n, bool after, struct call *call)
{
	struct tracee tracee;

	trace_start(&tracee, t->argv, t->mails[TARGET].path, t->out);
	while (trace_step(&tracee))
		if (tracee.in_call && tracee.calls == n)
			break;
	if (tracee.ended)
		return false;
	trace_call(&tracee, call);
	if (!after || trace_step(&tracee))
		trace_kill(&tracee);
	settle_down(t);
	return true;
}

static enum count
verdict(struct test *t, bool in_window)
{
	unsigned int torn = count_maildir(t->maildir, t->mails, MAILS);

	if (t->mails[OLD].seen != 1)
		return COUNT_DAMAGED;
	if (t->mails[TARGET].seen == 0)
		return COUNT_LOST;
	if (torn > 0)
		return COUNT_TORN;
	if (t->mails[TARGET].seen == 1)
		return COUNT_ONE;
	return t->mails[TARGET].seen == 2 && in_window ? COUNT_EXCUSED : COUNT_DOUBLED;
}

/* Returns false when the delivery ends before there. */
static bool
try_point(struct test *t, unsigned int n, bool after)
{
	struct call call = { .nr = -1 };
	enum count c;
	bool window;
	int i, code;

	snapshot_restore(t->start);
	if (!disturb(t, n, after, &call))
		return false;
	(void)count_maildir(t->maildir, t->mails, MAILS);
	window = t->mails[TARGET].seen == 1 && !no_ledger && is_pending(t);
	for (i = 0; i < 2; i++) {
		code = run_plain(t->argv, t->mails[TARGET].path, t->out);
		if (code != 0) {
			t->tally.count[code == ENDED_HUNG ? COUNT_HUNG : COUNT_CODE]++;
			show(t, n, after, &call, "the next copy was not taken,");
		}
	}
	c = verdict(t, window);
	t->tally.count[COUNT_POINTS]++;
	t->tally.count[c]++;
	if (c != COUNT_ONE && c != COUNT_EXCUSED)
		show(t, n, after, &call, count_name(c));
	return true;
}

static unsigned int
first_call(struct test *t)
{
	struct tracee tracee;
	struct call call = { .nr = -1 };

	trace_start(&tracee, t->argv, t->mails[TARGET].path, t->out);
	while (trace_step(&tracee)) {
		if (!tracee.in_call)
			continue;
		trace_call(&tracee, &call);
		if (strncmp(call.path, t->root, strlen(t->root)) == 0)
			break;
	}
	trace_kill(&tracee);
	settle_down(t);
	return tracee.calls;
}

static void
make_places(struct test *t)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	char path[PATH_MAX + 8];
	size_t i;

	snprintf(t->root, sizeof(t->root), "%.4000s/root", options.folder);
	snprintf(t->maildir, sizeof(t->maildir), "%.4000s/M", t->root);
	snprintf(t->ledger, sizeof(t->ledger), "%.4000s/L", t->root);
	snprintf(t->socket, sizeof(t->socket), "%.*s/s", PATH_SHORT - 3, options.folder);
	snprintf(t->out, sizeof(t->out), "%.4000s/out", options.folder);
	remove_tree(t->root);
	if (mkdir(t->root, 0700) == -1)
		die(t->root);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", t->maildir, parts[i]);
		if (mkdir(path, 0700) == -1)
			die(path);
	}
}

static void
prepare(struct test *t)
{
	char keep[PATH_MAX];

	make_places(t);
	mail_make(&t->mails[OLD], options.folder, "old", SIZE);
	mail_make(&t->mails[TARGET], options.folder, "target", SIZE);
	add(t, "%s/dedup-lda", options.build);
	add(t, "-o");
	if (strcmp(t->kind, "pipe") == 0)
		add(t, "mailbox=pipe:%s/tests/take %s", options.build, t->maildir);
	else
		add(t, "mailbox=lmtp:unix:%s", t->socket);
	add(t, "-o");
	add(t, "ledger=%s%s", no_ledger ? "none" : "bdb:", no_ledger ? "" : t->ledger);
	add(t, "-o");
	add(t, "log=file:%s/log", t->root);
	if (strcmp(t->kind, "lmtp") == 0)
		start_server(t);
	if (run_plain(t->argv, t->mails[OLD].path, t->out) != 0) {
		show_file(t->out);
		die("preparing: the first delivery");
	}
	snprintf(keep, sizeof(keep), "%.4000s/keep", options.folder);
	t->start = snapshot_take(t->root, keep);
}

static bool
is_good(const struct tally *t)
{
	const unsigned int *n = t->count;

	return n[COUNT_POINTS] > 0 && n[COUNT_ONE] + n[COUNT_EXCUSED] == n[COUNT_POINTS] && n[COUNT_EXCUSED] > 0 && n[COUNT_HUNG] == 0 &&
	    n[COUNT_CODE] == 0;
}

static void
finish(struct test *t)
{
	if (t->server != 0) {
		kill(t->server, SIGKILL);
		(void)waitpid(t->server, NULL, 0);
	}
	snapshot_free(&t->start);
	mail_free(&t->mails[OLD]);
	mail_free(&t->mails[TARGET]);
}

static bool
play(const char *kind)
{
	static const enum count printed[] = { COUNT_POINTS, COUNT_ONE, COUNT_EXCUSED, COUNT_LOST, COUNT_DOUBLED, COUNT_TORN, COUNT_DAMAGED,
		COUNT_HUNG, COUNT_CODE };
	struct test *t = calloc(1, sizeof(*t));
	long began = now_ms();
	unsigned int n = 1;
	bool good;

	if (t == NULL)
		die("calloc");
	t->kind = kind;
	prepare(t);
	if (options.quick)
		n = first_call(t);
	while (try_point(t, n, false) && (!after_too || try_point(t, n, true)) && (t->tally.shown < SHOWN || options.all))
		n++;
	good = is_good(&t->tally);
	printf("scene=\"%s\"", kind);
	tally_line(&t->tally, printed, sizeof(printed) / sizeof(printed[0]), began, good);
	if (no_ledger)
		good = t->tally.count[COUNT_DOUBLED] > 0;
	finish(t);
	free(t);
	return good;
}

int
main(int argc, char **argv)
{
	static const char *const kinds[] = { "pipe", "lmtp" };
	const struct option table[] = {
		{ 'a', .flag = &after_too }, { 'f', .flag = &options.all }, { 's', "kind", .text = &options.only }, { 'w', .flag = &no_ledger },
		{ 'q', .flag = &options.quick }, { 'v', .flag = &options.verbose }, { 0 },
	};
	const struct command command = { "handover_kill", "folder", table, 1 };
	bool good = true;
	size_t i;

	harness_read(&options, &command, argc, argv);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		die("PR_SET_CHILD_SUBREAPER");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (options.only == NULL || strcmp(options.only, kinds[i]) == 0)
			good = play(kinds[i]) && good;
	return good ? 0 : 1;
}
