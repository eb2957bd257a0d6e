/* One case: a ledger is damaged, mail comes, and what became of it is judged. */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "stage.h"

#define HEALS 4			/* messages until it must have healed */
#define TRIES 4			/* deliveries until a late one counts as refused */
#define CROWD 4			/* deliveries at the same time */
#define SLOW_MS (STAGE_LOCK_TIMEOUT_S * 1000)
#define TEMPORARY 75
#define SHOWN 20

static void
wrong(struct stage *s, const char *what, const char *which)
{
	s->row->wrong++;
	if (s->shown++ >= SHOWN)
		return;
	printf("# %s: %s %s", s->play->name, s->at[0]->path + strlen(s->w.root), s->hurt[0]->name);
	if (s->at[1] != NULL)
		printf(" and %s %s", s->at[1]->path + strlen(s->w.root), s->hurt[1]->name);
	printf(": %s: %s\n", which, what);
	fflush(stdout);
	if (s->verbose)
		show_file(s->w.log);
}

static void
count_mails(struct stage *s)
{
	const char *first = s->w.scene->first;

	s->torn = s->w.scene->mbox ? count_mbox(s->w.mailbox, first == NO_FILE ? "" : first, true, s->mails, MESSAGES) :
	    count_maildir(s->w.mailbox, s->mails, MESSAGES);
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

	if (s->w.wrong != NULL)
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

/* Nothing depends on what is damaged. */
static bool
is_harmless(const struct stage *s)
{
	return s->at[0]->part == PART_EVENTS && (s->at[1] == NULL || s->at[1]->part == PART_EVENTS);
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
		s->allowed[i] = i >= KNOWN ? 0 : is_harmless(s) ? 1 : 2;
		s->taken[i] = i < KNOWN && i != TARGET && i != OTHER;
	}
	s->late_ok = s->play->defer || s->hurt[0]->sly || (s->hurt[1] != NULL && s->hurt[1]->sly);
}

void
stage_play(struct stage *s)
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
	count_mails(s);
	for (i = 0; i < s->next && obstacle; i++)	/* nobody recorded them */
		s->allowed[KNOWN + i] = s->mails[KNOWN + i].seen + 1;
	if (healed == -1 && !obstacle)
		wrong(s, "not healed", "the ledger");
	if (healed != 0 && is_harmless(s))
		wrong(s, "noticed", "the damage");
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
