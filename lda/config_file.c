/*
 * Reading a configuration file that an attacker may have put there.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "user.h"

static int
check_owner(const char *path, const struct stat *st, int64_t owner, struct err *err)
{
	if (owner >= 0 && (int64_t)st->st_uid != owner)
		return err_set(err, STATUS_CONFIG, "%s: belongs to user %ld, not to the recipient (user %ld): chown it or remove "
		    "the configuration", path, (long)st->st_uid, (long)owner);
	if (owner < 0 && st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, STATUS_CONFIG, "%s: belongs to user %ld, neither to root nor to this process's user %ld: "
		    "chown it", path, (long)st->st_uid, (long)geteuid());
	return 0;
}

static int
check_writers(const char *path, const struct stat *st, int64_t owner, struct err *err)
{
	/* In a folder like /tmp others can make files, but not replace this one, whose owner is checked too. */
	if (owner < 0 && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
		return 0;
	if ((st->st_mode & S_IWOTH) != 0)
		return err_set(err, STATUS_CONFIG, "%s: everybody can write it: chmod o-w it", path);
	if ((st->st_mode & S_IWGRP) != 0 && !user_owns_group(st->st_uid, st->st_gid))
		return err_set(err, STATUS_CONFIG, "%s: its group can write it: chmod g-w it", path);
	return 0;
}

static int
check_entry(const char *path, int fd, bool folder, int64_t owner, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, "fstat", path);
	if (!folder && !S_ISREG(st.st_mode))
		return err_set(err, STATUS_CONFIG, "%s: is not a regular file", path);
	if (check_owner(path, &st, owner, err) != 0 || check_writers(path, &st, owner, err) != 0)
		return -1;
	if (!folder && st.st_size > CONFIG_FILE_MAX)
		return err_set(err, STATUS_CONFIG, "%s: is larger than %d bytes, so it is no configuration file", path,
		    CONFIG_FILE_MAX);
	return 0;
}

static int
check_readers(const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, "fstat", path);
	if ((st.st_mode & S_IROTH) != 0)
		return err_set(err, STATUS_CONFIG, "%s: everybody can read the password: chmod o-r it", path);
	return 0;
}

/* Most users have no file: one question instead of a walk. */
static bool
is_missing(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Returns a descriptor of the folder, -1 with an error, or -2: there is none. */
static int
open_folder(const char *path, char folder[PATH_MAX], const char **base, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
	int fd;

	if (strlen(path) >= PATH_MAX)
		return err_set(err, STATUS_CONFIG, "the path of the configuration file is longer than %d bytes", PATH_MAX - 1);
	*base = slash == NULL ? path : slash + 1;
	memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : len);
	folder[slash == NULL ? 1 : len] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder that may be searched but not listed is all that is needed. */
	if (fd < 0 && errno == EACCES)
		fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -2;
	return fd < 0 ? err_sys(err, "open", folder) : fd;
}

static int
open_file(int folder, const char *base, const char *path, struct err *err)
{
	/* O_NONBLOCK: a FIFO must not stop the mail. */
	int fd = openat(folder, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return -2;
	if (errno == ELOOP)
		return err_set(err, STATUS_CONFIG, "%s: is a symbolic link: put the file itself there", path);
	if (errno == ENXIO)
		return err_set(err, STATUS_CONFIG, "%s: is not a regular file", path);
	return err_sys(err, "open", path);
}

/* Read on the stack, which later work uses as well: a heap with room for the largest file would spread over more pages. */
static int
read_all(int fd, const char *path, char **text, size_t *len, struct err *err)
{
	char buf[CONFIG_FILE_MAX + 1];
	size_t got = 0;
	ssize_t n = 1;
	int result = -1;

	while (n != 0 && got < sizeof(buf)) {
		n = read(fd, buf + got, sizeof(buf) - got);
		if (n < 0 && errno != EINTR) {
			err_sys(err, "read", path);
			goto out;
		}
		if (n > 0)
			got += (size_t)n;
	}
	if (got > CONFIG_FILE_MAX)
		err_set(err, STATUS_CONFIG, "%s: is larger than %d bytes, so it is no configuration file", path,
		    CONFIG_FILE_MAX);
	else if ((*text = malloc(got + 1)) == NULL)
		err_sys(err, "malloc", NULL);
	else {
		memcpy(*text, buf, got);
		(*text)[got] = '\0';
		*len = got;
		result = 1;
	}
out:
	explicit_bzero(buf, got);	/* it may be a password */
	return result;
}

int
config_file_read(const char *path, int64_t owner, bool secret, char **text, size_t *len, struct err *err)
{
	char folder_path[PATH_MAX];
	const char *base = path;
	int folder, fd = -1, result = -1;

	*text = NULL;
	if (is_missing(path))
		return 0;
	folder = open_folder(path, folder_path, &base, err);
	if (folder < 0)
		return folder == -2 ? 0 : -1;
	fd = open_file(folder, base, path, err);
	if (fd == -2)
		result = 0;
	if (fd < 0)
		goto out;
	if (check_entry(folder_path, folder, true, owner, err) != 0 || check_entry(path, fd, false, owner, err) != 0 ||
	    (secret && check_readers(path, fd, err) != 0))
		goto out;
	result = read_all(fd, path, text, len, err);
out:
	if (fd >= 0)
		close(fd);
	close(folder);
	return result;
}

/*
 * libconfuse 3.3 drops what it doesn't know in silence (a stray + or *, the text after an unclosed comment), puts environment
 * variables into plain and double-quoted values, and counts lines wrongly after comments. None of that may happen here: a value
 * that is not what its author wrote can send mail elsewhere, and an MTA sets variables to what a sender chose. So comments are
 * replaced by blanks, and the rest is refused.
 */
struct scan {
	const char *path;
	char *at, *end;
	int line;
};

static int
complain(const struct scan *s, const char *what, struct err *err)
{
	return err_set(err, STATUS_CONFIG, "%s:%d: %s", s->path, s->line, what);
}

/* s->at is at the quote; afterwards it is at the closing one. */
static int
scan_quoted(struct scan *s, struct err *err)
{
	char quote = *s->at;

	for (s->at++; s->at < s->end && *s->at != '\n'; s->at++) {
		if (*s->at == quote)
			return 0;
		if (quote == '"' && s->at[0] == '$' && s->at[1] == '{')
			return complain(s, "${...}: environment variables can't be used; the text itself goes into single quotes",
			    err);
		if (*s->at != '\\')
			continue;
		if (quote == '"' && s->at[1] != '\\' && s->at[1] != '"')
			return complain(s, "a backslash in double quotes can only stand before \\ and \"", err);
		if (s->at[1] == '\\' || s->at[1] == quote)
			s->at++;
	}
	return complain(s, "a quote is not closed on its line", err);
}

static int
scan_plain(struct scan *s, bool token_start, struct err *err)
{
	switch (*s->at) {
	case '#':
		/* Blanked, not skipped: see above. */
		for (; s->at < s->end && *s->at != '\n'; s->at++)
			*s->at = ' ';
		s->at--;
		return 0;
	case '"':
	case '\'':
		if (!token_start)
			return complain(s, "quotes go round the whole value", err);
		return scan_quoted(s, err);
	case '+':
	case '*':
	case '(':
	case ')':
		return complain(s, "put quotes round a value with any of + * ( )", err);
	case '$':
		if (s->at[1] == '{')
			return complain(s, "${...}: environment variables can't be used; the text itself goes into single quotes",
			    err);
		return 0;
	case '/':
		if (token_start && s->at[1] == '/')
			return complain(s, "a comment starts with #; put quotes round a value that starts with //", err);
		return 0;
	default:
		return 0;
	}
}

static int
check_bytes(struct scan *s, const char *text, struct err *err)
{
	for (const char *p = text; p < s->end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\n')
			s->line++;
		else if (c == 0x7f || (c < 0x20 && c != '\t' && !(c == '\r' && p[1] == '\n')))
			return err_set(err, STATUS_CONFIG, "%s:%d: byte 0x%02x: this is no text file", s->path, s->line, c);
	}
	s->line = 1;
	return 0;
}

int
config_file_check(const char *path, char *text, size_t len, struct err *err)
{
	struct scan s = { .path = path, .at = text, .end = text + len, .line = 1 };
	bool token_start = true;

	if (check_bytes(&s, text, err) != 0)
		return -1;
	for (; s.at < s.end; s.at++) {
		if (scan_plain(&s, token_start, err) != 0)
			return -1;
		if (s.at < s.end && *s.at == '\n')
			s.line++;
		token_start = strchr(" \t\r\n={},", *s.at) != NULL;
	}
	return 0;
}

int
config_file_line(const char *text, const char *key)
{
	size_t len = strlen(key);
	int line = 1, found = 0;

	for (;;) {
		text += strspn(text, " \t");
		if (strncmp(text, key, len) == 0 && strchr(" \t=", text[len]) != NULL)
			found = line;
		text = strchr(text, '\n');
		if (text == NULL)
			return found;
		text++;
		line++;
	}
}
