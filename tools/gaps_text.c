/* The report in a terminal. */
#include <sys/ioctl.h>

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "gaps.h"

#define WIDTH 80
#define WIDTH_MIN 40
#define WIDTH_MAX 120
#define LABEL 7		/* columns for a delay */
#define COUNT 8		/* columns for a number behind a bar */
#define INDENT 8

struct pen {
	int width;	/* columns */
	bool unicode;
};

static struct pen
pen(void)
{
	struct pen p = { .width = WIDTH };
	locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
	struct winsize size;

	if (locale != NULL) {
		p.unicode = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
		freelocale(locale);
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		p.width = size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col;
	return p;
}

/* A paragraph with a label before its first line. */
static void
paragraph(const struct pen *p, const char *label, const char *text)
{
	int room = p->width - INDENT - LABEL - 1, used = 0, len;

	printf("%*s%-*s ", INDENT, "", LABEL, label);
	while (*text != '\0') {
		len = (int)strcspn(text, " ");
		if (used > 0 && used + 1 + len > room) {
			printf("\n%*s", INDENT + LABEL + 1, "");
			used = 0;
		}
		printf("%s%.*s", used > 0 ? " " : "", len, text);
		used += len + (used > 0);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void
print_hop(const struct pen *p, const struct gaps_hop *hop)
{
	char median[AGE_TEXT] = "-", range[GAPS_SPAN], words[GAPS_WORDS];

	if (hop->dated > 0)
		age_text(hop->median, median);
	gaps_range_words(hop, range);
	printf("%6zu  %-7s  %-17s  ", hop->n, median, range);
	escaped_text(stdout, gaps_sender(hop));
	fputs(" -> ", stdout);
	escaped_text(stdout, gaps_receiver(hop));
	putchar('\n');
	gaps_cause_words(hop, words);
	paragraph(p, "cause", words);
	gaps_wait_words(hop, words);
	if (words[0] != '\0')
		paragraph(p, "so", words);
	gaps_proof_words(hop, words);
	paragraph(p, "known", words);
}

/* Eighths of a column in Unicode. Whatever is there can be seen. */
static void
bar(const struct pen *p, uint64_t n, uint64_t highest, int room)
{
	static const char *const eighths[] = { "", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589" };
	int len = (int)((double)n / (double)highest * room * 8 + 0.5);

	if (n > 0 && len < (p->unicode ? 1 : 8))
		len = p->unicode ? 1 : 8;
	for (; len >= 8; len -= 8)
		fputs(p->unicode ? "\u2588" : "#", stdout);
	if (p->unicode)
		fputs(eighths[len], stdout);
}

static void
mark_line(const struct pen *p, int mark)
{
	static const char *const names[GAPS_MARKS] = { "1 min", "2 min", "5 min: RFC 1047", "10 min: RFC 5321" };
	int i, len = p->width - LABEL - 3 - (int)strlen(names[mark]);

	printf("%*s ", LABEL, "");
	for (i = 0; i < len; i++)
		fputs(p->unicode ? "\u2504" : "-", stdout);
	printf(" %s\n", names[mark]);
}

static void
print_histogram(const struct pen *p, const struct gaps_report *r)
{
	uint64_t highest = gaps_highest(r);
	char label[AGE_TEXT];
	size_t i, first, last;
	int mark;

	if (r->in_buckets == 0)
		return;
	printf("\nDelays of %llu %s handed over again, by how long after the first one\n\n", (unsigned long long)r->in_buckets,
	    gaps_plural(r->in_buckets, "copy that was", "copies that were"));
	gaps_range(r, &first, &last);
	for (i = first; i <= last; i++) {
		mark = gaps_mark_at(i);
		if (mark != -1)
			mark_line(p, mark);
		age_text(gaps_edges[i], label);
		printf("%*s %s", LABEL, label, p->unicode ? "\u2502" : "|");
		bar(p, r->buckets[i], highest, p->width - LABEL - 2 - COUNT);
		if (r->buckets[i] > 0)
			printf(" %llu", (unsigned long long)r->buckets[i]);
		putchar('\n');
	}
}

static void
print_reach(const struct gaps_report *r)
{
	const struct gaps_totals *sum = &r->totals;
	char whole[AGE_TEXT];

	if (!sum->cut || sum->whole <= r->from)
		return;
	time_text(sum->whole, false, whole);
	printf("Before %s not all is known: a ledger keeps its newest events only (history in dedup-lda.conf).\n", whole);
}

static void
print_head(const struct gaps_report *r)
{
	const struct gaps_totals *sum = &r->totals;
	char from[AGE_TEXT], age[AGE_TEXT];

	if (!r->has_from) {
		puts(sum->ledgers == 0 ? "There is no ledger." : "Nothing is known of any delivery: the history is empty.");
		return;
	}
	time_text(r->from, false, from);
	age_text(r->now - (r->from < 0 ? 0 : r->from), age);	/* a damaged clock or event */
	if (sum->copies == 0)
		printf("No copies since %s (%s): ", from, age);
	else
		printf("Since %s (%s): %llu %s, ", from, age, (unsigned long long)sum->copies, gaps_plural(sum->copies, "copy", "copies"));
	printf("%llu %s", (unsigned long long)sum->deliveries, gaps_plural(sum->deliveries, "delivery", "deliveries"));
	if (sum->ledgers != 1)
		printf(" in %llu ledgers", (unsigned long long)sum->ledgers);
	if (r->query.host != NULL) {
		fputs("; only hops of ", stdout);
		escaped_text(stdout, r->query.host);
	}
	fputs(".\n", stdout);
	if (sum->unknown > 0)
		printf("The hop is not known of %llu: there is no trace of the first copy.\n", (unsigned long long)sum->unknown);
	print_reach(r);
}

void
gaps_text(const struct gaps_report *r)
{
	struct pen p = pen();
	size_t i;

	print_head(r);
	if (r->hops_n > 0)
		printf("\nCOPIES  MEDIAN   %-17s  SENDER -> RECEIVER\n", "RANGE");
	for (i = 0; i < r->hops_n; i++)
		print_hop(&p, &r->hops[i]);
	print_histogram(&p, r);
}
