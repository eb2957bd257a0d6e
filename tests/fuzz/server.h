/*
 * What the fuzzers of clients share: a server that the client can connect to, and what it said, read in another way than the client does.
 */
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H

#include <sys/socket.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* A Unix socket without a name in the file system. Returns it, listening; fills its address. */
static inline int
server_listen(struct sockaddr_storage *address, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd != -1);
	*len = sizeof(*address);
	address->ss_family = AF_UNIX;
	must(bind(fd, (struct sockaddr *)address, sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0);
	must(getsockname(fd, (struct sockaddr *)address, len) == 0);
	return fd;
}

static inline int
code_at(const char *line, const char *lf)
{
	bool digits = lf - line >= 3 && isdigit((unsigned char)line[0]) && isdigit((unsigned char)line[1]) && isdigit((unsigned char)line[2]);

	return digits ? atoi(line) : 0;
}

/* The k-th reply of what was said: the code that all of its lines have, or 0; *end is what follows it, NULL if there are not so many. */
static inline int
nth_reply(const uint8_t *said, size_t len, size_t k, const uint8_t **end)
{
	const char *line = (const char *)said, *last = line + len, *lf;
	int code = -1;

	for (; line < last && (lf = memchr(line, '\n', (size_t)(last - line))) != NULL; line = lf + 1) {
		code = code == -1 || code == code_at(line, lf) ? code_at(line, lf) : 0;
		if (lf - line >= 4 && line[3] == '-')
			continue;
		*end = (const uint8_t *)lf + 1;
		if (k-- == 0)
			return code;
		code = -1;
	}
	*end = NULL;
	return 0;
}

static inline int
nth_code(const uint8_t *said, size_t len, size_t k)
{
	const uint8_t *end;

	return nth_reply(said, len, k, &end);
}

#endif
