/*
 * The report as a page of its own: no scripts, and nothing from elsewhere. Its Content-Security-Policy allows the one style sheet, by its
 * digest, and nothing else.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base64.h"
#include "digest.h"
#include "gaps_page.h"
#include "version.h"

#define HOPS_MAX 100	/* on a page; what is less frequent is added up */

void
html_text(FILE *f, const char *text)
{
	static const char marks[] = "&<>\"'";
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p != '\0'; p++) {
		if (strchr(marks, *p) != NULL)
			fprintf(f, "&#%d;", *p);
		else
			escaped(f, p, 1);
	}
}

static void
element(FILE *f, const char *open, const char *text, const char *close)
{
	fputs(open, f);
	html_text(f, text);
	fputs(close, f);
}

/* The name of a host, which may be broken behind a dot. */
static void
put_host(FILE *f, const char *open, const char *name, const char *close)
{
	char part[EVENT_NAME];
	size_t n;

	fputs(open, f);
	while (*name != '\0') {
		n = strcspn(name, ".");
		n += name[n] == '.';
		snprintf(part, sizeof(part), "%.*s", (int)n, name);
		html_text(f, part);
		name += n;
		if (*name != '\0')
			fputs("<wbr>", f);
	}
	fputs(close, f);
}

/* For people: "2026-11-20 12:00:00"; UTC is said at the head of the page. */
static void
put_time(FILE *f, int64_t t)
{
	char text[AGE_TEXT], *p;

	time_text(t, true, text);
	if (text[0] == '@') {
		fputs(text, f);
		return;
	}
	fprintf(f, "<time datetime=\"%s\">", text);
	p = strchr(text, 'T');
	if (p != NULL)
		*p = ' ';
	text[strcspn(text, "Z")] = '\0';
	fprintf(f, "%s</time>", text);
}

static void
put_delay(FILE *f, int64_t delay)
{
	char text[AGE_TEXT] = "not known";

	if (delay != GAP_UNKNOWN)
		age_text(delay, text);
	fputs(text, f);
}

static void
put_head(const struct gaps_report *r, FILE *f)
{
	unsigned char bytes[DIGEST_BYTES];
	char hash[BASE64_TEXT(DIGEST_BYTES)];
	struct digest digest;

	digest_start(&digest);
	digest_add(&digest, gaps_style, strlen(gaps_style));
	digest_end(&digest, bytes);
	base64_text(bytes, sizeof(bytes), hash);
	fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
	    "form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n"
	    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Mail that came twice", hash);
	if (r->query.host != NULL)
		element(f, ": ", r->query.host, "");
	fprintf(f, "</title>\n<style>%s</style>\n</head>\n", gaps_style);
}

static void
put_figure(FILE *f, const char *name, uint64_t n)
{
	fprintf(f, "<li><strong>%" PRIu64 "</strong> %s</li>\n", n, name);
}

static void
put_summary(const struct gaps_report *r, FILE *f)
{
	const struct gaps_totals *sum = &r->totals;

	fputs("<h1>Mail that came twice</h1>\n<p class=\"soft\">", f);
	if (!r->has_from)
		fputs("Nothing is known of any delivery yet.", f);
	else {
		fputs("From ", f);
		put_time(f, r->from);
		fputs(" to ", f);
		put_time(f, r->now);
		fputs(". All times are UTC.", f);
	}
	if (r->query.host != NULL)
		element(f, " Only hops that <strong>", r->query.host, "</strong> has part in.");
	fputs("</p>\n", f);
	if (sum->cut && sum->whole > r->from) {
		fputs("<p class=\"note soft\">Before ", f);
		put_time(f, sum->whole);
		fputs(" not all copies are known.</p>\n", f);
	}
	fputs("<ul class=\"figures\">\n", f);
	put_figure(f, gaps_plural(sum->deliveries, "delivery", "deliveries"), sum->deliveries);
	put_figure(f, gaps_plural(sum->copies, "copy", "copies"), sum->copies);
	put_figure(f, gaps_plural(r->hops_n, "hop", "hops"), r->hops_n);
	if (sum->unknown > 0)
		put_figure(f, gaps_plural(sum->unknown, "copy without a hop", "copies without a hop"), sum->unknown);
	fputs("</ul>\n", f);
	if (sum->copies == 0 && r->has_from)
		fputs("<p>No copies came: each message came once.</p>\n", f);
	if (sum->unknown > 0)
		fputs("<p class=\"note soft\">A copy is without a hop if no trace of the first one was kept.</p>\n", f);
}

static void
put_numbers(const struct gaps_report *r, FILE *f)
{
	char from[AGE_TEXT], below[AGE_TEXT];
	size_t i, first, last;

	gaps_range(r, &first, &last);
	fputs("<details>\n<summary>The numbers</summary>\n<table id=\"delays\" class=\"small\">\n<thead><tr><th scope=\"col\">Delay</th>"
	    "<th scope=\"col\">Copies</th></tr></thead>\n<tbody>\n", f);
	for (i = first; i <= last; i++) {
		age_text(gaps_edges[i], from);
		if (i + 1 < GAPS_BUCKETS)
			age_text(gaps_edges[i + 1], below);
		fprintf(f, "<tr><th scope=\"row\">%s %s %s</th><td class=\"number\">%" PRIu64 "</td></tr>\n", from,
		    i + 1 < GAPS_BUCKETS ? "to" : "and", i + 1 < GAPS_BUCKETS ? below : "more", r->buckets[i]);
	}
	fputs("</tbody>\n</table>\n</details>\n", f);
}

static void
put_histogram(const struct gaps_report *r, FILE *f)
{
	if (r->in_buckets == 0)
		return;
	fputs("<h2>How long after the first copy</h2>\n<figure>\n", f);
	gaps_svg(r, f);
	fprintf(f, "<figcaption>Delays of %" PRIu64 " %s handed over again, on a logarithmic scale. The lines are timeouts that senders are "
	    "known to have; RFC 1047 asks for 5 minutes or more, RFC 5321 for 10.</figcaption>\n</figure>\n", r->in_buckets,
	    gaps_plural(r->in_buckets, "copy that was", "copies that were"));
	put_numbers(r, f);
}

/* Words of the terminal as a paragraph: a sentence. */
static void
put_words(FILE *f, const char *open, const char *words)
{
	char first[2] = { (char)toupper((unsigned char)words[0]) };

	if (words[0] == '\0')
		return;
	fprintf(f, "<p%s>", open);
	html_text(f, first);
	html_text(f, words + 1);
	fputs(words[strlen(words) - 1] == '.' ? "</p>" : ".</p>", f);
}

static void
put_hop(const struct gaps_hop *hop, FILE *f)
{
	char range[GAPS_SPAN], words[GAPS_WORDS];

	put_host(f, "<tr><th scope=\"row\" class=\"host\" data-label=\"Sender\">", gaps_sender(hop), "</th>");
	put_host(f, "<td class=\"host\" data-label=\"Receiver\">", gaps_receiver(hop), "</td>");
	fprintf(f, "<td class=\"number\" data-label=\"Copies\">%zu</td>\n<td class=\"delay\" data-label=\"Median delay, range\">", hop->n);
	put_delay(f, hop->dated > 0 ? hop->median : GAP_UNKNOWN);
	if (hop->dated > 0 && hop->shortest != hop->longest) {
		gaps_range_words(hop, range);
		fprintf(f, "<br><span class=\"note soft\">%s</span>", range);
	}
	fputs("</td>\n<td class=\"cause\" data-label=\"Likely cause\">", f);
	gaps_cause_words(hop, words);
	put_words(f, "", words);
	gaps_wait_words(hop, words);
	put_words(f, "", words);
	gaps_proof_words(hop, words);
	put_words(f, " class=\"note soft\"", words);
	fputs("</td></tr>\n", f);
}

static size_t
shown(const struct gaps_report *r)
{
	return r->hops_n < HOPS_MAX ? r->hops_n : HOPS_MAX;
}

static void
put_hops(const struct gaps_report *r, FILE *f)
{
	size_t i, rest = 0;

	if (r->hops_n == 0)
		return;
	fputs("<h2>Where copies were made</h2>\n<table id=\"hops\" class=\"stack\">\n<thead><tr><th scope=\"col\">Sender</th>"
	    "<th scope=\"col\">Receiver</th><th scope=\"col\">Copies</th><th scope=\"col\">Median delay, range</th>"
	    "<th scope=\"col\">Likely cause, and how it is known</th></tr></thead>\n<tbody>\n", f);
	for (i = 0; i < shown(r); i++)
		put_hop(&r->hops[i], f);
	fputs("</tbody>\n</table>\n", f);
	for (; i < r->hops_n; i++)
		rest += r->hops[i].n;
	if (rest > 0)
		fprintf(f, "<p class=\"note soft\">And %zu more at %zu other hops, each with fewer copies than these.</p>\n", rest,
		    r->hops_n - shown(r));
}

static void
put_newest(const struct gaps_hop *hop, FILE *f)
{
	const struct gaps_copy *copy;
	size_t i;

	element(f, "<section>\n<h3>", gaps_sender(hop), " to ");
	html_text(f, gaps_receiver(hop));
	fputs("</h3>\n<table class=\"small newest\">\n<thead><tr><th scope=\"col\">Arrived</th><th scope=\"col\">Delay</th>"
	    "<th scope=\"col\">Queue id</th></tr></thead>\n<tbody>\n", f);
	for (i = 0; i < hop->newest_n; i++) {
		copy = hop->newest[i];
		fputs("<tr><td>", f);
		put_time(f, copy->time);
		fputs("</td><td class=\"short\">", f);
		put_delay(f, copy->delay);
		element(f, "</td><td><code>", copy->queue_id[0] != '\0' ? copy->queue_id : "-", "</code></td></tr>\n");
	}
	fputs("</tbody>\n</table>\n</section>\n", f);
}

static void
put_examples(const struct gaps_report *r, FILE *f)
{
	size_t i;

	fprintf(f, "<h2>The newest copies</h2>\n<p>Of each hop the newest, at most %d. The queue id is the receiver's for the copy, where it "
	    "is known: it can be looked up in its log.</p>\n", GAPS_NEWEST);
	fputs("<div class=\"examples\">\n", f);
	for (i = 0; i < shown(r); i++)
		put_newest(&r->hops[i], f);
	fputs("</div>\n", f);
}

void
gaps_html(const struct gaps_report *r, FILE *f)
{
	put_head(r, f);
	fputs("<body>\n<main>\n", f);
	put_summary(r, f);
	put_histogram(r, f);
	put_hops(r, f);
	fputs(gaps_explanation, f);
	if (r->hops_n > 0) {
		put_examples(r, f);
		fputs(gaps_advice, f);
	}
	fputs("</main>\n<footer>\n<p>Made by <code>dedupdb gaps</code> of dedup-lda " DEDUP_LDA_VERSION " at ", f);
	put_time(f, r->now);
	fputs(" UTC. It names mail servers and their queue ids, and holds no addresses, subjects or Message-IDs.</p>\n</footer>\n</body>\n"
	    "</html>\n", f);
}
