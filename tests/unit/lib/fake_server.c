/* A server that says what a test wants. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"

#define TEXT_MAX 65536
#define RULES_MAX 16

/* How long the first whole command is, or 0: more has to come. */
static size_t
command_len(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	long words, bytes;
	char *next;

	if (memchr(text, '\n', len) == NULL)
		return 0;
	words = strtol(p + 1, &next, 10);
	p = next + 2;
	for (; words > 0; words--) {
		if (p >= end || memchr(p, '\n', (size_t)(end - p)) == NULL)
			return 0;
		bytes = strtol(p + 1, &next, 10);
		p = next + 2 + bytes + 2;
	}
	return p <= end ? (size_t)(p - text) : 0;
}

static bool
applies(const char *word, bool *used, const char *command, size_t len)
{
	bool once = strncmp(word, "1 ", 2) == 0, now;

	word += once ? 2 : 0;
	now = memmem(command, len, word, strlen(word)) != NULL && !(once && *used);
	*used = *used || now;
	return now;
}

/* Returns false if the connection is to be closed. */
static bool
answer(int fd, const char *command, size_t len, const struct fake_rule *rules)
{
	static bool used[RULES_MAX];
	size_t i;

	for (i = 0; rules->word != NULL; rules++, i++)
		if (applies(rules->word, &used[i], command, len))
			break;
	if (rules->word == NULL)
		return write(fd, "+OK\r\n", 5) == 5;
	if (rules->answer == NULL)
		return true;
	return rules->answer[0] != '\0' && write(fd, rules->answer, strlen(rules->answer)) > 0;
}

static void
serve(int fd, const struct fake_rule *rules)
{
	static char text[TEXT_MAX];
	size_t len = 0, one;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
		text[len] = '\0';
		while ((one = command_len(text, len)) > 0) {
			if (!answer(fd, text, one, rules))
				return;
			memmove(text, text + one, len - one + 1);
			len -= one;
		}
	}
}

void
fake_server_start(struct fake_server *s, const struct fake_rule *rules)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	if (bind(listener, (struct sockaddr *)&in, sizeof(in)) == -1 || listen(listener, 8) == -1 ||
	    getsockname(listener, (struct sockaddr *)&in, &len) == -1)
		abort();
	s->port = ntohs(in.sin_port);
	s->pid = fork();
	if (s->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		while ((fd = accept(listener, NULL, NULL)) != -1) {
			serve(fd, rules);
			close(fd);
		}
		_exit(1);
	}
	close(listener);
}

void
fake_server_stop(struct fake_server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}

const char *
fake_server_info(const char *version, const char *lines)
{
	static char text[512];
	char body[400];

	snprintf(body, sizeof(body), "# Server\r\nredis_version:%s\r\nrole:master\r\nmaxmemory:0\r\naof_enabled:1\r\n%s", version, lines);
	snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(body), body);
	return text;
}
