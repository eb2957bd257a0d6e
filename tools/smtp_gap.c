/*
 * smtp-gap: measure a mail server's gap from the sender's side.
 *
 * Exit codes are those of sysexits: 64 usage, 67 the server knows no such recipient, 68 no such host or it takes no mail, 69 the server
 * refused for good, 71 this machine, 74 standard output failed, 75 a passing trouble, with the server or the network, 76 it spoke no
 * SMTP or no TLS. 1: whoever was asked said no.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "output.h"
#include "smtp_gap.h"
#include "smtp_gap_talk.h"
#include "stop.h"

#define EXIT_NO 1

/* What will be sent, to whom and by way of which hosts, before any of it is. */
static void
announce(const struct gap_plan *plan, const struct gap_places *places)
{
	char size[AGE_TEXT];
	unsigned int total;
	uint64_t bytes;

	total = gap_total(plan, &bytes);
	size_text(bytes, size);
	fprintf(stderr, "smtp-gap: %u test message%s of together %s to %s from <%s>:", total, total == 1 ? "" : "s", size, plan->recipient,
	    plan->sender);
	for (size_t i = 0; i < plan->steps; i++) {
		size_text(plan->sizes[i], size);
		fprintf(stderr, "%s %u of %s", i > 0 ? "," : "", plan->each, size);
	}
	fputs("\nsmtp-gap: by ", stderr);
	for (size_t i = 0; i < places->n; i++) {
		if (i > 0 && strcmp(places->place[i].host, places->place[i - 1].host) == 0)
			continue;
		fputs(i > 0 ? ", else by " : "", stderr);
		escaped_text(stderr, places->place[i].host);
	}
	fprintf(stderr, ", port %s; one after the other, on one connection\n", plan->port);
}

/* Returns -1: go on, or an exit code. */
static int
confirm(const struct gap_plan *plan)
{
	char answer[16];

	if (plan->yes)
		return -1;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		fputs("smtp-gap: nobody can be asked here: --yes sends them\n", stderr);
		return EX_USAGE;
	}
	fputs("Send them? [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return -1;
	fputs("smtp-gap: nothing was sent\n", stderr);
	return EXIT_NO;
}

/* One message of a size. Returns 0 or -1. */
static int
measure(const struct gap_plan *plan, struct talk *talk, size_t i, unsigned int n, struct gap_result *result)
{
	struct gap_step *step = &result->step[i];
	uint64_t bytes;
	char *text;
	int64_t us;
	int rc;

	text = gap_letter(plan, n, gap_total(plan, &bytes), step->size, &result->fault);
	if (text == NULL)
		return -1;
	rc = talk_message(talk, text, step->size, &us, &result->fault);
	free(text);
	if (rc == 0)
		step->us[step->answered++] = us;
	else if (us >= 0) {
		result->open = true;
		result->open_size = step->size;
		result->open_us = us;
	}
	return rc;
}

/* All of them, until one is not answered with 250. */
static void
measure_all(const struct gap_plan *plan, struct talk *talk, struct gap_result *result)
{
	unsigned int n = 1;

	for (size_t i = 0; i < plan->steps; i++) {
		result->step[i].skipped = result->limit > 0 && plan->sizes[i] > result->limit;
		for (unsigned int k = 0; k < plan->each; k++, n++) {
			if (result->step[i].skipped)
				continue;
			if (measure(plan, talk, i, n, result) == -1) {
				fault_about(&result->fault, "message %u", n);
				return;
			}
			if (isatty(STDERR_FILENO))
				fprintf(stderr, "\r%u of %u", n, (unsigned int)plan->steps * plan->each);
		}
	}
}

static size_t
smallest(const struct gap_plan *plan)
{
	size_t size = plan->sizes[0];

	for (size_t i = 1; i < plan->steps; i++)
		if (plan->sizes[i] < size)
			size = plan->sizes[i];
	return size;
}

static int
run(const struct gap_plan *plan)
{
	struct gap_result result = { .round_trip = -1 };
	struct gap_places places;
	struct talk *talk = NULL;
	char *first;
	int rc;

	for (size_t i = 0; i < plan->steps; i++)
		result.step[i].size = plan->sizes[i];
	first = gap_letter(plan, GAP_MESSAGES, GAP_MESSAGES, smallest(plan), &result.fault);
	free(first);
	if (first == NULL || gap_find(plan, &places, &result.fault) == -1)
		return gap_complain(&result.fault);
	announce(plan, &places);
	rc = confirm(plan);
	if (rc != -1)
		return rc;
	tool_catch_signals();
	if (talk_open(&talk, plan, &places, &result, &result.fault) == 0)
		measure_all(plan, talk, &result);
	if (talk != NULL)
		result.round_trip = talk_round_trip(talk);
	talk_close(&talk);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	gap_report(plan, &result);
	return result.fault.code == EX_OK ? EX_OK : gap_complain(&result.fault);
}

int
main(int argc, char **argv)
{
	struct gap_plan plan;
	int rc, stopped;

	signal(SIGPIPE, SIG_IGN);	/* a server that hangs up is a result */
	rc = gap_options(&plan, argc, argv);
	if (rc == -1)
		rc = run(&plan);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "smtp-gap: standard output: %s\n", strerror(errno));
		rc = EX_IOERR;
	}
	stopped = tool_stopped();
	if (stopped != 0) {	/* so that a shell's loop ends as well */
		signal(stopped, SIG_DFL);
		raise(stopped);
	}
	return rc;
}
