/* What the server tells systemd. */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lmtpd_notify.h"

static struct sockaddr_un to;	/* of this process; no family: nobody */
static socklen_t to_len;

void
lmtpd_notify_start(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path != NULL ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	to.sun_family = AF_UNIX;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';	/* the abstract name space */
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
lmtpd_notify(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int fd, n;

	if (to_len == 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (n > 0 && n < (int)sizeof(text))
		(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len);
	close(fd);
}
