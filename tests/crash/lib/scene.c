/* Building scenes. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dedupdb.h"
#include "scene.h"

#define WINDOW_S 1000000	/* of the agents in all scenes */
#define AGE_S 2000000		/* of a record that has expired */
#define OLD_SIZE 300		/* bytes */

static void
fail(const char *what, const char *text)
{
	fprintf(stderr, "%s: %s\n", what, text);
	exit(1);
}

static char *word(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static char *
word(struct world *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (w->words_len == ARGS_MAX || vasprintf(&text, fmt, ap) == -1)
		die("word");
	va_end(ap);
	w->words[w->words_len++] = text;
	return text;
}

static void
add(char **argv, const char *text)
{
	size_t n;

	for (n = 0; argv[n] != NULL; n++)
		;
	if (n == ARGS_MAX - 1)
		fail("command line", "too many words");
	argv[n] = (char *)(uintptr_t)text;
}

static void
add_option(char **argv, const char *text)
{
	add(argv, "-o");
	add(argv, text);
}

static void
make_mails(struct world *w)
{
	static const char *const names[MAILS] = { "one", "two", "target", "other", "newcomer" };
	size_t i, size = w->scene->size;

	for (i = 0; i < MAILS; i++)
		if (i == OTHER && w->scene->forged)
			mail_forge(&w->mails[i], &w->mails[TARGET], w->folder, names[i],
			    "Received: from elsewhere.example ([192.0.2.66]) by mx.example.org with ESMTP id F; Fri, 20 Nov 2026 12:00:00 +0000");
		else
			mail_make(&w->mails[i], w->folder, names[i], i == TARGET && size > 0 ? size : OLD_SIZE);
}

static void
make_commands(struct world *w, const char *const *more)
{
	const char *kind = w->scene->mbox ? "mbox" : "maildir";
	char *mailbox = word(w, "mailbox=%s:%s", kind, w->mailbox), *url;
	size_t i;

	url = w->scene->ledger != NULL ? word(w, "%s", w->scene->ledger) : word(w, "bdb:%s", w->ledger);

	if (w->wrong != NULL) {
		add(w->agent, word(w, "%s/tests/wrong_agent", w->build));
		add(w->agent, w->wrong);
		add(w->agent, w->mailbox);
		add(w->agent, word(w, "%s/records", w->root));
		memcpy(w->plain, w->agent, sizeof(w->agent));
		return;
	}
	add(w->agent, word(w, "%s/dedup-lda", w->build));
	add_option(w->agent, mailbox);
	add_option(w->agent, word(w, "ledger=%s", url));
	add_option(w->agent, word(w, "log=file:%s", w->log));
	add_option(w->agent, word(w, "window=%ds", WINDOW_S));
	memcpy(w->plain, w->agent, sizeof(w->agent));
	for (i = 0; i < SCENE_OPTIONS && w->scene->options[i] != NULL; i++)
		add(w->agent, w->scene->options[i]);
	for (i = 0; more != NULL && more[i] != NULL; i++)
		add_option(w->agent, word(w, "%s", more[i]));
	add(w->tool, word(w, "%s/dedupdb", w->build));
	add_option(w->tool, mailbox);
	add_option(w->tool, word(w, "window=%ds", WINDOW_S));
	add_option(w->tool, w->scene->beside == BESIDE_TOOLS ? "lock-timeout=1s" : "lock-timeout=0s");
	add(w->tool, "-l");
	add(w->tool, url);
	memcpy(w->twin, w->agent, sizeof(w->agent));
	add_option(w->twin, "lock-timeout=0s");
}

int
world_deliver(const struct world *w, const struct mail *m)
{
	return run_plain(w->agent, m->path, w->out);
}

int
world_twin(const struct world *w, const struct mail *m)
{
	return run_plain(w->twin, m->path, w->out);
}

int
world_tool(const struct world *w, const char *command)
{
	char *argv[ARGS_MAX];

	memcpy(argv, w->tool, sizeof(argv));
	add(argv, command);
	return run_plain(argv, NULL, w->out);
}

static void
deliver_well(const struct world *w, char *const *agent, const struct mail *m)
{
	int code = run_plain(agent, m->path, w->out);

	if (code != 0) {
		fprintf(stderr, "%s: preparing: exit %d\n", w->scene->name, code);
		exit(1);
	}
}

/* Put a record back in time. */
static int
age_record(void *arg, struct claim *claim, struct err *err)
{
	struct ledger *ledger = arg;
	struct intent intent = { .len = 1 };
	int64_t then = (int64_t)time(NULL) - AGE_S;
	struct fingerprint fp = claim->fp;

	if (ledger_forget(ledger, claim, err) != 1 || ledger_claim(ledger, &fp, then, claim, err) == -1 ||
	    ledger_decide(ledger, claim, &intent, NULL, then, err) == -1)
		return -1;
	return ledger_delivered(ledger, claim, true, err);
}

static struct ledger *
open_ledger(const struct world *w)
{
	struct ledger_options options = { .window = 10 * AGE_S, .lock_timeout_ms = 1000 };
	struct ledger *ledger;
	struct err err;
	char url[PATH_MAX];

	snprintf(url, sizeof(url), "bdb:%s", w->ledger);
	options.url = url;
	if (ledger_open(&ledger, &options, &err) == -1)
		fail("open the ledger", err.text);
	return ledger;
}

static void
age_records(const struct world *w)
{
	struct ledger *ledger = open_ledger(w);
	struct err err;

	if (ledger_each(ledger, time(NULL), age_record, ledger, &err) == -1)
		fail("age the records", err.text);
	ledger_close(&ledger);
}

void
world_grow(const struct world *w, unsigned int first, unsigned int n)
{
	struct ledger *ledger = open_ledger(w);
	struct intent intent = { .len = 1 };
	struct fingerprint fp;
	struct claim claim;
	struct err err;
	unsigned int i, seed;
	size_t j;

	for (i = 0; i < n; i++) {
		seed = first + i + 1;
		for (j = 0; j < sizeof(fp.bytes); j++) {
			seed = seed * 1664525u + 1013904223u;	/* Numerical Recipes, ranqd1 */
			fp.bytes[j] = (unsigned char)(seed >> 24);
		}
		if (ledger_claim(ledger, &fp, time(NULL), &claim, &err) == -1 ||
		    ledger_decide(ledger, &claim, &intent, NULL, time(NULL), &err) == -1 || ledger_delivered(ledger, &claim, false, &err) == -1)
			fail("grow the ledger", err.text);
	}
	ledger_close(&ledger);
}

static bool
ends(const char *path, const char *with)
{
	size_t a = strlen(path), b = strlen(with);

	return a >= b && strcmp(path + a - b, with) == 0;
}

/* Is this the call that publishes, or `sync`: the one that makes the publication durable? */
static bool
publishes(const struct world *w, const struct call *c, bool sync)
{
	if (sync)
		return c->nr == SYS_fsync && (w->scene->mbox ? strcmp(c->path, w->mailbox) == 0 : ends(c->path, "/new"));
	if (w->scene->mbox)
		return c->nr == SYS_write && strcmp(c->path, w->mailbox) == 0;
	return c->nr == SYS_renameat && strstr(c->to, "/new/") != NULL;
}

bool
world_is_point(const struct world *w, const struct call *c, enum crash crash)
{
	if (crash == CRASH_COMMITTING)
		return c->nr == SYS_pwrite64 && strstr(c->path, "/log.") != NULL;
	if (crash == CRASH_DECIDING)
		return c->nr == SYS_fdatasync && strstr(c->path, "/log.") != NULL;
	return publishes(w, c, crash == CRASH_SYNCED);
}

void
world_reach(struct tracee *t, const struct call *call, enum crash crash)
{
	if (crash == CRASH_TORN)
		trace_argument(t, 2, call->args[2] / 2);
	if (crash == CRASH_TORN || crash == CRASH_COMMITTING || crash == CRASH_PUBLISHED || crash == CRASH_SYNCED)
		trace_step(t);
}

/* Deliver a message and kill that there. */
static void
deliver_crashing(const struct world *w, const struct mail *m, enum crash crash)
{
	struct call call = { .nr = -1 };
	struct tracee t;

	trace_start(&t, w->agent, m->path, w->out);
	while (trace_step(&t)) {
		if (!t.in_call)
			continue;
		trace_call(&t, &call);
		if (world_is_point(w, &call, crash))
			break;
	}
	if (t.ended)
		fail(w->scene->name, "preparing: the point of the crash was not reached");
	world_reach(&t, &call, crash);
	trace_kill(&t);
}

static void
write_first(const struct world *w)
{
	FILE *f = fopen(w->mailbox, "wx");

	if (f == NULL || fputs(w->scene->first, f) == EOF || fclose(f) != 0)
		die(w->mailbox);
}

/* The wrong agents make nothing that is missing. */
static void
make_maildir(const struct world *w)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", w->mailbox, parts[i]);
		if (mkdir(path, 0700) == -1)
			die(path);
	}
}

/* The user has read what is in new/. */
static void
read_maildir(const struct world *w)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *entry;
	DIR *d;

	snprintf(from, sizeof(from), "%s/new", w->mailbox);
	d = opendir(from);
	if (d == NULL)
		die(from);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(from, sizeof(from), "%s/new/%s", w->mailbox, entry->d_name);
		snprintf(to, sizeof(to), "%s/cur/%s:2,S", w->mailbox, entry->d_name);
		if (rename(from, to) == -1)
			die(from);
	}
	closedir(d);
}

static void
prepare(struct world *w)
{
	const struct scene *s = w->scene;

	if (s->mbox && s->first != NO_FILE)
		write_first(w);
	if (w->wrong != NULL)
		make_maildir(w);
	if (!s->fresh) {
		deliver_well(w, w->plain, &w->mails[OLD_ONE]);
		if (!s->mbox)
			read_maildir(w);
		deliver_well(w, w->plain, &w->mails[OLD_TWO]);
		w->mails[OLD_ONE].want = w->mails[OLD_TWO].want = 1;
	}
	if (s->had)
		deliver_well(w, w->agent, &w->mails[TARGET]);
	if (s->early)
		deliver_well(w, w->agent, &w->mails[OTHER]);
	if (s->aged)
		age_records(w);
	w->mails[TARGET].want = s->had && s->aged ? 2 : 1;
	if (s->other != CRASH_NEVER)
		deliver_crashing(w, &w->mails[OTHER], s->other);
	w->mails[OTHER].want = s->early || s->other != CRASH_NEVER;
	if (s->target != CRASH_NEVER)
		deliver_crashing(w, &w->mails[TARGET], s->target);
	if (unlink(w->log) == -1 && errno != ENOENT)
		die(w->log);
}

static void
make_disturbed(struct world *w)
{
	if (w->scene->tool == NULL)
		memcpy(w->disturbed, w->agent, sizeof(w->agent));
	else {
		memcpy(w->disturbed, w->tool, sizeof(w->tool));
		add(w->disturbed, w->scene->tool);
	}
}

void
world_make(struct world *w, const struct scene *scene, const char *folder, const char *build, const char *wrong,
    const char *const *more)
{
	char keep[PATH_MAX];

	memset(w, 0, sizeof(*w));
	w->scene = scene;
	w->build = build;
	w->wrong = wrong;
	remove_tree(folder);
	w->folder = word(w, "%s", folder);
	w->root = word(w, "%s/root", folder);
	w->mailbox = word(w, "%s/%s", w->root, scene->mbox ? "box" : "M");
	w->ledger = word(w, "%s/L", w->root);
	w->log = word(w, "%s/log", w->root);
	w->out = word(w, "%s/out", folder);
	if (mkdir(folder, 0700) == -1 || mkdir(w->root, 0700) == -1)
		die(folder);
	make_mails(w);
	make_commands(w, more);
	prepare(w);
	make_disturbed(w);
	snprintf(keep, sizeof(keep), "%s/keep", folder);
	w->snapshot = snapshot_take(w->root, keep);
}

void
world_free(struct world *w)
{
	size_t i;

	snapshot_free(&w->snapshot);
	remove_tree(w->folder);
	for (i = 0; i < MAILS; i++)
		mail_free(&w->mails[i]);
	for (i = 0; i < w->words_len; i++)
		free(w->words[i]);
	memset(w, 0, sizeof(*w));
}

void
world_option(struct world *w, const char *option)
{
	add_option(w->agent, option);
	add_option(w->tool, option);
}

void
world_move(struct world *w, const char *host, const char *home)
{
	if ((mkdir(home, 0700) == -1 && errno != EEXIST) || setenv("HOME", home, 1) == -1)
		die(home);
	world_option(w, word(w, "host=%s", host));
	add_option(w->agent, word(w, "log=file:%s/log", home));
}

void
world_restore(const struct world *w)
{
	if (unlink(w->out) == -1 && errno != ENOENT)
		die(w->out);
	snapshot_restore(w->snapshot);
}

unsigned int
world_count(struct world *w)
{
	if (!w->scene->mbox)
		return count_maildir(w->mailbox, w->mails, MAILS);
	return count_mbox(w->mailbox, w->scene->first == NO_FILE ? "" : w->scene->first, true, w->mails, MAILS);
}

bool
world_is_damaged(const struct world *w)
{
	return w->mails[OLD_ONE].seen != w->mails[OLD_ONE].want || w->mails[OLD_TWO].seen != w->mails[OLD_TWO].want;
}

enum count
world_verdict(struct world *w, unsigned int torn_ok)
{
	unsigned int torn = world_count(w);
	const struct mail *m = &w->mails[TARGET], *other = &w->mails[OTHER];

	if (world_is_damaged(w))
		return COUNT_DAMAGED;
	if (m->seen < m->want || other->seen < other->want)
		return COUNT_LOST;
	if (torn > torn_ok)
		return COUNT_TORN;
	return m->seen > m->want || other->seen > other->want ? COUNT_DOUBLED : COUNT_ONE;
}

bool
world_logged(const struct world *w, const char *text)
{
	size_t len;
	char *bytes = read_whole(w->log, &len);
	bool found = bytes != NULL && strstr(bytes, text) != NULL;

	free(bytes);
	return found;
}
