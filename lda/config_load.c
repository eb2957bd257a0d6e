/*
 * The configuration as a whole: all sources in their order, and what follows from them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"
#include "expand.h"

static int
expand_value(char **path, const char *name, const char *text, const struct config *config, const struct identity *who,
    struct err *err)
{
	struct err why;

	if (expand_path(path, text, who, config->recipient_delimiter, &why) != 0)
		return err_set(err, why.status, "%s: %s", name, why.text);
	return 0;
}

static int
resolve_mailbox(struct config *config, const struct identity *who, struct err *err)
{
	const char *path;
	const char *kind = mailbox_kind(config->mailbox, &path);

	if (kind == NULL || kind[0] != 'm')
		return err_set(err, STATUS_CONFIG, "mailbox: %s: mailboxes are not supported by this version: use maildir:PATH or "
		    "mbox:PATH", kind != NULL ? kind : "such");
	config->mailbox_ops = strcmp(kind, "maildir") == 0 ? &maildir_ops : &mbox_ops;
	if (config->on_duplicate == DUPLICATE_FOLDER && config->mailbox_ops == &mbox_ops)
		return err_set(err, STATUS_CONFIG, "on-duplicate: folder:%s needs a Maildir, since an mbox has no folders",
		    config->duplicate_folder);
	return expand_value(&config->mailbox_path, "mailbox", path, config, who, err);
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
	if (strncmp(config->ledger, "bdb:", 4) != 0)
		return err_set(err, STATUS_CONFIG, "ledger: redis ledgers are not supported by this version: use bdb:PATH or none");
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

/* Copies of one message are compared within this scope only. */
static int
resolve_scope(struct config *config, const struct identity *who, struct err *err)
{
	bool each = config->each_alias && who->address != NULL && *who->address != '\0';
	const char *kind = config->mailbox_ops == &mbox_ops ? mbox_ops.name : maildir_ops.name;
	size_t mailbox_len;

	if (asprintf(&config->scope, "%s:%s%s%s", kind, config->mailbox_path, each ? " " : "",
	    each ? who->address : "") < 0) {
		config->scope = NULL;
		return err_sys(err, "asprintf", NULL);
	}
	mailbox_len = strlen(kind) + 1 + strlen(config->mailbox_path);
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
	forget(&config->log_path);
	forget(&config->scope);
	config->mailbox_ops = NULL;
}

int
config_resolve(struct config *config, const struct identity *who, struct err *err)
{
	forget_resolved(config);
	if (resolve_mailbox(config, who, err) != 0 || check_locks(config, err) != 0 || resolve_ledger(config, who, err) != 0 ||
	    resolve_scope(config, who, err) != 0)
		return -1;
	if (config->log_target == LOG_TO_FILE)
		return expand_value(&config->log_path, "log", config->log + strlen("file:"), config, who, err);
	return 0;
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
	if (config_resolve(*config, who, err) == 0)
		return 0;
fail:
	config_free(config);
	return -1;
}

static int
to_ms(int64_t seconds)
{
	return seconds > INT_MAX / 1000 ? INT_MAX : (int)(seconds * 1000);
}

void
config_ledger_options(const struct config *config, struct ledger_options *options)
{
	*options = (struct ledger_options){
		.url = config->ledger_url,
		.window = config->window,
		.lock_timeout_ms = to_ms(config->lock_timeout),
		.strict = config->strict,
		.create = true,
		.history = (uint32_t)config->history,
	};
}

void
config_mailbox_options(const struct config *config, struct mailbox_options *options)
{
	*options = (struct mailbox_options){
		.path = config->mailbox_path,
		.create_folder = config->create_folders,
		.head = "",
		.strict = config->strict,
		.lock_timeout_ms = to_ms(config->lock_timeout),
		.stale_lock_s = config->stale_lock_time,
	};
	memcpy(options->locks, config->mbox_locks, sizeof(options->locks));
}
