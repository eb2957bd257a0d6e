/*
 * dedupdb: options, errors, and how it gets at the user, the configuration and the ledger.
 */
#include <sys/stat.h>

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "tool.h"

static const char *about;	/* whose ledger it is, if there are several */

/* hint: what follows the text as it stands, or NULL. */
static void __attribute__((format(printf, 2, 0)))
complain(const char *hint, const char *fmt, va_list ap)
{
	char text[ERR_TEXT];

	vsnprintf(text, sizeof(text), fmt, ap);
	progress_end();
	fputs("dedupdb: ", stderr);
	if (about != NULL) {
		escaped_text(stderr, about);
		fputs(": ", stderr);
	}
	escaped_text(stderr, text);
	if (hint != NULL)
		fputs(hint, stderr);
	fputc('\n', stderr);
}

void
tool_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(NULL, fmt, ap);
	va_end(ap);
}

int
tool_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(NULL, fmt, ap);
	va_end(ap);
	return code;
}

int
tool_usage(const struct tool *t, const char *fmt, ...)
{
	char hint[64];
	va_list ap;

	snprintf(hint, sizeof(hint), "; try 'dedupdb%s%s --help'", t->command != NULL ? " " : "",
	    t->command != NULL ? t->command->name : "");
	va_start(ap, fmt);
	complain(hint, fmt, ap);
	va_end(ap);
	return EX_USAGE;
}

int
tool_no_ledger(const char *what)
{
	return tool_fail(EX_UNAVAILABLE, "there is no ledger (ledger = none) %s; -l names one", what);
}

int
tool_no_record(const char *digits)
{
	return tool_fail(EXIT_UNKNOWN, "no record has a fingerprint that starts with %s; 'dedupdb list' shows those that there are",
	    digits);
}

int
tool_time(const struct tool *t, const char *text, int64_t *time)
{
	if (time_parse(text, t->now, time) == 0)
		return EX_OK;
	return tool_usage(t, "'%s' is no time: 2026-11-20, 2026-11-20T12:00:00Z, @SECONDS, or 2h for two hours ago", text);
}

int
tool_err(const struct err *err, int code)
{
	if (err->status == STATUS_CONFIG)
		code = EX_CONFIG;
	else if (err->status == STATUS_USAGE)
		code = EX_USAGE;
	return tool_fail(code, "%s", err->text);
}

void
tool_notice(void *arg, const char *text)
{
	(void)arg;
	tool_note("%s", text);
}

void
tool_about(const char *name)
{
	about = name;
}

void
tool_out_begin(const struct tool *t, struct out *o)
{
	out_begin(o, t->json);
	if (t->all)
		out_text(o, "user", t->user->name);
}

void
tool_line_begin(const struct tool *t)
{
	if (t->all) {
		escaped_text(stdout, t->user->name);
		fputs(": ", stdout);
	}
}

void
tool_help(const struct command *command)
{
	printf("usage: dedupdb [options] %s%s%s\n\n%s.\n\nOptions:\n", command->name, command->synopsis[0] != '\0' ? " " : "",
	    command->synopsis, command->line);
	if (command->options != NULL)
		fputs(command->options, stdout);
	printf("      --json              print JSON\n"
	    "  -h, --help              this text\n");
	if (command->details != NULL)
		printf("\n%s", command->details);
	printf("\nExit codes:\n");
	if (command->flags & COMMAND_VERDICT)
		fputs(command->exits, stdout);
	else
		printf("  0   done\n%s  and 64 the command line is wrong, 69 the ledger can't be used, 75 trouble that may pass; dedupdb(8) has all\n",
		    command->exits != NULL ? command->exits : "");
	if (command->examples != NULL)
		printf("\nExamples:\n%s", command->examples);
	printf("\n'dedupdb --help' tells the options that come before the command.\n");
}

/* What a long option that getopt did not take may have meant: several options begin so, and are told; or no option does. */
static int
wrong_long(const struct tool *t, const char *word, const struct option *table)
{
	size_t len = strcspn(word + 2, "=");
	char several[ERR_TEXT] = "";
	const struct option *o;
	int n = 0;

	for (o = table; o->name != NULL; o++)
		if (strncmp(o->name, word + 2, len) == 0) {
			snprintf(several + strlen(several), sizeof(several) - strlen(several), "%s--%s", n > 0 ? ", " : "", o->name);
			n++;
		}
	if (n > 1)
		return tool_usage(t, "'%s' may be %s", word, several);
	return tool_usage(t, "unknown option '%s'", word);
}

/* What getopt did not like, in one line. */
static int
wrong_option(const struct tool *t, char **argv, int c, const struct option *table)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return tool_usage(t, "option '%s' needs a value", word);
	if (strncmp(word, "--", 2) == 0 && optopt != 0)
		return tool_usage(t, "option '%s' takes no value", word);
	if (strncmp(word, "--", 2) == 0)
		return wrong_long(t, word, table);
	return tool_usage(t, "unknown option '-%c'", optopt);
}

int
tool_getopt(struct tool *t, int argc, char **argv, const char *options, const struct option *table, int *rc)
{
	int c;

	opterr = 0;	/* getopt's own message has neither our form nor a hint */
	*rc = -1;
	for (;;) {
		c = getopt_long(argc, argv, options, table, NULL);
		switch (c) {
		case OPTION_JSON:
			t->json = true;
			continue;
		case OPTION_HELP:
			if (t->command == NULL)
				return 'h';
			tool_help(t->command);
			*rc = EX_OK;
			return -1;
		case '?':
			if (t->command != NULL && optopt == 'h' && argv[optind - 1][1] != '-') {
				tool_help(t->command);
				*rc = EX_OK;
				return -1;
			}
			/* FALLTHROUGH */
		case ':':
			*rc = wrong_option(t, argv, c, table);
			return -1;
		default:
			return c;
		}
	}
}

int
tool_assign(struct tool *t, const char *prefix, const char *value)
{
	char **grown;

	grown = realloc(t->assignments, (t->assigned + 2) * sizeof(*grown));
	if (grown == NULL)
		return tool_fail(EX_TEMPFAIL, "no memory");
	t->assignments = grown;
	grown[t->assigned + 1] = NULL;
	if (asprintf(&grown[t->assigned], "%s%s", prefix, value) == -1) {
		grown[t->assigned] = NULL;
		return tool_fail(EX_TEMPFAIL, "no memory");
	}
	t->assigned++;
	return EX_OK;
}

static int
become(struct tool *t, const char *name)
{
	struct err err;

	user_free(&t->user);
	if (user_named(&t->user, name, &err) == -1)
		return tool_fail(err.status == STATUS_NOUSER ? EX_NOUSER : EX_TEMPFAIL, "user %s: %s", name, err.text);
	if (geteuid() != 0)
		return t->user->uid == geteuid() ? EX_OK :
		    tool_fail(EX_NOPERM, "-d %s: only root can become another user: run it as root", name);
	if (user_become(t->user, &err) == -1)
		return tool_err(&err, EX_NOPERM);
	return EX_OK;
}

static int
choose_user(struct tool *t)
{
	struct err err;

	if (t->user_name != NULL)
		return become(t, t->user_name);
	if (geteuid() == 0 && (t->command->flags & COMMAND_MAILBOX))
		return tool_fail(EX_USAGE, "%s touches a user's mail and never does so as root: say whose with -d user",
		    t->command->name);
	if (geteuid() == 0 && !t->chosen)
		return tool_fail(EX_USAGE, "root has no ledger: say whose with -d user, or which with -l ledger");
	return user_current(&t->user, &err) == -1 ? tool_err(&err, EX_TEMPFAIL) : EX_OK;
}

static int
load_config(struct tool *t)
{
	const struct identity who = { .user = t->user->name, .home = t->user->home, .address = t->address };
	struct err err;

	config_free(&t->config);
	if (config_load(&t->config, t->config_file, (const char *const *)t->assignments, &who, t->user->uid, true, &err) == 0)
		return EX_OK;
	return t->for_addresses && err.status == STATUS_CONFIG ? EXIT_NO_LEDGER : tool_err(&err, EX_TEMPFAIL);
}

/* As root, a ledger that belongs to a user is opened as that user, as with -d: to open a database makes files, and the user's next
 * delivery could not use root's. Returns an exit code. */
static int
adopt_owner(struct tool *t)
{
	static const char kind[] = "bdb:";
	const struct passwd *pw;
	struct stat st;
	char *name;
	int rc;

	if (geteuid() != 0 || t->config->ledger_url == NULL || strncmp(t->config->ledger_url, kind, strlen(kind)) != 0)
		return EX_OK;
	if (lstat(t->config->ledger_url + strlen(kind), &st) == -1 || st.st_uid == 0)
		return EX_OK;
	pw = getpwuid(st.st_uid);
	if (pw == NULL)
		return tool_fail(EX_NOPERM, "%s belongs to the unknown user %u: run dedupdb as that user", t->config->ledger_url,
		    (unsigned)st.st_uid);
	name = strdup(pw->pw_name);	/* the next look-up may overwrite it */
	rc = name == NULL ? tool_fail(EX_TEMPFAIL, "no memory") : become(t, name);
	free(name);
	return rc != EX_OK ? rc : load_config(t);
}

int
tool_load(struct tool *t)
{
	int rc;

	rc = choose_user(t);
	if (rc == EX_OK)
		rc = load_config(t);
	return rc != EX_OK ? rc : adopt_owner(t);
}

/* Most users of a system have no ledger. */
static int
skip_missing(struct tool *t)
{
	struct ledger_stat stat;
	struct err err;

	/* What all users share is nothing to do for each; but only the user can finish what belongs into the user's mailbox. */
	if (!ledger_has_files(t->ledger))
		return (t->command->flags & COMMAND_MAILBOX) ? EX_OK : EXIT_NO_LEDGER;
	if (ledger_stat(t->ledger, &stat, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	return stat.exists ? EX_OK : EXIT_NO_LEDGER;
}

int
tool_ledger(struct tool *t)
{
	struct ledger_options options;
	struct err err;
	int rc;

	rc = tool_load(t);
	if (rc != EX_OK)
		return rc;
	if (t->config->ledger_url == NULL)
		return t->all ? EXIT_NO_LEDGER : EX_OK;
	memset(&options, 0, sizeof(options));
	config_ledger_options(t->config, &options);
	options.create = options.many = options.bulk = t->changing;
	options.notice = tool_notice;
	if (ledger_open(&t->ledger, &options, &err) == -1)
		return tool_err(&err, EX_UNAVAILABLE);
	return t->all ? skip_missing(t) : EX_OK;
}

int
tool_each(struct tool *t, ledger_visit *visit, void *arg, struct err *err)
{
	return t->ledger == NULL ? 0 : ledger_each(t->ledger, t->now, visit, arg, err);
}

void
tool_free(struct tool *t)
{
	size_t i;

	ledger_close(&t->ledger);
	config_free(&t->config);
	user_free(&t->user);
	for (i = 0; i < t->assigned; i++)
		free(t->assignments[i]);
	free(t->assignments);
	t->assignments = NULL;
	t->assigned = 0;
}
