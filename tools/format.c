/*
 * How bytes, times, ages and sizes are written, and times are read.
 */
#include <stdlib.h>
#include <errno.h>
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "fs.h"
#include "output.h"

/* Not even UTF-8 is let through: its C1 controls and direction marks can make a terminal lie. */
void
escaped(FILE *to, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '\\')
			fputs("\\\\", to);
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			putc(p[i], to);
		else
			fprintf(to, "\\x%02x", p[i]);
	}
}

void
escaped_text(FILE *to, const char *text)
{
	escaped(to, text, strlen(text));
}

void
age_text(int64_t seconds, char text[AGE_TEXT])
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;
	int64_t n;
	int len;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	len = snprintf(text, AGE_TEXT, "%lld%c", (long long)n, units[i].unit);
	seconds -= n * units[i].seconds;
	if (i < 3 && (n = seconds / units[i + 1].seconds) > 0)
		snprintf(text + len, (size_t)(AGE_TEXT - len), " %lld%c", (long long)n, units[i + 1].unit);
}

void
size_text(uint64_t bytes, char text[AGE_TEXT])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(text, AGE_TEXT, "%u bytes", (unsigned)bytes);
		return;
	}
	while (n >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0])) {
		n /= 1024;
		i++;
	}
	snprintf(text, AGE_TEXT, "%.1f %s", n, units[i]);
}

void
time_text(int64_t t, bool utc, char text[AGE_TEXT])
{
	time_t when = (time_t)t;
	struct tm tm;
	long offset, minutes;
	size_t len;

	if ((utc ? gmtime_r(&when, &tm) : localtime_r(&when, &tm)) == NULL || tm.tm_year > 8099 || tm.tm_year < -1900) {
		snprintf(text, AGE_TEXT, "@%lld", (long long)t);	/* a damaged clock or record */
		return;
	}
	len = strftime(text, AGE_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	offset = tm.tm_gmtoff;
	minutes = (offset < 0 ? -offset : offset) / 60 % 6000;
	if (utc)
		snprintf(text + len, AGE_TEXT - len, "Z");
	else
		snprintf(text + len, AGE_TEXT - len, "%c%02ld:%02ld", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* Exactly `digits` digits, at most max. Returns the number, or -1; *p moves behind them. */
static int
number(const char **p, int digits, int max)
{
	int n = 0;

	while (digits-- > 0) {
		if (!isdigit((unsigned char)**p))
			return -1;
		n = n * 10 + *(*p)++ - '0';
	}
	return n <= max ? n : -1;
}

static bool
take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* "", "Z", "+01:00" or "+0100". Returns 0 or -1; *local says that none was given. */
static int
parse_zone(const char *p, bool *local, int *offset)
{
	int hours, minutes, sign = *p == '-' ? -1 : 1;

	*local = *p == '\0';
	*offset = 0;
	if (*local || strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return 0;
	if (*p != '+' && *p != '-')
		return -1;
	p++;
	hours = number(&p, 2, 23);
	take(&p, ':');
	minutes = number(&p, 2, 59);
	*offset = sign * (hours * 3600 + minutes * 60);
	return hours == -1 || minutes == -1 || *p != '\0' ? -1 : 0;
}

/* 2026-11-20[T12:00[:00]][zone], RFC 3339 with what people leave out. */
static int
parse_iso(const char *p, int64_t *t)
{
	struct tm tm, day;
	bool local;
	int offset;

	memset(&tm, 0, sizeof(tm));
	tm.tm_year = number(&p, 4, 9999);
	if (tm.tm_year == -1 || !take(&p, '-') || (tm.tm_mon = number(&p, 2, 12)) < 1 || !take(&p, '-') ||
	    (tm.tm_mday = number(&p, 2, 31)) < 1)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	if (take(&p, 'T') || take(&p, ' ')) {
		if ((tm.tm_hour = number(&p, 2, 23)) == -1 || !take(&p, ':') || (tm.tm_min = number(&p, 2, 59)) == -1)
			return -1;
		if (take(&p, ':') && (tm.tm_sec = number(&p, 2, 60)) == -1)
			return -1;
	}
	if (parse_zone(p, &local, &offset) == -1)
		return -1;
	day = tm;
	day.tm_hour = 12;
	timegm(&day);
	if (day.tm_mon != tm.tm_mon)
		return -1;	/* 31 February */
	tm.tm_isdst = -1;
	*t = local ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm) - offset;
	return 0;
}

int
time_parse(const char *text, int64_t now, int64_t *t)
{
	char *end;

	if (text[0] == '@' && isdigit((unsigned char)text[1])) {
		errno = 0;
		*t = strtoll(text + 1, &end, 10);
		return errno == 0 && *end == '\0' ? 0 : -1;
	}
	if (parse_iso(text, t) == 0)
		return 0;
	/* a bare number would be a year to one and seconds to another */
	if (text[strspn(text, "0123456789")] == '\0' || duration_parse(text, t) == -1)
		return -1;
	*t = now - *t;
	return 0;
}
