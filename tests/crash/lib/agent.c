/* Running an agent that is known by its command line. */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
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
	if (argc < 4 || (strcmp(argv[0], "maildir") != 0 && strcmp(argv[0], "mbox") != 0))
		return false;
	memset(a, 0, sizeof(*a));
	a->mbox = strcmp(argv[0], "mbox") == 0;
	a->home = argv[1];
	a->mailbox = argv[2];
	a->argv = argv + 3;
	a->ours = strstr(argv[3], "/dedup-lda") != NULL;
	set_environment(a->home);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("PR_SET_NO_NEW_PRIVS");
	if (chdir(a->home) == -1)
		die(a->home);
	return true;
}

int
agent_deliver(const struct agent *a, const struct mail *m)
{
	struct tree t;

	tree_start(&t, a->argv, m->path, a->out, AGENT_LIMIT_S);
	tree_finish(&t);
	return t.code;
}

/* Lock files say by their age that they were left. */
static int
age_lock(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct timespec then[2] = { st->st_atim, st->st_mtim };
	size_t len = strlen(path);

	(void)ftw;
	if (type == FTW_D || len < 5 || strcmp(path + len - 5, ".lock") != 0)
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
