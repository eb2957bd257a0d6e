/* Whose process this is, and how root becomes somebody else for good. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user.h"

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

int
user_current(struct user **user, struct err *err)
{
	const char *home = getenv("HOME");
	struct passwd *pw = getpwuid(getuid());
	char name[32];

	snprintf(name, sizeof(name), "uid%lu", (unsigned long)getuid());
	if (home == NULL || home[0] != '/')
		home = pw != NULL ? pw->pw_dir : NULL;
	return make_user(user, pw != NULL ? pw->pw_name : name, home, getuid(), getgid(), err);
}

int
user_named(struct user **user, const char *name, struct err *err)
{
	struct passwd *pw;

	*user = NULL;
	errno = 0;
	pw = getpwnam(name);
	if (pw != NULL)
		return make_user(user, pw->pw_name, pw->pw_dir, pw->pw_uid, pw->pw_gid, err);
	/* What getpwnam(3) says when there is nobody of that name; all else is trouble that may pass. */
	if (errno == 0 || errno == ENOENT || errno == ESRCH || errno == EBADF || errno == EPERM)
		return err_set(err, STATUS_NOUSER, "no such user");
	return err_sys(err, "look up user", NULL);
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
