/*
 * dedup-lda: deliver the message on standard input into the user's mailbox, once. See dedup-lda(8).
 *
 * Order: command line, user, configuration, log, delivery. Whatever goes wrong ends in report() with one line and an exit code that
 * makes the MTA keep the message.
 */
#include <sys/auxv.h>

#include <confuse.h>
#include <errno.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berkeley_db.h"
#include "deliver.h"
#include "exit.h"
#include "options.h"
#include "process.h"
#include "redis_exec.h"
#include "user.h"
#include "version.h"

#define STARTUP_LIMIT 60U	/* s, until the configuration says time-limit */

struct agent {
	struct options options;
	char **argv;
	bool again;		/* another program became this one */
	char *as;		/* and told the user's name; else NULL */
	struct user *user;
	struct config *config;
	struct log *log;
	struct ledger *ledger;
};

static struct ledger *volatile open_ledger;	/* for the handler of fatal signals */

static void
on_crash(void)
{
	if (open_ledger != NULL)
		ledger_crashed(open_ledger);
}

/* OpenSSL's is the one that this was built with: to ask the library would link all of it. */
static int
print_version(void)
{
	printf("dedup-lda %s\n%s\n%s\nlibconfuse %s\n", DEDUP_LDA_VERSION, db_version(NULL, NULL, NULL),
	    OPENSSL_VERSION_TEXT, confuse_version);
	return fflush(stdout) == 0 ? 0 : EXIT_TEMPORARY;
}

static int
become_user(struct agent *a, struct err *err)
{
	int ret;

	if (getauxval(AT_SECURE) != 0)
		return err_set(err, STATUS_USAGE, "must not be installed set-user-id or set-group-id");
	if (geteuid() != 0) {
		ret = user_current(&a->user, err);
		if (ret == 0 && a->as != NULL) {	/* what the look-up of -d said, in another spelling perhaps */
			free(a->user->name);
			a->user->name = a->as;
			a->as = NULL;
		} else if (ret == 0 && a->options.user != NULL && strcmp(a->options.user, a->user->name) != 0)
			return err_set(err, STATUS_USAGE, "only root may use -d");
		return ret;
	}
	if (a->options.user == NULL)
		return err_set(err, STATUS_USAGE, "will not deliver as root; use -d user");
	if (user_named(&a->user, a->options.user, err) == -1)
		return -1;
	return user_become(a->user, err);
}

/* unknown-user decides about an exit code before there is a user whose configuration could be read: only the system's counts. */
static bool
rejects_unknown(const struct agent *a)
{
	const char *file = a->options.file;
	struct config *config;
	bool reject;
	size_t i;
	int ret;

	if (config_new(&config, NULL) == -1)
		return false;
	ret = config_read(config, file != NULL ? file : CONFIG_SYSTEM, file != NULL, -1, NULL);
	for (i = 0; ret == 0 && a->options.assignments[i] != NULL; i++)
		ret = config_set(config, a->options.assignments[i], NULL);
	reject = ret == 0 && config->reject_unknown;
	config_free(&config);
	return reject;
}

static int
load(struct agent *a, struct err *err)
{
	struct identity who = { .user = a->user->name, .home = a->user->home, .address = a->options.address };

	return config_load(&a->config, a->options.file, a->options.assignments, &who, a->user->uid, true, err);
}

static int
open_the_ledger(struct agent *a, struct err *err)
{
	struct ledger_options options;

	if (a->config->ledger_url == NULL)
		return 0;
	config_ledger_options(a->config, &options);
	options.create = !a->options.dry_run;
	options.notice = log_notice;
	options.notice_arg = a->log;
	if (ledger_open(&a->ledger, &options, err) == -1)
		return -1;
	open_ledger = a->ledger;
	return 0;
}

static int
run(struct agent *a, struct err *err)
{
	struct delivery d = { .sender = a->options.sender, .address = a->options.address, .folder = a->options.folder };

	a->as = redis_exec_user();
	a->again = a->as != NULL;
	if (process_clean_environment(err) == -1 || become_user(a, err) == -1 || load(a, err) == -1)
		return -1;
	if (!a->again)
		redis_exec(a->config, a->user, a->argv);
	exit_after((unsigned int)a->config->time_limit);
	if (log_open(&a->log, a->config, a->options.verbose, err) == -1 || open_the_ledger(a, err) == -1) {
		err_retry(err);		/* the log's quota says nothing about the message */
		return -1;
	}
	d.config = a->config;
	d.log = a->log;
	d.ledger = a->ledger;
	d.user = a->user->name;
	return a->options.dry_run ? deliver_explain(&d, STDIN_FILENO, err) : deliver(&d, STDIN_FILENO, err);
}

static void
release(struct agent *a)
{
	open_ledger = NULL;
	if (a->ledger != NULL)
		ledger_close(&a->ledger);
	log_close(&a->log);
	config_free(&a->config);
	user_free(&a->user);
	options_free(&a->options);
	free(a->as);
}

/* An MTA that is still writing would take EPIPE for a failure of its own. */
static void
drain(int fd)
{
	char buf[65536];
	ssize_t n;

	if (isatty(fd))
		return;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0 || (n == -1 && errno == EINTR));
}

static int
report(const struct agent *a, const struct err *err)
{
	struct exit_policy policy = { .reject_unknown = false };
	int code;

	if (a->config != NULL)
		policy = exit_policy(a->config);
	else if (err->status == STATUS_NOUSER)
		policy.reject_unknown = rejects_unknown(a);
	code = exit_code(err->status, &policy);

	exit_report(code, err->text);
	drain(STDIN_FILENO);
	return code;
}

int
main(int argc, char **argv)
{
	struct agent a = { .argv = argv };
	struct err err = { .status = STATUS_OK };
	int code = 0;

	process_heap();
	process_limit(STDERR_FILENO + 1);
	process_fill_descriptors();
	exit_on_signals();
	exit_on_crash(on_crash);
	exit_after(STARTUP_LIMIT);
	if (options_parse(&a.options, argc, argv, &err) == -1)
		code = report(&a, &err);
	else if (a.options.version)
		code = print_version();
	else if (run(&a, &err) == -1)
		code = report(&a, &err);
	release(&a);
	return code;
}
