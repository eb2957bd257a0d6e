/* The client's side of LMTP. */
#include <sys/socket.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lmtp_client.h"
#include "lmtp_reply.h"

#define MINUTE 60000	/* ms */
#define CONNECT_LIMIT (MINUTE / 2)
#define COMMAND_LIMIT (5 * MINUTE)
#define DATA_LIMIT (2 * MINUTE)
#define BLOCK_LIMIT (3 * MINUTE)
#define DOT_LIMIT (10 * MINUTE)
#define QUIT_LIMIT 1000
#define IN_BYTES 4096
#define OUT_BYTES 65536
#define SHOWN 300	/* bytes of a reply that an error repeats */

struct lmtp {
	int fd;
	const char *name;
	int64_t deadline_ms;
	bool idle;			/* QUIT can be said */
	bool pipelining, eight_bit, utf8, size;
	uint64_t size_max;		/* 0: no limit was told */
	struct lmtp_reply reply;	/* the last one */
	struct sink sink;
	bool line_start, cr;		/* of the message on its way */
	uint64_t *count;		/* bytes are counted, and go nowhere */
	size_t in_at, in_len, out_len;
	char in[IN_BYTES], out[OUT_BYTES];
};

static int trouble(const struct lmtp *c, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
trouble(const struct lmtp *c, struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, STATUS_TEMP, "lmtp:%.200s: %s", c->name, text);
}

/* What the server said of `what`. */
static int
refused(const struct lmtp *c, const char *what, bool to_recipient, struct err *err)
{
	char text[SHOWN];

	lmtp_reply_show(&c->reply, text, sizeof(text));
	return err_set(err, lmtp_reply_status(&c->reply, to_recipient), "lmtp:%.150s: to %s it says: %s", c->name, what, text);
}

static int64_t
until(const struct lmtp *c, int limit_ms)
{
	int64_t end = clock_ms() + limit_ms;

	return c->deadline_ms != 0 && c->deadline_ms < end ? c->deadline_ms : end;
}

static int
send_all(struct lmtp *c, const char *p, size_t len, struct err *err)
{
	int64_t end = until(c, BLOCK_LIMIT);
	ssize_t n;
	int got;

	while (len > 0) {
		n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return trouble(c, err, "the connection broke: %s", strerror(errno));
		got = host_wait(c->fd, POLLOUT, end);
		if (got == 0)
			return trouble(c, err, "it takes no more bytes");
		if (got == -1)
			return trouble(c, err, "poll: %s", strerror(errno));
	}
	return 0;
}

static int
flush(struct lmtp *c, struct err *err)
{
	size_t len = c->out_len;

	c->out_len = 0;
	return send_all(c, c->out, len, err);
}

static int
put(struct lmtp *c, const char *p, size_t len, struct err *err)
{
	if (c->count != NULL) {
		*c->count += len;
		return 0;
	}
	if (len > sizeof(c->out) - c->out_len && flush(c, err) == -1)
		return -1;
	if (len > sizeof(c->out))
		return send_all(c, p, len, err);
	memcpy(c->out + c->out_len, p, len);
	c->out_len += len;
	return 0;
}

/* Returns 0, or -1 with what is in the way of `what`. */
static int
receive(struct lmtp *c, const char *what, int64_t end, struct err *err)
{
	ssize_t n;
	int got;

	do {
		got = host_wait(c->fd, POLLIN, end);
		if (got == 0)
			return trouble(c, err, "no answer to %s in time", what);
		n = got == -1 ? -1 : recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT);
	} while (n == -1 && (errno == EAGAIN || errno == EINTR));
	if (n == -1)
		return trouble(c, err, "the connection broke before the answer to %s: %s", what, strerror(errno));
	if (n == 0)
		return trouble(c, err, "it closed the connection before the answer to %s", what);
	c->in_at = 0;
	c->in_len = (size_t)n;
	return 0;
}

/* Read one reply. The limit is for all of it, so that a server that sends a byte now and then does not hold up a delivery. */
static int
read_reply(struct lmtp *c, const char *what, int limit_ms, struct err *err)
{
	int64_t end = until(c, limit_ms);
	char line[LMTP_REPLY_LINE_MAX + 1];
	size_t len = 0;
	int got = 0;

	lmtp_reply_begin(&c->reply);
	while (got == 0) {
		if (c->in_at == c->in_len && receive(c, what, end, err) == -1)
			return -1;
		if (c->in[c->in_at] != '\n') {
			if (len == sizeof(line) - 1)
				return trouble(c, err, "the answer to %s is a line without an end", what);
			line[len++] = c->in[c->in_at++];
			continue;
		}
		c->in_at++;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		got = lmtp_reply_line(&c->reply, line, len);
		len = 0;
	}
	return got == 1 ? 0 : trouble(c, err, "the answer to %s is no answer of an LMTP server", what);
}

/* Send what waits, and read the answer to `what`. Returns its code, or -1. */
static int
ask(struct lmtp *c, const char *what, int limit_ms, struct err *err)
{
	if (flush(c, err) == -1 || read_reply(c, what, limit_ms, err) == -1)
		return -1;
	return c->reply.code;
}

static int command(struct lmtp *c, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
command(struct lmtp *c, struct err *err, const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return trouble(c, err, "a command would be too long");
	return put(c, line, (size_t)n, err);
}

static int
connect_to(struct lmtp *c, const struct sockaddr_storage *address, socklen_t len, int64_t end, struct err *err)
{
	int error = host_connect(&c->fd, address, len, end);

	return error == 0 ? 0 : trouble(c, err, "connect: %s", strerror(error));
}

static int
connect_any(struct lmtp *c, const struct lmtp_server *server, struct err *err)
{
	int64_t end = until(c, CONNECT_LIMIT);
	unsigned int i;

	for (i = 0; i < server->to.n; i++)
		if (connect_to(c, &server->to.at[i], server->to.len[i], end, err) == 0)
			return 0;
	return -1;
}

/* Our own name, which says nothing that counts. */
static void
host_name(char *name, size_t size)
{
	struct utsname host;
	size_t i;

	snprintf(name, size, "%s", uname(&host) == 0 ? host.nodename : "");
	for (i = 0; name[i] != '\0'; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", name[i]) == NULL)
			name[0] = '\0';
	if (name[0] == '\0')
		snprintf(name, size, "localhost");
}

static int
greet(struct lmtp *c, struct err *err)
{
	char name[65];
	const char *limit;

	if (read_reply(c, "the connection", COMMAND_LIMIT, err) == -1)
		return -1;
	if (c->reply.code != 220)
		return refused(c, "the connection", false, err);
	host_name(name, sizeof(name));
	if (command(c, err, "LHLO %s\r\n", name) == -1 || ask(c, "LHLO", COMMAND_LIMIT, err) == -1)
		return -1;
	if (c->reply.code != 250)
		return refused(c, "LHLO", false, err);
	c->pipelining = lmtp_reply_offers(&c->reply, "PIPELINING", NULL);
	c->eight_bit = lmtp_reply_offers(&c->reply, "8BITMIME", NULL);
	c->utf8 = lmtp_reply_offers(&c->reply, "SMTPUTF8", NULL);
	c->size = lmtp_reply_offers(&c->reply, "SIZE", &limit);
	/* The number may be left out (RFC 1870 section 4), and the next line may begin with one. */
	c->size_max = c->size && *limit >= '0' && *limit <= '9' ? strtoull(limit, NULL, 10) : 0;
	c->idle = true;
	return 0;
}

static int sink_write(void *arg, const void *buf, size_t len, struct err *err);

int
lmtp_connect(struct lmtp **out, const struct lmtp_server *server, const char *name, int64_t deadline_ms, struct err *err)
{
	struct lmtp *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return err_sys(err, "connect to LMTP server", NULL);
	c->fd = -1;
	c->name = name;
	c->deadline_ms = deadline_ms;
	c->sink = (struct sink){ sink_write, c };
	if (connect_any(c, server, err) == -1 || greet(c, err) == -1) {
		err_retry(err);		/* it is the server that is refused or refuses, not the message */
		lmtp_close(&c);
		return -1;
	}
	*out = c;
	return 0;
}

bool
lmtp_wants_size(const struct lmtp *c)
{
	return c->size;
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static int
put_mail(struct lmtp *c, const struct lmtp_transaction *e, struct err *err)
{
	bool utf8 = !is_ascii(e->sender) || !is_ascii(e->recipient);
	char size[32] = "";

	if (utf8 && !c->utf8)
		return err_set(err, STATUS_REFUSED, "lmtp:%.200s: it does not offer SMTPUTF8, which an address of this message needs",
		    c->name);
	if (c->size_max > 0 && e->size > c->size_max)
		return err_set(err, STATUS_REFUSED, "lmtp:%.200s: it takes %" PRIu64 " bytes at most, and this message has %" PRIu64,
		    c->name, c->size_max, e->size);
	if (c->size && e->size > 0)
		snprintf(size, sizeof(size), " SIZE=%" PRIu64, e->size);
	return command(c, err, "MAIL FROM:%s%s%s%s\r\n", e->sender, size, c->eight_bit ? " BODY=8BITMIME" : "", utf8 ? " SMTPUTF8" : "");
}

int
lmtp_begin(struct lmtp *c, const struct lmtp_transaction *e, struct err *err)
{
	struct err why = { .status = STATUS_OK };

	c->idle = false;
	if (put_mail(c, e, err) == -1)
		return -1;
	if (c->pipelining && command(c, err, "RCPT TO:%s\r\n", e->recipient) == -1)
		return -1;
	if (ask(c, "MAIL", COMMAND_LIMIT, err) == -1)
		return -1;
	if (c->reply.code != 250)
		refused(c, "MAIL", false, &why);
	if (!c->pipelining && why.status == STATUS_OK && command(c, err, "RCPT TO:%s\r\n", e->recipient) == -1)
		return -1;
	if ((c->pipelining || why.status == STATUS_OK) && ask(c, "RCPT", COMMAND_LIMIT, err) == -1)
		return -1;
	c->idle = true;
	if (why.status != STATUS_OK) {
		*err = why;
		return -1;
	}
	return c->reply.code / 100 == 2 ? 0 : refused(c, "RCPT", true, err);
}

int
lmtp_data(struct lmtp *c, struct err *err)
{
	if (command(c, err, "DATA\r\n") == -1 || ask(c, "DATA", DATA_LIMIT, err) == -1)
		return -1;
	if (c->reply.code != 354) {
		/* 2xx would have it wait for a message that we do not send */
		c->idle = c->reply.code >= 400;
		return c->idle ? refused(c, "DATA", true, err) : trouble(c, err, "the answer to DATA is %d, not 354", c->reply.code);
	}
	c->idle = false;
	c->line_start = true;
	c->cr = false;
	return 0;
}

/* LF becomes CRLF, and a dot at the start of a line is doubled (RFC 5321 section 4.5.2). So no bare LF is ever sent, which some servers
 * would take for the end of a line and others not. */
static int
sink_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct lmtp *c = arg;
	const char *p = buf, *end = p + len, *lf;
	size_t run;

	while (p < end) {
		if (c->line_start && *p == '.' && c->count == NULL && put(c, ".", 1, err) == -1)
			return -1;
		lf = memchr(p, '\n', (size_t)(end - p));
		run = (size_t)((lf != NULL ? lf : end) - p);
		if (put(c, p, run, err) == -1)
			return -1;
		if (run > 0)
			c->cr = p[run - 1] == '\r';
		c->line_start = lf != NULL;
		p += run;
		if (lf == NULL)
			continue;
		if (put(c, c->cr ? "\n" : "\r\n", c->cr ? 1 : 2, err) == -1)
			return -1;
		c->cr = false;
		p++;
	}
	return 0;
}

const struct sink *
lmtp_sink(struct lmtp *c)
{
	return &c->sink;
}

static int
end_line(struct lmtp *c, struct err *err)
{
	return c->line_start ? 0 : put(c, "\r\n", 2, err);
}

int
lmtp_end(struct lmtp *c, struct err *err)
{
	if (end_line(c, err) == -1 || put(c, ".\r\n", 3, err) == -1 || ask(c, "the message", DOT_LIMIT, err) == -1)
		return -1;
	c->idle = true;
	if (c->reply.code / 100 == 2)
		return 0;
	if (c->reply.code >= 400)
		return refused(c, "the message", true, err);
	return trouble(c, err, "the answer to the message is %d", c->reply.code);
}

void
lmtp_close(struct lmtp **out)
{
	struct lmtp *c = *out;

	if (c == NULL)
		return;
	if (c->fd != -1) {
		if (c->idle && command(c, NULL, "QUIT\r\n") == 0)
			(void)ask(c, "QUIT", QUIT_LIMIT, NULL);
		close(c->fd);
	}
	free(c);
	*out = NULL;
}

int
lmtp_size(uint64_t *size, int (*copy)(void *arg, const struct sink *to, struct err *err), void *arg, struct err *err)
{
	struct lmtp *c = calloc(1, sizeof(*c));
	int ret;

	*size = 0;
	if (c == NULL)
		return err_sys(err, "count message", NULL);
	c->count = size;
	c->line_start = true;
	c->sink = (struct sink){ sink_write, c };
	ret = copy(arg, &c->sink, err);
	if (ret == 0)
		ret = end_line(c, err);
	free(c);
	return ret;
}
