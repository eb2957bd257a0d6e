/* Going on as dedup-lda-redis. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libexec.h"
#include "redis_exec.h"
#include "redis_url.h"

#define PROGRAM "dedup-lda-redis"
#define USER_VARIABLE "DEDUP_LDA_USER"

/* Several users may share a number, so the name has to be told: as "pid:name", which only this process could have said to itself. And
 * whoever contrives to say it gets no more rights by it than by -o. */
char *
redis_exec_user(void)
{
	const char *told = getenv(USER_VARIABLE);
	char *colon;

	if (told == NULL || strtol(told, &colon, 10) != (long)getpid() || *colon != ':' || colon[1] == '\0')
		return NULL;
	return strdup(colon + 1);
}

static int
tell(const struct user *user)
{
	char *told;
	int ret;

	if (user->home == NULL ? unsetenv("HOME") == -1 : setenv("HOME", user->home, 1) == -1)
		return -1;
	if (asprintf(&told, "%ld:%s", (long)getpid(), user->name) == -1)
		return -1;
	ret = setenv(USER_VARIABLE, told, 1);
	free(told);
	return ret;
}

/* Until the other one has its handlers, no signal may end the process: its exit code would bounce the mail. */
void
redis_exec(const struct config *config, const struct user *user, char **argv)
{
	char path[LIBEXEC_PATH_MAX];
	sigset_t all, before;
	unsigned int i;

	if (config->ledger_url == NULL || !redis_url_is(config->ledger_url) || ledger_has(config->ledger_url))
		return;
	if (tell(user) == -1)
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	for (i = 0; libexec_path(path, PROGRAM, i) == 0; i++)
		(void)execv(path, argv);
	sigprocmask(SIG_SETMASK, &before, NULL);
	(void)unsetenv(USER_VARIABLE);
}
