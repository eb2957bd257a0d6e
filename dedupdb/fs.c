/* File-system operations that the ledger and the mailboxes share. */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"
#include "pack.h"

#define DAY 86400	/* s */
#define EPOCH 719468	/* days from 1 March of the year 0 to 1 January 1970 */
#define CLOCK_END 253402300800	/* s: no year with more than four digits */

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* statfs(2), f_type */
#define FS_EXT4 0xEF53UL
#define FS_XFS 0x58465342UL
#define FS_BTRFS 0x9123683EUL

/* statx(2), for which musl has neither function nor names before 1.2.5 */
#define REFRESHED 0xC0U	/* STATX_MTIME | STATX_CTIME */
#define STATX_BYTES 256	/* of struct statx */

int
fs_open_dir(const char *path, struct err *err)
{
	return fs_open_dir_at(AT_FDCWD, path, path, err);
}

int
fs_open_dir_at(int dir, const char *name, const char *path, struct err *err)
{
	int fd = openat(dir, name, DIR_FLAGS);

	return fd == -1 ? err_sys(err, "open folder", path) : fd;
}

int
fs_open_parent(const char *path, const char **base, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int fd;

	if (slash == NULL || slash[1] == '\0')
		return err_set(err, STATUS_TEMP, "no file name in path %s", path);
	*base = slash + 1;
	parent = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (parent == NULL)
		return err_sys(err, "open folder of", path);
	/* Folders above the mailbox are the system's or the user's own: links among them are followed. */
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == EACCES)
		fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);	/* may be searched, but not listed */
	if (fd == -1)
		err_sys(err, "open folder", parent);
	free(parent);
	return fd;
}

int
fs_sync(int fd, const char *path, struct err *err)
{
	return fsync(fd) == -1 ? err_sys(err, "fsync", path) : 0;
}

void
fs_refresh(int fd)
{
	uint64_t answer[STATX_BYTES / sizeof(uint64_t)];

	(void)syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, REFRESHED, answer);
}

int
fs_write(int fd, const void *buf, size_t len, size_t *written, const char *path, struct err *err)
{
	const char *p = buf;
	size_t done = 0;
	ssize_t n;
	int ret = 0;

	while (done < len) {
		n = write(fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ENOSPC;
			ret = err_sys(err, "write", path);
			break;
		}
		done += (size_t)n;
	}
	if (written != NULL)
		*written = done;
	return ret;
}

ssize_t
fs_pread(int fd, void *buf, size_t len, off_t offset, const char *path, struct err *err)
{
	char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, offset + (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, "read", path);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

unsigned int
fs_traits(int fd)
{
	static const unsigned long remote[] = {
		0x6969UL,	/* NFS */
		0x517BUL,	/* SMB */
		0xFF534D42UL,	/* CIFS */
		0xFE534D42UL,	/* SMB2 */
		0x5346414FUL,	/* AFS */
		0x6B414653UL,	/* kAFS */
		0x73757245UL,	/* Coda */
		0x00C36400UL,	/* Ceph */
		0x01161970UL,	/* GFS2 */
		0x7461636FUL,	/* OCFS2 */
		0x0BD00BD0UL,	/* Lustre */
		0x01021997UL,	/* 9P */
		0x65735546UL,	/* FUSE: sshfs, GlusterFS and the like */
	};
	struct statfs st;
	unsigned long type;
	size_t i;

	if (fstatfs(fd, &st) == -1)
		return 0;
	type = (unsigned long)st.f_type & 0xffffffffUL;
	if (type == FS_EXT4 || type == FS_XFS || type == FS_BTRFS)
		return FS_SYNC_COVERS_ENTRY;
	for (i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (type == remote[i])
			return FS_REMOTE;
	return 0;
}

int
fs_unnamed(const char *folder, struct err *err)
{
	char *name;
	int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

	if (fd != -1)
		return fd;
	if (asprintf(&name, "%s/dedup-lda.XXXXXXXXXX", folder) == -1)
		return err_sys(err, "temporary file in", folder);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd == -1)
		err_sys(err, "temporary file", name);
	else
		unlink(name);
	free(name);
	return fd;
}

int
fs_temporary(struct err *err)
{
	int fd = fs_unnamed("/var/tmp", err);

	return fd != -1 ? fd : fs_unnamed("/tmp", err);
}

int
fs_open_to_read(int fd)
{
	char path[64];
	int got;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = open(path, O_RDONLY | O_CLOEXEC);
	return got != -1 ? got : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

#if defined(__linux__) && !defined(F_OFD_SETLK) && !defined(WITHOUT_OFD_LOCKS)
#error "flock(2) of Linux keeps nobody out of an mbox who locks it with fcntl(2): take a C library that has F_OFD_SETLK"
#endif

/* Without locks of open file descriptions, as on the BSDs, flock(2) has the same life; there it conflicts with fcntl(2) locks, too. */
static int
set_lock(int fd, short type)
{
#ifdef F_OFD_SETLK
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock);
#else
	return flock(fd, LOCK_NB | (type == F_UNLCK ? LOCK_UN : type == F_RDLCK ? LOCK_SH : LOCK_EX));
#endif
}

static int
try_lock(int fd, short type, const char *path, struct err *err)
{
	if (set_lock(fd, type) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES || errno == EINTR)
		return 0;
	return err_sys(err, "lock", path);
}

int
fs_try_lock(int fd, const char *path, struct err *err)
{
	return try_lock(fd, F_WRLCK, path, err);
}

int
fs_try_share(int fd, const char *path, struct err *err)
{
	return try_lock(fd, F_RDLCK, path, err);
}

int
fs_unlock(int fd)
{
	return set_lock(fd, F_UNLCK);
}

int
fs_lock(int fd, int timeout_ms, const char *path, struct err *err)
{
	struct timespec wait = { 0, 100 * 1000 };
	int64_t end = clock_ms() + timeout_ms;
	int got;

	while ((got = fs_try_lock(fd, path, err)) == 0 && clock_ms() < end) {
		nanosleep(&wait, NULL);
		if (wait.tv_nsec < 2 * 1000 * 1000)	/* up to 3.2 ms: BDB_GIVE_WAY_MS leaves room for several who ask so often */
			wait.tv_nsec *= 2;
	}
	return got;
}

bool
fs_is_entry(int fd, int dir, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino;
}

int
host_boot_id(unsigned char id[BOOT_ID_BYTES])
{
	char text[64];
	size_t digits = 0;
	ssize_t n, i;
	int fd, digit;

	memset(id, 0, BOOT_ID_BYTES);
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = read(fd, text, sizeof(text));
	close(fd);
	for (i = 0; i < n && digits < (size_t)2 * BOOT_ID_BYTES; i++) {
		digit = pack_hex_digit(text[i]);
		if (digit == -1)
			continue;	/* the dashes of a UUID */
		id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | digit);
		digits++;
	}
	if (digits == (size_t)2 * BOOT_ID_BYTES)
		return 0;
	memset(id, 0, BOOT_ID_BYTES);
	return -1;
}

int64_t
clock_now(void)
{
	return (int64_t)time(NULL);
}

/* Whole days before a year and before a month. Years begin in March here, so that a leap day is the last one, and the months before it are
 * 153 days in each five. */
static int64_t
days_of_years(int64_t years)
{
	return 365 * years + years / 4 - years / 100 + years / 400;
}

static int
days_of_months(int months)
{
	return (153 * months + 2) / 5;
}

int64_t
clock_of_day(int year, int month, int day)
{
	return (days_of_years(month > 2 ? year : year - 1) + days_of_months((month + 9) % 12) + day - 1 - EPOCH) * DAY;
}

/* gmtime(3) would read the file of the local time zone first, which a sandbox denies. */
void
clock_text(char text[CLOCK_TEXT], int64_t t)
{
	int64_t days = t / DAY + EPOCH, year = days / 365;
	int seconds = (int)(t % DAY), month = 11, day;
	struct tm tm = { .tm_hour = seconds / 3600, .tm_min = seconds / 60 % 60, .tm_sec = seconds % 60 };

	if (t < 0 || t >= CLOCK_END) {
		snprintf(text, CLOCK_TEXT, "@%lld", (long long)t);
		return;
	}
	while (days_of_years(year) > days)
		year--;
	day = (int)(days - days_of_years(year));
	while (days_of_months(month) > day)
		month--;
	tm.tm_mday = day - days_of_months(month) + 1;
	tm.tm_mon = (month + 2) % 12;
	tm.tm_year = (int)year + (month >= 10) - 1900;
	strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
clock_sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}
