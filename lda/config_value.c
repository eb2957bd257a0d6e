/*
 * The setters of keys with one value; config_list.c has those of lists.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config_value.h"
#include "expand.h"
#include "intent.h"
#include "lmtp_server.h"
#include "redis_url.h"
#include "maildir_folder.h"

#define DURATION_MAX (100 * INT64_C(365) * 86400)	/* s; more is a slip of the keyboard */
#define COUNT_DIGITS 9

const char *
value_shown(char buf[VALUE_SHOWN], const char *text)
{
	size_t i;

	for (i = 0; i < VALUE_SHOWN - 1 && text[i] != '\0'; i++)
		buf[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	buf[i] = '\0';
	return buf;
}

int
value_refuse(const struct config_key *key, const char *value, struct err *err)
{
	char shown[VALUE_SHOWN];

	return err_set(err, STATUS_CONFIG, "%s: '%s' is not a value for it: allowed: %s", key->name, value_shown(shown, value),
	    key->allowed);
}

static int
replace(char **field, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return err_sys(err, "strdup", NULL);
	free(*field);
	*field = copy;
	return 0;
}

static const char *
after(const char *value, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(value, prefix, len) == 0 ? value + len : NULL;
}

const char *
mailbox_kind(const char *value, const char **rest)
{
	static const char *const kinds[] = { "maildir", "mbox", "pipe", "lmtp" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t len = strlen(kinds[i]);

		if (strncmp(value, kinds[i], len) == 0 && value[len] == ':') {
			*rest = value + len + 1;
			return kinds[i];
		}
	}
	*rest = value;
	/* A colon before the first slash looks like a kind that we don't know; a path with one can be written as ./a:b. */
	if (value[0] == '\0' || value[strcspn(value, "/:")] == ':')
		return NULL;
	return value[strlen(value) - 1] == '/' ? "maildir" : "mbox";
}

const char *
value_path(const struct config_key *key, const char *value)
{
	static const char *const kinds[] = { "bdb:", "file:" };
	const char *path;

	if (!key->has_path)
		return NULL;
	if (key->set == set_password_file)
		return value;
	if (key->set == set_mailbox) {
		const char *kind = mailbox_kind(value, &path);

		return kind != NULL && kind[0] == 'm' ? path : NULL;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if ((path = after(value, kinds[i])) != NULL)
			return path;
	return NULL;
}

/* Variables that don't exist are reported here, where the file and the line are known. */
static int
check_path(const struct config_key *key, const char *value, struct err *err)
{
	const char *path = value_path(key, value);
	struct err why;

	if (path == NULL || *path == '\0')
		return value_refuse(key, value, err);
	if (expand_check(path, &why) != 0)
		return err_set(err, why.status, "%s: %s", key->name, why.text);
	return 0;
}

/* The same of what a message is handed to. */
static int
check_target(const struct config_key *key, const char *kind, const char *target, struct err *err)
{
	const char *path = lmtp_server_path(target);
	struct lmtp_server server;
	struct err why;
	int ret;

	if (kind[0] == 'p')
		ret = command_check(target, &why);
	else if (path != NULL && *path != '\0')
		ret = expand_check(path, &why);
	else
		ret = lmtp_server_parse(&server, target, &why);
	return ret == 0 ? 0 : err_set(err, why.status, "%s: %s", key->name, why.text);
}

int
set_mailbox(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0], *rest;
	const char *kind = mailbox_kind(value, &rest);

	if (kind == NULL || *rest == '\0')
		return value_refuse(key, value, err);
	if ((kind[0] == 'm' ? check_path(key, value, err) : check_target(key, kind, rest, err)) != 0)
		return -1;
	return replace(&config->mailbox, value, err);
}

int
set_ledger(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];
	struct redis_url url;

	if (redis_url_is(value) ? redis_url_parse(&url, value, err) != 0 :
	    strcmp(value, "none") != 0 && check_path(key, value, err) != 0)
		return -1;
	return replace(&config->ledger, value, err);
}

int
set_password_file(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && check_path(key, value, err) != 0)
		return -1;
	return replace(&config->ledger_password_file, value, err);
}

int
set_log(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];
	enum log_target target = LOG_TO_FILE;

	if (strcmp(value, "syslog") == 0)
		target = LOG_TO_SYSLOG;
	else if (strcmp(value, "stderr") == 0)
		target = LOG_TO_STDERR;
	else if (check_path(key, value, err) != 0)
		return -1;
	if (replace(&config->log, value, err) != 0)
		return -1;
	config->log_target = target;
	return 0;
}

int
duration_parse(const char *text, int64_t *seconds)
{
	static const struct { char unit; int64_t seconds; } units[] = {
		{ '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 },
	};
	int64_t number = 0;

	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (*text - '0');
		if (number > DURATION_MAX)
			return -1;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (*text != units[i].unit)
			continue;
		if ((*text != '\0' && text[1] != '\0') || number > DURATION_MAX / units[i].seconds)
			return -1;
		*seconds = number * units[i].seconds;
		return 0;
	}
	return -1;
}

int
set_duration(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	int64_t seconds;

	if (duration_parse(values->text[0], &seconds) != 0 || seconds < key->min)
		return value_refuse(key, values->text[0], err);
	memcpy((char *)config + key->field, &seconds, sizeof(seconds));
	return 0;
}

int
set_count(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *text = values->text[0];
	size_t digits = strspn(text, "0123456789");
	int64_t n;

	if (digits == 0 || digits > COUNT_DIGITS || text[digits] != '\0' || (n = strtoll(text, NULL, 10)) > key->max || n < key->min)
		return value_refuse(key, text, err);
	memcpy((char *)config + key->field, &n, sizeof(n));
	return 0;
}

int
set_size(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	static const struct { char unit; unsigned int bits; } units[] = { { '\0', 0 }, { 'K', 10 }, { 'M', 20 }, { 'G', 30 } };
	const char *text = values->text[0];
	size_t i, digits = strspn(text, "0123456789");
	int64_t n;

	if (digits == 0 || digits > COUNT_DIGITS)
		return value_refuse(key, text, err);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (text[digits] != units[i].unit || (text[digits] != '\0' && text[digits + 1] != '\0'))
			continue;
		n = strtoll(text, NULL, 10) << units[i].bits;
		memcpy((char *)config + key->field, &n, sizeof(n));
		return 0;
	}
	return value_refuse(key, text, err);
}

static int
choose(const struct config_key *key, const char *value, bool *second, struct err *err)
{
	*second = strcmp(value, key->choice[1]) == 0;
	if (!*second && strcmp(value, key->choice[0]) != 0)
		return value_refuse(key, value, err);
	return 0;
}

int
set_choice(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	bool second;

	if (choose(key, values->text[0], &second, err) != 0)
		return -1;
	memcpy((char *)config + key->field, &second, sizeof(second));
	return 0;
}

int
set_ledger_failure(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	bool defer;

	if (choose(key, values->text[0], &defer, err) != 0)
		return -1;
	config->on_ledger_failure = defer ? LEDGER_DEFER : LEDGER_DELIVER;
	return 0;
}

int
set_body(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	bool simple;

	if (choose(key, values->text[0], &simple, err) != 0)
		return -1;
	config->body = simple ? BODY_SIMPLE : BODY_RELAXED;
	return 0;
}

int
set_on_duplicate(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];
	const char *folder = after(value, "folder:");

	if (folder != NULL) {
		if (!maildir_folder_is_name(folder))
			return value_refuse(key, value, err);
		if (replace(&config->duplicate_folder, folder, err) != 0)
			return -1;
		config->on_duplicate = DUPLICATE_FOLDER;
	} else if (strcmp(value, "discard") == 0)
		config->on_duplicate = DUPLICATE_DISCARD;
	else if (strcmp(value, "tag") == 0)
		config->on_duplicate = DUPLICATE_TAG;
	else
		return value_refuse(key, value, err);
	return 0;
}

int
set_delimiter(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && (value[1] != '\0' || *value <= ' ' || *value > '~' || *value == '@' || *value == '/'))
		return value_refuse(key, value, err);
	return replace(&config->recipient_delimiter, value, err);
}

int
set_stats(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && (*value != '/' || value[strlen(value) - 1] == '/'))
		return value_refuse(key, value, err);
	return replace(&config->lmtp_stats, value, err);
}

int
set_host(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && !intent_host_is_valid(value))
		return value_refuse(key, value, err);
	return replace(&config->host, value, err);
}

int
set_lmtp_user(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value == '-' || strpbrk(value, ":/ \t") != NULL)
		return value_refuse(key, value, err);
	return replace(&config->lmtp_user, value, err);
}
