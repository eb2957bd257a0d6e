/*
 * damage [-qv] [-j workers] [-p play] [-s seed] [-w wrong-agent] FOLDER: damage a ledger in every way and look what becomes of the mail.
 *
 * For each play and each file or folder of the ledger: the scene is put back to its start, the part is damaged, and new messages are
 * delivered, each of them twice, until the copy of one is known and dedupdb calls the ledger healthy. Where the damage is one that
 * only the user can take away (permissions, something strange in place of the lock), that is done meanwhile. Then every message of
 * before comes twice, too; at last the shared memory is removed, so that the ledger must recover, and the last messages come again.
 * A seeded sample is damaged in two parts.
 *
 * Demanded: each delivery ends in time, with 0 (or with 75 where the play is on-ledger-failure = defer, and the next try with 0); no
 * message is lost or torn; what was recorded before comes twice at the most; after it healed the ledger forgets nothing.
 *
 *	-j  processes (2)			-p  plays with this in their name
 *	-q  few plays, a sample of their cases	-v  show the log of what is wrong
 *	-w  tests/wrong_agent of this kind in its one scene, its records overwritten with noise: something must be wrong
 *
 * Prints what was done to which part: cases; deliveries; how many of them were late (75) or slow (longer than lock-timeout); messages that
 * came twice; after how many messages it healed at the latest (- if only mending helped). Started as root it gives files to root, too,
 * and becomes nobody for all else. Exit: 0 all is well (with -w: wrong), 1 not; trouble with the test itself is 1, too.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/hurt.h"
#include "lib/scenes.h"
#include "user.h"

#define WORKERS_MAX 16
#define ROWS 512
#define PARTS_MAX 16
#define EARLY 3			/* messages that are delivered after the older copy was made */
#define NEW 16
#define HEALS 4			/* messages until it must have healed */
#define TRIES 4			/* deliveries until a late one counts as refused */
#define CROWD 4			/* deliveries at the same time */
#define LOCK_TIMEOUT "10"	/* s */
#define SLOW_MS 10000
#define TEMPORARY 75
#define SHOWN 20
#define SOME_RECORDS 150
#define MANY_RECORDS 2000	/* more than a log file has room for */
#define ONE_IN 4		/* of a quick play's cases */

enum when { AT_REST, CROWDED, UNDER_WAY };

struct play {
	const char *name;
	const struct scene *scene;
	enum when when;
	bool defer, quick;
	unsigned int pairs;	/* of parts that are both damaged */
};

static const struct scene maildir = MAILDIR("maildir"), maildir_pending = MAILDIR("maildir", .target = CRASH_DECIDED),
    mbox = MBOX("mbox", .first = TEXT), mbox_pending = MBOX("mbox", .first = "", .target = CRASH_PUBLISHED);

static const struct play plays[] = {
	{ .name = "maildir", .scene = &maildir, .pairs = 300 },
	{ .name = "maildir pending", .scene = &maildir_pending, .pairs = 300, .quick = true },
	{ .name = "maildir pending, crowd", .scene = &maildir_pending, .when = CROWDED, .pairs = 100 },
	{ .name = "maildir pending, under way", .scene = &maildir_pending, .when = UNDER_WAY, .pairs = 100 },
	{ .name = "maildir pending, defer", .scene = &maildir_pending, .defer = true, .pairs = 100 },
	{ .name = "maildir, crowd, defer", .scene = &maildir, .when = CROWDED, .defer = true, .pairs = 100, .quick = true },
	{ .name = "maildir, under way, defer", .scene = &maildir, .when = UNDER_WAY, .defer = true, .pairs = 100 },
	{ .name = "mbox", .scene = &mbox, .pairs = 100 },
	{ .name = "mbox pending", .scene = &mbox_pending, .pairs = 100 },
	{ .name = "mbox pending, crowd", .scene = &mbox_pending, .when = CROWDED, .pairs = 100 },
	{ .name = "mbox pending, under way", .scene = &mbox_pending, .when = UNDER_WAY, .pairs = 100 },
	{ .name = "mbox pending, defer", .scene = &mbox_pending, .defer = true, .pairs = 100 },
	{ .name = "mbox, crowd, defer", .scene = &mbox, .when = CROWDED, .defer = true, .pairs = 100 },
	{ .name = "mbox, under way, defer", .scene = &mbox, .when = UNDER_WAY, .defer = true, .pairs = 100 },
};

struct row {
	char part[32];
	const char *hurt;
	unsigned int cases, runs, late, slow, twice, healed, wrong;
	bool mended;
};

enum { KNOWN = MAILS + EARLY, MESSAGES = KNOWN + NEW };

/* One play, and the case that it is at. */
struct stage {
	const struct play *play;
	struct world w;
	char *older;		/* the ledger as it was */
	struct mail mails[MESSAGES];	/* those of before, then new ones */
	unsigned int allowed[MESSAGES];	/* copies */
	bool taken[MESSAGES];
	struct row *rows, *row;
	struct dice dice;
	struct place places[PARTS_MAX];
	size_t parts;

	const struct place *at[2];
	const struct hurt *hurt[2];
	unsigned int next;	/* new message */
	unsigned int torn;
	bool late_ok;
	unsigned int shown;
};

static struct {
	unsigned int workers;
	bool quick, verbose;
	const char *only, *wrong, *folder, *build;
	uint64_t seed;
} options = { .workers = 2 };

static void
usage(void)
{
	fputs("usage: damage [-qv] [-j workers] [-p play] [-s seed] [-w wrong-agent] folder\n", stderr);
	exit(1);
}

static void
wrong(struct stage *s, const char *what, const char *which)
{
	char line[512], *log;
	size_t len;

	s->row->wrong++;
	if (s->shown++ >= SHOWN)
		return;
	snprintf(line, sizeof(line), "# %s: %s %s%s%s%s%s: %s: %s\n", s->play->name, s->at[0]->path + strlen(s->w.root), s->hurt[0]->name,
	    s->at[1] != NULL ? " and " : "", s->at[1] != NULL ? s->at[1]->path + strlen(s->w.root) : "", s->at[1] != NULL ? " " : "",
	    s->at[1] != NULL ? s->hurt[1]->name : "", which, what);
	(void)!write(STDOUT_FILENO, line, strlen(line));
	log = options.verbose ? read_whole(s->w.log, &len) : NULL;
	if (log != NULL)
		(void)!write(STDOUT_FILENO, log, len);
	free(log);
}

static void
count_mails(struct stage *s)
{
	const char *first = s->w.scene->first;

	s->torn = s->w.scene->mbox ? count_mbox(s->w.mailbox, first == NO_FILE ? "" : first, true, s->mails, MESSAGES) :
	    count_maildir(s->w.mailbox, s->mails, MESSAGES);
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static void
account(struct stage *s, unsigned int i, int code, long began)
{
	char text[64];

	s->row->runs++;
	s->row->slow += now_ms() - began > SLOW_MS;
	if (code == 0)
		s->taken[i] = true;
	else if (code == TEMPORARY)
		s->row->late++;
	else if (code == ENDED_HUNG)
		wrong(s, "hung", s->mails[i].name);
	else {
		snprintf(text, sizeof(text), "ended with %d", code);
		wrong(s, text, s->mails[i].name);
	}
}

static int
deliver(struct stage *s, unsigned int i)
{
	long began = now_ms();
	int code = run_plain(s->w.agent, s->mails[i].path, s->w.out);

	account(s, i, code, began);
	return code;
}

/* As an MTA does: again when it is late. Returns whether it was taken. */
static bool
deliver_surely(struct stage *s, unsigned int i, bool refusal_ok)
{
	int n, code = TEMPORARY;

	for (n = 0; n < TRIES && code == TEMPORARY; n++) {
		code = deliver(s, i);
		if (code == TEMPORARY && !s->late_ok)
			wrong(s, "late", s->mails[i].name);
	}
	if (code == TEMPORARY && !refusal_ok)
		wrong(s, "refused", s->mails[i].name);
	return code == 0;
}

/* Deliver it once more. Returns whether that copy was recognised. */
static bool
is_known(struct stage *s, unsigned int i, bool refusal_ok)
{
	unsigned int before;

	count_mails(s);
	before = s->mails[i].seen;
	if (before == 0 && s->taken[i])
		wrong(s, "lost", s->mails[i].name);
	if (!deliver_surely(s, i, refusal_ok))
		return false;
	count_mails(s);
	return s->mails[i].seen == before;
}

static bool
is_healthy(const struct stage *s)
{
	size_t len;
	char *text;
	bool healthy;

	if (options.wrong != NULL)
		return true;
	if ((unlink(s->w.out) == -1 && errno != ENOENT) || world_tool(&s->w, "stat") != 0)
		return false;
	text = read_whole(s->w.out, &len);
	healthy = text != NULL && strstr(text, "healthy") != NULL;
	free(text);
	return healthy;
}

/* Deliver new messages until a copy is known. Returns how many were not, or -1. */
static int
heal(struct stage *s, bool obstacle)
{
	unsigned int message;
	int i;

	for (i = 0; i < HEALS; i++) {
		message = KNOWN + s->next++;
		s->allowed[message] = 1;
		if (!deliver_surely(s, message, obstacle))
			continue;
		if (is_known(s, message, obstacle) && is_healthy(s))
			return i;
		s->allowed[message]++;
		if (obstacle)
			break;
	}
	return -1;
}

static bool
is_obstacle(const struct stage *s)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (s->hurt[i] != NULL && (s->hurt[i]->obstacle & s->at[i]->part) != 0)
			return true;
	return false;
}

/* The last hurt may lie on the way to the first. */
static void
mend(const struct stage *s)
{
	size_t i;

	for (i = 2; i-- > 0;)
		if (s->hurt[i] != NULL)
			hurt_mend(s->at[i]);
}

static bool
inflict(const struct stage *s)
{
	return s->hurt[0]->inflict(s->at[0]) && (s->hurt[1] == NULL || s->hurt[1]->inflict(s->at[1]));
}

/* Three messages and a copy of one at the same moment. What heals between them may forget what another has just recorded. */
static void
crowd(struct stage *s)
{
	static const unsigned int which[CROWD] = { 0, 0, 1, 2 };
	pid_t pids[CROWD];
	long began = now_ms();
	int i, status;

	for (i = 0; i < CROWD; i++) {
		s->allowed[KNOWN + which[i]] = 2;
		pids[i] = fork();
		if (pids[i] == -1)
			die("fork");
		if (pids[i] == 0) {
			status = run_plain(s->w.agent, s->mails[KNOWN + which[i]].path, s->w.out);
			_exit(status < 200 ? status : status == ENDED_HUNG ? 200 : 201);
		}
	}
	for (i = 0; i < CROWD; i++) {
		if (waitpid(pids[i], &status, 0) == -1)
			die("waitpid");
		status = WIFEXITED(status) && WEXITSTATUS(status) == 200 ? ENDED_HUNG : WEXITSTATUS(status);
		account(s, KNOWN + which[i], status, began);
		if (status == TEMPORARY && !s->late_ok)
			wrong(s, "late", s->mails[KNOWN + which[i]].name);
	}
	s->next = 3;
}

/* Before the decision, or between it and the publication. */
static bool
is_point(const struct stage *s, const struct call *c, bool decided)
{
	if (s->w.scene->mbox)
		return c->nr == SYS_write && strcmp(c->path, s->w.mailbox) == 0;
	if (decided)
		return c->nr == SYS_renameat && strstr(c->to, "/new/") != NULL;
	return c->nr == SYS_fsync && strstr(c->path, "/tmp/") != NULL;
}

static bool
hurt_under_way(struct stage *s)
{
	bool done, decided = dice_roll(&s->dice, 2) == 0;
	struct call call = { .nr = -1 };
	struct tracee t;
	long began = now_ms();

	trace_start(&t, s->w.agent, s->mails[KNOWN].path, s->w.out);
	while (trace_step(&t)) {
		if (t.in_call)
			trace_call(&t, &call);
		if (t.in_call && is_point(s, &call, decided))
			break;
	}
	if (t.ended)
		return false;
	done = inflict(s);
	trace_finish(&t);
	account(s, KNOWN, t.code, began);
	s->allowed[KNOWN] = 2;
	s->next = 1;
	return done;
}

/* Everything from before comes again, and then nothing may be forgotten any more. */
static void
deliver_again(struct stage *s)
{
	unsigned int i;

	for (i = 0; i < KNOWN + s->next; i++) {
		if (!s->taken[i] && i != TARGET)
			continue;
		(void)deliver_surely(s, i, false);
		if (!is_known(s, i, false))
			wrong(s, "forgotten", s->mails[i].name);
	}
}

/* What was recorded since is not in the shared memory alone. */
static void
recover_again(struct stage *s)
{
	unsigned int message = KNOWN + s->next++;
	struct place region;
	size_t i;

	s->allowed[message] = 1;
	(void)deliver_surely(s, message, false);
	for (i = 0; i < s->parts; i++) {
		region = s->places[i];
		if (region.part == PART_REGION && unlink(region.path) == -1 && errno != ENOENT)
			die(region.path);
	}
	for (i = KNOWN; i < KNOWN + s->next; i++)
		if (s->taken[i] && !is_known(s, (unsigned int)i, false))
			wrong(s, "forgotten by a recovery", s->mails[i].name);
	if (!is_healthy(s))
		wrong(s, "not healthy", "in the end");
}

static void
judge(struct stage *s)
{
	unsigned int i;

	count_mails(s);
	if (s->torn > 0)
		wrong(s, "torn", "a message");
	for (i = 0; i < KNOWN + s->next; i++) {
		s->row->twice += s->mails[i].seen > 1;
		if (s->taken[i] && s->mails[i].seen == 0)
			wrong(s, "lost", s->mails[i].name);
		if (s->mails[i].seen > s->allowed[i])
			wrong(s, "too many copies", s->mails[i].name);
	}
}

static void
begin(struct stage *s)
{
	unsigned int i;

	take_away(s->w.ledger);
	world_restore(&s->w);
	s->next = 0;
	for (i = 0; i < MESSAGES; i++) {
		s->allowed[i] = i < KNOWN ? 2 : 0;
		s->taken[i] = i < KNOWN && i != TARGET && i != OTHER;
	}
	s->late_ok = s->play->defer || s->hurt[0]->sly || (s->hurt[1] != NULL && s->hurt[1]->sly);
}

static void
play_case(struct stage *s)
{
	bool obstacle = is_obstacle(s);
	unsigned int i;
	int healed;

	begin(s);
	if (s->play->when == UNDER_WAY ? !hurt_under_way(s) : !inflict(s))
		return;
	s->row->cases++;
	if (s->play->when == CROWDED)
		crowd(s);
	healed = heal(s, obstacle);
	for (i = 0; i < s->next && obstacle; i++)	/* nobody recorded them */
		s->allowed[KNOWN + i] = s->mails[KNOWN + i].seen + 1;
	if (healed == -1 && !obstacle)
		wrong(s, "not healed", "the ledger");
	if (obstacle) {
		mend(s);
		s->row->mended = s->row->mended || healed == -1;
		healed = heal(s, false);
		if (healed == -1)
			wrong(s, "not healed when mended", "the ledger");
	}
	if (healed > (int)s->row->healed)
		s->row->healed = (unsigned int)healed;
	if (healed != -1) {
		deliver_again(s);
		recover_again(s);
	}
	judge(s);
}

static struct row *
row_of(struct row *rows, const char *part, const char *hurt)
{
	struct row *row;

	for (row = rows; row < rows + ROWS && row->hurt != NULL; row++)
		if (strcmp(row->part, part) == 0 && strcmp(row->hurt, hurt) == 0)
			return row;
	if (row == rows + ROWS)
		die("more parts than rows");
	snprintf(row->part, sizeof(row->part), "%s", part);
	row->hurt = hurt;
	return row;
}

static void
play_singles(struct stage *s)
{
	size_t i, j;

	for (i = 0; i < s->parts; i++)
		for (j = 0; j < hurts_len; j++) {
			if (!hurt_applies(&hurts[j], s->places[i].part) || (options.quick && dice_roll(&s->dice, ONE_IN) != 0))
				continue;
			if (options.wrong != NULL && strcmp(hurts[j].name, "noise") != 0)
				continue;
			s->at[0] = &s->places[i];
			s->hurt[0] = &hurts[j];
			s->row = row_of(s->rows, s->places[i].path + strlen(s->w.root) + 1, hurts[j].name);
			play_case(s);
		}
}

static void
play_pairs(struct stage *s)
{
	unsigned int i, j, n = options.quick ? s->play->pairs / 20 : s->play->pairs;

	for (i = 0; i < n; i++) {
		for (j = 0; j < 2; j++)
			do {
				s->at[j] = &s->places[dice_roll(&s->dice, (unsigned int)s->parts)];
				s->hurt[j] = &hurts[dice_roll(&s->dice, (unsigned int)hurts_len)];
			} while (!hurt_applies(s->hurt[j], s->at[j]->part));
		s->row = row_of(s->rows, "two parts", "two hurts");
		play_case(s);
	}
	s->at[1] = NULL;
	s->hurt[1] = NULL;
}

static void
add_part(struct stage *s, const char *name, enum part part)
{
	struct place *p = &s->places[s->parts++];
	char *path, *old, *aside;

	if (s->parts > PARTS_MAX || asprintf(&path, "%s%s%s", s->w.ledger, name[0] != '\0' ? "/" : "", name) == -1 ||
	    asprintf(&old, "%s%s%s", s->older, name[0] != '\0' ? "/" : "", name) == -1 ||
	    asprintf(&aside, "%s/aside.%zu", s->w.folder, s->parts) == -1)
		die("the ledger's parts");
	*p = (struct place){ .path = path, .older = old, .aside = aside, .part = part, .dice = &s->dice };
}

static void
find_parts(struct stage *s)
{
	char path[PATH_MAX];
	struct dirent **names;
	int i, n;

	if (options.wrong != NULL) {
		add_part(s, "", PART_DATA);
		return;
	}
	add_part(s, "", PART_TOP);
	add_part(s, "lock", PART_LOCK);
	add_part(s, "env", PART_ENV);
	snprintf(path, sizeof(path), "%s/env", s->w.ledger);
	n = scandir(path, &names, NULL, alphasort);
	if (n == -1)
		die(path);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "env/%s", names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			add_part(s, path, strncmp(names[i]->d_name, "__db.", 5) == 0 ? PART_REGION : PART_DATA);
		free(names[i]);
	}
	free(names);
}

static void
make_mails(struct stage *s)
{
	static char names[MESSAGES][16];
	unsigned int i;

	memcpy(s->mails, s->w.mails, sizeof(s->w.mails));
	for (i = MAILS; i < MESSAGES; i++) {
		snprintf(names[i], sizeof(names[i]), i < KNOWN ? "early%u" : "new%u", i < KNOWN ? i - MAILS : i - KNOWN);
		mail_make(&s->mails[i], s->w.folder, names[i], 300);
	}
}

/* The scene, an older copy of its ledger, and then more records. */
static void
build_stage(struct stage *s, unsigned int worker)
{
	const char *more[] = { "lock-timeout=" LOCK_TIMEOUT "s", s->play->defer ? "on-ledger-failure=defer" : NULL, NULL };
	unsigned int i, records = options.quick ? SOME_RECORDS : MANY_RECORDS;
	char folder[PATH_MAX - 8], keep[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s/damage.%u", options.folder, worker);
	world_make(&s->w, s->play->scene, folder, options.build, options.wrong, more);
	if (options.wrong != NULL && asprintf(&s->w.ledger, "%s/records", s->w.root) == -1)
		die("records");
	make_mails(s);
	snprintf(keep, sizeof(keep), "%s/keep", folder);
	if (asprintf(&s->older, "%s/older", folder) == -1)
		die(folder);
	if (options.wrong == NULL)
		world_grow(&s->w, 0, records);
	copy_tree(s->w.ledger, s->older);
	for (i = MAILS; i < KNOWN; i++)
		if (world_deliver(&s->w, &s->mails[i]) != 0)
			die("preparing");
	if (options.wrong == NULL)
		world_grow(&s->w, records, records);
	snapshot_free(&s->w.snapshot);
	s->w.snapshot = snapshot_take(s->w.root, keep);
	find_parts(s);
}

/* Root gives files away, and is nobody else. */
static void
become_nobody(void)
{
	struct user *user;
	struct err err;

	if (geteuid() != 0)
		return;
	if (user_named(&user, "nobody", &err) == -1) {
		fprintf(stderr, "nobody: %s\n", err.text);
		exit(1);
	}
	hurt_keep_root(user->uid);
	if (user_become(user, &err) == -1) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static void
perform(const struct play *play, unsigned int worker, struct row *rows)
{
	struct stage s = { .play = play, .rows = rows };
	unsigned int i;

	dice_sow(&s.dice, options.seed + (uint64_t)(play - plays));
	build_stage(&s, worker);
	play_singles(&s);
	play_pairs(&s);
	for (i = MAILS; i < MESSAGES; i++)
		mail_free(&s.mails[i]);
	for (i = 0; i < s.parts; i++) {
		free(s.places[i].path);
		free(s.places[i].older);
		free(s.places[i].aside);
	}
	free(s.older);
	(void)take_away(s.w.folder);	/* with what the hurts have shut in it */
	world_free(&s.w);
}

static bool
is_wanted(const struct play *play)
{
	if (!trace_possible() && (play->when == UNDER_WAY || play->scene->target != CRASH_NEVER))
		return false;
	if (options.quick && !play->quick)
		return false;
	return options.only == NULL || strstr(play->name, options.only) != NULL;
}

static void
work(unsigned int worker, struct row *rows)
{
	static const struct play of_wrong = { .name = "a wrong agent", .scene = &maildir };
	unsigned int i, n = 0;

	become_nobody();
	if (options.wrong != NULL) {
		if (worker == 0)
			perform(&of_wrong, worker, rows);
		return;
	}
	for (i = 0; i < sizeof(plays) / sizeof(plays[0]); i++)
		if (is_wanted(&plays[i]) && n++ % options.workers == worker)
			perform(&plays[i], worker, rows);
}

/* Returns how much was wrong. */
static unsigned int
print(const struct row *row)
{
	printf("part=%s hurt=\"%s\" cases=%u deliveries=%u late=%u slow=%u twice=%u healed=%u%s wrong=%u\n", row->part, row->hurt,
	    row->cases, row->runs, row->late, row->slow, row->twice, row->healed, row->mended ? ",mended" : "", row->wrong);
	return row->wrong;
}

static void
add_up(struct row *all, const struct row *one)
{
	struct row *sum = row_of(all, one->part, one->hurt);

	sum->cases += one->cases;
	sum->runs += one->runs;
	sum->late += one->late;
	sum->slow += one->slow;
	sum->twice += one->twice;
	sum->wrong += one->wrong;
	sum->mended = sum->mended || one->mended;
	if (one->healed > sum->healed)
		sum->healed = one->healed;
}

static bool
play_all(void)
{
	static struct row all[ROWS];
	struct row *rows = mmap(NULL, WORKERS_MAX * sizeof(all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *row;
	unsigned int i, faults = 0, cases = 0;
	bool broken = false;
	int status;

	if (rows == MAP_FAILED)
		die("mmap");
	for (i = 0; i < options.workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0) {
			work(i, rows + (size_t)i * ROWS);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		broken = broken || status != 0;
	for (i = 0; i < options.workers * ROWS; i++)
		if (rows[i].hurt != NULL)
			add_up(all, &rows[i]);
	for (row = all; row < all + ROWS && row->hurt != NULL; row++) {
		faults += print(row);
		cases += row->cases;
	}
	printf("cases=%u wrong=%u seed=%llu\n", cases, faults, (unsigned long long)options.seed);
	return !broken && cases > 0 && (faults > 0) == (options.wrong != NULL);
}

int
main(int argc, char **argv)
{
	int c;

	options.seed = (uint64_t)time(NULL);
	while ((c = getopt(argc, argv, "j:p:qs:vw:")) != -1) {
		switch (c) {
		case 'j':
			options.workers = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			options.only = optarg;
			break;
		case 'q':
			options.quick = true;
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
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
	options.build = getenv("BUILD");
	if (optind != argc - 1 || options.workers < 1 || options.workers > WORKERS_MAX || options.build == NULL)
		usage();
	options.folder = realpath(argv[optind], NULL);
	if (options.folder == NULL)
		die(argv[optind]);
	return play_all() ? 0 : 1;
}
