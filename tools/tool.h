/*
 * dedupdb: what its commands share. One command is one file, cmd_NAME.c, and one line in the table of main.c.
 *
 * A command reads its own options first, then calls tool_load() and perhaps tool_ledger(); so `dedupdb list --help` works where the
 * configuration does not. Functions that return an exit code have already printed the error when it is not 0.
 */
#ifndef TOOL_H
#define TOOL_H

#include <sys/types.h>

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>

#include "config.h"
#include "dedupdb.h"
#include "output.h"
#include "progress.h"
#include "status.h"
#include "stop.h"
#include "user.h"

#define EXIT_UNKNOWN 1		/* what was asked for is not there; for check: a duplicate */
#define EXIT_NO_LEDGER 254	/* with -A, of a user's child: there is none. The command ends and says nothing */

enum command_flag {
	COMMAND_MAILBOX = 1,	/* touches mail: never as root */
	COMMAND_VERDICT = 2,	/* its exit code is an answer: every failure is 75 */
	COMMAND_ALL = 4,	/* can be run for every user, with -A */
	COMMAND_ASKS = 8	/* is there for what it says: with -A also that there is nothing to say */
};

struct tool;

struct command {
	const char *name;
	const char *synopsis;	/* what follows the name */
	const char *line;	/* what it does, in one line */
	/* For --help. Lines with their newlines; options as `  -x, --long=VALUE`, the text from column 26 on, since shells complete what
	 * stands there. NULL: none */
	const char *options;	/* but for --json and --help, which every command has */
	const char *details;
	const char *exits;	/* exit codes with a meaning of their own */
	const char *examples;
	unsigned flags;		/* enum command_flag */
	/* Reads the options, once, before -A makes its children, for a command whose finish must know them; or NULL: run does. argv as for
	 * run. Returns an exit code, or -1 to go on. */
	int (*prepare)(struct tool *t, int argc, char **argv);
	/* argv[0] is the command's name. Returns the exit code. */
	int (*run)(struct tool *t, int argc, char **argv);
	/* Called once after run, with -A after the last user, and with the code that came of that, unless it is NULL: prints what was
	 * collected in t->gathered. Returns an exit code. */
	int (*finish)(struct tool *t, int ran);
};

struct tool {
	/* the command line; all strings are borrowed from it but for the assignments, which are owned */
	const struct command *command;
	const char *user_name;	/* -d; with -A in each child that child's */
	bool all;		/* -A */
	bool for_addresses;	/* with -A: the system's file serves virtual users, and only users with a file of their own may have a mailbox */
	const char *config_file;
	char **assignments;	/* NULL at the end, or NULL */
	size_t assigned;
	bool chosen;		/* -l, -c or -o: whoever calls has said which ledger */
	bool json;
	bool changing;		/* the command will make many changes: a missing ledger is made, and stays open between them */
	const char *address;	/* original recipient, for alias-copies = each; a command's option may set it before tool_load() */

	int64_t now;		/* s; one for the whole run */
	mode_t umask;		/* of whoever called; ours is 077 */
	const void *options;	/* what prepare has read; the command's own */
	FILE *gathered;		/* for commands with `finish`: in memory, and shared with the processes of -A */

	/* made by tool_load and tool_ledger */
	struct user *user;
	struct config *config;
	struct ledger *ledger;	/* NULL: there is none by configuration */
};

/* One more "name=value" for the configuration: prefix and value are joined. Returns an exit code. */
int tool_assign(struct tool *t, const char *prefix, const char *value);

/* Become the user, if one was named, and load the configuration. Returns an exit code. */
int tool_load(struct tool *t);
/* tool_load, then open the ledger. A missing one is empty, unless t->changing; `ledger = none` leaves t->ledger NULL. Returns an exit
 * code, or with -A EXIT_NO_LEDGER for either. */
int tool_ledger(struct tool *t);
void tool_free(struct tool *t);

/* Every record, but none where there is no ledger; as ledger_each. */
int tool_each(struct tool *t, ledger_visit *visit, void *arg, struct err *err);

/* The options of one command; end a table of options with TOOL_OPTIONS. */
enum { OPTION_JSON = 256, OPTION_HELP, OPTION_FIRST };
#define TOOL_OPTIONS \
	{ "json", no_argument, NULL, OPTION_JSON }, { "help", no_argument, NULL, OPTION_HELP }, { NULL, 0, NULL, 0 }
/* The original recipient, for commands that make fingerprints; and what their --help says of it. */
#define TOOL_ADDRESS { "address", required_argument, NULL, 'a' }
#define TOOL_ADDRESS_HELP "  -a, --address=ADDRESS   the original recipient, for alias-copies = each\n"
/* getopt_long that deals with --json, -h, --help and mistakes itself. Returns the option, or -1 at the end: the command then returns
 * *rc, unless that is -1. `options` starts with ':'. */
int tool_getopt(struct tool *t, int argc, char **argv, const char *options, const struct option *table, int *rc);
/* Say how the command is used. */
void tool_help(const struct command *command);

/* Print "dedupdb: text" to standard error, escaped: the work goes on. */
void tool_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same when it does not; returns code. */
int tool_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for a wrong command line, with a hint; returns EX_USAGE. */
int tool_usage(const struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For a command that is nothing without a ledger, when the configuration has none: says so, and what it was wanted for. */
int tool_no_ledger(const char *what);
/* That no record's fingerprint begins with these digits. Returns EXIT_UNKNOWN. */
int tool_no_record(const char *digits);
/* A point in time from the command line. Returns an exit code. */
int tool_time(const struct tool *t, const char *text, int64_t *time);
/* Print err; the exit code is the one for its status, or `code` for a passing trouble. */
int tool_err(const struct err *err, int code);
/* The result of a command: with -A it begins with whose it is. */
void tool_out_begin(const struct tool *t, struct out *o);
/* The same for a line of text that a command prints by itself. */
void tool_line_begin(const struct tool *t);
/* From here on errors and remarks begin with this name, which is borrowed. */
void tool_about(const char *name);
/* A remark that does not change the exit code. Fits the notice of ledgers and mailboxes. */
void tool_notice(void *arg, const char *text);

extern const struct command cmd_stat, cmd_list, cmd_show, cmd_why, cmd_check, cmd_prune, cmd_forget, cmd_recover;
extern const struct command cmd_import, cmd_export, cmd_restore, cmd_verify;
extern const struct command cmd_dedupe, cmd_gaps;

#endif
