/* How far long work is. Not more than a few times a second: a terminal is slower than a ledger. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "output.h"
#include "progress.h"

#define EVERY_MS 200		/* on a terminal */
#define EVERY_LINE_MS 5000	/* elsewhere */
#define BAR 20			/* characters */

static int64_t shown_at;

void
progress(const char *what, uint64_t n)
{
	int64_t now;

	if (n % 64 != 0 || !isatty(STDERR_FILENO))
		return;
	now = clock_ms();
	if (shown_at == 0)
		shown_at = now;
	if (now - shown_at < EVERY_MS)
		return;
	shown_at = now;
	fprintf(stderr, "\r%llu %s", (unsigned long long)n, what);
	fflush(stderr);
}

void
progress_begin(struct progress *p, const char *title, const char *what, uint64_t total)
{
	p->title = title;
	p->what = what;
	p->total = total;
	p->began = clock_ms();
	p->next = p->began + (isatty(STDERR_FILENO) ? EVERY_MS : EVERY_LINE_MS);
}

static void
show(const struct progress *p, uint64_t n, uint64_t done, bool terminal, int64_t now)
{
	static const char full[] = "####################", empty[] = "....................";
	int64_t ms = now - p->began > 0 ? now - p->began : 1;
	double share = p->total == 0 || done > p->total ? 1 : (double)done / (double)p->total;
	char left[AGE_TEXT] = "?";
	int bar = (int)(share * BAR);

	if (share > 0)
		age_text((int64_t)((double)ms / 1000 * (1 - share) / share), left);
	if (terminal)
		fprintf(stderr, "\r[%.*s%.*s] ", bar, full, BAR - bar, empty);
	else
		fprintf(stderr, "dedupdb: %s: ", p->title);
	fprintf(stderr, "%d %%, %" PRIu64 " %s, %.0f/s, %s left%s", (int)(share * 100), n, p->what, (double)n * 1000 / (double)ms,
	    left, terminal ? "\033[K" : "\n");
	fflush(stderr);
}

void
progress_at(struct progress *p, uint64_t n, uint64_t done)
{
	int64_t now = clock_ms();
	bool terminal;

	if (now < p->next)
		return;
	terminal = isatty(STDERR_FILENO) == 1;
	show(p, n, done, terminal, now);
	shown_at = terminal ? now : 0;
	p->next = now + (terminal ? EVERY_MS : EVERY_LINE_MS);
}

void
progress_end(void)
{
	if (shown_at != 0 && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	shown_at = 0;
}
