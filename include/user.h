/*
 * Whose process this is, and how root becomes somebody else for good.
 */
#ifndef USER_H
#define USER_H

#include <sys/types.h>

#include <stdbool.h>

#include "status.h"

struct user {
	char *name;	/* login name, or "uid1234" for a user without an entry */
	char *home;	/* absolute path, or NULL */
	uid_t uid;
	gid_t gid;
	gid_t *groups;		/* all of them; NULL for a user whom nobody can become: user_current() of a local one */
	size_t group_count;
};

/* The user of this process. HOME counts if it is an absolute path, since whoever sets it could as well run another program. */
int user_current(struct user **user, struct err *err);
/* A user by login name, as the name service knows it: STATUS_NOUSER when there is none, STATUS_TEMP when it could not say. Starts a
 * process, about 1 ms. */
int user_named(struct user **user, const char *name, struct err *err);
/* Become that user for good: supplementary groups, group, user; then all ids are read back, and the way back is tried. Root only;
 * refuses to become root. */
int user_become(const struct user *user, struct err *err);
/* Is it the user's own group: named like the user, the user's primary one, with no other members? False also when nobody can say. */
bool user_owns_group(uid_t uid, gid_t gid);
void user_free(struct user **user);

#endif
