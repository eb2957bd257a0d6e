/* Running an agent that is known by its command line. */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "trace.h"
#include "tree.h"

#define TRIES 3
#define HOUR_S 3600
#define DEPTH 16	/* descriptors that a walk may use */

static void
set_environment(const char *home)
{
	struct passwd *pw = getpwuid(getuid());
	const char *user = pw == NULL ? "nobody" : pw->pw_name;

	if (clearenv() != 0 || setenv("HOME", home, 1) == -1 || setenv("USER", user, 1) == -1 || setenv("LOGNAME", user, 1) == -1 ||
	    setenv("TMPDIR", home, 1) == -1 || setenv("PATH", "/usr/bin:/bin", 1) == -1)
		die("setenv");
}

bool
agent_make(struct agent *a, int argc, char **argv)
{
	memset(a, 0, sizeof(*a));
	if (argc < 5 || (strcmp(argv[1], "maildir") != 0 && strcmp(argv[1], "mbox") != 0))
		return false;
	a->folder = realpath(argv[0], NULL);
	if (a->folder == NULL || asprintf(&a->out, "%s/out", a->folder) == -1)
		die(argv[0]);
	a->mbox = strcmp(argv[1], "mbox") == 0;
	a->home = argv[2];
	a->mailbox = argv[3];
	a->argv = argv + 4;
	a->ours = strstr(argv[4], "/dedup-lda") != NULL;
	set_environment(a->home);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("PR_SET_NO_NEW_PRIVS");
	if (chdir(a->home) == -1)
		die(a->home);
	return true;
}

void
agent_free(struct agent *a)
{
	free(a->folder);
	free(a->out);
	memset(a, 0, sizeof(*a));
}

int
agent_deliver(const struct agent *a, const struct mail *m)
{
	struct tree t;

	tree_start(&t, a->argv, m->path, a->out);
	tree_finish(&t, TREE_LIMIT_S);
	return t.code;
}

/* Lock files say by their age that they were left. (Dovecot looks at the ctime of some, which can't be set: there it waits.) */
static int
age_lock(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct timespec then[2] = { st->st_atim, st->st_mtim };
	const char *dot = strrchr(path + ftw->base, '.');

	if (type == FTW_D || dot == NULL || strcmp(dot, ".lock") != 0)
		return 0;
	then[0].tv_sec -= HOUR_S;
	then[1].tv_sec -= HOUR_S;
	if (utimensat(AT_FDCWD, path, then, AT_SYMLINK_NOFOLLOW) == -1)
		die(path);
	return 0;
}

bool
agent_takes(const struct agent *a, const struct mail *m)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (nftw(a->home, age_lock, DEPTH, FTW_PHYS) == -1)
			die(a->home);
		if (agent_deliver(a, m) == 0)
			return true;
	}
	return false;
}

unsigned int
agent_count(const struct agent *a, struct mail *mails, size_t n)
{
	if (a->mbox)
		return count_mbox(a->mailbox, "", a->ours, mails, n);
	return count_maildir(a->mailbox, mails, n);
}
