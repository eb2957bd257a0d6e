/*
 * The locks of an mbox.
 *
 * A dotlock is broken only by a holder of the fcntl lock on the file that now bears the mbox's name: two that both saw the same
 * left-over dotlock would otherwise break it one after the other, the second one the first one's fresh lock.
 */
#include <sys/stat.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lock.h"

#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 50
#define BOOT_HEX (2 * BOOT_ID_BYTES + 1)

enum attempt { LOCK_GOT, LOCK_BUSY, LOCK_ERROR };

/* What a dotlock says about its holder. */
struct holder {
	long pid;			/* 0: it does not say */
	bool full;			/* the rest is known */
	unsigned long long pidns;	/* inode number of its pid namespace; 0: not known */
	char host[sizeof(((struct utsname *)0)->nodename)];
	char boot[BOOT_HEX];
};

static void
holder_self(const struct lock *lock, struct holder *self)
{
	struct utsname host;
	struct stat st;
	size_t i;

	memset(self, 0, sizeof(*self));
	self->pid = (long)getpid();
	self->full = true;
	if (stat("/proc/self/ns/pid", &st) == 0)
		self->pidns = (unsigned long long)st.st_ino;
	if (uname(&host) == 0)
		snprintf(self->host, sizeof(self->host), "%s", host.nodename);
	for (i = 0; self->host[i] != '\0'; i++)
		if (self->host[i] == ':' || self->host[i] == '\n')
			self->host[i] = '_';
	for (i = 0; i < BOOT_ID_BYTES; i++)
		snprintf(self->boot + 2 * i, 3, "%02x", lock->boot[i]);
}

/* The part up to the next colon, or the end, into `to`; returns what follows, or NULL when there is nothing or it does not fit. */
static const char *
next_part(const char *p, char *to, size_t size)
{
	size_t len;

	if (p == NULL)
		return NULL;
	len = strcspn(p, ":");
	if (p[len] == '\0' || len >= size)
		return NULL;
	memcpy(to, p, len);
	to[len] = '\0';
	return p + len + 1;
}

/* "PID", as most programs write it, or our own "PID:HOST:BOOT:PIDNS". Anything else leaves pid 0. */
static void
holder_parse(struct holder *h, const char *text)
{
	const char *p;
	char *end;
	long pid;

	memset(h, 0, sizeof(*h));
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno != 0 || end == text || pid <= 0 || pid != (long)(pid_t)pid)
		return;
	if (*end != '\0' && strchr(": \t\r\n", *end) == NULL)
		return;
	h->pid = pid;
	if (*end != ':')
		return;
	p = next_part(end + 1, h->host, sizeof(h->host));
	p = next_part(p, h->boot, sizeof(h->boot));
	if (p == NULL || strlen(h->boot) != BOOT_HEX - 1)
		return;
	errno = 0;
	h->pidns = strtoull(p, &end, 10);
	h->full = errno == 0 && end != p && strcmp(end, "\n") == 0;
}

static bool
is_alive(long pid)
{
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

static bool
is_stale(const struct lock *lock, const struct holder *h, const struct stat *st)
{
	static const char unknown[] = "00000000000000000000000000000000";
	struct holder self;
	int64_t age = clock_now() - (int64_t)st->st_mtime;
	bool old = age > lock->options->stale_lock_s;

	holder_self(lock, &self);
	if (!h->full)		/* a foreign one: its process may be on another host, but not if it is found here */
		return old && (h->pid == 0 || !is_alive(h->pid));
	if (strcmp(h->host, self.host) != 0)
		return old;
	if (strcmp(h->boot, self.boot) != 0 && strcmp(h->boot, unknown) != 0 && strcmp(self.boot, unknown) != 0)
		return true;
	if (h->pidns == self.pidns && self.pidns != 0 && !is_alive(h->pid))
		return true;
	return old;		/* alive: then the number is another process's by now, since ours hold fcntl and end before that */
}

/* Look at the dotlock. Returns 1: left over; 0: held; -1: there is none now. st says which file was looked at. */
static int
dotlock_look(const struct lock *lock, struct stat *st)
{
	char text[DOTLOCK_MAX + 1];
	struct holder h;
	ssize_t n = 0;
	int fd, stale = -1;

	fd = openat(lock->dir, lock->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return -1;
	if (fd == -1) {		/* a link, or not readable for us: its age must do */
		if (fstatat(lock->dir, lock->name, st, AT_SYMLINK_NOFOLLOW) == -1)
			return errno == ENOENT ? -1 : 0;
		holder_parse(&h, "");
		return is_stale(lock, &h, st);
	}
	if (fstat(fd, st) == -1)
		stale = 0;
	else if (S_ISREG(st->st_mode) && (n = fs_pread(fd, text, sizeof(text) - 1, 0, lock->name, NULL)) == -1)
		stale = 0;
	if (stale == -1) {
		text[n] = '\0';
		holder_parse(&h, text);
		stale = is_stale(lock, &h, st);
	}
	close(fd);
	return stale;
}

static void
notice(const struct lock *lock, const char *text)
{
	char line[ERR_TEXT];

	if (lock->options->notice == NULL)
		return;
	snprintf(line, sizeof(line), "%s: %s", lock->options->path, text);
	lock->options->notice(lock->options->notice_arg, line);
}

/* Remove the left-over dotlock that `seen` describes, if we may. */
static void
dotlock_break(const struct lock *lock, const struct stat *seen)
{
	struct stat now;
	bool borrowed = !lock->fcntl;

	if (borrowed && fs_try_lock(lock->fd, lock->options->path, NULL) != 1)
		return;
	if (fs_is_entry(lock->fd, lock->dir, lock->base) &&
	    fstatat(lock->dir, lock->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_dev == seen->st_dev && now.st_ino == seen->st_ino &&
	    now.st_ctim.tv_sec == seen->st_ctim.tv_sec && now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec &&
	    unlinkat(lock->dir, lock->name, 0) == 0)
		notice(lock, "removed a left-over dotlock");
	if (borrowed)
		(void)fs_unlock(lock->fd);
}

static int
dotlock_write(const struct lock *lock, int fd)
{
	char text[DOTLOCK_MAX];
	struct holder self;

	holder_self(lock, &self);
	snprintf(text, sizeof(text), "%ld:%s:%s:%llu\n", self.pid, self.host, self.boot, self.pidns);
	return fs_write(fd, text, strlen(text), NULL, "dotlock", NULL);
}

/* Link the file that has no name yet. It gets its name only with its content, so that a crash can't leave an empty one. Returns a
 * descriptor, or -1 and errno; ENOTSUP: not on this file system. */
static int
dotlock_make_unnamed(const struct lock *lock)
{
	char self[64];
	int fd, saved;

	fd = openat(lock->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	if (fd == -1) {
		if (errno == EISDIR || errno == EINVAL || errno == ENOENT)
			errno = ENOTSUP;	/* kernels and file systems say it in many ways */
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (dotlock_write(lock, fd) == 0) {
		if (linkat(AT_FDCWD, self, lock->dir, lock->name, AT_SYMLINK_FOLLOW) == 0)
			return fd;
		if (errno == ENOENT || errno == EXDEV)
			errno = ENOTSUP;	/* no /proc */
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* The same through a temporary name. Over NFS link() may report failure after it succeeded: the link count tells. */
static int
dotlock_make_named(const struct lock *lock)
{
	char temporary[64];
	unsigned char random[8];
	unsigned long long number;
	struct stat st;
	int fd, saved, ret = -1;

	if (getentropy(random, sizeof(random)) == -1)
		return -1;
	memcpy(&number, random, sizeof(number));
	snprintf(temporary, sizeof(temporary), ".dedup-lda.%ld.%016llx", (long)getpid(), number);
	fd = openat(lock->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	if (dotlock_write(lock, fd) == 0)
		ret = linkat(lock->dir, temporary, lock->dir, lock->name, 0);
	saved = errno;
	if (ret == -1 && fstat(fd, &st) == 0 && st.st_nlink == 2)
		ret = 0;
	unlinkat(lock->dir, temporary, 0);
	if (ret == 0)
		return fd;
	close(fd);
	errno = saved;
	return -1;
}

static bool
is_fcntl_configured(const struct lock *lock)
{
	size_t i;

	for (i = 0; i < MBOX_LOCKS; i++)
		if (lock->options->locks[i] == MBOX_LOCK_FCNTL)
			return true;
	return false;
}

/* The folder is not ours to write to: then nobody with our rights can use dotlocks there, and fcntl alone does. */
static enum attempt
dotlock_impossible(struct lock *lock, struct err *err)
{
	struct stat st;

	if (!is_fcntl_configured(lock)) {
		err_set(err, STATUS_TEMP, "lock %s: no dotlock can be made (%s), and no other lock is configured",
		    lock->options->path, strerror(errno));
		return LOCK_ERROR;
	}
	if (dotlock_look(lock, &st) == 0)
		return LOCK_BUSY;	/* a program that may write there holds it */
	if (!lock->fcntl_only)
		notice(lock, "no dotlock can be made in its folder: locked with fcntl alone");
	lock->fcntl_only = true;
	return LOCK_GOT;
}

static enum attempt
dotlock_try(struct lock *lock, struct err *err)
{
	struct stat st;
	int tries;

	for (tries = 0; tries < 2; tries++) {
		lock->dotlock = dotlock_make_unnamed(lock);
		if (lock->dotlock == -1 && (errno == ENOTSUP || errno == EOPNOTSUPP))
			lock->dotlock = dotlock_make_named(lock);
		if (lock->dotlock != -1)
			return LOCK_GOT;
		if (errno == EACCES || errno == EPERM || errno == EROFS)
			return dotlock_impossible(lock, err);
		if (errno != EEXIST) {
			err_sys(err, "make dotlock of", lock->options->path);
			return LOCK_ERROR;
		}
		if (tries == 0 && dotlock_look(lock, &st) == 1)
			dotlock_break(lock, &st);
	}
	return LOCK_BUSY;
}

static enum attempt
fcntl_try(struct lock *lock, struct err *err)
{
	int got = fs_try_lock(lock->fd, lock->options->path, err);

	lock->fcntl = got == 1;
	if (got == -1)
		return LOCK_ERROR;
	return got == 1 ? LOCK_GOT : LOCK_BUSY;
}

/* Try them all, once; which: the one that was busy. */
static enum attempt
try_all(struct lock *lock, const char **which, struct err *err)
{
	enum attempt got = LOCK_GOT;
	size_t i;

	for (i = 0; i < MBOX_LOCKS && got == LOCK_GOT; i++) {
		switch (lock->options->locks[i]) {
		case MBOX_LOCK_FCNTL:
			*which = "an fcntl lock";
			if (!lock->fcntl)
				got = fcntl_try(lock, err);
			break;
		case MBOX_LOCK_DOTLOCK:
			*which = "a dotlock";
			if (lock->dotlock == -1)
				got = dotlock_try(lock, err);
			break;
		case MBOX_LOCK_NONE:
			break;
		}
	}
	return got;
}

int
lock_init(struct lock *lock, const struct mailbox_options *options, int dir, const char *base, struct err *err)
{
	bool dotlock = false;
	size_t i, locks = 0;

	memset(lock, 0, sizeof(*lock));
	lock->options = options;
	lock->base = base;
	lock->dir = dir;
	lock->fd = lock->dotlock = -1;
	host_boot_id(lock->boot);
	for (i = 0; i < MBOX_LOCKS; i++) {
		locks += options->locks[i] != MBOX_LOCK_NONE;
		dotlock = dotlock || options->locks[i] == MBOX_LOCK_DOTLOCK;
	}
	if (locks == 0)
		return err_set(err, STATUS_CONFIG, "%s: mbox-locks names no lock", options->path);
	if (dotlock && strlen(base) + sizeof(".lock") > sizeof(lock->name))
		return err_set(err, STATUS_TEMP, "%s: the name is too long for a dotlock", options->path);
	snprintf(lock->name, sizeof(lock->name), "%s.lock", base);
	return 0;
}

int
lock_take(struct lock *lock, int fd, int64_t deadline, struct err *err)
{
	const char *which = "";
	enum attempt got;
	int wait = WAIT_MIN_MS;

	for (;;) {
		lock->fd = fd;
		got = try_all(lock, &which, err);
		if (got == LOCK_GOT)
			return 0;
		lock_release(lock);
		if (got == LOCK_ERROR)
			return -1;
		if (clock_ms() >= deadline)
			return err_set(err, STATUS_TEMP, "lock %s: somebody else holds %s on it", lock->options->path, which);
		clock_sleep_ms(wait);
		wait = 2 * wait < WAIT_MAX_MS ? 2 * wait : WAIT_MAX_MS;
	}
}

/* If it can't be removed, it is made old: else a server, which lives on, would seem to hold it until stale-lock-time. */
static void
dotlock_remove(const struct lock *lock)
{
	static const struct timespec never[2];

	if (fs_is_entry(lock->dotlock, lock->dir, lock->name) && unlinkat(lock->dir, lock->name, 0) == -1)
		(void)futimens(lock->dotlock, never);
}

void
lock_release(struct lock *lock)
{
	if (lock->dotlock != -1) {
		dotlock_remove(lock);
		close(lock->dotlock);
	}
	if (lock->fcntl)
		(void)fs_unlock(lock->fd);	/* or whoever closes the file does */
	lock->dotlock = lock->fd = -1;
	lock->fcntl = false;
}

bool
lock_held(const struct lock *lock)
{
	return lock->fcntl || lock->dotlock != -1;
}
