/*
 * What a mail server says to smtp-gap: any bytes for its replies. Each command is sent after a reply that allows it, the final dot after
 * nothing else was said, and a gap is measured only if the answer to it was 2xx.
 *
 * Input: what the server says, in pieces with a NUL between them. It says the next ones as long as it owes a reply or the rest of one, and
 * hangs up when it has no more.
 */
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sysexits.h>

#include "server.h"
#include "smtp_gap_talk.h"

#define TEXT "Subject: s\r\n\r\n.x\r\n..\r\nend\r\n"
#define WIRE "Subject: s\r\n\r\n..x\r\n...\r\nend\r\n.\r\n"
#define ROOM 65536

struct server {
	struct input in;
	uint8_t said[ROOM];
	size_t said_len;
	char heard[ROOM];
	size_t heard_len;
	size_t said_before;	/* the final dot was heard: so many bytes */
};

/* What was heard, one command after the other; the final dot is one, too. */
struct heard {
	const struct server *s;
	const char *next;	/* what is not read yet */
	size_t n;		/* of the command; the reply to it is the n-th, as the greeting is number 0 */
	bool text, tls;		/* what follows is a text, or no SMTP */
	size_t dot;		/* the number of the final dot; 0: not yet */
};

static int listener = -1;
static struct gap_places places = { .n = 1 };

static int
code(const struct server *s, size_t n)
{
	return nth_code(s->said, s->said_len, n);
}

/* The next command, up to its line end, or NULL. */
static const char *
next_command(struct heard *h)
{
	const char *line = h->next, *lf;

	for (; !h->tls && (lf = strchr(line, '\n')) != NULL; line = h->next) {
		h->next = lf + 1;
		if (h->text && strncmp(line, ".\r\n", 3) != 0)
			continue;
		h->n++;
		if (h->text)
			h->dot = h->n;
		h->text = !h->text && strncmp(line, "DATA\r\n", 6) == 0 && code(h->s, h->n) / 100 == 3;
		h->tls = strncmp(line, "STARTTLS\r\n", 10) == 0 && code(h->s, h->n) / 100 == 2;
		return line;
	}
	return NULL;
}

/* How many replies it owes. */
static size_t
owes(struct server *s)
{
	struct heard h = { .s = s, .next = s->heard };

	while (next_command(&h) != NULL)
		;
	if (h.dot != 0 && s->said_before == 0)
		s->said_before = s->said_len;
	return h.tls && *h.next != '\0' ? SIZE_MAX : h.n + 1;
}

/* Would a client wait for more: for a reply that it has not, or for the rest of one? */
static bool
waited_for(struct server *s)
{
	const uint8_t *end, *last = s->said;
	size_t n = 0;

	for (; nth_reply(s->said, s->said_len, n, &end), end != NULL; n++)
		last = end;
	return n < owes(s) || last < s->said + s->said_len;
}

static void
say(struct server *s, int fd)
{
	while (waited_for(s) && s->in.left > 0) {
		char *piece = input_text(&s->in);
		size_t len = strlen(piece);

		must(s->said_len + len <= ROOM);
		memcpy(s->said + s->said_len, piece, len);
		s->said_len += len;
		(void)send(fd, piece, len, MSG_NOSIGNAL);
		free(piece);
	}
	if (waited_for(s))
		(void)shutdown(fd, SHUT_WR);
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(listener, NULL, NULL);
	ssize_t n;

	must(fd != -1);
	do {
		say(s, fd);
		n = recv(fd, s->heard + s->heard_len, ROOM - 1 - s->heard_len, 0);
		s->heard_len += n > 0 ? (size_t)n : 0;
		s->heard[s->heard_len] = '\0';
	} while (n > 0);
	close(fd);
	return NULL;
}

/* Does that reply offer SIZE? */
static bool
offers_size(const struct server *s, size_t n)
{
	const uint8_t *p = s->said, *end, *lf;

	if (n > 0)
		nth_reply(s->said, s->said_len, n - 1, &p);
	nth_reply(s->said, s->said_len, n, &end);
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf - p > 8 && strncasecmp((const char *)p + 4, "SIZE", 4) == 0 && (p[8] == ' ' || (p[8] == '\r' && p + 9 == lf)))
			return true;
		if (lf - p == 8 && strncasecmp((const char *)p + 4, "SIZE", 4) == 0)
			return true;
	}
	return false;
}

/* A command, and whether what was said before it allows it; hello is the number of the one whose reply counts. */
static void
check_command(const struct server *s, const char *line, const struct heard *h, size_t hello)
{
	int before = code(s, h->n - 1), kind = before / 100;

	must(before >= 200 && before <= 599);
	if (strncmp(line, "EHLO fuzz\r\n", 11) == 0)
		must(h->n == 1 && kind == 2);
	else if (strncmp(line, "HELO fuzz\r\n", 11) == 0)
		must(h->n == 2 && kind == 5);
	else if (strncmp(line, "STARTTLS\r\n", 10) == 0)
		must(h->n == 2 && kind == 2);
	else if (strncmp(line, "MAIL FROM:<a@fuzz.example>", 26) == 0)
		must(code(s, hello) / 100 == 2 && (strncmp(line + 26, " SIZE=", 6) == 0) == (hello == 1 && offers_size(s, hello)));
	else if (strncmp(line, "RCPT TO:<b@fuzz.example>\r\n", 26) == 0 || strncmp(line, "DATA\r\n", 6) == 0)
		must(kind == 2);
	else if (strncmp(line, ".\r\n", 3) == 0)
		must(kind == 3 && strncmp(line - (sizeof(WIRE) - 4), WIRE, sizeof(WIRE) - 1) == 0);
	else
		must(strncmp(line, "QUIT\r\n", 6) == 0);
}

/* All of them. Returns the number of the final dot, or 0. */
static size_t
check_heard(const struct server *s)
{
	struct heard h = { .s = s, .next = s->heard };
	const uint8_t *end;
	const char *line;
	size_t hello = 1;

	while ((line = next_command(&h)) != NULL) {
		if (strncmp(line, "HELO", 4) == 0)
			hello = 2;
		check_command(s, line, &h, hello);
	}
	if (h.dot == 0)
		return 0;
	nth_reply(s->said, s->said_before, h.dot - 1, &end);
	must(end == s->said + s->said_before);
	return h.dot;
}

/* One message to it. Returns what talk_message() does. */
static int
measure(struct gap_result *result, int64_t *us)
{
	static const struct gap_plan plan = {
		.recipient = "b@fuzz.example", .sender = "a@fuzz.example", .helo = "fuzz", .port = "25", .timeout = 900, .tls = GAP_TLS_MAY,
	};
	struct talk *talk;
	int rc;

	*us = -1;
	rc = talk_open(&talk, &plan, &places, result, &result->fault);
	if (rc == 0)
		rc = talk_message(talk, TEXT, strlen(TEXT), us, &result->fault);
	talk_close(&talk);
	must(talk == NULL);
	return rc;
}

static void
judge(const struct server *s, int rc, int64_t us, const struct gap_result *result)
{
	size_t dot = check_heard(s);

	must((rc == 0) == (result->fault.code == EX_OK));
	must(result->limit <= INT64_MAX);
	if (rc == 0)
		must(us >= 0 && dot != 0 && code(s, dot) / 100 == 2);
	else if (us >= 0)
		must(dot != 0 && result->fault.text[0] != '\0');
	else
		must(result->fault.text[0] != '\0' && (dot == 0 || (code(s, dot) >= 300 && code(s, dot) <= 599)));
	must(memchr(result->fault.text, '\0', sizeof(result->fault.text)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server s;
	static struct gap_result result;
	pthread_t server;
	int64_t us;
	int rc;

	if (size > ROOM / 2)
		return 0;
	if (listener == -1) {
		signal(SIGPIPE, SIG_IGN);
		listener = server_listen(&places.place[0].addr, &places.place[0].len);
		strcpy(places.place[0].host, "fuzz.example");
	}
	s = (struct server){ .in = { data, size } };
	result = (struct gap_result){ .round_trip = -1 };
	must(pthread_create(&server, NULL, serve, &s) == 0);
	rc = measure(&result, &us);
	must(pthread_join(server, NULL) == 0);
	judge(&s, rc, us, &result);
	return 0;
}
