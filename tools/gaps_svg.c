/*
 * The histogram of the page. Places along the axis of time are in percent and heights in pixels, so that the drawing is as wide as the
 * screen while its letters keep their size.
 */
#include <inttypes.h>

#include "gaps_page.h"

#define TOP 48		/* pixels: above the bars, for the names of the marks */
#define HEIGHT 180	/* of the highest bar */
#define BOTTOM 28	/* below the axis */
#define LEFT 6.0	/* percent: for numbers */

struct scale {
	size_t first, last;
	double step;	/* percent of the width that one bucket takes */
	uint64_t highest;
};

static double
place(const struct scale *s, size_t bucket)
{
	return LEFT + (double)(bucket - s->first) * s->step;
}

/* 1, 2 or 5 times a power of ten, so that there are two to five lines. */
static uint64_t
grid_step(uint64_t highest)
{
	uint64_t step = 1;

	for (;;) {
		if (highest <= 4 * step)
			return step;
		if (highest <= 8 * step)
			return 2 * step;
		if (highest <= 20 * step)
			return 5 * step;
		step *= 10;
	}
}

static void
draw_grid(const struct scale *s, FILE *f)
{
	uint64_t step = grid_step(s->highest), n;
	double y;

	for (n = step; n <= s->highest; n += step) {
		y = TOP + HEIGHT * (1 - (double)n / (double)s->highest);
		fprintf(f, "<line class=\"grid\" x1=\"%.2f%%\" y1=\"%.1f\" x2=\"100%%\" y2=\"%.1f\"/>\n", LEFT, y, y);
		fprintf(f, "<text class=\"count\" x=\"%.2f%%\" y=\"%.1f\">%" PRIu64 "</text>\n", LEFT - 1, y + 4, n);
	}
}

static void
draw_marks(const struct scale *s, FILE *f)
{
	size_t i;
	int mark;
	double x;

	for (i = s->first; i <= s->last; i++) {
		mark = gaps_mark_at(i);
		if (mark == -1)
			continue;
		x = place(s, i);
		/* one is higher, the next lower: on a phone they are close together */
		fprintf(f, "<line class=\"mark\" x1=\"%.2f%%\" y1=\"%d\" x2=\"%.2f%%\" y2=\"%d\"/>\n", x, mark % 2 == 0 ? 18 : 36, x,
		    TOP + HEIGHT);
		fprintf(f, "<text class=\"mark\" x=\"%.2f%%\" y=\"%d\">%dm</text>\n", x, mark % 2 == 0 ? 12 : 30,
		    (int)(gaps_marks[mark] / 60));
	}
}

static void
draw_bars(const struct scale *s, const struct gaps_report *r, FILE *f)
{
	double height;
	size_t i;

	for (i = s->first; i <= s->last; i++) {
		if (r->buckets[i] == 0)
			continue;
		height = HEIGHT * (double)r->buckets[i] / (double)s->highest;
		if (height < 2)
			height = 2;
		fprintf(f, "<rect class=\"bar\" x=\"%.2f%%\" y=\"%.1f\" width=\"%.2f%%\" height=\"%.1f\"/>\n", place(s, i) + s->step * 0.1,
		    TOP + HEIGHT - height, s->step * 0.8, height);
	}
}

/* A few, so that their names have room on a phone even when all buckets are there. */
static void
draw_axis(const struct scale *s, FILE *f)
{
	static const struct {
		int64_t edge;
		const char *name;
	} ticks[] = { { 1, "1s" }, { 10, "10s" }, { 60, "1m" }, { 600, "10m" }, { 3600, "1h" }, { 86400, "1d" }, { 604800, "7d" } };
	size_t i, k;

	fprintf(f, "<line class=\"axis\" x1=\"%.2f%%\" y1=\"%d\" x2=\"100%%\" y2=\"%d\"/>\n", LEFT, TOP + HEIGHT, TOP + HEIGHT);
	for (i = s->first; i <= s->last; i++)
		for (k = 0; k < sizeof(ticks) / sizeof(ticks[0]); k++)
			if (gaps_edges[i] == ticks[k].edge)
				fprintf(f, "<text class=\"tick\" x=\"%.2f%%\" y=\"%d\">%s</text>\n", place(s, i),
				    TOP + HEIGHT + 19, ticks[k].name);
}

static void
describe(const struct gaps_report *r, FILE *f)
{
	uint64_t before = 0;
	size_t i;

	for (i = 0; i < GAPS_BUCKETS && gaps_edges[i] < RFC5321_WAIT; i++)
		before += r->buckets[i];
	fprintf(f, "<title>How long after the first copy the next one came</title>\n"
	    "<desc>A histogram of %" PRIu64 " %s on a logarithmic scale, with lines at 1, 2, 5 and 10 minutes. "
	    "%" PRIu64 " came within 10 minutes. The table below has its numbers.</desc>\n", r->in_buckets,
	    gaps_plural(r->in_buckets, "delay", "delays"), before);
}

void
gaps_svg(const struct gaps_report *r, FILE *f)
{
	struct scale s = { .highest = gaps_highest(r) };

	gaps_range(r, &s.first, &s.last);
	s.step = (100 - LEFT) / (double)(s.last - s.first + 1);
	fprintf(f, "<svg role=\"img\" width=\"100%%\" height=\"%d\">\n", TOP + HEIGHT + BOTTOM);
	describe(r, f);
	draw_grid(&s, f);
	draw_bars(&s, r, f);
	draw_marks(&s, f);
	draw_axis(&s, f);
	fputs("</svg>\n", f);
}
