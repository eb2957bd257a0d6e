/*
 * dedupe_kill [-abv] [-w link|replace] FOLDER: disturb dedupdb dedupe --apply at its system calls.
 *
 * For every n a Maildir with copies is put back to its start, and the command is killed before its n-th system call. Then each file
 * must be there exactly once, whatever its name, and those that stay in their folders; and after one more run, without fault, all
 * is as if nothing had happened.
 *
 *	-a  from the first call on; otherwise from the first one that changes anything
 *	-b  instead of the kill, a mail reader is at work there, and a delivery: it sets flags, moves new mail to cur, or deletes what
 *	    was to stay; the command must find its files again and end well
 *	-v  say which call each failure was at
 *	-w  kill this wrong way to move files: something must be lost or doubled
 *
 * One line of key=value for each scene. Exit: 0 all is well (with -w: wrong), 1 not.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/options.h"
#include "lib/snapshot.h"
#include "lib/trace.h"

/* A file, told from its copies by a field that does not count. */
struct file {
	const char *name;	/* also the value of that field */
	const char *id;
	const char *path;
	bool stays;
	const char *flags;	/* in the end; NULL: any */
	/* as it was found */
	unsigned int seen;
	char dir[64], flags_seen[16];
};

static struct file files[] = {
	{ "one-old", "one", "cur/1790000001.M1P1.h:2,S", true, "FS", 0, "", "" },
	{ "one-new", "one", "new/1790000002.M1P1.h", false, NULL, 0, "", "" },
	{ "one-flagged", "one", "cur/1790000003.M1P1.h:2,FT", false, NULL, 0, "", "" },
	{ "two-old", "two", "new/1790000004.M1P1.h", true, "RS", 0, "", "" },
	{ "two-new", "two", "cur/1790000005.M1P1.h:2,RS", false, NULL, 0, "", "" },
	/* the flags of the second one make the name of the first one: they are changed last, and a kill between loses them */
	{ "twin-old", "twin", "cur/1790000006.M1P1.h:2,", true, NULL, 0, "", "" },
	{ "twin-new", "twin", "cur/1790000006.M1P1.h:2,S", false, NULL, 0, "", "" },
	{ "trash-old", "trash", "cur/1790000007.M1P1.h:2,T", true, "", 0, "", "" },
	{ "trash-new", "trash", "cur/1790000008.M1P1.h:2,", false, NULL, 0, "", "" },
	{ "alone", "alone", "cur/1790000009.M1P1.h:2,", true, "", 0, "", "" },
	{ "filed", "one", ".Archive/cur/1790000001.M1P1.h:2,", true, "", 0, "", "" },
	{ "staged", "one", "tmp/1790000001.M1P1.h", true, "", 0, "", "" },
	{ "taken", "taken", ".Duplicates/cur/1790000003.M1P1.h:2,FT", true, "FT", 0, "", "" },
};
#define FILES (sizeof(files) / sizeof(files[0]))
#define TAKEN (FILES - 1)	/* only where the folder is there */

static const struct file late = { "late", "one", "new/1790000010.M1P1.h", false, NULL, 0, "", "" };

enum beside { NOBODY, READER, DELETER };
static const char *const beside_names[] = { "killed", "reader", "deleter" };

struct test {
	struct harness h;
	bool all, beside;
	char maildir[PATH_MAX], out[PATH_MAX];
	char *argv[8];
	struct snapshot *start;
	bool there;		/* .Duplicates is, with a name that is taken */
	enum beside who;
	unsigned int points, wrong;
};

/* --- the mailbox --- */

static void
write_file(const struct test *t, const struct file *f)
{
	char path[PATH_MAX + 64];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", t->maildir, f->path);
	to = fopen(path, "w");
	if (to == NULL)
		die(path);
	fprintf(to, "Received: %s\nMessage-ID: <%s@example.org>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\n\nbody\n", f->name, f->id);
	if (fclose(to) == EOF)
		die(path);
}

static void
make_folder(const struct test *t, const char *name)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	char path[PATH_MAX + 64];
	size_t i;

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", t->maildir, name, parts[i]);
		if (mkdir(path, 0700) == -1 && errno != EEXIST)
			die(path);
	}
}

static void
make_mailbox(const struct test *t)
{
	size_t i;

	remove_tree(t->maildir);
	make_folder(t, "");
	make_folder(t, ".Archive");
	if (t->there)
		make_folder(t, ".Duplicates");
	for (i = 0; i < (t->there ? FILES : TAKEN); i++)
		write_file(t, &files[i]);
}

/* Which one is it? */
static struct file *
read_file(const char *path)
{
	size_t len, i;
	char *text = read_whole(path, &len), *end;
	struct file *f = NULL;

	end = text == NULL ? NULL : strchr(text, '\n');
	if (end != NULL) {
		*end = '\0';
		for (i = 0; i < FILES; i++)
			if (strncmp(text, "Received: ", 10) == 0 && strcmp(text + 10, files[i].name) == 0)
				f = &files[i];
	}
	free(text);
	return f;
}

/* Call see with the path of every file in that part of the Maildir. */
static void
each_file(const struct test *t, const char *dir, void (*see)(const char *path, const char *dir, const char *name))
{
	char path[PATH_MAX + 64], file[PATH_MAX + 512];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", t->maildir, dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			see(file, dir, e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

static void
note(const char *path, const char *dir, const char *name)
{
	struct file *f = read_file(path);
	const char *info = strstr(name, ":2,");

	if (f == NULL)
		return;
	f->seen++;
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	snprintf(f->flags_seen, sizeof(f->flags_seen), "%s", info == NULL ? "" : info + 3);
}

static void
look(const struct test *t)
{
	static const char *const dirs[] = { "tmp", "new", "cur", ".Archive/new", ".Archive/cur", ".Duplicates/tmp", ".Duplicates/new",
		".Duplicates/cur" };
	size_t i;

	for (i = 0; i < FILES; i++)
		files[i].seen = 0;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		each_file(t, dirs[i], note);
}

/* --- the reader --- */

/* Flag it, and see it if it is new. */
static void
flag(const char *path, const char *dir, const char *name)
{
	const char *info = strstr(name, ":2,");
	char to[PATH_MAX + 512], flags[16];
	size_t folder = strlen(path) - strlen(name) - strlen(dir) - 1;

	snprintf(flags, sizeof(flags), "%s", info == NULL ? "" : info + 3);
	if (strchr(flags, 'F') != NULL)
		return;
	snprintf(to, sizeof(to), "%.*scur/%.*s:2,F%s", (int)folder, path, (int)strcspn(name, ":"), name, flags);
	if (rename(path, to) == -1)
		die(path);
}

static void
delete(const char *path, const char *dir, const char *name)
{
	const struct file *f = read_file(path);

	(void)dir;
	(void)name;
	if (f != NULL && f->stays && unlink(path) == -1)
		die(path);
}

static void
at_point(const struct test *t)
{
	if (t->who == READER) {
		each_file(t, "new", flag);
		each_file(t, "cur", flag);
		write_file(t, &late);
	} else {
		each_file(t, "new", delete);
		each_file(t, "cur", delete);
	}
}

/* --- what is right --- */

static bool
is_right(const struct test *t, const struct file *f, bool finished)
{
	size_t folder = strlen(f->path) - strlen(strrchr(f->path, '/')) - 3;
	bool inbox = folder == 0, gone = t->who == DELETER && f->stays && inbox && strcmp(f->name, "staged") != 0;

	if (gone)
		return f->seen <= 1;
	if (f->seen != 1)
		return false;
	if (f->stays && (strncmp(f->dir, f->path, folder) != 0 || (inbox && f->dir[0] == '.')))
		return false;
	if (strcmp(f->name, "staged") == 0)
		return strcmp(f->dir, "tmp") == 0;
	if (!finished || t->who == DELETER)
		return true;
	if (!f->stays)
		return strncmp(f->dir, ".Duplicates", 11) == 0;
	if (t->who == READER && inbox)
		return strchr(f->flags_seen, 'F') != NULL;
	return f->flags == NULL || strcmp(f->flags, f->flags_seen) == 0;
}

static bool
all_right(const struct test *t, bool finished, const char **which)
{
	size_t i;

	look(t);
	for (i = 0; i < (t->there ? FILES : TAKEN); i++) {
		*which = files[i].name;
		if (!is_right(t, &files[i], finished))
			return false;
	}
	return true;
}

/* --- the points --- */

static void
fail(struct test *t, unsigned int n, const struct call *call, const char *what)
{
	char name[TRACE_PATH + 32];

	t->wrong++;
	if (!t->h.verbose)
		return;
	printf("# %s: %s call %u, %s\n", what, beside_names[t->who], n, call_name(call, name, sizeof(name)));
	show_file(t->out);
}

static bool
changes_something(const struct call *call)
{
	return call->nr == SYS_mkdirat || call->nr == SYS_renameat || call->nr == SYS_renameat2 || call->nr == SYS_linkat ||
	    call->nr == SYS_rename || call->nr == SYS_link || call->nr == SYS_fsync;
}

/* Returns false when the command ends before there. *first: no earlier point is worth it. */
static bool
try_point(struct test *t, unsigned int n, unsigned int *first)
{
	struct tracee tracee;
	struct call call = { .nr = -1 };
	const char *which = "";
	int code;

	snapshot_restore(t->start);
	trace_start(&tracee, t->argv, NULL, t->out);
	while (trace_step(&tracee) && !(tracee.in_call && tracee.calls >= n)) {
		if (*first != 0 || !tracee.in_call)
			continue;
		trace_call(&tracee, &call);
		if (changes_something(&call))
			*first = n = tracee.calls;
		if (*first != 0)
			break;
	}
	if (tracee.ended)
		return false;
	trace_call(&tracee, &call);
	t->points++;
	if (t->who == NOBODY)
		trace_kill(&tracee);
	else {
		at_point(t);
		trace_finish(&tracee);
	}
	if (t->who != NOBODY && tracee.code != 0)
		fail(t, n, &call, "ended badly");
	/* while a reader renames, the first reading may miss some; from the first change on all are known, and have to be found again */
	if (!all_right(t, t->who == DELETER || (t->who == READER && !t->all), &which))
		fail(t, n, &call, which);
	if (t->h.wrong != NULL)
		return true;
	code = run_plain(t->argv, NULL, t->out);
	if (code != 0)
		fail(t, n, &call, "the next run ended badly");
	else if (!all_right(t, true, &which))
		fail(t, n, &call, which);
	return true;
}

static void
play(struct test *t)
{
	unsigned int n, first = t->all ? 1 : 0;
	char keep[PATH_MAX + 16];

	make_mailbox(t);
	snprintf(keep, sizeof(keep), "%s.keep", t->maildir);
	t->start = snapshot_take(t->maildir, keep);
	t->points = 0;
	if (first == 0)
		(void)try_point(t, UINT_MAX, &first);
	for (n = t->all ? 1 : first + 1; first != 0 && try_point(t, n, &first); n++)
		;
	printf("scene=%s folder=%s points=%u wrong=%u\n", beside_names[t->who], t->there ? "there" : "missing", t->points, t->wrong);
	snapshot_free(&t->start);
}

/* --- wrong ways --- */

static void
move_wrongly(const char *way, const char *maildir)
{
	static const char *const moves[][2] = {
		{ "cur/1790000003.M1P1.h:2,FT", ".Duplicates/cur/1790000003.M1P1.h:2,FT" },
		{ "cur/1790000005.M1P1.h:2,RS", ".Duplicates/cur/1790000005.M1P1.h:2,RS" },
	};
	size_t i;

	if (chdir(maildir) == -1)
		_exit(1);
	for (i = 0; i < 2; i++) {
		if (strcmp(way, "replace") == 0)
			(void)!rename(moves[i][0], moves[i][1]);
		else if (link(moves[i][0], moves[i][1]) == 0)
			unlink(moves[i][0]);
	}
	_exit(0);
}

static void
set_command(struct test *t, char *program)
{
	static char apply[] = "--apply", dedupe[] = "dedupe", none[] = "--ledger=none", option[] = "-o", mailbox[PATH_MAX + 32];
	static char wrong[] = "--move-wrongly", tool[PATH_MAX + 16];
	char **argv = t->argv;

	if (t->h.wrong != NULL) {
		*argv++ = program;
		*argv++ = wrong;
		*argv++ = strdup(t->h.wrong);
		*argv++ = t->maildir;
		return;
	}
	snprintf(tool, sizeof(tool), "%s/dedupdb", t->h.build);
	snprintf(mailbox, sizeof(mailbox), "mailbox=maildir:%s", t->maildir);
	*argv++ = tool;
	*argv++ = none;
	*argv++ = option;
	*argv++ = mailbox;
	*argv++ = dedupe;
	*argv++ = apply;
	*argv++ = t->maildir;
}

int
main(int argc, char **argv)
{
	struct test t = { .h = { HARNESS_DEFAULTS } };
	const struct option table[] = {
		{ 'a', .flag = &t.all }, { 'b', .flag = &t.beside }, { 'v', .flag = &t.h.verbose }, { 'w', "link|replace", .text = &t.h.wrong },
		{ 0 },
	};
	const struct command command = { "dedupe_kill", "FOLDER", table, 1 };

	if (argc == 4 && strcmp(argv[1], "--move-wrongly") == 0)
		move_wrongly(argv[2], argv[3]);
	harness_read(&t.h, &command, argc, argv);
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	snprintf(t.maildir, sizeof(t.maildir), "%s/M", t.h.folder);
	snprintf(t.out, sizeof(t.out), "%s/dedupe.out", t.h.folder);
	set_command(&t, argv[0]);
	t.there = true;
	for (t.who = t.beside ? READER : NOBODY; t.who <= (t.beside ? DELETER : NOBODY); t.who++)
		play(&t);
	if (t.h.wrong == NULL) {
		t.there = false;
		t.who = t.beside ? READER : NOBODY;
		play(&t);
	}
	return (t.wrong > 0) == (t.h.wrong != NULL) ? 0 : 1;
}
