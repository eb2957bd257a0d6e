/* The exit codes of the agent, and the first line of its output. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "fs.h"

static void (*volatile crashed)(void);
static volatile pid_t group_to_kill;

struct exit_policy
exit_policy(const struct config *config)
{
	return (struct exit_policy){ .reject_unknown = config->reject_unknown, .reject_over_quota = config->reject_over_quota,
		.reject_refused = config->reject_refused };
}

int
exit_code(enum status status, const struct exit_policy *policy)
{
	if (status == STATUS_NOUSER && policy->reject_unknown)
		return EXIT_NO_USER;
	if (status == STATUS_QUOTA && policy->reject_over_quota)
		return EXIT_OVER_QUOTA;
	if (status == STATUS_REFUSED && policy->reject_refused)
		return EXIT_REFUSED;
	return EXIT_TEMPORARY;
}

static const char *
enhanced_code(int code)
{
	switch (code) {
	case EXIT_NO_USER:
		return "5.1.1";
	case EXIT_OVER_QUOTA:
		return "5.2.2";
	case EXIT_REFUSED:
		return "5.0.0";
	default:
		return "4.3.0";
	}
}

void
exit_report(int code, const char *reason)
{
	char line[ERR_TEXT + 16], *p;
	int n = snprintf(line, sizeof(line) - 1, "%s %s", enhanced_code(code), reason);

	if (n < 0)
		return;
	for (p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';	/* a path may hold anything; the MTA reads one line */
	*p++ = '\n';
	(void)fs_write(STDERR_FILENO, line, (size_t)(p - line), NULL, "standard error", NULL);
}

/* As good as kill -9 for what is on disk, which every step allows for; but the MTA sees 75. */
static void
die(int sig)
{
	static const char killed[] = "4.3.0 stopped by a signal\n";
	static const char late[] = "4.3.0 the time limit is over\n";
	static const char broken[] = "4.3.0 internal error\n";
	const char *text = sig == SIGALRM ? late : killed;

	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGABRT)
		text = broken;
	if ((text == broken || text == late) && crashed != NULL)
		crashed();
	if (group_to_kill > 0)
		(void)kill(-group_to_kill, SIGKILL);
	(void)!write(STDERR_FILENO, text, strlen(text));
	_exit(EXIT_TEMPORARY);
}

void
exit_catch_signals(void)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGXCPU, SIGUSR1, SIGUSR2, SIGSYS, SIGSEGV, SIGBUS,
		SIGFPE, SIGILL, SIGABRT };
	static const int ignored[] = { SIGPIPE, SIGXFSZ };	/* their system calls fail instead */
	struct sigaction sa;
	size_t i;

	memset(&sa, 0, sizeof(sa));
	sigfillset(&sa.sa_mask);
	sa.sa_handler = die;
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &sa, NULL);
}

void
exit_on_signals(void)
{
	sigset_t none;

	exit_catch_signals();
	sigemptyset(&none);	/* whoever started us may have blocked them */
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
exit_after(unsigned int limit_s)
{
	alarm(limit_s);
}

void
exit_kills(pid_t group)
{
	group_to_kill = group;
}

void
exit_on_crash(void (*on_crash)(void))
{
	crashed = on_crash;
}
