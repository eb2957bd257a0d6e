/*
 * A scratch folder with an mbox in it, and a file system that fails when told to: fsync() and write() of the
 * program under test are the ones below.
 */
#ifndef MBOX_FIXTURE_H
#define MBOX_FIXTURE_H

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>

#include "../../include/mailbox.h"
#include "../../lda/mbox_entry.h"
#include "mail_fixture.h"

#define ENVELOPE "From a@b Thu Jan  1 00:00:00 1970\n"

static char folder[64], path[128];
static struct mailbox_options options;
static struct record record;		/* with the intent of the last stage */
static struct err err;
static int notices, syncs, failing_syncs;
static const char *intruder;		/* appended by another program just before our next write() */

int
fsync(int fd)
{
	syncs++;
	if (failing_syncs > 0) {
		failing_syncs--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

ssize_t
write(int fd, const void *buf, size_t n)
{
	const char *text = intruder;

	if (text != NULL) {
		intruder = NULL;
		syscall(SYS_write, fd, text, strlen(text));
	}
	return syscall(SYS_write, fd, buf, n);
}

static inline void
take_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	notices++;
}

static inline int
setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_mbox.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/box", folder);
	options = (struct mailbox_options){
		.path = path, .sender = "a@b", .head = "", .locks = { MBOX_LOCK_FCNTL, MBOX_LOCK_DOTLOCK },
		.lock_timeout_ms = 60, .stale_lock_s = 600, .notice = take_notice
	};
	memset(&record, 0, sizeof(record));
	notices = syncs = failing_syncs = 0;
	intruder = NULL;
	return 0;
}

/* The folder must be empty but for the mbox: nothing leaves locks or temporary files behind. */
static inline int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static inline void
file_put(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fs_write(fd, bytes, len, NULL, path, &err), 0);
	close(fd);
}

static inline void
file_text(const char *text)
{
	file_put(text, strlen(text));
}

/* The whole file, with a NUL behind it; to be freed. */
static inline char *
file_get(size_t *len)
{
	struct stat st;
	char *bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	*len = (size_t)st.st_size;
	assert_int_equal(fs_pread(fd, bytes, *len, 0, path, &err), (ssize_t)*len);
	bytes[*len] = '\0';
	close(fd);
	return bytes;
}

static inline void
file_check(const char *want, size_t want_len)
{
	size_t len;
	char *bytes = file_get(&len);

	assert_int_equal(len, want_len);
	assert_memory_equal(bytes, want, len);
	free(bytes);
}

static inline struct mailbox *
box_locked(void)
{
	struct mailbox *box = NULL;

	if (mbox_ops.open(&box, &options, &err) == -1 || mbox_ops.lock(box, NULL, &err) == -1)
		fail_msg("%s", err.text);
	return box;
}

/* Stage, which fills the record. */
static inline void
stage(struct mailbox *box, const struct message *m)
{
	if (mbox_ops.stage(box, m, NULL, &record.intent, &err) == -1)
		fail_msg("%s", err.text);
	record.state = RECORD_PENDING;
}

static inline void
deliver(const struct message *m)
{
	struct mailbox *box = box_locked();

	stage(box, m);
	if (mbox_ops.publish(box, &err) == -1)
		fail_msg("%s", err.text);
	mbox_ops.close(&box);
	assert_null(box);
}

/* Decide, and die before the append. */
static inline void
decide_only(const struct message *m)
{
	struct mailbox *box = box_locked();

	stage(box, m);
	mbox_ops.close(&box);
}

static inline enum settled
settle(const struct message *m)
{
	struct mailbox *box = box_locked();
	enum settled settled = mbox_ops.settle(box, &record, m, 0, &err);

	mbox_ops.close(&box);
	return settled;
}

static inline void
recorded_id(char hex[MBOX_ID_HEX])
{
	static struct mbox_entry e;

	assert_int_equal(entry_decode(&e, &record.intent), 0);
	witness_id(e.id, hex);
}

#endif
