/*
 * floor maildir|mbox MAILBOX LOG <message: what no safe delivery can do without, and nothing else.
 *
 * maildir: write tmp/U, fsync it, append to a log and sync that, rename to new/U, fsync new/. mbox: under a lock, a synced append to the
 * log, the message and its fsync, and one more synced append. No parsing, no digest, no database: the time of a delivery agent is
 * compared with this one's.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TROUBLE 75
#define RECORD_BYTES 64		/* as much as a ledger keeps for one message */

static int
fail(const char *what)
{
	perror(what);
	return TROUBLE;
}

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n <= 0)
			return -1;
	}
	return 0;
}

static int
copy_stdin(int fd)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (write_all(fd, buf, (size_t)n) == -1)
			return -1;
	return n == -1 ? -1 : 0;
}

static int
log_synced(int log)
{
	char record[RECORD_BYTES];

	memset(record, 'r', sizeof(record));
	record[sizeof(record) - 1] = '\n';
	return write_all(log, record, sizeof(record)) == 0 ? fdatasync(log) : -1;
}

static int
to_maildir(const char *mailbox, int log)
{
	struct timespec now;
	char tmp[128], new[128];
	int fd, folder;

	if (chdir(mailbox) == -1)
		return fail(mailbox);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(tmp, sizeof(tmp), "tmp/%lld.%ld.P%ld", (long long)now.tv_sec, now.tv_nsec, (long)getpid());
	snprintf(new, sizeof(new), "new/%s", tmp + 4);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || copy_stdin(fd) == -1 || fsync(fd) == -1)
		return fail(tmp);
	if (log_synced(log) == -1)
		return fail("log");
	if (rename(tmp, new) == -1)
		return fail(new);
	folder = open("new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder == -1 || fsync(folder) == -1 ? fail("new/") : 0;
}

static int
to_mbox(const char *mailbox, int log)
{
	static const char from[] = "From bench@example.net Fri Nov 20 12:00:00 2026\n";
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(mailbox, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || fcntl(fd, F_SETLKW, &lock) == -1)
		return fail(mailbox);
	if (log_synced(log) == -1)
		return fail("log");
	if (write_all(fd, from, sizeof(from) - 1) == -1 || copy_stdin(fd) == -1 || write_all(fd, "\n", 1) == -1 || fsync(fd) == -1)
		return fail(mailbox);
	return log_synced(log) == -1 ? fail("log") : 0;
}

int
main(int argc, char **argv)
{
	int log;

	if (argc != 4) {
		fputs("usage: floor maildir|mbox mailbox log\n", stderr);
		return TROUBLE;
	}
	log = open(argv[3], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log == -1)
		return fail(argv[3]);
	return strcmp(argv[1], "mbox") == 0 ? to_mbox(argv[2], log) : to_maildir(argv[2], log);
}
