/* Dates are read word by word: each word says by its form which part it is. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "fs.h"
#include "mail_date.h"

#define WORD 40		/* bytes; a longer word is no part of a date */
#define ANY 9999	/* no number in a date is larger */

struct parts {
	int day, month, year;	/* 0: not seen yet; January is 1 */
	int hour, minute, second;
	int zone;		/* minutes east of UTC */
	bool time, zoned;
};

static int
digits(const char **p)
{
	int n = 0;

	while (isdigit((unsigned char)**p)) {
		if (n <= ANY)
			n = 10 * n + **p - '0';
		(*p)++;
	}
	return n;
}

/* "+0100", "-05:00", "+1"; a name may follow without a blank. */
static void
zone_word(struct parts *d, const char *word)
{
	int sign = *word == '-' ? -1 : 1, hours, minutes = 0;
	size_t len = strspn(word + 1, "0123456789");

	word++;
	hours = digits(&word);
	if (len > 2) {
		minutes = hours % 100;
		hours /= 100;
	} else if (*word == ':') {
		word++;
		minutes = digits(&word);
	}
	if (d->zoned || len == 0 || len > 4 || minutes > 59 || (*word != '\0' && !isalpha((unsigned char)*word)))
		return;
	d->zone = sign * (hours * 60 + minutes);
	d->zoned = true;
}

static void
zone_name(struct parts *d, const char *word)
{
	static const struct { const char *name; int hours; } zones[] = {
		{ "Z", 0 }, { "UT", 0 }, { "UTC", 0 }, { "GMT", 0 }, { "WET", 0 },
		{ "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 },
		{ "AST", -4 }, { "ADT", -3 }, { "AKST", -9 }, { "AKDT", -8 }, { "HST", -10 },
		{ "BST", 1 }, { "WEST", 1 }, { "CET", 1 }, { "MET", 1 }, { "MEZ", 1 }, { "CEST", 2 }, { "MEST", 2 }, { "MESZ", 2 },
		{ "EET", 2 }, { "EEST", 3 }, { "MSK", 3 }, { "MSD", 4 }, { "JST", 9 }, { "KST", 9 }, { "AEST", 10 }, { "AEDT", 11 },
		{ "NZST", 12 }, { "NZDT", 13 },
	};
	size_t len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), i;

	for (i = 0; !d->zoned && i < sizeof(zones) / sizeof(zones[0]); i++)
		if (strlen(zones[i].name) == len && strncasecmp(word, zones[i].name, len) == 0) {
			d->zone = 60 * zones[i].hours;
			d->zoned = word[len] == '\0';
			break;
		}
	if (len > 0 && d->zone == 0 && (word[len] == '+' || word[len] == '-'))	/* "GMT+0200" */
		zone_word(d, word + len);
}

/* What stands behind the time without a blank, or in a word of its own. */
static void
time_suffix(struct parts *d, const char *word)
{
	if (strcasecmp(word, "PM") == 0)
		d->hour += d->hour < 12 ? 12 : 0;
	else if (strcasecmp(word, "AM") == 0)
		d->hour %= 12;
	else if ((*word == '+' || *word == '-') && !isalpha((unsigned char)word[1]))
		zone_word(d, word);
	else
		zone_name(d, word + (*word == '-'));	/* "12:00:00-EST" */
}

/* "12:00", "12:00:00", "12:00:00.123Z" */
static void
clock_word(struct parts *d, const char *word)
{
	int hour = digits(&word), minute = 0, second = 0;

	if (d->time || *word++ != ':' || !isdigit((unsigned char)*word))
		return;
	minute = digits(&word);
	if (*word == ':') {
		word++;
		second = digits(&word);
		if (*word == '.')
			word += 1 + strspn(word + 1, "0123456789");
	}
	if (hour > 23 || minute > 59 || second > 60 || (*word != '\0' && !isalpha((unsigned char)*word) && *word != '+' && *word != '-'))
		return;
	d->hour = hour;
	d->minute = minute;
	d->second = second;
	d->time = true;
	time_suffix(d, word);
}

/* RFC 5322 section 4.3; years with more digits count from 1900 as well, behind a "19" of their own: "19100" is 2000. */
static void
year_word(struct parts *d, const char *word)
{
	size_t len = strspn(word, "0123456789");
	int n;

	if (len == 5 && strncmp(word, "191", 3) == 0) {
		word += 2;
		len = 3;
	}
	n = digits(&word);
	if (*word != '\0' || d->year != 0)
		return;
	if (len == 4)
		d->year = n;
	else if (len == 3)
		d->year = 1900 + n;
	else if (len == 2)
		d->year = n < 50 ? 2000 + n : 1900 + n;
}

static void
month_word(struct parts *d, const char *word, size_t len)
{
	static const char *const months[] = { "january", "february", "march", "april", "may", "june", "july", "august", "september",
		"october", "november", "december" };
	int i;

	for (i = 0; len >= 3 && d->month == 0 && i < 12; i++)
		if (strncasecmp(word, months[i], len) == 0)
			d->month = i + 1;
}

static void
day_number(struct parts *d, int n)
{
	if (d->day == 0 && n >= 1 && n <= 31)
		d->day = n;
}

/* "2026-11-20", "2026-11-20T12:00:00Z", "20-Nov-2026" */
static void
dashed_word(struct parts *d, const char *word)
{
	const char *dash = strchr(word, '-'), *second = strchr(dash + 1, '-');
	int first = digits(&word), n;

	if (second == NULL || word != dash)
		return;
	word = dash + 1;
	if (isalpha((unsigned char)*word)) {
		day_number(d, first);
		month_word(d, word, (size_t)(second - word));
		year_word(d, second + 1);
		return;
	}
	n = digits(&word);
	if (word != second || first < 1000 || n < 1 || n > 12)
		return;
	d->year = first;
	d->month = n;
	word++;
	day_number(d, digits(&word));
	if (*word == 'T')
		clock_word(d, word + 1);
}

static void
number_word(struct parts *d, const char *word)
{
	size_t len = strspn(word, "0123456789");
	const char *p = word;

	if (word[len] != '\0')
		return;
	if (len <= 2 && d->day == 0)
		day_number(d, digits(&p));
	else if (len == 4 || d->month != 0)
		year_word(d, word);
}

static void
word_read(struct parts *d, const char *word, bool comment)
{
	const char *colon = strchr(word, ':'), *dash = strchr(word, '-');

	if (comment || !isdigit((unsigned char)*word)) {
		if (!comment)
			month_word(d, word, strlen(word));
		if (d->time)
			time_suffix(d, word);
	} else if (dash != NULL && (colon == NULL || dash < colon))
		dashed_word(d, word);
	else if (colon != NULL)
		clock_word(d, word);
	else
		number_word(d, word);
}

static int64_t
seconds(const struct parts *d)
{
	if (d->day == 0 || d->month == 0 || d->year < 1970 || !d->time)
		return 0;
	return clock_of_day(d->year, d->month, d->day) + 3600 * d->hour + 60 * (d->minute - d->zone) + d->second;
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
		if (c != '(' && c != ')' && c != ',' && c != '\0' && !isspace((unsigned char)c)) {
			if (n < WORD)
				word[n] = c;
			n += n <= WORD;
			continue;
		}
		if (n > 0 && n <= WORD)
			word_read(&d, word, depth > 0);
		memset(word, 0, sizeof(word));
		n = 0;
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
	}
	return seconds(&d);
}
