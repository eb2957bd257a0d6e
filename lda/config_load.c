/*
 * The configuration as a whole: all sources in their order, and what follows from them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "command.h"
#include "config_secret.h"
#include "config_value.h"
#include "expand.h"
#include "fs.h"
#include "host_find.h"
#include "lmtp_server.h"
#include "redis_url.h"
#include "string_list.h"

#define LAST_WORDS_MS 500	/* before time-limit a hand-over is given up, so that there is time to say so */

static int
expand_value(char **path, const char *name, const char *text, const struct config *config, const struct identity *who,
    struct err *err)
{
	struct err why;

	if (expand_path(path, text, who, config->recipient_delimiter, &why) != 0)
		return err_set(err, why.status, "%s: %s", name, why.text);
	return 0;
}

/* What an administrator may write in several ways becomes one. */
static int
resolve_lmtp(struct config *config, const char *target, const struct identity *who, struct err *err)
{
	const char *path = lmtp_server_path(target);
	struct lmtp_server server;
	char *whole;

	if (path == NULL) {
		config->mailbox_path = strdup(target);
		if (config->mailbox_path == NULL)
			return err_sys(err, "strdup", NULL);
		ascii_lower(config->mailbox_path);
		return 0;
	}
	if (expand_value(&whole, "mailbox", path, config, who, err) != 0)
		return -1;
	if (asprintf(&config->mailbox_path, "unix:%s", whole) < 0)
		config->mailbox_path = NULL;
	free(whole);
	if (config->mailbox_path == NULL)
		return err_sys(err, "asprintf", NULL);
	return lmtp_server_parse(&server, config->mailbox_path, err);
}

static int
resolve_pipe(struct config *config, const char *command, const struct identity *who, struct err *err)
{
	struct err why;

	if (command_make(&config->command, command, who, config->recipient_delimiter, &why) != 0)
		return err_set(err, why.status, "mailbox: %s", why.text);
	config->mailbox_path = strdup(command);
	return config->mailbox_path == NULL ? err_sys(err, "strdup", NULL) : 0;
}

/* Is there a place for duplicates? With LMTP it is an extension of the address. */
static int
check_folder(const struct config *config, struct err *err)
{
	const char *folder = config->duplicate_folder;

	if (config->on_duplicate != DUPLICATE_FOLDER || config->mailbox_ops == &maildir_ops)
		return 0;
	if (config->mailbox_ops == &mbox_ops)
		return err_set(err, STATUS_CONFIG, "on-duplicate: folder:%s needs a Maildir, since an mbox has no folders", folder);
	if (config->mailbox_ops == &pipe_ops)
		return err_set(err, STATUS_CONFIG, "on-duplicate: folder:%s needs a Maildir or LMTP, since a command has no folders",
		    folder);
	if (config->recipient_delimiter[0] == '\0' || !address_is_plain(folder, strlen(folder)))
		return err_set(err, STATUS_CONFIG, "on-duplicate: folder:%s can't be part of an address, which LMTP needs", folder);
	return 0;
}

static const struct mailbox_ops *
ops_of(const char *kind)
{
	static const struct mailbox_ops *const all[] = { &maildir_ops, &mbox_ops, &lmtp_ops, &pipe_ops };
	size_t i = 0;

	while (strcmp(all[i]->name, kind) != 0)	/* mailbox_kind() knows no other */
		i++;
	return all[i];
}

static int
resolve_mailbox(struct config *config, const struct identity *who, struct err *err)
{
	const char *rest;
	const char *kind = mailbox_kind(config->mailbox, &rest);

	config->mailbox_ops = ops_of(kind);
	if (check_folder(config, err) != 0)
		return -1;
	if (config->mailbox_ops == &lmtp_ops)
		return resolve_lmtp(config, rest, who, err);
	if (config->mailbox_ops == &pipe_ops)
		return resolve_pipe(config, rest, who, err);
	return expand_value(&config->mailbox_path, "mailbox", rest, config, who, err);
}

static bool
has_address(const struct identity *who)
{
	return who->address != NULL && who->address[0] != '\0';
}

static int
resolve_identity(struct config *config, const struct identity *who, struct err *err)
{
	config->user = strdup(who->user);
	config->home = who->home != NULL ? strdup(who->home) : NULL;
	config->recipient = strdup(has_address(who) ? who->address : who->user);
	if (config->user == NULL || config->recipient == NULL || (who->home != NULL && config->home == NULL))
		return err_sys(err, "strdup", NULL);
	return 0;
}

/* Who holds fcntl, too, is safe from being taken for dead: see lock.c. A dotlock alone is only safe while its holder ends before others
 * may break it. */
static int
check_locks(const struct config *config, struct err *err)
{
	size_t i;

	for (i = 0; i < MBOX_LOCKS; i++)
		if (config->mbox_locks[i] == MBOX_LOCK_FCNTL)
			return 0;
	if (config->mailbox_ops != &mbox_ops || config->time_limit <= config->stale_lock_time)
		return 0;
	return err_set(err, STATUS_CONFIG, "mbox-locks: without fcntl, a lock in use could be taken for a left-over one: time-limit must "
	    "not be above stale-lock-time");
}

static int
resolve_ledger(struct config *config, const struct identity *who, struct err *err)
{
	char *path;
	int len;

	if (strcmp(config->ledger, "none") == 0)
		return 0;
	if (redis_url_is(config->ledger)) {
		config->ledger_url = strdup(config->ledger);
		return config->ledger_url != NULL ? 0 : err_sys(err, "strdup", NULL);
	}
	if (expand_value(&path, "ledger", config->ledger + 4, config, who, err) != 0)
		return -1;
	len = asprintf(&config->ledger_url, "bdb:%s", path);
	free(path);
	if (len < 0) {
		config->ledger_url = NULL;
		return err_sys(err, "asprintf", NULL);
	}
	return 0;
}

/* Whose mailbox it is, where the target serves many: the user and the address, which is only the target's to resolve. */
static char *
scope_of_target(const struct config *config)
{
	char *base = address_base(config->recipient, config->recipient_delimiter), *scope = NULL;

	if (base != NULL && asprintf(&scope, "%s:%s %s %s", config->mailbox_ops->name, config->mailbox_path, config->user, base) < 0)
		scope = NULL;
	free(base);
	return scope;
}

static char *
scope_of_mailbox(const struct config *config)
{
	char *scope;

	return asprintf(&scope, "%s:%s", config->mailbox_ops->name, config->mailbox_path) < 0 ? NULL : scope;
}

/* Copies of one message are compared within this scope only. */
static int
resolve_scope(struct config *config, const struct identity *who, struct err *err)
{
	char *mailbox = config->mailbox_ops->hands_over ? scope_of_target(config) : scope_of_mailbox(config);
	bool each = config->each_alias && has_address(who);
	size_t mailbox_len;

	if (mailbox == NULL || asprintf(&config->scope, "%s%s%s", mailbox, each ? " " : "", each ? who->address : "") < 0)
		config->scope = NULL;
	mailbox_len = mailbox != NULL ? strlen(mailbox) : 0;
	free(mailbox);
	if (config->scope == NULL)
		return err_sys(err, "asprintf", NULL);
	ascii_lower(config->scope + mailbox_len);
	return 0;
}

static void
forget(char **text)
{
	free(*text);
	*text = NULL;
}

static void
forget_resolved(struct config *config)
{
	forget(&config->mailbox_path);
	forget(&config->ledger_url);
	forget(&config->this_host);
	forget(&config->log_path);
	forget(&config->scope);
	forget(&config->user);
	forget(&config->home);
	forget(&config->recipient);
	strings_free(&config->command);
	config->mailbox_ops = NULL;
}

static bool
has_domain(const char *value)
{
	for (value = strchr(value, '%'); value != NULL && value[1] != '\0'; value = strchr(value + 2, '%'))
		if (value[1] == 'd')
			return true;
	return false;
}

bool
config_needs_address(const struct config *config)
{
	return has_domain(config->mailbox) || (!redis_url_is(config->ledger) && has_domain(config->ledger));
}

int
config_resolve(struct config *config, const struct identity *who, struct err *err)
{
	forget_resolved(config);
	config->ends_after = config->time_limit;
	if (resolve_identity(config, who, err) != 0 || resolve_mailbox(config, who, err) != 0 || check_locks(config, err) != 0 ||
	    resolve_host(config, err) != 0 || resolve_ledger(config, who, err) != 0 || resolve_scope(config, who, err) != 0)
		return -1;
	if (config->log_target == LOG_TO_FILE)
		return expand_value(&config->log_path, "log", config->log + strlen("file:"), config, who, err);
	return 0;
}

/* Once for all recipients: a server may not be allowed to read the file again. */
static int
read_password(struct config *config, const struct identity *who, struct err *err)
{
	char *path;
	int ret;

	if (config->ledger_url == NULL || !redis_url_is(config->ledger_url) || config->ledger_password_file[0] == '\0')
		return 0;
	if (expand_value(&path, "ledger-password-file", config->ledger_password_file, config, who, err) != 0)
		return -1;
	ret = secret_read(&config->ledger_password, path, err);
	free(path);
	return ret;
}

static int
read_user_file(struct config *config, const char *home, uid_t uid, struct err *err)
{
	char *path;
	int result;

	if (home == NULL)
		return 0;
	if (asprintf(&path, "%s/%s", home, CONFIG_USER) < 0)
		return err_sys(err, "asprintf", NULL);
	result = config_read(config, path, false, (int64_t)uid, err);
	free(path);
	return result;
}

static int
read_files(struct config *config, const char *file, const struct identity *who, uid_t uid, bool user_file, struct err *err)
{
	if (file != NULL)
		return config_read(config, file, true, -1, err);
	if (config_read(config, CONFIG_SYSTEM, false, -1, err) != 0)
		return -1;
	return user_file ? read_user_file(config, who->home, uid, err) : 0;
}

int
config_load(struct config **config, const char *file, const char *const *assignments, const struct identity *who, uid_t uid,
    bool user_file, struct err *err)
{
	if (config_new(config, err) != 0)
		return -1;
	if (read_files(*config, file, who, uid, user_file, err) != 0)
		goto fail;
	for (; assignments != NULL && *assignments != NULL; assignments++)
		if (config_set(*config, *assignments, err) != 0)
			goto fail;
	if (config_resolve(*config, who, err) == 0 && read_password(*config, who, err) == 0)
		return 0;
fail:
	config_free(config);
	return -1;
}

int
config_ms(int64_t seconds)
{
	return seconds > INT_MAX / 1000 ? INT_MAX : (int)(seconds * 1000);
}

void
config_ledger_options(const struct config *config, struct ledger_options *options)
{
	*options = (struct ledger_options){
		.url = config->ledger_url,
		.window = config->window,
		.lock_timeout_ms = config_ms(config->lock_timeout),
		.strict = config->strict,
		.create = true,
		.history = (uint32_t)config->history,
		.timeout_ms = config_ms(config->ledger_timeout),
		.password = config->ledger_password,
		.lookup = host_find,
	};
}

void
config_mailbox_options(const struct config *config, struct mailbox_options *options)
{
	*options = (struct mailbox_options){
		.path = config->mailbox_path,
		.host = config->this_host,
		.create_folder = config->create_folders,
		.head = "",
		.strict = config->strict,
		.lock_timeout_ms = config_ms(config->lock_timeout),
		.stale_lock_s = config->stale_lock_time,
		.user = config->user,
		.home = config->home,
		.recipient = config->recipient,
		.delimiter = config->recipient_delimiter,
		.command = config->command,
		.lock_folder = -1,
		.time_limit_s = config->time_limit,
		.deadline_ms = clock_ms() + config_ms(config->ends_after) - LAST_WORDS_MS,
	};
	memcpy(options->locks, config->mbox_locks, sizeof(options->locks));
}
