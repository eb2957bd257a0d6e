/* Whose process this is, and how root becomes somebody else for good. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user.h"

#define LOOKUP_BYTES 4096
#define LOOKUP_BYTES_MAX (1024 * 1024)

static int
make_user(struct user **out, const char *name, const char *home, uid_t uid, gid_t gid, struct err *err)
{
	struct user *user = calloc(1, sizeof(*user));

	*out = NULL;
	if (user == NULL)
		return err_sys(err, "look up user", name);
	user->uid = uid;
	user->gid = gid;
	user->name = strdup(name);
	user->home = home != NULL && home[0] == '/' ? strdup(home) : NULL;
	if (user->name == NULL || (home != NULL && home[0] == '/' && user->home == NULL)) {
		user_free(&user);
		return err_sys(err, "look up user", name);
	}
	*out = user;
	return 0;
}

void
user_free(struct user **user)
{
	if (*user == NULL)
		return;
	free((*user)->name);
	free((*user)->home);
	free(*user);
	*user = NULL;
}

/* Split a line of passwd(5) at its colons. Returns true when it is the uid's; the fields are then inside line. */
static bool
is_line_of(char *line, uid_t uid, char **name, char **home)
{
	char *fields[7], *end;
	unsigned long number;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < 7 && line != NULL)
		fields[n++] = strsep(&line, ":");
	if (n < 7 || fields[0][0] == '\0' || fields[2][0] < '0' || fields[2][0] > '9')
		return false;
	number = strtoul(fields[2], &end, 10);
	*name = fields[0];
	*home = fields[5];
	return *end == '\0' && number == uid;
}

/* Nearly every user is in this file. The name service would look there too, but only after it has tried to reach a cache daemon, and
 * with a system call per line. Returns the line, to be freed, or NULL. */
static char *
find_local(uid_t uid, char **name, char **home)
{
	FILE *f = fopen("/etc/passwd", "re");
	char *line = NULL, buf[4096];
	size_t size = 0;
	bool found = false;

	if (f == NULL)
		return NULL;
	setvbuf(f, buf, _IOFBF, sizeof(buf));
	while (!found && getline(&line, &size, f) != -1)
		found = is_line_of(line, uid, name, home);
	fclose(f);
	if (!found) {
		free(line);
		line = NULL;
	}
	return line;
}

int
user_current(struct user **user, struct err *err)
{
	char unnamed[32], *line, *name = unnamed, *home = NULL;
	const char *told = getenv("HOME");
	uid_t uid = getuid();
	struct passwd *pw;
	int ret;

	snprintf(unnamed, sizeof(unnamed), "uid%lu", (unsigned long)uid);
	line = find_local(uid, &name, &home);
	if (line == NULL && (pw = getpwuid(uid)) != NULL) {
		name = pw->pw_name;
		home = pw->pw_dir;
	}
	ret = make_user(user, name, told != NULL && told[0] == '/' ? told : home, uid, getgid(), err);
	free(line);
	return ret;
}

int
user_named(struct user **user, const char *name, struct err *err)
{
	struct passwd pw, *found = NULL;
	size_t size = LOOKUP_BYTES;
	char *buf = NULL, *more;
	int ret;

	*user = NULL;
	do {
		more = realloc(buf, size);
		if (more == NULL) {
			free(buf);
			return err_sys(err, "look up user", NULL);
		}
		buf = more;
		errno = getpwnam_r(name, &pw, buf, size, &found);
		size *= 2;
	} while (errno == ERANGE && size <= LOOKUP_BYTES_MAX);
	/* Unlike getpwnam(3), whose errno has many meanings, 0 is said only by a source that was asked and has nobody of that name. A
	 * directory that can't be reached is trouble that may pass, and a bounce would be wrong. */
	if (found != NULL)
		ret = make_user(user, pw.pw_name, pw.pw_dir, pw.pw_uid, pw.pw_gid, err);
	else if (errno == 0)
		ret = err_set(err, STATUS_NOUSER, "no such user");
	else
		ret = err_sys(err, "look up user", NULL);
	free(buf);
	return ret;
}

/* Dropped for good: none of the three ids is the old one, and there is no way back. */
static int
verify(const struct user *user, struct err *err)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1)
		return err_sys(err, "read the process's user", NULL);
	if (r != user->uid || e != user->uid || s != user->uid || rg != user->gid || eg != user->gid || sg != user->gid ||
	    setuid(0) == 0 || seteuid(0) == 0)
		return err_set(err, STATUS_TEMP, "could not become user %s for good", user->name);
	return 0;
}

int
user_become(const struct user *user, struct err *err)
{
	if (geteuid() != 0)
		return err_set(err, STATUS_USAGE, "only root can become another user");
	if (user->uid == 0)
		return err_set(err, STATUS_USAGE, "will not work as root");
	if (initgroups(user->name, user->gid) == -1)
		return err_sys(err, "set the groups of user", user->name);
	if (setresgid(user->gid, user->gid, user->gid) == -1)
		return err_sys(err, "set the group of user", user->name);
	if (setresuid(user->uid, user->uid, user->uid) == -1)
		return err_sys(err, "become user", user->name);
	return verify(user, err);
}
