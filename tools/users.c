/* Who there is, and one child after the other. */
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "users.h"

#define USER_LIMIT_S 3600	/* for what is done for one user */
#define TERM_S 10		/* to end tidily after that */

static volatile sig_atomic_t too_late;	/* seconds */

struct names {
	char **name;
	size_t n, room;
};

static int
add(struct names *names, const char *name)
{
	size_t room = names->room == 0 ? 64 : 2 * names->room;
	char **grown;

	if (names->n == names->room) {
		grown = realloc(names->name, room * sizeof(*grown));
		if (grown == NULL)
			return tool_fail(EX_TEMPFAIL, "no memory");
		names->name = grown;
		names->room = room;
	}
	names->name[names->n] = strdup(name);
	if (names->name[names->n] == NULL)
		return tool_fail(EX_TEMPFAIL, "no memory");
	names->n++;
	return EX_OK;
}

static void
release(struct names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
}

static int
add_listed(struct names *names)
{
	const struct passwd *pw;
	int rc = EX_OK;

	setpwent();
	while (rc == EX_OK && (pw = getpwent()) != NULL)
		if (pw->pw_uid != 0)
			rc = add(names, pw->pw_name);
	endpwent();
	return rc;
}

static int
add_owners(struct names *names)
{
	const struct passwd *pw;
	const struct dirent *entry;
	DIR *d = opendir(USERS_LEDGERS);
	struct stat st;
	int rc = EX_OK;

	if (d == NULL)
		return errno == ENOENT ? EX_OK : tool_fail(EX_TEMPFAIL, "open %s: %s", USERS_LEDGERS, strerror(errno));
	while (rc == EX_OK && (entry = readdir(d)) != NULL)
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_uid != 0 &&
		    (pw = getpwuid(st.st_uid)) != NULL)
			rc = add(names, pw->pw_name);
	closedir(d);
	return rc;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is so for all would be told once for each user. */
static int
check_system(struct tool *t)
{
	const char *file = t->config_file != NULL ? t->config_file : CONFIG_SYSTEM;
	struct config *config;
	struct err err;
	size_t i;
	int ret;

	if (config_new(&config, &err) == -1)
		return tool_err(&err, EX_TEMPFAIL);
	ret = config_read(config, file, t->config_file != NULL, -1, &err);
	for (i = 0; ret == 0 && i < t->assigned; i++)
		ret = config_set(config, t->assignments[i], &err);
	t->for_addresses = ret == 0 && config_needs_address(config);
	if (t->for_addresses)
		tool_note("%s is for virtual users (%%d): -A does not find these", file);
	config_free(&config);
	return ret == 0 ? EX_OK : tool_err(&err, EX_TEMPFAIL);
}

/* What it told may end in the middle, and what the next one tells must not be taken for the rest of it: a user may kill a process that has
 * become that user. Returns 0 or -1. */
static int
take_back(const struct tool *t, off_t before)
{
	int fd;

	if (t->gathered == NULL)
		return 0;
	fd = fileno(t->gathered);
	return ftruncate(fd, before) == -1 || lseek(fd, before, SEEK_SET) == -1 ? -1 : 0;
}

static void
on_alarm(int sig)
{
	(void)sig;
	too_late++;
}

/* The user can stop that process, or hold what it waits for; the others are not to wait as long. */
static int
wait_for(pid_t pid, int *status)
{
	/* again and again: one that comes just before waitpid(2) is lost */
	const struct itimerval limit = { .it_value = { .tv_sec = USER_LIMIT_S }, .it_interval = { .tv_sec = 1 } }, none = { .it_value = { 0 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	pid_t ended;

	too_late = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	while ((ended = waitpid(pid, status, 0)) == -1 && errno == EINTR)
		if (too_late > 0)
			(void)kill(pid, too_late < TERM_S ? SIGTERM : SIGKILL);
	setitimer(ITIMER_REAL, &none, NULL);
	return ended == -1 ? -1 : 0;
}

static int
run_as(struct tool *t, const char *name, int argc, char **argv, int (*work)(struct tool *t, int argc, char **argv))
{
	off_t before = t->gathered == NULL ? 0 : lseek(fileno(t->gathered), 0, SEEK_CUR);
	pid_t pid = fork();
	int status;

	if (pid == -1)
		return tool_fail(EX_TEMPFAIL, "fork: %s", strerror(errno));
	if (pid == 0) {
		t->user_name = name;
		tool_about(name);
		_exit(work(t, argc, argv));
	}
	if (wait_for(pid, &status) == -1)
		return tool_fail(EX_TEMPFAIL, "wait: %s", strerror(errno));
	if (WIFEXITED(status) && too_late == 0)
		return WEXITSTATUS(status);
	if (take_back(t, before) == -1)
		return tool_fail(EX_TEMPFAIL, "collect results: %s", strerror(errno));
	if (too_late > 0)
		return tool_fail(EX_TEMPFAIL, "%s: not done within %d minutes", name, USER_LIMIT_S / 60);
	return tool_fail(EX_TEMPFAIL, "%s: ended by signal %d", name, WTERMSIG(status));
}

/* One after the other. Returns the worst of their exit codes. */
static int
run_as_each(struct tool *t, struct names *names, int argc, char **argv, int (*work)(struct tool *t, int argc, char **argv))
{
	int worst = EX_OK, rc;
	bool some = false;
	size_t i;

	if (names->n > 0)
		qsort(names->name, names->n, sizeof(*names->name), by_name);
	for (i = 0; i < names->n && tool_stopped() == 0; i++) {
		if (i > 0 && strcmp(names->name[i], names->name[i - 1]) == 0)
			continue;
		rc = run_as(t, names->name[i], argc, argv, work);
		if (rc == EXIT_NO_LEDGER)
			continue;
		some = true;
		if (rc > worst)
			worst = rc;
	}
	if (!some && tool_stopped() == 0 && (t->command->flags & COMMAND_ASKS))
		tool_note("no user has a ledger of their own");
	return worst;
}

int
users_each(struct tool *t, int argc, char **argv, int (*work)(struct tool *t, int argc, char **argv))
{
	struct names names = { .name = NULL };
	int worst;

	if (geteuid() != 0)
		return tool_fail(EX_NOPERM, "-A: only root can become other users: run it as root");
	worst = check_system(t);
	if (worst == EX_OK)
		worst = add_listed(&names);
	if (worst == EX_OK)
		worst = add_owners(&names);
	if (worst == EX_OK) {
		tool_catch_signals();
		worst = run_as_each(t, &names, argc, argv, work);
	}
	release(&names);
	return worst;
}
