/* Whose process this is, and how root becomes somebody else for good. */
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nss_ask.h"
#include "user.h"

#define DECIMAL_BYTES 24

/* The functions that make a user return NULL with err filled. */
static struct user *
make_user(const char *name, const char *home, uid_t uid, gid_t gid, struct err *err)
{
	struct user *user = calloc(1, sizeof(*user));

	if (user == NULL) {
		err_sys(err, "look up user", name);
		return NULL;
	}
	user->uid = uid;
	user->gid = gid;
	user->name = strdup(name);
	user->home = home != NULL && home[0] == '/' ? strdup(home) : NULL;
	if (user->name == NULL || (home != NULL && home[0] == '/' && user->home == NULL)) {
		err_sys(err, "look up user", name);
		user_free(&user);
	}
	return user;
}

void
user_free(struct user **user)
{
	if (*user == NULL)
		return;
	free((*user)->name);
	free((*user)->home);
	free((*user)->groups);
	free(*user);
	*user = NULL;
}

/* Could it be the uid's? Most lines of a long file are others'. */
static bool
names_number(const char *line, uid_t uid)
{
	const char *colon = strchr(line, ':');

	colon = colon != NULL ? strchr(colon + 1, ':') : NULL;
	return colon != NULL && strtoul(colon + 1, NULL, 10) == uid;
}

/* Split a line of passwd(5) at its colons. Returns true when it is the uid's; the fields are then inside line. */
static bool
is_line_of(char *line, uid_t uid, char **name, char **home)
{
	char *fields[7], *end;
	unsigned long number;
	size_t n = 0;

	if (!names_number(line, uid))
		return false;
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

/* The next field of an answer, or NULL after the last. */
static const char *
next_field(const char **p, const char *end)
{
	const char *field = *p, *nul = memchr(field, '\0', (size_t)(end - field));

	*p = nul != NULL ? nul + 1 : end;
	return nul != NULL ? field : NULL;
}

static struct user *
read_answer(const char *p, const char *end, struct err *err)
{
	const char *uid = next_field(&p, end), *gid = next_field(&p, end), *name = next_field(&p, end), *home = next_field(&p, end);
	const char *group;
	struct user *user;

	if (uid == NULL || gid == NULL || name == NULL || home == NULL) {
		err_set(err, STATUS_TEMP, "look up user: the answer is cut");
		return NULL;
	}
	user = make_user(name, home, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10), err);
	if (user == NULL)
		return NULL;
	user->groups = calloc((size_t)(end - p) + 1, sizeof(*user->groups));	/* each takes a byte at least */
	if (user->groups == NULL) {
		err_sys(err, "look up user", user->name);
		user_free(&user);
		return NULL;
	}
	while ((group = next_field(&p, end)) != NULL)
		user->groups[user->group_count++] = (gid_t)strtoul(group, NULL, 10);
	return user;
}

static struct user *
ask(const char *what, const char *key, struct err *err)
{
	const char *const question[] = { what, key, NULL };
	struct user *user;
	char *answer;
	size_t len;

	if (nss_ask(question, &answer, &len, err) == -1)
		return NULL;
	user = read_answer(answer, answer + len, err);
	free(answer);
	return user;
}

/* A user without an entry, as in a container, has a number for a name. */
static struct user *
find_current(uid_t uid, struct err *err)
{
	char number[DECIMAL_BYTES], unnamed[DECIMAL_BYTES + 8], *line, *name, *home;
	struct user *user;
	struct err why;

	line = find_local(uid, &name, &home);
	if (line != NULL) {
		user = make_user(name, home, uid, getgid(), err);
		free(line);
		return user;
	}
	snprintf(number, sizeof(number), "%lu", (unsigned long)uid);
	snprintf(unnamed, sizeof(unnamed), "uid%s", number);
	user = ask("uid", number, &why);
	if (user == NULL && why.status == STATUS_NOUSER)
		user = make_user(unnamed, NULL, uid, getgid(), &why);
	if (user == NULL && err != NULL)
		*err = why;
	return user;
}

int
user_current(struct user **user, struct err *err)
{
	const char *told = getenv("HOME");
	struct user *current = find_current(getuid(), err);

	*user = current;
	if (current == NULL)
		return -1;
	current->gid = getgid();
	if (told == NULL || told[0] != '/')
		return 0;
	free(current->home);
	current->home = strdup(told);
	if (current->home != NULL)
		return 0;
	err_sys(err, "look up user", current->name);
	user_free(user);
	return -1;
}

int
user_named(struct user **user, const char *name, struct err *err)
{
	*user = ask("name", name, err);
	return *user != NULL ? 0 : -1;
}

bool
user_owns_group(uid_t uid, gid_t gid)
{
	char user[DECIMAL_BYTES], group[DECIMAL_BYTES], *answer = NULL;
	const char *const question[] = { "own-group", user, group, NULL };
	size_t len;
	bool owns;

	snprintf(user, sizeof(user), "%lu", (unsigned long)uid);
	snprintf(group, sizeof(group), "%lu", (unsigned long)gid);
	owns = nss_ask(question, &answer, &len, NULL) == 0;
	free(answer);
	return owns;
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
	if (setgroups(user->group_count, user->groups) == -1)
		return err_sys(err, "set the groups of user", user->name);
	if (setresgid(user->gid, user->gid, user->gid) == -1)
		return err_sys(err, "set the group of user", user->name);
	if (setresuid(user->uid, user->uid, user->uid) == -1)
		return err_sys(err, "become user", user->name);
	return verify(user, err);
}
