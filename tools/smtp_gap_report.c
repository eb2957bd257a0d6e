/*
 * What smtp-gap has measured, beside the times for which senders wait.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "output.h"
#include "smtp_gap.h"

/* Senders that wait less than the last two have been seen; these are what is asked of them. */
static const struct {
	int64_t seconds;
	const char *words;
} marks[] = {
	{ 60, "" }, { 120, "" }, { 300, "  RFC 1047 asks senders to wait at least so long" },
	{ 600, "  RFC 5321 4.5.3.2.6 asks senders to wait at least so long" },
};
#define MARKS (sizeof(marks) / sizeof(marks[0]))

/* Gaps in their order. */
struct gaps {
	int64_t us[GAP_MESSAGES];
	size_t n;
};

unsigned int
gap_total(const struct gap_plan *plan, uint64_t *bytes)
{
	*bytes = 0;
	for (size_t i = 0; i < plan->steps; i++)
		*bytes += (uint64_t)plan->sizes[i] * plan->each;
	return (unsigned int)plan->steps * plan->each;
}

static int
by_length(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The gaps of one size, or with first = 0 and n = all sizes of all. */
static void
gather(const struct gap_result *result, size_t first, size_t n, struct gaps *gaps)
{
	gaps->n = 0;
	for (size_t i = first; i < first + n; i++)
		for (unsigned int k = 0; k < result->step[i].answered; k++)
			gaps->us[gaps->n++] = result->step[i].us[k];
	qsort(gaps->us, gaps->n, sizeof(gaps->us[0]), by_length);
}

/* The nearest rank: the smallest gap that `percent` of them do not exceed. */
static int64_t
rank(const struct gaps *gaps, unsigned int percent)
{
	size_t i = (gaps->n * percent + 99) / 100;

	return gaps->us[i > 0 ? i - 1 : 0];
}

/* How many took longer, with the one that was never answered. */
static unsigned int
over(const struct gap_result *result, const struct gaps *all, int64_t seconds)
{
	unsigned int n = result->open && result->open_us > seconds * GAP_SECOND;

	for (size_t i = 0; i < all->n; i++)
		n += all->us[i] > seconds * GAP_SECOND;
	return n;
}

static double
seconds(int64_t us)
{
	return (double)us / GAP_SECOND;
}

static void
row(const char *name, const struct gaps *gaps, unsigned int wanted)
{
	printf("%-10s %2zu of %2u", name, gaps->n, wanted);
	if (gaps->n > 0)
		printf(" %10.4f %10.4f %10.4f %10.4f", seconds(rank(gaps, 0)), seconds(rank(gaps, 50)), seconds(rank(gaps, 99)),
		    seconds(rank(gaps, 100)));
	putchar('\n');
}

static void
table(const struct gap_plan *plan, const struct gap_result *result, const struct gaps *all)
{
	char size[AGE_TEXT];
	struct gaps gaps;
	uint64_t bytes;

	printf("%-10s %8s %10s %10s %10s %10s\n", "size", "answers", "min s", "median s", "p99 s", "max s");
	for (size_t i = 0; i < plan->steps; i++) {
		size_text(plan->sizes[i], size);
		gather(result, i, 1, &gaps);
		row(size, &gaps, plan->each);
		if (result->step[i].skipped)
			printf("           not sent: the server takes up to %" PRIu64 " bytes\n", result->limit);
	}
	row("all", all, gap_total(plan, &bytes));
}

static void
mark_lines(const struct gap_result *result, const struct gaps *all)
{
	size_t sent = all->n + result->open;

	for (size_t i = 0; i < MARKS; i++)
		printf("over %2" PRId64 " min  %4u of %2zu%s\n", marks[i].seconds / 60, over(result, all, marks[i].seconds), sent,
		    marks[i].words);
}

/* Who sends again what was taken? */
static void
verdict(const struct gap_result *result, const struct gaps *all)
{
	int64_t longest = all->n > 0 ? rank(all, 100) : 0;
	bool open = result->open && result->open_us > longest;
	size_t i = MARKS;

	if (all->n == 0 && !result->open)
		return;
	while (i > 0 && over(result, all, marks[i - 1].seconds) == 0)
		i--;
	printf("The longest gap was %s%.4f s: ", open ? "at least " : "", seconds(open ? result->open_us : longest));
	if (i > 0)
		printf("a sender that waits %" PRId64 " min or less gives up, and sends again what was taken.\n",
		    marks[i - 1].seconds / 60);
	else if (!result->open)
		printf("a sender that waits for a minute gets every answer.\n");
	else
		printf("there was no answer, so a sender sends again what may have been taken.\n");
}

static void
text_report(const struct gap_plan *plan, const struct gap_result *result, const struct gaps *all)
{
	if (result->host[0] == '\0')
		return;	/* nobody answered: there is nothing to tell but the fault */
	escaped_text(stdout, result->host);
	printf(" [%s]:%s, %s", result->address, result->port, result->tls[0] != '\0' ? result->tls : "no TLS");
	if (result->round_trip >= 0)
		printf(", round trip %.3f ms", seconds(result->round_trip) * 1000);
	printf("\n\n");
	table(plan, result, all);
	putchar('\n');
	mark_lines(result, all);
	if (result->open)
		printf("not answered: a message of %zu bytes, for %.4f s\n", result->open_size, seconds(result->open_us));
	putchar('\n');
	verdict(result, all);
}

static void
figures(struct out *o, const struct gaps *gaps)
{
	static const struct {
		const char *name;
		unsigned int percent;
	} columns[] = { { "min", 0 }, { "median", 50 }, { "p99", 99 }, { "max", 100 } };

	out_count(o, "answered", gaps->n);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		out_seconds(o, columns[i].name, gaps->n > 0 ? rank(gaps, columns[i].percent) : -1);
}

static void
json_sizes(const struct gap_plan *plan, const struct gap_result *result, struct out *o)
{
	struct out item;
	struct gaps gaps;

	for (size_t i = 0; i < plan->steps; i++) {
		gather(result, i, 1, &gaps);
		out_item(&item, o, "sizes");
		out_size(&item, "size", plan->sizes[i]);
		out_count(&item, "wanted", plan->each);
		out_flag(&item, "skipped", result->step[i].skipped);
		figures(&item, &gaps);
	}
}

static void
json_open(const struct gap_result *result, struct out *o)
{
	struct out inner;

	if (!result->open)
		return;
	out_nest(&inner, o, "unanswered");
	out_size(&inner, "size", result->open_size);
	out_seconds(&inner, "waited", result->open_us);
}

static void
json_server(const struct gap_result *result, struct out *o)
{
	struct out inner;

	if (result->host[0] == '\0')
		return;
	out_nest(&inner, o, "server");
	out_text(&inner, "host", result->host);
	out_text(&inner, "address", result->address);
	out_text(&inner, "port", result->port);
	out_text(&inner, "tls", result->tls[0] != '\0' ? result->tls : NULL);
	out_count(&inner, "size_limit", result->limit);
	out_seconds(&inner, "round_trip", result->round_trip);
}

static void
json_report(const struct gap_plan *plan, const struct gap_result *result, const struct gaps *all)
{
	struct out o, inner;

	out_begin(&o, true);
	out_text(&o, "recipient", plan->recipient);
	out_text(&o, "run", plan->run);
	json_server(result, &o);
	json_sizes(plan, result, &o);
	out_nest(&inner, &o, "all");
	figures(&inner, all);
	for (size_t i = 0; i < MARKS; i++) {
		out_item(&inner, &o, "marks");
		out_count(&inner, "seconds", (uint64_t)marks[i].seconds);
		out_count(&inner, "over", over(result, all, marks[i].seconds));
	}
	json_open(result, &o);
	if (result->fault.code != EX_OK) {
		out_nest(&inner, &o, "error");
		out_count(&inner, "code", (uint64_t)result->fault.code);
		out_text(&inner, "text", result->fault.text);
	}
	out_end(&o);
}

void
gap_report(const struct gap_plan *plan, const struct gap_result *result)
{
	struct gaps all;

	gather(result, 0, plan->steps, &all);
	if (plan->json)
		json_report(plan, result, &all);
	else
		text_report(plan, result, &all);
}
