/*
 * dedupdb: the ledger's administration.
 *
 * Exit codes are those of sysexits: EXIT STATUS in dedupdb(8) has them. 1: what was asked for is not there (check: a duplicate).
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "process.h"
#include "tool.h"
#include "users.h"
#include "version.h"

static const struct command *const commands[] = {
	&cmd_stat, &cmd_list, &cmd_show, &cmd_why, &cmd_check, &cmd_prune, &cmd_forget, &cmd_recover,
	&cmd_import, &cmd_export, &cmd_restore, &cmd_verify,
	&cmd_dedupe, &cmd_gaps,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
help(void)
{
	size_t i;

	printf("usage: dedupdb [-l ledger] [-d user | -A] [-c file] [-o name=value]... [--json] command [arguments]\n\n"
	    "Options:\n"
	    "  -l, --ledger=LEDGER       use this ledger: bdb:FOLDER, the URL of a Redis server, or none\n"
	    "  -d, --user=USER           as root: become USER first, and use that user's ledger\n"
	    "  -A, --all                 as root: every user who has a ledger, one after the other\n"
	    "  -c, --config=FILE         read this configuration file only\n"
	    "  -o, --option=NAME=VALUE   set one configuration key; 'dedupdb help keys' lists them\n"
	    "      --json                print JSON\n"
	    "  -h, --help                this text; with a command: how to use it\n"
	    "  -V, --version             print the version\n\n"
	    "Commands:\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->line);
	printf("  %-8s %s\n", "help", "This text; 'help COMMAND' how to use that; 'help keys' the configuration keys");
	printf("\nExamples:\n"
	    "  dedupdb stat                               of the user who calls\n"
	    "  dedupdb -d joe why '<4F2@mx.example.org>'  as root, of another user\n"
	    "  dedupdb -A verify                          of every user\n\n"
	    "'dedupdb COMMAND --help' tells more; exit codes and all else are in dedupdb(8).\n");
}

static void
help_keys(void)
{
	const char *name, *def, *allowed;
	size_t i;

	printf("Keys for -o name=value and the configuration files, with defaults, and what they may be; dedup-lda.conf(5) explains them:\n\n");
	for (i = 0; (name = config_key_at(i, &def, &allowed)) != NULL; i++)
		printf("  %s=%-*s %s\n", name, 36 - (int)strlen(name), def, allowed);
}

static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* help, help keys, help COMMAND. Returns an exit code. */
static int
help_on(struct tool *t, int argc, char **argv)
{
	const char *what = optind + 1 < argc ? argv[optind + 1] : NULL;

	if (optind + 2 < argc)
		return tool_usage(t, "help takes one command, or 'keys'");
	if (what == NULL)
		help();
	else if (strcmp(what, "keys") == 0)
		help_keys();
	else if (find_command(what) == NULL)
		return tool_usage(t, "there is no command '%s' to help with", what);
	else
		tool_help(find_command(what));
	return EX_OK;
}

static int
choose_command(struct tool *t, int argc, char **argv)
{
	if (optind >= argc)
		return tool_usage(t, "no command");
	if (strcmp(argv[optind], "help") == 0)
		return help_on(t, argc, argv);
	t->command = find_command(argv[optind]);
	return t->command != NULL ? -1 : tool_usage(t, "unknown command '%s'", argv[optind]);
}

/* Returns an exit code, or -1: run the command at argv[optind]. */
static int
read_options(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = {
		{ "ledger", required_argument, NULL, 'l' }, { "user", required_argument, NULL, 'd' },
		{ "all", no_argument, NULL, 'A' },
		{ "config", required_argument, NULL, 'c' }, { "option", required_argument, NULL, 'o' },
		{ "version", no_argument, NULL, 'V' }, TOOL_OPTIONS
	};
	int c, rc;

	/* '+': a command's own options stay with it */
	while ((c = tool_getopt(t, argc, argv, "+:l:d:Ac:o:hV", table, &rc)) != -1) {
		rc = EX_OK;
		switch (c) {
		case 'l':
		case 'o':
			rc = tool_assign(t, c == 'l' ? "ledger=" : "", optarg);
			t->chosen = true;
			break;
		case 'd':
			t->user_name = optarg;
			break;
		case 'A':
			t->all = true;
			break;
		case 'c':
			t->config_file = optarg;
			t->chosen = true;
			break;
		case 'V':
			printf("dedupdb (dedup-lda) %s, jansson %s\n", DEDUP_LDA_VERSION, jansson_version_str());
			return EX_OK;
		default:
			help();
			return EX_OK;
		}
		if (rc != EX_OK)
			return rc;
	}
	return rc != -1 ? rc : choose_command(t, argc, argv);
}

static int
check_all(const struct tool *t)
{
	if (!t->all)
		return -1;
	if (t->user_name != NULL)
		return tool_usage(t, "-A is every user, -d one");
	if ((t->command->flags & COMMAND_ALL) == 0)
		return tool_usage(t, "-A goes with stat, prune, recover, verify and gaps");
	return -1;
}

static int
prepare_command(struct tool *t, int argc, char **argv)
{
	int first = optind, rc;

	if (t->command->prepare == NULL)
		return -1;
	optind = 0;
	rc = t->command->prepare(t, argc - first, argv + first);
	optind = first;
	return rc;
}

static int
run_command(struct tool *t, int argc, char **argv)
{
	int first = optind, rc;

	optind = 0;	/* getopt starts afresh */
	rc = t->command->run(t, argc - first, argv + first);
	if ((t->command->flags & COMMAND_VERDICT) && rc != EX_OK && rc != EXIT_UNKNOWN)
		rc = EX_TEMPFAIL;
	return rc;
}

/* Nobody may take a list that was cut off by a full disk for a whole one. A reader that went away knows that itself. */
static int
finish_output(int rc)
{
	int failed;

	errno = 0;
	failed = ferror(stdout);
	if (fflush(stdout) == EOF)
		failed = 1;
	if (!failed)
		return rc;
	if (errno != EPIPE)
		tool_fail(EX_IOERR, "standard output: %s", errno != 0 ? strerror(errno) : "write error");
	return EX_IOERR;
}

static int
open_gathered(struct tool *t)
{
	int fd;

	if (t->command->finish == NULL)
		return -1;
	fd = memfd_create("dedupdb", MFD_CLOEXEC);
	t->gathered = fd == -1 ? NULL : fdopen(fd, "w+");
	return t->gathered != NULL ? -1 : tool_fail(EX_TEMPFAIL, "collect results: %s", strerror(errno));
}

static int
finish_command(struct tool *t, int rc)
{
	int worse;

	if (t->gathered == NULL)
		return rc;
	worse = t->command->finish(t, rc);
	fclose(t->gathered);
	worse = finish_output(worse);
	return worse > rc ? worse : rc;
}

/* The whole of a command, for one user or another. */
static int
run_and_print(struct tool *t, int argc, char **argv)
{
	int rc = run_command(t, argc, argv);

	tool_free(t);
	if (rc == EXIT_NO_LEDGER)
		return rc;
	rc = finish_output(rc);
	return (t->command->flags & COMMAND_VERDICT) && rc == EX_IOERR ? EX_TEMPFAIL : rc;
}

int
main(int argc, char **argv)
{
	struct tool t = { .now = clock_now() };
	int rc, stopped;

	process_fill_descriptors();	/* or a file of the ledger would be standard output */
	t.umask = umask(077);
	process_keep_ends();
	signal(SIGPIPE, SIG_IGN);	/* a reader that goes away must not stop a change half-way */
	rc = read_options(&t, argc, argv);
	if (rc == -1)
		rc = check_all(&t);
	if (rc == -1)
		rc = prepare_command(&t, argc, argv);
	if (rc == -1)
		rc = open_gathered(&t);
	if (rc == -1) {
		rc = t.all ? users_each(&t, argc, argv, run_and_print) : run_and_print(&t, argc, argv);
		rc = finish_command(&t, rc);
	} else
		rc = finish_output(rc);
	tool_free(&t);
	stopped = tool_stopped();
	if (stopped != 0) {	/* so that a shell's loop ends as well */
		signal(stopped, SIG_DFL);
		raise(stopped);
	}
	return rc;
}
