/* The client's side of LMTP. */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "trace.h"

#define PATIENCE_S 40	/* more than a delivery waits for a lock */

static bool
connect_to(struct client *c, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = PATIENCE_S };

	c->out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->out == -1)
		die("socket");
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)setsockopt(c->out, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(c->out, (struct sockaddr *)&un, sizeof(un)) == -1) {
		close(c->out);
		return false;
	}
	c->in = fdopen(c->out, "r");
	if (c->in == NULL)
		die("fdopen");
	return true;
}

/* The last line of a reply. Returns whether it begins so. */
static bool
reply_is(struct client *c, const char *code)
{
	do {
		if (c->in == NULL || fgets(c->reply, sizeof(c->reply), c->in) == NULL) {
			c->reply[0] = '\0';
			return false;
		}
		c->reply[strcspn(c->reply, "\r\n")] = '\0';
	} while (c->reply[0] != '\0' && c->reply[3] == '-');
	return strncmp(c->reply, code, strlen(code)) == 0;
}

static void
send_all(struct client *c, const char *bytes, size_t len)
{
	ssize_t n;

	while (c->in != NULL && len > 0) {
		n = send(c->out, bytes, len, MSG_NOSIGNAL);
		if (n == -1 && errno != EINTR)
			return;		/* the missing reply will tell */
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static bool
say(struct client *c, const char *command, const char *argument, const char *code)
{
	char line[CLIENT_REPLY];
	int n = snprintf(line, sizeof(line), "%s%s\r\n", command, argument);

	send_all(c, line, (size_t)n);
	return reply_is(c, code);
}

bool
client_open(struct client *c, const char *socket)
{
	memset(c, 0, sizeof(*c));
	return connect_to(c, socket) && reply_is(c, "220") && say(c, "LHLO", " crash.example", "250");
}

bool
client_begin(struct client *c, const char *to)
{
	char path[CLIENT_REPLY];

	snprintf(path, sizeof(path), ":<%.400s>", to);
	return say(c, "MAIL FROM:<sender@crash.example>", "", "250") && say(c, "RCPT TO", path, "250") && say(c, "DATA", "", "354");
}

void
client_text(struct client *c, const char *text, size_t len, bool last)
{
	char *bytes;
	size_t i, size;
	FILE *f = open_memstream(&bytes, &size);

	if (f == NULL)
		die("send a text");
	for (i = 0; i < len; i++) {
		if (text[i] == '\n')
			putc('\r', f);
		putc(text[i], f);
	}
	if (last)
		fputs(".\r\n", f);
	if (fclose(f) == EOF)
		die("send a text");
	send_all(c, bytes, size);
	free(bytes);
}

bool
client_answer(struct client *c)
{
	return reply_is(c, "250");
}

void
client_close(struct client *c)
{
	char rest[CLIENT_REPLY];

	if (c->in == NULL)
		return;
	send_all(c, "QUIT\r\n", 6);
	while (fgets(rest, sizeof(rest), c->in) != NULL)
		;
	fclose(c->in);
	c->in = NULL;
}

bool
client_deliver(struct client *c, const char *socket, const char *to, const char *text, size_t len)
{
	bool taken = client_open(c, socket) && client_begin(c, to);

	if (taken) {
		client_text(c, text, len, true);
		taken = client_answer(c);
	}
	client_close(c);
	return taken;
}
