/*
 * A scratch folder with a file to lock, and dotlocks of other programs, hosts and times.
 */
#ifndef LOCK_FIXTURE_H
#define LOCK_FIXTURE_H

#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../include/fs.h"
#include "../../lda/lock.h"

#define OLD 1000		/* s */
#define STALE 600

static char folder[64], path[128], dotlock[256];
static char noticed[ERR_TEXT];
static int notices;
static struct mailbox_options options;
static struct lock lock;
static int dir, fd;

static inline void
take_notice(void *arg, const char *text)
{
	(void)arg;
	notices++;
	snprintf(noticed, sizeof(noticed), "%s", text);
}

static inline int
setup(void **state)
{
	struct err err;

	(void)state;
	strcpy(folder, "/tmp/test_lock.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/box", folder);
	snprintf(dotlock, sizeof(dotlock), "%s.lock", path);
	options = (struct mailbox_options){
		.path = path, .locks = { MBOX_LOCK_FCNTL, MBOX_LOCK_DOTLOCK }, .lock_timeout_ms = 60, .stale_lock_s = STALE,
		.notice = take_notice
	};
	notices = 0;
	noticed[0] = '\0';
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return dir == -1 || fd == -1 ? -1 : lock_init(&lock, &options, dir, "box", &err);
}

static inline int
teardown(void **state)
{
	(void)state;
	lock_release(&lock);
	close(fd);
	close(dir);
	chmod(folder, 0700);
	if (unlink(dotlock) == -1)
		rmdir(dotlock);
	unlink(path);
	return rmdir(folder);
}

static inline int
take(void)
{
	struct err err;

	return lock_take(&lock, fd, clock_ms() + options.lock_timeout_ms, &err);
}

static inline bool
exists(void)
{
	struct stat st;

	return lstat(dotlock, &st) == 0;
}

static inline void
plant(const char *text, int64_t age)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)(clock_now() - age) } };
	int to = open(dotlock, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_not_equal(to, -1);
	assert_int_equal(write(to, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(futimens(to, times), 0);
	close(to);
}

static inline long
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return (long)pid;
}

/* A dotlock of ours as a given process would have written it; NULL and 0: as it is here. */
static inline const char *
ours(long pid, const char *host, const char *boot, unsigned long long pidns)
{
	static char text[DOTLOCK_MAX];
	char here[33];
	unsigned char id[BOOT_ID_BYTES];
	struct utsname name;
	struct stat st;
	size_t i;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(host_boot_id(id), 0);
	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	for (i = 0; i < sizeof(id); i++)
		snprintf(here + 2 * i, 3, "%02x", id[i]);
	snprintf(text, sizeof(text), "%ld:%.64s:%s:%llu\n", pid, host == NULL ? name.nodename : host, boot == NULL ? here : boot,
	    pidns == 0 ? (unsigned long long)st.st_ino : pidns);
	return text;
}

static inline void
check_broken(const char *text, int64_t age)
{
	plant(text, age);
	notices = 0;
	assert_int_equal(take(), 0);
	assert_int_equal(notices, 1);
	assert_non_null(strstr(noticed, "left-over dotlock"));
	lock_release(&lock);
	assert_false(exists());
}

static inline void
check_respected(const char *text, int64_t age)
{
	struct stat before, after;

	plant(text, age);
	assert_int_equal(stat(dotlock, &before), 0);
	notices = 0;
	assert_int_equal(take(), -1);
	assert_false(lock_held(&lock));
	assert_int_equal(notices, 0);
	assert_int_equal(stat(dotlock, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	unlink(dotlock);
}

#endif
