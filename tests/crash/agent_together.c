/*
 * agent_together [-c copies] [-n messages] FOLDER maildir|mbox HOME MAILBOX COMMAND [ARGUMENT]...: copies that come at once.
 *
 * For each message so many processes of an agent deliver a copy of it, all at once; a copy that is not taken is given to it again
 * later. Nothing is killed. HOME is the agent's, prepared, with no mail in it yet.
 *
 * What it can't show: every order of events; who comes first is the scheduler's choice.
 *
 *	-c  copies of each message (8)		-n  messages (200)
 *
 * One line of key=value: messages that are there once, that are lost, that are there more than once, and how many copies there are
 * too many; torn: things in the mailbox that are no message; stuck: copies that were never taken. Exit: 0 each was there once, 1
 * not; trouble with the test itself is 1 or 2.
 */
#include <sys/wait.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent.h"
#include "lib/options.h"
#include "lib/trace.h"

#define SIZE 300	/* of the messages, bytes */
#define COPIES_MAX 64

struct test {
	struct agent agent;
	struct mail *mails;
	unsigned int messages, copies, stuck;
};

static void
deliver_at_once(struct test *t, const struct mail *m)
{
	pid_t pids[COPIES_MAX];
	unsigned int i, again = 0;
	int status;

	for (i = 0; i < t->copies; i++)
		pids[i] = trace_spawn(t->agent.argv, m->path, t->agent.out, false);
	for (i = 0; i < t->copies; i++) {
		if (waitpid(pids[i], &status, 0) == -1)
			die("waitpid");
		again += status != 0;
	}
	for (i = 0; i < again; i++)
		t->stuck += !agent_takes(&t->agent, m);
}

static void
make_mails(struct test *t)
{
	char *name;
	unsigned int i;

	t->mails = calloc(t->messages, sizeof(*t->mails));
	if (t->mails == NULL)
		die("calloc");
	for (i = 0; i < t->messages; i++) {
		if (asprintf(&name, "message%u", i) == -1)
			die("asprintf");
		mail_make(&t->mails[i], t->agent.folder, name, SIZE);
	}
}

static bool
print(struct test *t)
{
	unsigned int torn = agent_count(&t->agent, t->mails, t->messages), i, lost = 0, doubled = 0, extra = 0;

	for (i = 0; i < t->messages; i++) {
		lost += t->mails[i].seen == 0;
		doubled += t->mails[i].seen > 1;
		extra += t->mails[i].seen > 1 ? t->mails[i].seen - 1 : 0;
	}
	printf("messages=%u copies=%u one=%u lost=%u doubled=%u extra=%u torn=%u stuck=%u\n", t->messages, t->copies,
	    t->messages - lost - doubled, lost, doubled, extra, torn, t->stuck);
	return lost + doubled + torn + t->stuck == 0;
}

int
main(int argc, char **argv)
{
	struct test t = { .copies = 8, .messages = 200 };
	const struct option table[] = { { 'c', "copies", .number = &t.copies }, { 'n', "messages", .number = &t.messages }, { 0 } };
	const struct command command = { "agent_together", AGENT_OPERANDS, table, 2 };
	int at = options_read(&command, argc, argv);
	unsigned int i;

	if (t.copies < 1 || t.copies > COPIES_MAX || t.messages < 1 || !agent_make(&t.agent, argc - at, argv + at))
		options_usage(&command);
	make_mails(&t);
	for (i = 0; i < t.messages; i++)
		deliver_at_once(&t, &t.mails[i]);
	return print(&t) ? 0 : 1;
}
