/* What went wrong, in words, and the clock. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "smtp_gap.h"

int64_t
gap_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * GAP_SECOND + ts.tv_nsec / 1000;
}

int
fault_set(struct fault *f, int code, const char *fmt, ...)
{
	va_list ap;

	f->code = code;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
fault_about(struct fault *f, const char *fmt, ...)
{
	char text[GAP_FAULT];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text) - 2)
		return -1;
	snprintf(text + len, sizeof(text) - (size_t)len, ": %.*s", (int)(sizeof(text) - 3 - (size_t)len), f->text);
	memcpy(f->text, text, sizeof(text));
	return -1;
}
