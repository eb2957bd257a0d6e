/*
 * storm [-j deliverers] [-k maildir|mbox] [-s seed] [-v] [-w wrong-agent] SECONDS FOLDER: everything at once.
 *
 * Deliverers hand over many messages, several copies of each, some at the same time and some late; half of the deliveries are
 * killed at a random moment. Meanwhile a mail reader moves messages from new/ to cur/, flags and deletes them (an mbox is
 * rewritten under its locks, in place or by a rename), and dedupdb recovers and prunes. In the end every message is delivered
 * until that is taken, and once more. What the reader deleted and what is there then must be one copy of each message.
 *
 * A second copy in an mbox is counted as "window" if the reader had deleted the first one before any delivery of that message
 * had ended well: no append can close that window. Pieces of entries that a kill left in an mbox and that the reader kept are
 * counted as "pieces"; a reader of a Maildir must never see one.
 *
 * Exit: 0 no message is lost, doubled or torn, and no process hung or ended with another code than 0 and 75 (with -w: some are
 * lost or doubled); 1 not, or trouble with the test itself.
 *
 * What it can't show: every order of events. The seed repeats what is chosen, not how the processes are scheduled.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/scenes.h"
#include "lib/storm.h"

#define RECENT 12		/* messages that are handed over at the same time */
#define DELIVERERS_MAX 64
#define FINISHERS 4		/* in the end */
#define TRIES 20		/* until a message counts as refused */
#define TEMPORARY 75

static struct {
	unsigned int deliverers, seconds;
	uint64_t seed;
	bool verbose;
	const char *kind, *wrong, *folder, *build;
} options = { .deliverers = 8, .kind = "maildir" };

static long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

/* Count how one ended. Returns whether the message was taken. */
static bool
account(struct storm *t, unsigned int number, int code)
{
	atomic_fetch_add(&t->s->deliveries, 1);
	if (code == 0) {
		atomic_store(&t->s->fate[number].acked, true);
		return true;
	}
	if (code == ENDED_SIGNAL + SIGKILL)
		atomic_fetch_add(&t->s->kills, 1);
	else if (code == TEMPORARY)
		atomic_fetch_add(&t->s->deferred, 1);
	else {
		atomic_fetch_add(code == ENDED_HUNG ? &t->s->hung : &t->s->code, 1);
		storm_say(t, code == ENDED_HUNG ? "hung" : "wrong exit code", number, code);
	}
	return false;
}

/* A new one, one that others deliver at this moment, or an old one. */
static unsigned int
choose(struct storm *t)
{
	unsigned int next = atomic_load(&t->s->next), kind = dice_roll(&t->dice, 8);

	if ((kind < 2 || next == 0) && next < MESSAGES_MAX)
		return atomic_fetch_add(&t->s->next, 1);
	if (kind < 7 && next > RECENT)
		return next - 1 - dice_roll(&t->dice, RECENT);
	return dice_roll(&t->dice, next);
}

static void
deliver_on(struct storm *t)
{
	unsigned int number;
	long after;

	while (!atomic_load(&t->s->stop)) {
		number = choose(t);
		storm_put_message(t, number);
		after = (long)dice_roll(&t->dice, (unsigned int)(t->usual_us + t->usual_us / 4));
		if (dice_roll(&t->dice, 2) == 0)
			account(t, number, run_killed(t->w.agent, t->input, t->w.out, after));
		else
			account(t, number, run_plain(t->w.agent, t->input, t->w.out));
	}
}

static void
deliver_all(struct storm *t, unsigned int from)
{
	unsigned int i, number, next = atomic_load(&t->s->next);

	for (number = from; number < next; number += FINISHERS) {
		storm_put_message(t, number);
		for (i = 0; i < TRIES && !account(t, number, run_plain(t->w.agent, t->input, t->w.out)); i++)
			;
		if (i == TRIES || !account(t, number, run_plain(t->w.agent, t->input, t->w.out))) {
			atomic_fetch_add(&t->s->refused, 1);
			storm_say(t, "refused", number, (int)i);
		}
	}
}

static void
run_tools(struct storm *t)
{
	while (!atomic_load(&t->s->stop)) {
		(void)world_tool(&t->w, "recover");
		(void)world_tool(&t->w, "prune");
		atomic_fetch_add(&t->s->tool_runs, 1);
		pause_us(20000);
	}
}

static void
read_mail(struct storm *t)
{
	while (!atomic_load(&t->s->stop)) {
		if (t->mbox)
			read_storm_mbox(t);
		else
			read_storm_maildir(t);
		pause_us((long)dice_roll(&t->dice, t->mbox ? 40000 : 5000));
	}
}

enum role { DELIVERER, READER, TOOLS, FINISHER };

static void
start(struct storm *t, enum role role, unsigned int who)
{
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid > 0)
		return;
	dice_sow(&t->dice, options.seed * 1000 + who);
	snprintf(t->input, sizeof(t->input), "%s/message.%u", t->w.folder, who);
	if (role == DELIVERER)
		deliver_on(t);
	else if (role == READER)
		read_mail(t);
	else if (role == TOOLS)
		run_tools(t);
	else
		deliver_all(t, who % FINISHERS);
	_exit(0);
}

static bool
wait_all(void)
{
	bool good = true;
	int status;

	while (wait(&status) > 0)
		good = good && status == 0;
	return good;
}

/* How long a delivery takes when eight run at the same time is found out by the first ones. */
static void
calibrate(struct storm *t)
{
	unsigned int i;
	long began;

	snprintf(t->input, sizeof(t->input), "%s/message", t->w.folder);
	for (i = 0; i < 8; i++) {
		unsigned int number = atomic_fetch_add(&t->s->next, 1);

		storm_put_message(t, number);
		began = now_us();
		account(t, number, run_plain(t->w.agent, t->input, t->w.out));
		t->usual_us = now_us() - began;
	}
	t->usual_us *= (long)(options.deliverers > 2 ? options.deliverers / 2 : 1);
}

static bool
rage(struct storm *t)
{
	unsigned int i;
	bool good;

	calibrate(t);
	for (i = 0; i < options.deliverers; i++)
		start(t, DELIVERER, i);
	start(t, READER, DELIVERERS_MAX);
	if (options.wrong == NULL)
		start(t, TOOLS, DELIVERERS_MAX + 1);
	pause_us((long)options.seconds * 1000000);
	atomic_store(&t->s->stop, true);
	good = wait_all();
	for (i = 0; i < FINISHERS; i++)
		start(t, FINISHER, DELIVERERS_MAX + FINISHERS + i);
	return wait_all() && good;
}

struct verdict {
	unsigned int lost, doubled, window, deleted;
};

static void
judge(struct storm *t, struct verdict *v)
{
	unsigned int i, copies, deleted;

	if (t->mbox)
		count_storm_mbox(t);
	else
		count_storm_maildir(t);
	memset(v, 0, sizeof(*v));
	for (i = 0; i < atomic_load(&t->s->next); i++) {
		deleted = atomic_load(&t->s->fate[i].deleted);
		copies = deleted + t->s->fate[i].present;
		v->deleted += deleted;
		if (copies == 0) {
			v->lost++;
			storm_say(t, "lost", i, 0);
		} else if (copies > 1 && t->mbox && atomic_load(&t->s->fate[i].early))
			v->window++;
		else if (copies > 1) {
			v->doubled++;
			storm_say(t, "doubled", i, (int)copies);
		}
	}
}

static void
print(const struct storm *t, const struct verdict *v)
{
	const struct shared *s = t->s;

	printf("storm=%s seed=%ju messages=%u deliveries=%u kills=%u exit75=%u moved=%u flagged=%u deleted=%u tools=%u lost=%u "
	    "doubled=%u window=%u torn=%u pieces=%u hung=%u code=%u refused=%u\n", t->mbox ? "mbox" : "maildir",
	    (uintmax_t)options.seed, s->next, s->deliveries, s->kills, s->deferred, s->moved, s->flagged, v->deleted,
	    s->tool_runs, v->lost, v->doubled, v->window, s->torn, s->pieces, s->hung, s->code, s->refused);
}

static bool
storm(void)
{
	static const struct scene quiet[] = {
		MAILDIR("storm", .fresh = true, .beside = BESIDE_TOOLS),
		MBOX("storm", .fresh = true, .first = "", .beside = BESIDE_TOOLS),
	};
	static const char *const more[] = { "on-ledger-failure=defer", "lock-timeout=5s", NULL };
	static struct storm t;
	struct verdict v;
	char folder[PATH_MAX];
	bool good;

	t.s = crew_memory(sizeof(*t.s));
	t.mbox = strcmp(options.kind, "mbox") == 0;
	snprintf(folder, sizeof(folder), "%s/storm", options.folder);
	world_make(&t.w, &quiet[t.mbox], folder, options.build, options.wrong, more);
	good = rage(&t);
	judge(&t, &v);
	print(&t, &v);
	if (options.wrong != NULL)
		return good && v.lost + v.doubled > 0;
	good = good && v.lost + v.doubled + t.s->torn + t.s->hung + t.s->code + t.s->refused == 0;
	if (good || !options.verbose)
		world_free(&t.w);
	return good;
}

int
main(int argc, char **argv)
{
	const struct option table[] = {
		{ 'v', .flag = &options.verbose }, { 'j', "deliverers", .number = &options.deliverers },
		{ 'k', "maildir|mbox", .text = &options.kind }, { 's', "seed", .seed = &options.seed },
		{ 'w', "wrong-agent", .text = &options.wrong }, { 0 },
	};
	const struct command command = { "storm", "seconds folder", table, 1 };
	int at;

	options.seed = (uint64_t)time(NULL);
	at = options_read(&command, argc, argv);
	if (at != argc - 2 || options.deliverers < 1 || options.deliverers > DELIVERERS_MAX)
		options_usage(&command);
	options.seconds = (unsigned int)strtoul(argv[at], NULL, 10);
	options_places(&command, argv[at + 1], &options.folder, &options.build);
	return storm() ? 0 : 1;
}
