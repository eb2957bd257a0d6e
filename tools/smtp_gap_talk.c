/*
 * SMTP as smtp-gap speaks it (RFC 5321), with SIZE (RFC 1870) and STARTTLS (RFC 3207). Its messages are lines of ASCII, so they need
 * no 8BITMIME, and it waits for each answer, so that PIPELINING does not blur what it measures.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "output.h"
#include "smtp_gap_line.h"
#include "smtp_gap_talk.h"

#define COMMAND_S 300	/* for each answer: RFC 5321 4.5.3.2 has up to 5 min before the final dot */
#define CONNECT_S 30	/* for each address, as there may be another one */
#define QUIT_S 10
#define LINES 100	/* of one reply */
#define REPLY 1024	/* bytes that are kept of it */
#define COMMAND 1024
#define CHUNK 16384

struct talk {
	const struct gap_plan *plan;
	struct line *line;
	char host[GAP_NAME];
	uint64_t limit;		/* SIZE; 0: none */
	bool size, starttls;	/* offered */
	bool deaf;		/* there is nobody who would hear a QUIT */
};

struct reply {
	int code;		/* three digits */
	char text[REPLY];	/* its lines with their codes, joined by " / ", cut; any bytes but NUL */
	size_t len;
};

static int64_t
within(int64_t seconds)
{
	return gap_now() + seconds * GAP_SECOND;
}

static void
show(const struct talk *talk, const char *mark, const char *bytes, size_t len)
{
	if (!talk->plan->verbose)
		return;
	fputs(mark, stderr);
	escaped(stderr, bytes, len);
	putc('\n', stderr);
}

static void
keep(struct reply *reply, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && reply->len < sizeof(reply->text) - 1; i++)
		reply->text[reply->len++] = (char)(bytes[i] != '\0' ? bytes[i] : '?');
}

/* The code of a reply's line, or -1. *last: no line follows. */
static int
line_code(const char *text, int len, bool *last)
{
	if (len < 3 || text[0] < '2' || text[0] > '5' || !isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]))
		return -1;
	if (len > 3 && text[3] != ' ' && text[3] != '-')
		return -1;
	*last = len == 3 || text[3] == ' ';
	return (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0';
}

/* `each` is called for every line, with what follows the code, unless it is NULL. */
static int
read_reply(struct talk *talk, struct reply *reply, int64_t deadline, void (*each)(struct talk *, const char *), struct fault *f)
{
	char text[LINE_ROOM + 1];
	bool last = false;
	int code, len, lines = 0;

	memset(reply, 0, sizeof(*reply));
	while (!last) {
		len = line_read(talk->line, text, deadline, f);
		if (len == -1)
			return -1;
		show(talk, "<- ", text, (size_t)len);
		text[len] = '\0';
		if (reply->len > 0)
			keep(reply, " / ", 3);
		keep(reply, text, (size_t)len);
		code = line_code(text, len, &last);
		if (code == -1 || (reply->code != 0 && code != reply->code))
			return fault_set(f, EX_PROTOCOL, "this is no SMTP reply: %s", reply->text);
		if (++lines == LINES)
			return fault_set(f, EX_PROTOCOL, "a reply of more than %d lines", LINES);
		if (each != NULL && len > 4)
			each(talk, text + 4);
		reply->code = code;
	}
	return 0;
}

/* Is it what was wanted: a reply that begins with this digit? Returns 0 or -1. */
static int
check(const struct reply *reply, int wanted, int refusal, struct fault *f)
{
	int kind = reply->code / 100;

	if (kind == wanted)
		return 0;
	return fault_set(f, kind == 4 ? EX_TEMPFAIL : kind == 5 ? refusal : EX_PROTOCOL, "the server said: %s", reply->text);
}

/* Send a command and read its reply, whatever that is. Returns 0, or -1: there was none. */
static int
command(struct talk *talk, const char *text, struct reply *reply, void (*each)(struct talk *, const char *), struct fault *f)
{
	int64_t deadline = within(COMMAND_S);
	char line[COMMAND];
	size_t len = strlen(text);
	int rc = -1;

	if (len + 2 > sizeof(line))
		return fault_set(f, EX_USAGE, "a command of more than %zu bytes", sizeof(line));
	show(talk, "-> ", text, len);
	memcpy(line, text, len);
	memcpy(line + len, "\r\n", 2);
	/* who can't be written to may have said why */
	if (line_write(talk->line, line, len + 2, deadline, f) == 0 || line_heard(talk->line))
		rc = read_reply(talk, reply, deadline, each, f);
	if (rc == -1)
		talk->deaf = true;
	return rc == -1 ? fault_about(f, "%s", text) : 0;
}

/* The same, when only one kind of reply will do. `refusal` is the exit code for a 5xx. */
static int
order(struct talk *talk, const char *text, int wanted, int refusal, struct fault *f)
{
	struct reply reply = { 0 };

	if (command(talk, text, &reply, NULL, f) == -1)
		return -1;
	return check(&reply, wanted, refusal, f) == -1 ? fault_about(f, "%s", text) : 0;
}

/* RFC 1870 section 4 has up to 20 digits, of which JSON can't write all; anything else is no limit. */
static uint64_t
size_limit(const char *text)
{
	unsigned long long limit = isdigit((unsigned char)*text) ? strtoull(text, NULL, 10) : 0;

	return limit < INT64_MAX ? limit : INT64_MAX;
}

static void
extension(struct talk *talk, const char *text)
{
	static const char size[] = "SIZE", starttls[] = "STARTTLS";
	size_t word = strcspn(text, " ");

	if (word == sizeof(size) - 1 && strncasecmp(text, size, word) == 0) {
		talk->size = true;
		talk->limit = text[word] == ' ' ? size_limit(text + word + 1) : 0;
	} else if (word == sizeof(starttls) - 1 && strncasecmp(text, starttls, word) == 0)
		talk->starttls = true;
}

static int
greet(struct talk *talk, struct fault *f)
{
	struct reply reply;

	if (read_reply(talk, &reply, within(COMMAND_S), NULL, f) == 0)
		return check(&reply, 2, EX_UNAVAILABLE, f) == -1 ? fault_about(f, "greeting") : 0;
	talk->deaf = true;
	return fault_about(f, "greeting");
}

/* A server that knows no EHLO is told HELO. */
static int
hello(struct talk *talk, struct fault *f)
{
	struct reply reply = { 0 };
	char text[COMMAND];

	talk->size = talk->starttls = false;
	talk->limit = 0;
	snprintf(text, sizeof(text), "EHLO %s", talk->plan->helo);
	if (command(talk, text, &reply, extension, f) == -1)
		return -1;
	if (reply.code / 100 != 5)
		return check(&reply, 2, EX_UNAVAILABLE, f) == -1 ? fault_about(f, "%s", text) : 0;
	talk->size = talk->starttls = false;
	snprintf(text, sizeof(text), "HELO %s", talk->plan->helo);
	return order(talk, text, 2, EX_UNAVAILABLE, f);
}

static int
starttls(struct talk *talk, struct fault *f)
{
	static const char text[] = "STARTTLS";
	enum gap_tls wanted = talk->plan->tls;
	struct reply reply = { 0 };

	if (wanted == GAP_TLS_OFF || (wanted == GAP_TLS_MAY && !talk->starttls))
		return 0;
	if (!talk->starttls)
		return fault_set(f, EX_UNAVAILABLE, "the server offers no STARTTLS");
	if (command(talk, text, &reply, NULL, f) == -1)
		return -1;
	if (reply.code / 100 != 2 && wanted == GAP_TLS_MAY)
		return 0;	/* RFC 3207 section 4: the session goes on */
	if (check(&reply, 2, EX_UNAVAILABLE, f) == -1)
		return fault_about(f, text);
	if (line_starttls(talk->line, talk->host, wanted == GAP_TLS_VERIFY, within(COMMAND_S), f) == -1) {
		talk->deaf = true;
		return fault_about(f, text);
	}
	return hello(talk, f);	/* what was offered in the clear is forgotten */
}

static int
connect_first(struct talk *talk, const struct gap_places *places, struct gap_result *result, struct fault *f)
{
	for (size_t i = 0; i < places->n; i++) {
		snprintf(talk->host, sizeof(talk->host), "%s", places->place[i].host);
		gap_address(&places->place[i], result->address);
		if (line_connect(&talk->line, &places->place[i], within(CONNECT_S), f) == 0) {
			f->code = EX_OK;	/* of those before */
			return 0;
		}
		fault_about(f, "%s [%s]:%s", talk->host, result->address, talk->plan->port);
	}
	result->address[0] = '\0';
	return -1;
}

int
talk_open(struct talk **talk, const struct gap_plan *plan, const struct gap_places *places, struct gap_result *result, struct fault *f)
{
	struct talk *t = calloc(1, sizeof(*t));

	*talk = t;
	if (t == NULL)
		return fault_set(f, EX_OSERR, "no memory");
	t->plan = plan;
	if (connect_first(t, places, result, f) == -1)
		return -1;
	snprintf(result->host, sizeof(result->host), "%s", t->host);
	snprintf(result->port, sizeof(result->port), "%s", plan->port);
	if (greet(t, f) == -1 || hello(t, f) == -1 || starttls(t, f) == -1)
		return -1;
	snprintf(result->tls, sizeof(result->tls), "%s", line_tls(t->line));
	result->limit = t->limit;
	return 0;
}

static int
envelope(struct talk *talk, size_t size, struct fault *f)
{
	char text[COMMAND], option[32] = "";

	if (talk->size)
		snprintf(option, sizeof(option), " SIZE=%zu", size);
	snprintf(text, sizeof(text), "MAIL FROM:<%s>%s", talk->plan->sender, option);
	if (order(talk, text, 2, EX_UNAVAILABLE, f) == -1)
		return -1;
	snprintf(text, sizeof(text), "RCPT TO:<%s>", talk->plan->recipient);
	if (order(talk, text, 2, EX_NOUSER, f) == -1)
		return -1;
	return order(talk, "DATA", 3, EX_UNAVAILABLE, f);
}

/* The next bytes of a text, a dot added where a line begins with one (RFC 5321 4.5.2). Returns how many bytes of the text they are. */
static size_t
stuff(const char *text, size_t len, bool *line_start, char out[CHUNK], size_t *out_len)
{
	size_t i, n = 0;

	for (i = 0; i < len && n + 2 <= CHUNK; i++) {
		if (*line_start && text[i] == '.')
			out[n++] = '.';
		out[n++] = text[i];
		*line_start = text[i] == '\n';
	}
	*out_len = n;
	return i;
}

/* The text, but for the final dot, until the other side's system has it. Returns 0 or -1. */
static int
send_text(struct talk *talk, const char *text, size_t size, struct fault *f)
{
	bool line_start = true;
	char chunk[CHUNK];
	size_t len, taken;

	while (size > 0) {
		taken = stuff(text, size, &line_start, chunk, &len);
		if (line_write(talk->line, chunk, len, within(COMMAND_S), f) == -1)
			return -1;
		text += taken;
		size -= taken;
	}
	return line_drain(talk->line, within(COMMAND_S), f);
}

/* Nothing may come before the final dot. What does is the reason why it is not sent. */
static int
too_early(struct talk *talk, struct fault *f)
{
	struct reply reply;

	talk->deaf = true;
	if (read_reply(talk, &reply, within(COMMAND_S), NULL, f) == 0)
		check(&reply, 0, EX_UNAVAILABLE, f);
	return fault_about(f, "before the final dot");
}

static int
final_dot(struct talk *talk, int64_t *us, struct fault *f)
{
	static const char dot[] = ".\r\n";
	int64_t began = gap_now(), took;
	struct reply reply = { 0 };
	int rc;

	show(talk, "-> ", dot, 1);
	rc = line_write(talk->line, dot, sizeof(dot) - 1, within(COMMAND_S), f);
	if (rc == 0)
		rc = read_reply(talk, &reply, began + talk->plan->timeout * GAP_SECOND, NULL, f);
	took = gap_now() - began;
	if (rc == -1)
		talk->deaf = true;
	else if (check(&reply, 2, EX_UNAVAILABLE, f) == -1)
		return fault_about(f, "%.4f s after the final dot", (double)took / GAP_SECOND);
	*us = took;
	return rc == -1 ? fault_about(f, "%.4f s after the final dot", (double)took / GAP_SECOND) : 0;
}

int
talk_message(struct talk *talk, const char *text, size_t size, int64_t *us, struct fault *f)
{
	*us = -1;
	if (envelope(talk, size, f) == -1)
		return -1;
	if (send_text(talk, text, size, f) == -1 && !line_heard(talk->line)) {
		talk->deaf = true;
		return fault_about(f, "the text");
	}
	return line_heard(talk->line) ? too_early(talk, f) : final_dot(talk, us, f);
}

int64_t
talk_round_trip(const struct talk *talk)
{
	return talk->line == NULL ? -1 : line_round_trip(talk->line);
}

void
talk_close(struct talk **talk)
{
	static const char quit[] = "QUIT\r\n";
	struct talk *t = *talk;
	struct reply reply;
	struct fault f;

	if (t == NULL)
		return;
	if (t->line != NULL && !t->deaf) {
		show(t, "-> ", quit, 4);
		if (line_write(t->line, quit, sizeof(quit) - 1, within(QUIT_S), &f) == 0)
			read_reply(t, &reply, within(QUIT_S), NULL, &f);
	}
	line_close(&t->line);
	free(t);
	*talk = NULL;
}
