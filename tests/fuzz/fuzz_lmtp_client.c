/*
 * What another machine says: any bytes for the replies of an LMTP server. Either a dialogue that ends well, in which each answer was one
 * that it may rest on, or one clear error; never more of those bytes in it than printable ASCII, and no command that an address made.
 *
 * Input: the sender, a NUL, the recipient, a NUL, then all that the server ever says. It says that at once, and hangs up.
 */
#include <pthread.h>

#include "address.h"
#include "lmtp_client.h"
#include "lmtp_reply.h"
#include "server.h"

#define BODY "Subject: s\n\n.x\r\n..\nend"
#define WIRE "Subject: s\r\n\r\n..x\r\n...\r\nend\r\n.\r\n"

static struct {
	struct lmtp_server server;
	int listener;
} at = { .listener = -1 };

struct said {
	const uint8_t *p;
	size_t len;
	char heard[65536];
	size_t heard_len;
};

static void
listen_once(void)
{
	if (at.listener != -1)
		return;
	at.listener = server_listen(&at.server.to.at[0], &at.server.to.len[0]);
	at.server.to.n = 1;
}

static void *
serve(void *arg)
{
	struct said *s = arg;
	int fd = accept(at.listener, NULL, NULL);
	ssize_t n;

	must(fd != -1);
	(void)send(fd, s->p, s->len, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	while (s->heard_len < sizeof(s->heard) - 1 && (n = recv(fd, s->heard + s->heard_len, sizeof(s->heard) - 1 - s->heard_len, 0)) > 0)
		s->heard_len += (size_t)n;
	s->heard[s->heard_len] = '\0';
	close(fd);
	return NULL;
}

static int
talk(const struct lmtp_transaction *e, struct err *err)
{
	struct lmtp *c;
	int ret = -1;

	if (lmtp_connect(&c, &at.server, "test", 0, err) == -1) {
		must(c == NULL && err->status == STATUS_TEMP);
		return -1;
	}
	if (lmtp_begin(c, e, err) == 0 && lmtp_data(c, err) == 0 &&
	    lmtp_sink(c)->write(lmtp_sink(c)->arg, BODY, strlen(BODY), err) == 0)
		ret = lmtp_end(c, err);
	lmtp_close(&c);
	must(c == NULL);
	return ret;
}

static void
check_taken(const struct said *s)
{
	must(nth_code(s->p, s->len, 0) == 220 && nth_code(s->p, s->len, 1) == 250 && nth_code(s->p, s->len, 2) == 250);
	must(nth_code(s->p, s->len, 3) / 100 == 2 && nth_code(s->p, s->len, 4) == 354 && nth_code(s->p, s->len, 5) / 100 == 2);
	must(strstr(s->heard, "\r\nDATA\r\n" WIRE) != NULL);
}

/* A path ends where it should: outside of quotes there is one '>', and nothing of the address follows it. */
static void
check_path(const char *line, const char *lf, bool last)
{
	bool quoted = false;
	size_t ends = 0;

	for (; line < lf; line++) {
		if (quoted && *line == '\\')
			line++;
		else if (*line == '"')
			quoted = !quoted;
		else if (!quoted && *line == '>') {
			ends++;
			must(!last || line[1] == '\r');
		}
	}
	must(ends == 1 && !quoted);
}

/* Whatever the addresses are, each line that was heard is one of ours, and came once. */
static void
check_heard(const struct said *s)
{
	static const char *const ours[] = { "LHLO ", "MAIL FROM:<", "RCPT TO:<", "DATA\r\n", "QUIT\r\n" };
	const char *p = s->heard, *data = strstr(p, "\r\nDATA\r\n" WIRE), *lf;
	bool seen[sizeof(ours) / sizeof(ours[0])] = { false };
	size_t i;

	for (; *p != '\0' && (data == NULL || p < data + 8); p = lf + 1) {
		lf = strchr(p, '\n');
		must(lf != NULL && lf > p && lf[-1] == '\r');
		for (i = 0; i < sizeof(ours) / sizeof(ours[0]) && strncmp(p, ours[i], strlen(ours[i])) != 0; i++)
			;
		must(i < sizeof(ours) / sizeof(ours[0]) && !seen[i]);
		seen[i] = true;
		if (i == 1 || i == 2)
			check_path(p, lf, i == 2);
	}
}

static void
check_error(const struct err *err)
{
	must(err->text[0] != '\0' && err->status != STATUS_OK);
	for (const char *p = err->text; *p != '\0'; p++)
		must(*p >= ' ' && *p <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct said s;
	struct input in = { data, size };
	char *sender = input_text(&in), *recipient = input_text(&in), from[ADDRESS_PATH_MAX], to[ADDRESS_PATH_MAX];
	struct lmtp_transaction e = { .sender = from, .recipient = to };
	struct err err = { .text = "" };
	pthread_t server;

	if (address_path(from, sender) == 0 && address_path(to, recipient) == 0) {
		listen_once();
		s = (struct said){ .p = in.p, .len = in.left };
		must(pthread_create(&server, NULL, serve, &s) == 0);
		if (talk(&e, &err) == 0) {
			must(pthread_join(server, NULL) == 0);
			check_taken(&s);
		} else {
			must(pthread_join(server, NULL) == 0);
			check_error(&err);
		}
		check_heard(&s);
	}
	free(sender);
	free(recipient);
	return 0;
}
