/* The Received field of the LMTP server. */
#include <stdio.h>
#include <time.h>

#include "lmtpd_site.h"

#define TO_MAX 300	/* bytes; a longer address is left out, as RFC 5322 wants lines of 998 at most */

char *
lmtpd_received(const struct lmtp_envelope *e, const char *peer, const char *hostname, const char *to, int64_t now)
{
	/* strftime(3) would use the names of a locale */
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)now;
	struct tm tm;
	char *field, recipient[TO_MAX + 16] = "";

	if (gmtime_r(&t, &tm) == NULL)
		return NULL;
	if (to != NULL && snprintf(recipient, sizeof(recipient), "\n\tfor <%s>", to) >= (int)sizeof(recipient))
		recipient[0] = '\0';
	if (asprintf(&field, "Received: from %s%s%s\n\tby %s with LMTP id %s%s;\n\t%s, %d %s %d %02d:%02d:%02d +0000\n", e->client,
	    peer[0] != '\0' ? " " : "", peer, hostname, e->id, recipient, days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec) == -1)
		return NULL;
	return field;
}
