/*
 * The setters of the configuration's keys.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config_value.h"
#include "expand.h"
#include "lmtp_server.h"
#include "redis_url.h"
#include "maildir_folder.h"

#define DURATION_MAX (100 * INT64_C(365) * 86400)	/* s; more is a slip of the keyboard */
#define FIELD_NAME_MAX 200	/* bytes */
#define HOST_MAX 255		/* bytes */
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

static int
refuse(const struct config_key *key, const char *value, struct err *err)
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

void
strings_free(char ***strings)
{
	if (*strings == NULL)
		return;
	for (char **s = *strings; *s != NULL; s++)
		free(*s);
	free(*strings);
	*strings = NULL;
}

static int
replace_list(char ***field, const struct values *values, struct err *err)
{
	char **copy = calloc(values->n + 1, sizeof(*copy));

	if (copy == NULL)
		return err_sys(err, "calloc", NULL);
	for (size_t i = 0; i < values->n; i++) {
		if ((copy[i] = strdup(values->text[i])) == NULL) {
			strings_free(&copy);
			return err_sys(err, "strdup", NULL);
		}
	}
	strings_free(field);
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
		return refuse(key, value, err);
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
		return refuse(key, value, err);
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
		return refuse(key, values->text[0], err);
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
		return refuse(key, text, err);
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
		return refuse(key, text, err);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (text[digits] != units[i].unit || (text[digits] != '\0' && text[digits + 1] != '\0'))
			continue;
		n = strtoll(text, NULL, 10) << units[i].bits;
		memcpy((char *)config + key->field, &n, sizeof(n));
		return 0;
	}
	return refuse(key, text, err);
}

static int
choose(const struct config_key *key, const char *value, bool *second, struct err *err)
{
	*second = strcmp(value, key->choice[1]) == 0;
	if (!*second && strcmp(value, key->choice[0]) != 0)
		return refuse(key, value, err);
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
			return refuse(key, value, err);
		if (replace(&config->duplicate_folder, folder, err) != 0)
			return -1;
		config->on_duplicate = DUPLICATE_FOLDER;
	} else if (strcmp(value, "discard") == 0)
		config->on_duplicate = DUPLICATE_DISCARD;
	else if (strcmp(value, "tag") == 0)
		config->on_duplicate = DUPLICATE_TAG;
	else
		return refuse(key, value, err);
	return 0;
}

int
set_delimiter(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && (value[1] != '\0' || *value <= ' ' || *value > '~' || *value == '@' || *value == '/'))
		return refuse(key, value, err);
	return replace(&config->recipient_delimiter, value, err);
}

/* Labels of letters, digits, - and _, with single dots between them and perhaps one in front. */
static bool
is_host_name(const char *name)
{
	bool letter = false;

	if (*name == '\0' || strlen(name) > HOST_MAX)
		return false;
	if (*name == '.')
		name++;
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > 63 || name[0] == '-' || name[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++) {
			if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
				return false;
			letter = letter || isalpha((unsigned char)name[i]);
		}
		name += len;
		if (*name == '.' && *++name == '\0')
			return false;
	}
	/* 10.0.0.300 and 10.1 are addresses that were mistyped. */
	return letter;
}

static bool
is_network(const char *text)
{
	unsigned char binary[16];
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	int bits;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, binary) == 1)
		bits = 32;
	else if (inet_pton(AF_INET6, address, binary) == 1)
		bits = 128;
	else
		return false;
	if (slash == NULL)
		return true;
	len = strlen(slash + 1);
	return len > 0 && len <= 3 && strspn(slash + 1, "0123456789") == len && strtol(slash + 1, NULL, 10) <= bits;
}

int
set_hosts(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	for (size_t i = 0; i < values->n; i++)
		if (!is_network(values->text[i]) && !is_host_name(values->text[i]))
			return refuse(key, values->text[i], err);
	return replace_list(&config->trusted_hosts, values, err);
}

/* Written by every hop or by the final delivery, so that two copies of one message never agree on them. */
static bool
differs_between_copies(const char *field)
{
	static const char *const names[] = { "received", "x-received", "received-spf", "authentication-results", "return-path",
	    "delivered-to", "x-original-to", "envelope-to", "delivery-date", "x-dedup-id", "x-dedup-lda", "status", "x-status",
	    "x-keywords", "x-uid", "content-length", "lines" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(field, names[i]) == 0)
			return true;
	return false;
}

/* RFC 5322 section 2.2: printable US-ASCII without the colon. */
static int
check_field(const struct config_key *key, const struct values *values, size_t at, struct err *err)
{
	const char *name = values->text[at];
	size_t len = strlen(name);

	if (len == 0 || len > FIELD_NAME_MAX)
		return refuse(key, name, err);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return refuse(key, name, err);
	if (differs_between_copies(name))
		return err_set(err, STATUS_CONFIG, "%s: '%s' differs between copies of one message, so it can't count",
		    key->name, name);
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(values->text[i], name) == 0)
			return err_set(err, STATUS_CONFIG, "%s: '%s' is there twice", key->name, name);
	return 0;
}

int
set_fields(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	for (size_t i = 0; i < values->n; i++)
		if (check_field(key, values, i, err) != 0)
			return -1;
	if (replace_list(&config->fingerprint_headers, values, err) != 0)
		return -1;
	for (char **name = config->fingerprint_headers; *name != NULL; name++)
		ascii_lower(*name);
	return 0;
}

int
set_locks(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	enum mbox_lock locks[MBOX_LOCKS] = { MBOX_LOCK_NONE, MBOX_LOCK_NONE };

	if (values->n == 0)
		return err_set(err, STATUS_CONFIG, "%s: an mbox without any lock would be damaged: allowed: %s", key->name,
		    key->allowed);
	for (size_t i = 0; i < values->n; i++) {
		enum mbox_lock lock;

		if (strcmp(values->text[i], "fcntl") == 0)
			lock = MBOX_LOCK_FCNTL;
		else if (strcmp(values->text[i], "dotlock") == 0)
			lock = MBOX_LOCK_DOTLOCK;
		else
			return refuse(key, values->text[i], err);
		if (i >= MBOX_LOCKS || (i > 0 && locks[0] == lock))
			return err_set(err, STATUS_CONFIG, "%s: '%s' is there twice", key->name, values->text[i]);
		locks[i] = lock;
	}
	memcpy(config->mbox_locks, locks, sizeof(locks));
	return 0;
}

int
set_stats(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	const char *value = values->text[0];

	if (*value != '\0' && (*value != '/' || value[strlen(value) - 1] == '/'))
		return refuse(key, value, err);
	return replace(&config->lmtp_stats, value, err);
}

int
set_headers(struct config *config, const struct config_key *key, const struct values *values, struct err *err)
{
	bool return_path = false, delivered_to = false;

	for (size_t i = 0; i < values->n; i++) {
		if (strcasecmp(values->text[i], "return-path") == 0)
			return_path = true;
		else if (strcasecmp(values->text[i], "delivered-to") == 0)
			delivered_to = true;
		else
			return refuse(key, values->text[i], err);
	}
	config->add_return_path = return_path;
	config->add_delivered_to = delivered_to;
	return 0;
}
