/*
 * take FOLDER: what a message is handed to in the tests of hand-overs. Its standard input becomes a file in FOLDER/new, which is a Maildir.
 * take -l SOCKET FOLDER: the same as an LMTP server, one connection after the other, with as little of LMTP as our client needs.
 *
 * A file is there with all of its message or not at all. FOLDER may be put back to an earlier state at any time.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A line of the dialogue, or "" at the end. */
static const char *
read_line(FILE *in, char *line, int size)
{
	return fgets(line, size, in) != NULL ? line : "";
}

/* Copy up to the end, or the dot. False: it ended too early. */
static bool
copy(FILE *in, FILE *out, bool dot)
{
	static char line[70000];
	const char *p;
	size_t n;

	if (!dot) {
		while ((n = fread(line, 1, sizeof(line), in)) > 0)
			if (fwrite(line, 1, n, out) != n)
				fail("write");
		return true;
	}
	while ((p = read_line(in, line, sizeof(line)))[0] != '\0' && strcmp(p, ".\r\n") != 0) {
		line[strcspn(line, "\r")] = '\0';
		fprintf(out, "%s\n", line + (line[0] == '.'));
	}
	return p[0] != '\0';
}

/* Take one message. False: it was not whole. */
static bool
take(FILE *in, const char *folder, bool dot)
{
	char part[PATH_MAX], whole[PATH_MAX];
	struct timespec now;
	FILE *out;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(part, sizeof(part), "%s/tmp/%ld.%09ld.%ld", folder, (long)now.tv_sec, now.tv_nsec, (long)getpid());
	snprintf(whole, sizeof(whole), "%s/new/%ld.%09ld.%ld", folder, (long)now.tv_sec, now.tv_nsec, (long)getpid());
	out = fopen(part, "wx");
	if (out == NULL)
		fail(part);
	if (!copy(in, out, dot)) {
		fclose(out);
		(void)unlink(part);
		return false;
	}
	if (fclose(out) != 0 || rename(part, whole) == -1)
		fail(part);
	return true;
}

static void
talk(FILE *in, FILE *out, const char *folder)
{
	char line[4096];
	const char *p;

	fputs("220 take\r\n", out);
	for (;;) {
		if (fflush(out) != 0)
			return;
		p = read_line(in, line, sizeof(line));
		if (p[0] == '\0')
			return;
		if (strncmp(p, "LHLO", 4) == 0)
			fputs("250-take\r\n250 PIPELINING\r\n", out);
		else if (strncmp(p, "DATA", 4) != 0)
			fputs("250 ok\r\n", out);
		else {
			fputs("354 go on\r\n", out);
			if (fflush(out) != 0 || !take(in, folder, true))
				return;
			fputs("250 taken\r\n", out);
		}
		if (strncmp(p, "QUIT", 4) == 0) {
			(void)fflush(out);
			return;
		}
	}
}

static void
serve(const char *path, const char *folder)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int one, all = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *in, *out;

	signal(SIGPIPE, SIG_IGN);	/* who speaks to us is killed */
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (all == -1 || bind(all, (struct sockaddr *)&un, sizeof(un)) == -1 || listen(all, 8) == -1)
		fail(path);
	while ((one = accept(all, NULL, NULL)) != -1) {
		in = fdopen(one, "r");
		out = fdopen(dup(one), "w");
		if (in == NULL || out == NULL)
			fail("fdopen");
		talk(in, out, folder);
		fclose(out);
		fclose(in);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "-l") == 0)
		serve(argv[2], argv[3]);
	else if (argc == 2)
		return take(stdin, argv[1], false) ? 0 : 1;
	fputs("usage: take [-l socket] folder\n", stderr);
	return 1;
}
