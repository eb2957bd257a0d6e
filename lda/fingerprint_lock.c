/* Locks on fingerprints. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "fingerprint_lock.h"
#include "fs.h"

#define LOCK_FILE "handing"
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 50

/* Where there are no locks of open file descriptions, those of processes do: this process has the file open once, and its children never.
 * flock(2) has no ranges: with it one slow hand-over would hold up all others. */
#ifdef F_OFD_SETLK
#define TRY_LOCK F_OFD_SETLK
#else
#define TRY_LOCK F_SETLK
#endif

/* Two fingerprints that share the byte, one pair in 2^62, wait for each other and lose nothing. */
static off_t
place_of(const struct fingerprint *fp)
{
	uint64_t place = 0;
	size_t i;

	for (i = 0; i < sizeof(place); i++)
		place = place << 8 | fp->bytes[i];
	return (off_t)(place >> 2);
}

/* Nobody but the owner of the ledger's folder can put anything in there; a link is not followed all the same. */
static int
open_file(int folder, struct err *err)
{
	int fd = openat(folder, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;

	if (fd == -1)
		return err_sys(err, "open", LOCK_FILE " beside the ledger");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(err, STATUS_TEMP, LOCK_FILE " beside the ledger: is no regular file");
}

int
fingerprint_lock(int folder, const struct fingerprint *fp, int timeout_ms, struct err *err)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(fp), .l_len = 1 };
	int64_t deadline = clock_ms() + timeout_ms;
	int wait = WAIT_MIN_MS, fd = open_file(folder, err);

	if (fd == -1)
		return -1;
	for (;;) {
		if (fcntl(fd, TRY_LOCK, &range) == 0)
			return fd;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
			err_sys(err, "lock", LOCK_FILE " beside the ledger");
			break;
		}
		if (clock_ms() >= deadline) {
			err_set(err, STATUS_TEMP, "another copy of this message is being handed over, and takes longer than lock-timeout");
			break;
		}
		clock_sleep_ms(wait);
		wait = 2 * wait < WAIT_MAX_MS ? 2 * wait : WAIT_MAX_MS;
	}
	close(fd);
	return -1;
}
