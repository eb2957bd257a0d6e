/*
 * Durations: one is taken only if it is a number with one unit behind it, and then it is that many seconds.
 */
#include "config.h"
#include "fuzz.h"

#define LONGEST (100 * INT64_C(365) * 86400)	/* s, as dedup-lda.conf(5) says */

/* The same with floating numbers; -1: it is no duration. */
static double
seconds_of(const char *text)
{
	static const char units[] = "smhdw";
	static const double seconds[] = { 1, 60, 3600, 86400, 604800 };
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] == '\0' ? units : strchr(units, text[digits]);
	double number = 0;

	if (digits == 0 || unit == NULL || strlen(text + digits) > 1)
		return -1;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	number *= seconds[unit - units];
	return number > (double)LONGEST ? -1 : number;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *text = input_text(&in);
	int64_t seconds = -1;
	double want = seconds_of(text);

	must((duration_parse(text, &seconds) == 0) == (want >= 0));
	must((double)seconds == want);
	free(text);
	return 0;
}
