/*
 * dedup-lda-nss: ask the name service on behalf of dedup-lda, which holds no code of it. Not for users, and no page of its own.
 *
 *	dedup-lda-nss name NAME		the user of that login name
 *	dedup-lda-nss uid UID		the user of that number
 *	dedup-lda-nss own-group UID GID	is this the user's own group?
 *
 * Output, each field with a NUL at its end: uid, gid, login name, home, and each group. Exit: 0 here it is, or yes; 67 nobody, or no; 75
 * the name service can't say.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ANSWER_LIMIT 60U	/* s; a name service may hang */
#define ENTRY_BYTES 4096
#define ENTRY_BYTES_MAX (1024 * 1024)
#define GROUPS_MAX 65536	/* as many as Linux gives a process */

/* An answer of the name service that is still being asked for in larger and larger buffers. */
struct entry {
	struct passwd pw;
	struct group gr;
	char *buf;
	size_t size;
};

static bool
number_in(const char *text, unsigned long *number)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *number == (uid_t)*number;
}

/* Unlike getpwnam(3), whose errno has many meanings, these functions return 0 without an entry only where a source was asked and has
 * nobody of that name. A directory that can't be reached is trouble that may pass, and a bounce would be wrong. */
static int
found(int error, const void *entry)
{
	return entry != NULL ? EX_OK : error == 0 ? EX_NOUSER : EX_TEMPFAIL;
}

static bool
grow(struct entry *e)
{
	size_t size = e->size == 0 ? ENTRY_BYTES : 2 * e->size;
	char *more = size <= ENTRY_BYTES_MAX ? realloc(e->buf, size) : NULL;

	if (more == NULL)
		return false;
	e->buf = more;
	e->size = size;
	return true;
}

static int
find_name(struct entry *e, const char *name)
{
	struct passwd *pw = NULL;
	int error = ERANGE;

	while (error == ERANGE && grow(e))
		error = getpwnam_r(name, &e->pw, e->buf, e->size, &pw);
	return found(error, pw);
}

static int
find_uid(struct entry *e, uid_t uid)
{
	struct passwd *pw = NULL;
	int error = ERANGE;

	while (error == ERANGE && grow(e))
		error = getpwuid_r(uid, &e->pw, e->buf, e->size, &pw);
	return found(error, pw);
}

static int
find_group(struct entry *e, gid_t gid)
{
	struct group *gr = NULL;
	int error = ERANGE;

	while (error == ERANGE && grow(e))
		error = getgrgid_r(gid, &e->gr, e->buf, e->size, &gr);
	return found(error, gr);
}

static int
print_groups(const struct passwd *pw)
{
	gid_t *groups = calloc(GROUPS_MAX, sizeof(*groups));
	int i, n = GROUPS_MAX, rc = EX_TEMPFAIL;

	if (groups != NULL && getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) != -1) {
		for (i = 0; i < n; i++)
			printf("%lu%c", (unsigned long)groups[i], '\0');
		rc = EX_OK;
	}
	free(groups);
	return rc;
}

static int
print_user(const struct passwd *pw)
{
	printf("%lu%c%lu%c%s%c%s%c", (unsigned long)pw->pw_uid, '\0', (unsigned long)pw->pw_gid, '\0', pw->pw_name, '\0', pw->pw_dir, '\0');
	return print_groups(pw);
}

/* A user's own group: named like the user, the user's primary one, with no other members. Without the name, a group that all users
 * share as their primary one, and which therefore lists no members, would pass. */
static int
is_own_group(const struct passwd *pw, const struct group *gr)
{
	char *const *member = gr->gr_mem;

	if (pw->pw_gid != gr->gr_gid || strcmp(pw->pw_name, gr->gr_name) != 0)
		return EX_NOUSER;
	while (*member != NULL && strcmp(*member, pw->pw_name) == 0)
		member++;
	return *member == NULL ? EX_OK : EX_NOUSER;
}

static int
answer(int argc, char **argv, struct entry *user, struct entry *group)
{
	unsigned long uid, gid;
	int rc;

	if (argc == 3 && strcmp(argv[1], "name") == 0) {
		rc = find_name(user, argv[2]);
		return rc == EX_OK ? print_user(&user->pw) : rc;
	}
	if (argc == 3 && strcmp(argv[1], "uid") == 0 && number_in(argv[2], &uid)) {
		rc = find_uid(user, (uid_t)uid);
		return rc == EX_OK ? print_user(&user->pw) : rc;
	}
	if (argc == 4 && strcmp(argv[1], "own-group") == 0 && number_in(argv[2], &uid) && number_in(argv[3], &gid)) {
		rc = find_uid(user, (uid_t)uid);
		if (rc == EX_OK)
			rc = find_group(group, (gid_t)gid);
		return rc == EX_OK ? is_own_group(&user->pw, &group->gr) : rc;
	}
	fputs("dedup-lda-nss: dedup-lda starts this program to look up users\n", stderr);
	return EX_TEMPFAIL;
}

int
main(int argc, char **argv)
{
	struct entry user = { 0 }, group = { 0 };
	int rc;

	alarm(ANSWER_LIMIT);
	rc = answer(argc, argv, &user, &group);
	if (fflush(stdout) != 0)
		rc = EX_TEMPFAIL;
	free(user.buf);
	free(group.buf);
	return rc;
}
