#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lmtp.h"

#define REPLY_MAX 4096

/* Read n whole replies (RFC 5321, 4.2.1: all lines but the last have a hyphen behind the code). Returns the code of the last, or -1. */
static int
read_replies(int fd, int n)
{
	char buf[REPLY_MAX];
	size_t start = 0, len = 0;
	int code = -1;
	ssize_t got;
	char *lf;

	while (n > 0) {
		got = len < sizeof(buf) ? recv(fd, buf + len, sizeof(buf) - len, 0) : -1;
		if (got <= 0)
			return -1;
		len += (size_t)got;
		while (n > 0 && (lf = memchr(buf + start, '\n', len - start)) != NULL) {
			if (lf - (buf + start) < 4)
				return -1;
			if (buf[start + 3] != '-') {
				code = atoi(buf + start);
				n--;
			}
			start = (size_t)(lf + 1 - buf);
		}
	}
	return code;
}

static int
send_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
	}
	return 0;
}

int
lmtp_connect(const char *path)
{
	static const char hello[] = "LHLO bench.example.org\r\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 || read_replies(fd, 1) != 220 ||
	    send_all(fd, hello, sizeof(hello) - 1) == -1 || read_replies(fd, 1) != 250) {
		close(fd);
		return -1;
	}
	return fd;
}

int
lmtp_deliver(int fd, const char *recipient, const char *header, size_t header_len, int body, size_t body_len)
{
	char envelope[512];
	int code, len = snprintf(envelope, sizeof(envelope), "MAIL FROM:<alice@example.net>\r\nRCPT TO:<%s>\r\nDATA\r\n", recipient);
	off_t from = 0;

	if (send_all(fd, envelope, (size_t)len) == -1)
		return -1;
	code = read_replies(fd, 3);
	if (code != 354)
		return code;
	if (send_all(fd, header, header_len) == -1)
		return -1;
	while (from < (off_t)body_len)
		if (sendfile(fd, body, &from, body_len - (size_t)from) <= 0)
			return -1;
	return send_all(fd, ".\r\n", 3) == -1 ? -1 : read_replies(fd, 1);
}
