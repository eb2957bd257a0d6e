/* Names of staged files, and the sweeper that knows them again. */
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <bsd/string.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "maildir_name.h"

#define HOST_MAX 64		/* bytes that are taken of the host's name */
#define SWEEP_AFTER (36 * 3600)	/* s; the Maildir specification's age for files in tmp/ */

/* The specification wants '/' and ':' of a host's name escaped; what would look like a flag or is no text is treated alike. */
static void
host_name(char *host, size_t size)
{
	char raw[HOST_MAX + 1], *p;
	size_t n = 0;

	if (gethostname(raw, sizeof(raw)) == -1)
		strlcpy(raw, "localhost", sizeof(raw));
	raw[HOST_MAX] = '\0';
	for (p = raw; *p != '\0' && n + 5 < size; p++) {
		if (isalnum((unsigned char)*p) || *p == '.' || *p == '-' || *p == '_')
			host[n++] = *p;
		else
			n += (size_t)snprintf(host + n, size - n, "\\%03o", (unsigned char)*p);
	}
	host[n] = '\0';
}

void
maildir_name_make(char name[MAILDIR_NAME_MAX], const struct fingerprint *fp)
{
	char host[2 * HOST_MAX], hex[FINGERPRINT_HEX], tag[FINGERPRINT_TAG + 2] = "";
	uint32_t random = 0;
	struct timeval tv;

	if (fp != NULL) {
		fingerprint_hex(fp, hex);
		snprintf(tag, sizeof(tag), "F%.*s", FINGERPRINT_TAG, hex);
	}
	gettimeofday(&tv, NULL);
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);	/* time and process are unique already, but for a clock set back */
	host_name(host, sizeof(host));
	snprintf(name, MAILDIR_NAME_MAX, "%lld.M%06ldP%ldR%08x%s.%s", (long long)tv.tv_sec, (long)tv.tv_usec, (long)getpid(),
	    random, tag, host);
}

void
maildir_marker_name(char marker[MAILDIR_MARKER_MAX], const char *name)
{
	snprintf(marker, MAILDIR_MARKER_MAX, "%s" MAILDIR_MARKER, name);
}

/* Skip letter and then at least `least` characters of the set. */
static const char *
part(const char *p, char letter, const char *set, size_t least)
{
	size_t n;

	if (p == NULL || (letter != '\0' && *p++ != letter))
		return NULL;
	n = strspn(p, set);
	return n >= least ? p + n : NULL;
}

/* Did maildir_name_make() make this name? Puts the fingerprint's digits into `digits`, "" when there are none. */
static bool
is_ours(const char *name, char digits[FINGERPRINT_TAG + 1])
{
	static const char dec[] = "0123456789", hex[] = "0123456789abcdef";
	const char *p;

	p = part(name, '\0', dec, 1);
	p = part(p, '.', "M", 1);
	p = part(p, '\0', dec, 6);
	p = part(p, 'P', dec, 1);
	p = part(p, 'R', hex, 8);
	digits[0] = '\0';
	if (p != NULL && *p == 'F') {
		if (strspn(p + 1, hex) != FINGERPRINT_TAG)
			return false;
		memcpy(digits, p + 1, FINGERPRINT_TAG);
		digits[FINGERPRINT_TAG] = '\0';
		p += 1 + FINGERPRINT_TAG;
	}
	return p != NULL && *p == '.' && p[1] != '\0';
}

/* The writer holds a lock as long as it lives, so neither a jump of the clock nor a stopped process makes its stage look left over. */
static bool
is_abandoned(int tmp, const char *name, int64_t now)
{
	struct stat st;
	bool free_of_writer;
	int fd = openat(tmp, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return false;
	free_of_writer = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    now - (int64_t)st.st_mtime > SWEEP_AFTER && flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return free_of_writer;
}

int
maildir_sweep_tmp(int dir, const char *path, int64_t now, int (*named)(void *arg, const char *digits), void *arg, struct err *err)
{
	char digits[FINGERPRINT_TAG + 1];
	struct dirent *entry;
	int removed = 0, is_named, tmp;
	DIR *d;

	tmp = fs_open_dir_at(dir, "tmp", path, err);	/* of our own: reading moves its position */
	if (tmp == -1)
		return -1;
	d = fdopendir(tmp);
	if (d == NULL) {
		close(tmp);
		return err_sys(err, "read tmp/ of", path);
	}
	while ((entry = readdir(d)) != NULL) {
		if (!is_ours(entry->d_name, digits) || !is_abandoned(tmp, entry->d_name, now))
			continue;
		is_named = digits[0] != '\0' ? named(arg, digits) : 0;
		if (is_named == -1)
			break;		/* the next one would fare no better */
		if (is_named != 0)
			continue;
		if (unlinkat(tmp, entry->d_name, 0) == 0)
			removed++;
	}
	closedir(d);
	return removed;
}
