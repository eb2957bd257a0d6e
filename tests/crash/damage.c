/*
 * damage [-qv] [-j workers] [-p play] [-S k/n] [-s seed] [-w wrong-agent] FOLDER: damage a ledger in every way.
 *
 * For each play and each file or folder of the ledger: the scene is put back to its start, the part is damaged, and new messages
 * are delivered, each of them twice, until the copy of one is known and dedupdb calls the ledger healthy. Where the damage is one
 * that only the user can take away (permissions, something strange in place of the lock), that is done meanwhile. Then every
 * message of before comes twice, too; at last the shared memory is removed, so that the ledger must recover, and the last messages
 * come again. A seeded sample is damaged in two parts.
 *
 * Demanded: each delivery ends in time, with 0 (or with 75 where the play is on-ledger-failure = defer, and the next try with 0);
 * no message is lost or torn; what was recorded before comes twice at the most, and only once if the file of events alone is damaged;
 * after it healed the ledger forgets nothing.
 *
 * What it can't show: damage of three parts, damage that is made to look sound, and any noise but that of the seed.
 *
 *	-j  processes (2)			-p  plays with this in their name
 *	-q  few plays, a sample of their cases	-S  only part k of n of the plays
 *	-s  seed of the noise and the pairs	-v  show the log of what is wrong
 *	-w  tests/wrong_agent of this kind in its one scene, its records overwritten with noise: something must be wrong
 *
 * Prints what was done to which part: cases; deliveries; how many of them were late (75) or slow (longer than lock-timeout);
 * messages that came twice; after how many messages it healed at the latest (or with "mended" that only mending helped). Started
 * as root it gives files to root, too, and becomes nobody for all else. Exit: 0 all is well (with -w: wrong), 1 not; trouble with
 * the test itself is 1, too.
 */
#include <sys/mman.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/scenes.h"
#include "lib/stage.h"
#include "user.h"

#define ROWS 512
#define SOME_RECORDS 150
#define MANY_RECORDS 2000	/* more than a log file has room for */
#define ONE_IN 4		/* of a quick play's cases */

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

#define PLAYS (sizeof(plays) / sizeof(plays[0]))

static struct harness options = { HARNESS_DEFAULTS };
static uint64_t seed;

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
play_singles(struct stage *s, struct row *rows)
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
			s->row = row_of(rows, s->places[i].path + strlen(s->w.root) + 1, hurts[j].name);
			stage_play(s);
		}
}

static void
play_pairs(struct stage *s, struct row *rows)
{
	unsigned int i, j, n = options.quick ? s->play->pairs / 20 : s->play->pairs;

	for (i = 0; i < n; i++) {
		for (j = 0; j < 2; j++)
			do {
				s->at[j] = &s->places[dice_roll(&s->dice, (unsigned int)s->parts)];
				s->hurt[j] = &hurts[dice_roll(&s->dice, (unsigned int)hurts_len)];
			} while (!hurt_applies(s->hurt[j], s->at[j]->part));
		s->row = row_of(rows, "two parts", "two hurts");
		stage_play(s);
	}
	s->at[1] = NULL;
	s->hurt[1] = NULL;
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
perform(const struct play *play, size_t number, unsigned int worker, struct row *rows)
{
	struct stage s = { .play = play, .verbose = options.verbose };
	char folder[PATH_MAX - 8];

	dice_sow(&s.dice, seed + number);
	snprintf(folder, sizeof(folder), "%s/damage.%u", options.folder, worker);
	stage_make(&s, folder, options.build, options.wrong, options.quick ? SOME_RECORDS : MANY_RECORDS);
	play_singles(&s, rows);
	play_pairs(&s, rows);
	stage_free(&s);
}

static bool
is_played(size_t i)
{
	const struct play *play = &plays[i];

	if (!trace_possible() && (play->when == UNDER_WAY || play->scene->target != CRASH_NEVER))
		return false;
	if (options.quick && !play->quick)
		return false;
	return options.only == NULL || strstr(play->name, options.only) != NULL;
}

static void
name(size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%s", plays[i].name);
}

/* Rows say what was wrong. */
static bool
play(size_t i, unsigned int worker, void *arg)
{
	perform(&plays[i], i, worker, (struct row *)arg + (size_t)worker * ROWS);
	return true;
}

static bool
play_wrong(void *arg, unsigned int worker)
{
	static const struct play of_wrong = { .name = "a wrong agent", .scene = &maildir };

	become_nobody();
	perform(&of_wrong, 0, worker, arg);
	return true;
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
	size_t size = CREW_MAX * sizeof(all);
	struct row *rows = crew_memory(size), *row;
	const struct crew_scenes runs = { .len = PLAYS, .is_played = is_played, .name = name, .play = play, .begin = become_nobody, .arg = rows };
	unsigned int faults = 0, cases = 0;
	bool whole = options.wrong != NULL ? crew_run(1, play_wrong, rows) : crew_scenes(&options, &runs);

	for (row = rows; row < rows + (size_t)CREW_MAX * ROWS; row++)
		if (row->hurt != NULL)
			add_up(all, row);
	for (row = all; row < all + ROWS && row->hurt != NULL; row++) {
		faults += print(row);
		cases += row->cases;
	}
	munmap(rows, size);
	printf("cases=%u wrong=%u seed=%llu\n", cases, faults, (unsigned long long)seed);
	return whole && (cases > 0 || options.share.of > 1) && (faults > 0) == (options.wrong != NULL);
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'p', "play", .text = &options.only }, { 's', "seed", .seed = &seed },
		{ 'w', "wrong-agent", .text = &options.wrong }, HARNESS_OPTIONS(&options), { 0 },
	};
	const struct command command = { "damage", "folder", table, 1 };

	seed = (uint64_t)time(NULL);
	harness_read(&options, &command, argc, argv);
	return play_all() ? 0 : 1;
}
