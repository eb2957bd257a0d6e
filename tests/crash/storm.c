/*
 * storm [-j deliverers] [-k maildir|mbox] [-s seed] [-v] [-w wrong-agent] [-l ledger] [-H hosts] [-d list [-a file]]
 *     SECONDS FOLDER [KEY=VALUE]...: everything at once.
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
 * With -H the processes belong to several delivery hosts, which share nothing but the mailbox and the ledger: see world_move().
 * -l is the ledger's URL. Each KEY=VALUE is an option for agent and dedupdb. With -d messages may come twice, and their Message-IDs
 * are written into that list, for somebody who can say why; "killed" follows if a delivery of it was killed, before or after the log
 * line, while the file of -a was there: that is, while the ledger was away.
 *
 * SIGTERM ends it before its time, and then all that comes in the end.
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
	unsigned int hosts;
	const char *kind, *wrong, *folder, *build, *list, *ledger, *away;
	char **more;
} options = { .deliverers = 8, .kind = "maildir", .hosts = 1 };

static volatile sig_atomic_t ending;

static void
on_end(int sig)
{
	(void)sig;
	ending = 1;
}

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
	if (code == ENDED_SIGNAL + SIGKILL) {
		atomic_fetch_add(&t->s->kills, 1);
		if (options.away != NULL && access(options.away, F_OK) == 0)
			atomic_store(&t->s->fate[number].away, true);
	} else if (code == TEMPORARY)
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
	unsigned int number, usual = (unsigned int)atomic_load(&t->s->usual_us);
	long after;

	while (!atomic_load(&t->s->stop)) {
		number = choose(t);
		storm_put_message(t, number);
		after = (long)dice_roll(&t->dice, usual + usual / 4);
		if (dice_roll(&t->dice, 2) == 0)
			account(t, number, run_killed(t->w.agent, t->input, t->w.out, after));
		else
			account(t, number, run_plain(t->w.agent, t->input, t->w.out));
	}
}

/* Tries go to one host after another, as those of a sender do. Returns whether it was taken. */
static bool
deliver_surely(struct storm *t, unsigned int number)
{
	unsigned int i;

	for (i = 0; i < TRIES; i++)
		if (account(t, number, run_plain(t->hosts[i % options.hosts].agent, t->input, t->w.out)))
			return true;
	return false;
}

static void
deliver_all(struct storm *t, unsigned int from)
{
	unsigned int number, next = atomic_load(&t->s->next);

	for (number = from; number < next; number += FINISHERS) {
		storm_put_message(t, number);
		if (!deliver_surely(t, number) || !deliver_surely(t, number)) {
			atomic_fetch_add(&t->s->refused, 1);
			storm_say(t, "refused", number, TRIES);
		}
	}
}

/* How long a delivery takes when eight run at the same time is found out by the first ones. */
static void
calibrate(struct storm *t)
{
	unsigned int i;
	long began = 0;

	for (i = 0; i < 8; i++) {
		unsigned int number = atomic_fetch_add(&t->s->next, 1);

		storm_put_message(t, number);
		began = now_us();
		account(t, number, run_plain(t->w.agent, t->input, t->w.out));
	}
	atomic_store(&t->s->usual_us, (now_us() - began) * (long)(options.deliverers > 2 ? options.deliverers / 2 : 1));
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

/* This process belongs to a host, and knows what the others do. */
static void
settle_down(struct storm *t, unsigned int who)
{
	char name[16], home[PATH_MAX];
	unsigned int i, at;

	for (i = 0; i < options.hosts; i++) {
		at = (who + 1 + i) % options.hosts;	/* its own one is the last: the environment is that one's */
		t->hosts[at] = t->w;
		snprintf(name, sizeof(name), "host%u", at + 1);
		snprintf(home, sizeof(home), "%s/%s", options.folder, name);
		if (options.hosts > 1)
			world_move(&t->hosts[at], name, home);
	}
	t->w = t->hosts[who % options.hosts];
}

enum role { CALIBRATOR, DELIVERER, READER, TOOLS, FINISHER };

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
	settle_down(t, who);
	if (role == CALIBRATOR)
		calibrate(t);
	else if (role == DELIVERER)
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

static void
go_on(void)
{
	long end = now_us() + (long)options.seconds * 1000000;

	while (!ending && now_us() < end)
		pause_us(10000);
}

static bool
rage(struct storm *t)
{
	unsigned int i;
	bool good;

	signal(SIGTERM, on_end);
	start(t, CALIBRATOR, 0);
	good = wait_all();
	for (i = 0; i < options.deliverers; i++)
		start(t, DELIVERER, i);
	start(t, READER, DELIVERERS_MAX);
	for (i = 0; options.wrong == NULL && i < options.hosts; i++)
		start(t, TOOLS, DELIVERERS_MAX + 1 + i);
	go_on();
	atomic_store(&t->s->stop, true);
	good = wait_all() && good;
	for (i = 0; i < FINISHERS; i++)
		start(t, FINISHER, DELIVERERS_MAX + FINISHERS + i);
	return wait_all() && good;
}

/* Where the Message-IDs of doubled ones go. */
static FILE *
open_list(void)
{
	FILE *f = fopen(options.list == NULL ? "/dev/null" : options.list, "we");

	if (f == NULL)
		die(options.list);
	return f;
}

struct verdict {
	unsigned int lost, doubled, window, deleted;
};

static void
judge(struct storm *t, struct verdict *v)
{
	unsigned int i, copies, deleted;
	FILE *list = open_list();

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
			fprintf(list, STORM_ID "%s\n", i, atomic_load(&t->s->fate[i].away) ? " killed" : "");
		}
	}
	if (fclose(list) == EOF)
		die("list of doubled messages");
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
	const struct scene quiet[] = {
		MAILDIR("storm", .fresh = true, .beside = BESIDE_TOOLS, .ledger = options.ledger),
		MBOX("storm", .fresh = true, .first = "", .beside = BESIDE_TOOLS, .ledger = options.ledger),
	};
	static const char *const usual[] = { "on-ledger-failure=defer", "lock-timeout=5s", NULL };
	static struct storm t;
	struct verdict v;
	char folder[PATH_MAX];
	size_t i;
	bool good;

	t.s = crew_memory(sizeof(*t.s));
	t.mbox = strcmp(options.kind, "mbox") == 0;
	snprintf(folder, sizeof(folder), "%s/storm", options.folder);
	world_make(&t.w, &quiet[t.mbox], folder, options.build, options.wrong, usual);
	for (i = 0; options.more[i] != NULL; i++)
		world_option(&t.w, options.more[i]);
	good = rage(&t);
	judge(&t, &v);
	print(&t, &v);
	if (options.wrong != NULL)
		return good && v.lost + v.doubled > 0;
	if (options.list != NULL)
		v.doubled = 0;
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
		{ 'w', "wrong-agent", .text = &options.wrong }, { 'H', "hosts", .number = &options.hosts },
		{ 'd', "list", .text = &options.list }, { 'a', "file", .text = &options.away }, { 'l', "ledger", .text = &options.ledger }, { 0 },
	};
	const struct command command = { "storm", "seconds folder [key=value ...]", table, 1 };
	int at;

	options.seed = (uint64_t)time(NULL);
	at = options_read(&command, argc, argv);
	if (at > argc - 2 || options.deliverers < 1 || options.deliverers > DELIVERERS_MAX || options.hosts < 1 ||
	    options.hosts > HOSTS_MAX)
		options_usage(&command);
	options.seconds = (unsigned int)strtoul(argv[at], NULL, 10);
	options_places(&command, argv[at + 1], &options.folder, &options.build);
	options.more = argv + at + 2;
	return storm() ? 0 : 1;
}
