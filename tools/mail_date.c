/* Dates are read word by word: each word says by its form which part it is. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mail_date.h"

#define WORD 16		/* bytes; a longer word is no part of a date */

struct parts {
	int day, month, year;	/* 0: not seen yet; January is 1 */
	int hour, minute, second;
	int zone;		/* minutes east of UTC */
	bool time;
};

static int
digits(const char **p)
{
	int n = 0;

	while (isdigit((unsigned char)**p))
		n = 10 * n + *(*p)++ - '0';
	return n;
}

static void
clock_word(struct parts *d, const char *word)
{
	int hour = digits(&word), minute = 0, second = 0;

	if (*word++ != ':' || !isdigit((unsigned char)*word))
		return;
	minute = digits(&word);
	if (*word == ':') {
		word++;
		second = digits(&word);
	}
	if (*word != '\0' || hour > 23 || minute > 59 || second > 60)
		return;
	d->hour = hour;
	d->minute = minute;
	d->second = second;
	d->time = true;
}

static void
zone_word(struct parts *d, const char *word)
{
	int sign = *word == '-' ? -1 : 1, n;

	if (strlen(word) != 5 || strspn(word + 1, "0123456789") != 4)
		return;
	word++;
	n = digits(&word);
	d->zone = sign * (n / 100 * 60 + n % 100);
}

static void
number_word(struct parts *d, const char *word)
{
	size_t len = strspn(word, "0123456789");
	int n;

	if (word[len] != '\0' || len > 4)
		return;
	n = digits(&word);
	if (len <= 2 && d->day == 0 && n >= 1 && n <= 31)
		d->day = n;
	else if (len == 4 && d->year == 0)
		d->year = n;
	else if (len == 2 && d->year == 0 && d->month != 0)	/* RFC 5322 section 4.3 */
		d->year = n < 50 ? 2000 + n : 1900 + n;
}

static void
name_word(struct parts *d, const char *word)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	static const struct { const char *name; int hours; } zones[] = {
		{ "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 }, { "PST", -8 },
		{ "PDT", -7 }, { "CET", 1 }, { "CEST", 2 }, { "EET", 2 }, { "EEST", 3 }, { "BST", 1 },
	};
	size_t i;

	for (i = 0; strlen(word) == 3 && d->month == 0 && i < 12; i++)
		if (strncasecmp(word, months + 3 * i, 3) == 0)
			d->month = (int)i + 1;
	for (i = 0; d->time && i < sizeof(zones) / sizeof(zones[0]); i++)
		if (strcasecmp(word, zones[i].name) == 0)
			d->zone = 60 * zones[i].hours;
}

static void
word_read(struct parts *d, const char *word)
{
	if (strchr(word, ':') != NULL)
		clock_word(d, word);
	else if ((*word == '+' || *word == '-') && d->time)
		zone_word(d, word);
	else if (isdigit((unsigned char)*word))
		number_word(d, word);
	else
		name_word(d, word);
}

static int64_t
seconds(const struct parts *d)
{
	struct tm tm = { .tm_mday = d->day, .tm_mon = d->month - 1, .tm_year = d->year - 1900, .tm_hour = d->hour,
		.tm_min = d->minute, .tm_sec = d->second };

	if (d->day == 0 || d->month == 0 || d->year < 1970 || !d->time)
		return 0;
	return (int64_t)timegm(&tm) - 60 * (int64_t)d->zone;
}

int64_t
mail_date(const char *text, size_t len)
{
	struct parts d = { 0 };
	char word[WORD + 1] = "";
	size_t i, n = 0;	/* bytes of the word, up to one too many */
	int depth = 0;
	char c;

	for (i = 0; i <= len; i++) {
		c = i < len ? text[i] : ' ';
		if (c == '(')
			depth++;
		if (depth == 0 && !isspace((unsigned char)c) && c != ',') {
			if (n < WORD)
				word[n] = c;
			n += n <= WORD;
		} else if (n > 0) {
			if (n <= WORD)
				word_read(&d, word);
			memset(word, 0, sizeof(word));
			n = 0;
		}
		if (c == ')' && depth > 0)
			depth--;
	}
	return seconds(&d);
}
