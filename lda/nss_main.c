/*
 * dedup-lda-nss: ask the name service on behalf of dedup-lda, which holds no code of it. Not for users, and no page of its own.
 *
 *	dedup-lda-nss name NAME		the user of that login name
 *	dedup-lda-nss uid UID		the user of that number
 *	dedup-lda-nss own-group UID GID	is this the user's own group?
 *	dedup-lda-nss host NAME		the addresses of a host
 *
 * Output, each field with a NUL at its end: of a user uid, gid, login name, home, and each group; of a host each address. Exit: 0 here it
 * is, or yes; 67 nobody, or no; 75 the name service can't say.
 */
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#ifdef __GLIBC__
#include <nss.h>
#endif
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define NSSWITCH "/etc/nsswitch.conf"
#define ANSWER_LIMIT 60U	/* s; a name service may hang */
#define ENTRY_BYTES 4096
#define ENTRY_BYTES_MAX (1024 * 1024)
#define GROUPS_MAX 65536	/* as many as Linux gives a process */

/* A user or group as the name service has it. */
struct entry {
	struct passwd pw;
	struct group gr;
	char buf[ENTRY_BYTES_MAX];	/* whose pages cost nothing until they are used */
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

/* Unlike getpwnam(3), whose errno has many meanings, these functions return 0 without an entry only where the last source has none, or
 * can't be loaded: see is_unknown(). A directory that can't be reached is trouble that may pass, and a bounce would be wrong. */
static int
found(int error, const void *entry)
{
	return entry != NULL ? EX_OK : error == 0 ? EX_NOUSER : EX_TEMPFAIL;
}

static int
find_name(struct entry *e, const char *name)
{
	struct passwd *pw = NULL;
	int error = getpwnam_r(name, &e->pw, e->buf, sizeof(e->buf), &pw);

	return found(error, pw);
}

static int
find_uid(struct entry *e, uid_t uid)
{
	struct passwd *pw = NULL;
	int error = getpwuid_r(uid, &e->pw, e->buf, sizeof(e->buf), &pw);

	return found(error, pw);
}

static int
find_group(struct entry *e, gid_t gid)
{
	struct group *gr = NULL;
	int error = getgrgid_r(gid, &e->gr, e->buf, sizeof(e->buf), &gr);

	return found(error, gr);
}

#ifdef __GLIBC__
/* Does this source, a plug-in of libc, say that there is no such user? name NULL: the one of that uid. */
static bool
denies(const char *source, const char *name, uid_t uid)
{
	enum nss_status (*by_name)(const char *, struct passwd *, char *, size_t, int *);
	enum nss_status (*by_uid)(uid_t, struct passwd *, char *, size_t, int *);
	enum nss_status status = NSS_STATUS_UNAVAIL;
	char library[64], function[64], buf[ENTRY_BYTES];
	struct passwd pw;
	void *plugin, *address;
	int error;

	snprintf(library, sizeof(library), "libnss_%s.so.2", source);
	snprintf(function, sizeof(function), "_nss_%s_%s", source, name != NULL ? "getpwnam_r" : "getpwuid_r");
	plugin = dlopen(library, RTLD_NOW);
	address = plugin != NULL ? dlsym(plugin, function) : NULL;
	memcpy(&by_name, &address, sizeof(by_name));	/* ISO C knows no cast for that */
	memcpy(&by_uid, &address, sizeof(by_uid));
	if (address != NULL)
		status = name != NULL ? by_name(name, &pw, buf, sizeof(buf), &error) : by_uid(uid, &pw, buf, sizeof(buf), &error);
	if (plugin != NULL)
		dlclose(plugin);
	return status == NSS_STATUS_NOTFOUND;
}
#else
/* A libc without plug-ins can't ask that source, and so can't say no for it. */
static bool
denies(const char *source, const char *name, uid_t uid)
{
	(void)source;
	(void)name;
	(void)uid;
	return false;
}
#endif

/* Do all sources of a line of nsswitch.conf(5) say so? files is libc's own: its answer is known. */
static bool
all_deny(char *line, const char *name, uid_t uid)
{
	char *source, *p, *end;

	while ((p = strchr(line, '[')) != NULL) {	/* what to do after an answer */
		end = strchr(p, ']');
		memset(p, ' ', end != NULL ? (size_t)(end - p) + 1 : strlen(p));
	}
	while ((source = strsep(&line, " \t")) != NULL)
		if (source[0] != '\0' && strcmp(source, "files") != 0 && !denies(source, name, uid))
			return false;
	return true;
}

/* libc's answer is that of its last source. Where that one has nobody, or its plug-in is missing in the middle of an upgrade, one before it
 * may be out of reach, with the user in it. So before a no counts each source is asked by itself. */
static bool
is_unknown(const char *name, uid_t uid)
{
	FILE *f = fopen(NSSWITCH, "re");
	char *line = NULL, *p;
	size_t size = 0;
	bool unknown = true;

	if (f == NULL)
		return errno == ENOENT;		/* then it is files alone */
	while (unknown && getline(&line, &size, f) != -1) {
		line[strcspn(line, "#\n")] = '\0';
		p = line + strspn(line, " \t");
		if (strncmp(p, "passwd:", strlen("passwd:")) == 0)
			unknown = all_deny(p + strlen("passwd:"), name, uid);
	}
	unknown = unknown && !ferror(f);
	free(line);
	fclose(f);
	return unknown;
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
print_addresses(const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found, *one;
	char text[NI_MAXHOST];
	int error = getaddrinfo(host, NULL, &hints, &found);

	if (error != 0)
		return error == EAI_NONAME ? EX_NOUSER : EX_TEMPFAIL;
	for (one = found; one != NULL; one = one->ai_next)
		if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			printf("%s%c", text, '\0');
	freeaddrinfo(found);
	return EX_OK;
}

static int
answer(int argc, char **argv, struct entry *user, struct entry *group)
{
	unsigned long uid, gid;
	int rc;

	if (argc == 3 && strcmp(argv[1], "name") == 0) {
		rc = find_name(user, argv[2]);
		if (rc == EX_NOUSER && !is_unknown(argv[2], 0))
			rc = EX_TEMPFAIL;
		return rc == EX_OK ? print_user(&user->pw) : rc;
	}
	if (argc == 3 && strcmp(argv[1], "uid") == 0 && number_in(argv[2], &uid)) {
		rc = find_uid(user, (uid_t)uid);
		if (rc == EX_NOUSER && !is_unknown(NULL, (uid_t)uid))
			rc = EX_TEMPFAIL;
		return rc == EX_OK ? print_user(&user->pw) : rc;
	}
	if (argc == 4 && strcmp(argv[1], "own-group") == 0 && number_in(argv[2], &uid) && number_in(argv[3], &gid)) {
		rc = find_uid(user, (uid_t)uid);
		if (rc == EX_OK)
			rc = find_group(group, (gid_t)gid);
		return rc == EX_OK ? is_own_group(&user->pw, &group->gr) : rc;
	}
	if (argc == 3 && strcmp(argv[1], "host") == 0)
		return print_addresses(argv[2]);
	fputs("dedup-lda-nss: dedup-lda starts this program to look up users and hosts\n", stderr);
	return EX_TEMPFAIL;
}

int
main(int argc, char **argv)
{
	static struct entry user, group;
	int rc;

	signal(SIGALRM, SIG_DFL);	/* who starts us may have it ignored */
	alarm(ANSWER_LIMIT);
	rc = answer(argc, argv, &user, &group);
	if (fflush(stdout) != 0)
		rc = EX_TEMPFAIL;
	return rc;
}
