/*
 * power [-fqv] [-d disk] [-j workers] [-n samples] [-r seed] [-S k/n] [-s scene] [-x path] FOLDER: cut the power during a delivery.
 *
 * A delivery is recorded, with all that it does to the disk (lib/record.h). For each of its operations, and for what a power cut
 * after it may leave (lib/loss.h), the folder is made like that and the message is delivered twice, without fault, in another boot.
 * What was on the disk before the recording is durable, but not what a predecessor did whose kill belongs to the recording.
 *
 * lib/cut.h says which of the many states are tried. Then the message must be there exactly once. After the exit code 0 it must be
 * there before it is delivered again.
 *
 * What it can't show: a disk that lies about its syncs, or file systems that keep less than lib/loss.h says; and of the states that
 * are possible it makes those that lib/cut.h names, not all.
 *
 *	-d  only this disk: posix, other, entry, journal, sectors; or weak, which must be found out: sync=auto where it does not
 *	    suffice
 *	-f  go on after 20 failures		-j  processes (2), for each of which 3 play
 *	-n  random choices for each operation	-q  the quick scenes; power cuts only before each sync and at the end
 *	-r  seed of the random choices		-s  scenes with this in their name
 *	-S  only part k of n of the scenes
 *	-v  with the log of each failure	-x  without the syncs of paths with this in them: something must be wrong
 *
 * One line of key=value per scene and disk. Exit: 0 all is well (weak, -x: wrong), 1 not, or trouble with the test itself.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/cut.h"
#include "lib/record.h"
#include "lib/scenes.h"

#define SHOWN 20		/* failures per scene */
#define AT_ONCE 3		/* a delivery that waits for the disk leaves the processor to the others */
#define THIS_BOOT 'a'
#define BOOT_BEFORE 'b'

static const struct kind {
	const char *name, *sync;
	enum loss loss;
	long fs_type;
	bool quick;
	bool excuses;	/* what a lost ledger costs */
	bool weak;	/* a control: something must be wrong */
} kinds[] = {
	{ "posix", "sync=strict", LOSS_POSIX, RECORD_EXT4, true, false, false },
	{ "other", "sync=auto", LOSS_POSIX, RECORD_OTHER, false, false, false },
	{ "entry", "sync=auto", LOSS_ENTRY, RECORD_EXT4, false, false, false },
	{ "journal", "sync=auto", LOSS_JOURNAL, RECORD_EXT4, true, false, false },
	{ "sectors", "sync=strict", LOSS_SECTORS, RECORD_EXT4, false, true, false },
	{ "weak", "sync=auto", LOSS_POSIX, RECORD_EXT4, false, false, true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A scene, and perhaps a predecessor of its own, whose kill is part of the recording: what it had not synced may be lost, too. */
static const struct play {
	struct scene scene;
	enum crash before;
	bool every;		/* the predecessor is killed after each of its operations in turn */
	bool rebooted;		/* the ledger is of the boot before */
} plays[] = {
	{ .scene = MAILDIR("first, every predecessor", .fresh = true), .every = true },
	{ .scene = MBOX("first, every predecessor", .fresh = true), .every = true },
	{ .scene = MAILDIR("every predecessor"), .every = true },
	{ .scene = MBOX("every predecessor", .first = TEXT "\n"), .every = true },
	{ .scene = MAILDIR("new", .quick = true) },
	{ .scene = MAILDIR("first", .fresh = true) },
	{ .scene = MAILDIR("rebooted"), .rebooted = true },
	{ .scene = MAILDIR("spilled", .size = SPILL) },
	{ .scene = MAILDIR("folder, first", .fresh = true, .options = { "-m", "lists", "-o", "create-folders=yes" }) },
	{ .scene = MAILDIR("expired", .had = true, .aged = true) },
	{ .scene = MAILDIR("pending", .target = CRASH_DECIDED) },
	{ .scene = MAILDIR("pending, rebooted", .target = CRASH_DECIDED), .rebooted = true },
	{ .scene = MAILDIR("committing, unsynced", .quick = true), .before = CRASH_COMMITTING },
	{ .scene = MAILDIR("committing, unsynced, rebooted"), .before = CRASH_COMMITTING, .rebooted = true },
	{ .scene = MAILDIR("deciding, unsynced"), .before = CRASH_DECIDING },
	{ .scene = MAILDIR("decided, unsynced"), .before = CRASH_DECIDED },
	{ .scene = MAILDIR("published, unsynced"), .before = CRASH_PUBLISHED },
	{ .scene = MAILDIR("published, unsynced, rebooted"), .before = CRASH_PUBLISHED, .rebooted = true },
	{ .scene = MBOX("new", .first = TEXT ".\n\n") },
	{ .scene = MBOX("first", .fresh = true) },
	{ .scene = MBOX("no newline", .first = TEXT, .fresh = true) },
	{ .scene = MBOX("rebooted", .first = ""), .rebooted = true },
	{ .scene = MBOX("spilled", .first = "", .size = SPILL) },
	{ .scene = MBOX("pending", .first = "", .target = CRASH_DECIDED) },
	{ .scene = MBOX("torn", .first = TEXT "\n", .target = CRASH_TORN) },
	{ .scene = MBOX("torn, unsynced", .quick = true, .first = TEXT "\n"), .before = CRASH_TORN },
	{ .scene = MBOX("published, unsynced", .first = ""), .before = CRASH_PUBLISHED },
	{ .scene = MBOX("published, unsynced, rebooted", .first = ""), .before = CRASH_PUBLISHED, .rebooted = true },
	{ .scene = MBOX("other published", .first = "", .other = CRASH_PUBLISHED) },
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

static struct harness options = { HARNESS_DEFAULTS };
static unsigned int samples = 4;
static uint64_t seed = 1;
static const char *only_kind, *without_syncs;

/* One scene on one kind of disk. */
struct run {
	const struct play *play;
	const struct kind *kind;
	struct world w;
	struct disk *disk;
	size_t begin;			/* the predecessor's operations are before */
	size_t killed_after;		/* so many, with `every` */
	size_t operations;		/* recorded */
	struct cut cut;
	struct tally t;
};

/* The cut comes after the last operation: the delivery had exited with 0. */
static bool
is_promised(const struct run *r)
{
	return r->cut.last;
}

static void
show(struct run *r, const char *what)
{
	if (r->t.shown++ >= SHOWN)
		return;
	printf("# %s on %s: %s, power cut after %zu of %zu operations%s:", r->play->scene.name, r->kind->name, what, r->cut.n,
	    r->disk->ops_len, is_promised(r) ? " and exit 0" : "");
	cut_print(&r->cut, stdout);
	putchar('\n');
	if (options.verbose) {
		show_file(r->w.out);
		show_file(r->w.log);
	}
}

static bool
fails(struct run *r, enum count c, const char *what)
{
	r->t.count[c]++;
	show(r, what);
	return false;
}

/* What the power cut left, before anybody comes to its help. Of an mbox the end may be torn. */
static bool
check_at_once(struct run *r)
{
	unsigned int torn = world_count(&r->w);
	const struct mail *m = &r->w.mails[TARGET];

	if (m->seen > m->want)
		return fails(r, COUNT_DOUBLED, "doubled at once");
	if (is_promised(r) && m->seen < m->want)
		return fails(r, COUNT_LOST, "lost after exit 0");
	if (world_is_damaged(&r->w))
		return fails(r, COUNT_DAMAGED, "an old message is damaged at once");
	if (torn > r->play->scene.torn && (is_promised(r) || !r->play->scene.mbox))
		return fails(r, COUNT_TORN, "torn at once");
	return true;
}

static bool
redeliver(struct run *r, const struct mail *m)
{
	int code = world_deliver(&r->w, m);

	if (code == 0)
		return true;
	if (code == ENDED_HUNG)
		return fails(r, COUNT_HUNG, "the next copy hung");
	return fails(r, COUNT_CODE, "the next copy was not taken");
}

static void
check_in_the_end(struct run *r)
{
	enum count verdict = world_verdict(&r->w, r->w.scene->torn);
	char text[64];

	if (verdict == COUNT_ONE && !r->play->scene.fresh && world_logged(&r->w, "set aside as"))
		verdict = COUNT_ASIDE;
	if (r->kind->excuses && (verdict == COUNT_TORN || verdict == COUNT_DOUBLED || verdict == COUNT_ASIDE))
		verdict = COUNT_EXCUSED;
	r->t.count[verdict]++;
	if (verdict == COUNT_ONE || verdict == COUNT_EXCUSED)
		return;
	snprintf(text, sizeof(text), "%s in the end", verdict == COUNT_ASIDE ? "the ledger is set aside" : count_name(verdict));
	show(r, text);
}

/* Something that has to be found out needs to be found once. */
static bool
is_control(const struct run *r)
{
	return r->kind->weak || without_syncs != NULL;
}

static bool
try_state(void *arg, const struct disk_file *state)
{
	struct run *r = arg;
	const struct mail *m = &r->w.mails[TARGET], *other = &r->w.mails[OTHER];

	r->t.count[COUNT_STATES]++;
	r->t.count[COUNT_PROMISED] += is_promised(r);
	disk_put(r->disk, state);
	if (unlink(r->w.out) == -1 && errno != ENOENT)
		die(r->w.out);
	if (check_at_once(r) && redeliver(r, m) && redeliver(r, m) && (other->want == 0 || redeliver(r, other)))
		check_in_the_end(r);
	return is_control(r) ? r->t.shown == 0 : r->t.shown < SHOWN || options.all;
}

static void
fail(const struct run *r, const char *what, int code)
{
	printf("# %s on %s: %s (%d)\n", r->play->scene.name, r->kind->name, what, code);
	fflush(stdout);
	exit(1);
}

/* The ledger as that boot leaves it. */
static void
use_ledger(struct run *r, char boot)
{
	static char list[] = "list";
	struct record_how how = { boot, r->kind->fs_type, CRASH_NEVER, 0, &r->w };
	char *argv[ARGS_MAX];
	size_t n;
	int code;

	if (r->play->scene.fresh)
		return;
	memcpy(argv, r->w.tool, sizeof(argv));
	for (n = 0; argv[n] != NULL; n++)
		;
	argv[n] = list;
	code = record_run(NULL, &how, argv, NULL, r->w.out);
	if (code != 0)
		fail(r, "preparing: the ledger can't be listed", code);
}

/* Returns false when the predecessor that was to be killed came to its end. */
static bool
record(struct run *r, const char *aside)
{
	const struct play *p = r->play;
	char before = p->rebooted ? BOOT_BEFORE : THIS_BOOT;
	struct record_how how = { before, r->kind->fs_type, p->before, r->killed_after, &r->w };
	const char *message = r->w.mails[TARGET].path;
	size_t i;
	int code;

	use_ledger(r, before);
	r->disk = disk_new(r->w.root, aside, r->w.log);
	if (p->before != CRASH_NEVER || p->every) {
		code = record_run(r->disk, &how, r->w.agent, message, r->w.out);
		if (p->every && code == 0)
			return false;
		if (code != ENDED_SIGNAL + SIGKILL)
			fail(r, "the predecessor was not killed", code);
	}
	r->begin = r->disk->ops_len;
	how = (struct record_how){ THIS_BOOT, r->kind->fs_type, CRASH_NEVER, 0, &r->w };
	code = record_run(r->disk, &how, r->w.agent, message, r->w.out);
	if (code != 0)
		fail(r, "the recorded delivery failed", code);
	if (!record_is_whole(r->disk))
		fail(r, "it did something to the disk that was not understood", 0);
	for (i = 0; without_syncs != NULL && i < r->disk->ops_len; i++)
		r->disk->ops[i].dropped = disk_is_sync(&r->disk->ops[i]) && strstr(r->disk->ops[i].path, without_syncs) != NULL;
	return true;
}

static bool
is_good(const struct tally *t)
{
	return t->count[COUNT_STATES] > 0 && t->count[COUNT_ONE] + t->count[COUNT_EXCUSED] == t->count[COUNT_STATES];
}

/* Record and cut. Returns whether there is more to do: another point to kill the predecessor at. */
static bool
play_once(struct run *r, unsigned int worker)
{
	const char *more[] = { r->kind->sync, NULL };
	char folder[PATH_MAX], aside[PATH_MAX];
	bool recorded;

	snprintf(folder, sizeof(folder), "%s/power.%u", options.folder, worker);
	snprintf(aside, sizeof(aside), "%s/power.%u/aside", options.folder, worker);
	world_make(&r->w, &r->play->scene, folder, options.build, NULL, more);
	if (mkdir(aside, 0700) == -1)
		die(aside);
	r->killed_after += r->play->every;
	recorded = record(r, aside);
	r->cut.disk = r->disk;
	if (recorded)
		cut_power(&r->cut, r->begin, options.quick || r->play->every);
	r->operations += r->disk->ops_len - r->begin;
	disk_free(&r->disk);
	world_free(&r->w);
	return recorded && r->play->every && !r->cut.ended;
}

/* Returns whether all is well; with a control, whether that was found out. */
static bool
play(size_t i, unsigned int worker, void *arg)
{
	static const enum count printed[] = { COUNT_STATES, COUNT_PROMISED, COUNT_ONE, COUNT_EXCUSED, COUNT_LOST, COUNT_DOUBLED,
		COUNT_TORN, COUNT_DAMAGED, COUNT_ASIDE, COUNT_HUNG, COUNT_CODE };
	const struct play *p = &plays[i / KINDS];
	const struct kind *kind = &kinds[i % KINDS];
	static struct run r;
	long began = now_ms();

	(void)arg;
	memset(&r, 0, sizeof(r));
	r.play = p;
	r.kind = kind;
	r.cut.loss = kind->loss;
	r.cut.quick = options.quick;
	r.cut.samples = samples;
	r.cut.random = (seed * 0x9e3779b97f4a7c15ULL) | 1;
	r.cut.state = try_state;
	r.cut.arg = &r;
	while (play_once(&r, worker))
		;
	printf("scene=\"%s\" disk=%s operations=%zu", p->scene.name, kind->name, r.operations);
	tally_line(&r.t, printed, sizeof(printed) / sizeof(printed[0]), began, is_good(&r.t));
	return is_good(&r.t) != is_control(&r);
}

static bool
is_played(size_t i)
{
	const struct play *p = &plays[i / KINDS];
	const struct kind *kind = &kinds[i % KINDS];

	if (only_kind != NULL ? strcmp(only_kind, kind->name) != 0 : kind->weak || (options.quick && !kind->quick))
		return false;
	if (options.only != NULL)
		return strstr(p->scene.name, options.only) != NULL;
	return !options.quick || p->scene.quick;
}

static void
name(size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%s on %s", plays[i / KINDS].scene.name, kinds[i % KINDS].name);
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'f', .flag = &options.all }, { 'd', "disk", .text = &only_kind }, { 'n', "samples", .number = &samples },
		{ 'r', "seed", .seed = &seed }, { 's', "scene", .text = &options.only }, { 'x', "path", .text = &without_syncs },
		HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "power", "folder", table, 1 };
	const struct crew_scenes runs = { .len = PLAYS * KINDS, .is_played = is_played, .name = name, .play = play };

	harness_read(&options, &command, argc, argv);
	options.workers *= AT_ONCE;
	if (!trace_possible()) {
		puts("SKIP: ptrace is forbidden here");
		return 0;
	}
	return crew_scenes(&options, &runs) ? 0 : 1;
}
