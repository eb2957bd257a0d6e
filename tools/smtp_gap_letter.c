/*
 * The messages that smtp-gap sends: they say what they are, and ask every program not to answer.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "smtp_gap.h"
#include "version.h"

#define LOGIN 33
#define ADDRESS (LOGIN + 1 + GAP_NAME)
#define DATE 64

/* Who runs this, as the local part of an address. */
static void
login(char name[LOGIN])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const struct passwd *pw = getpwuid(getuid());

	if (pw != NULL && pw->pw_name[0] != '\0' && pw->pw_name[strspn(pw->pw_name, plain)] == '\0' && strlen(pw->pw_name) < LOGIN)
		snprintf(name, LOGIN, "%s", pw->pw_name);
	else
		snprintf(name, LOGIN, "smtp-gap");
}

static void
author(const struct gap_plan *plan, char text[ADDRESS])
{
	char name[LOGIN];

	login(name);
	if (plan->sender[0] != '\0')
		snprintf(text, ADDRESS, "%s", plan->sender);
	else
		snprintf(text, ADDRESS, "%s@%s", name, plan->helo);
}

/* Header and text, up to where it is filled up. Returns its length, or -1. */
static int
compose(const struct gap_plan *plan, unsigned int n, unsigned int total, size_t size, char *text, size_t room)
{
	char from[ADDRESS], date[DATE], length[AGE_TEXT];
	time_t now = time(NULL);
	struct tm tm;

	author(plan, from);
	size_text(size, length);
	if (localtime_r(&now, &tm) == NULL || strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", &tm) == 0)
		return -1;
	return snprintf(text, room,
	    "Date: %s\r\nFrom: <%s>\r\nTo: <%s>\r\n"
	    "Subject: smtp-gap: test message %u of %u, %s, please ignore\r\n"
	    "Message-ID: <%s.%u.smtp-gap@%s>\r\n"
	    "Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\nX-Auto-Response-Suppress: All\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
	    "X-Mailer: smtp-gap (dedup-lda) %s\r\n\r\n"
	    "A test of this mail server, run by its sender: how long does it take\r\n"
	    "to answer after the end of a message (RFC 1047)? Nobody needs to read,\r\n"
	    "answer or keep this.\r\n\r\n",
	    date, from, plan->recipient, n, total, length, plan->run, n, plan->helo, DEDUP_LDA_VERSION);
}

/* Lines up to exactly len bytes. They begin with a dot, as no line may be taken for the end of the message (RFC 5321 4.5.2). */
static void
fill_up(char *p, size_t len)
{
	static const char ruler[] = "....+....1....+....2....+....3....+....4....+....5....+....6....+....7..\r\n";
	size_t n;

	while (len > 0) {
		n = len < sizeof(ruler) - 1 ? len : sizeof(ruler) - 1;
		if (len - n == 1)
			n--;	/* no line is shorter than its end */
		memcpy(p, ruler, n);
		p[n - 2] = '\r';
		p[n - 1] = '\n';
		p += n;
		len -= n;
	}
}

char *
gap_letter(const struct gap_plan *plan, unsigned int n, unsigned int total, size_t size, struct fault *f)
{
	char *text = malloc(size + 1);
	int len;

	if (text == NULL) {
		fault_set(f, EX_OSERR, "no memory for a message of %zu bytes", size);
		return NULL;
	}
	len = compose(plan, n, total, size, text, size + 1);
	if (len < 0 || (size_t)len > size || (size_t)len == size - 1) {
		fault_set(f, EX_USAGE, "a message of %zu bytes has no room for its own header of %d: use larger sizes", size, len);
		free(text);
		return NULL;
	}
	fill_up(text + len, size - (size_t)len);
	return text;
}
