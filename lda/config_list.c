/*
 * The setters of keys with lists.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"
#include "expand.h"
#include "string_list.h"

#define FIELD_NAME_MAX 200	/* bytes */
#define HOST_MAX 255		/* bytes */

static int
replace_list(char ***field, const struct values *values, struct err *err)
{
	char **copy = strings_copy(values->text, values->n);

	if (copy == NULL)
		return err_sys(err, "calloc", NULL);
	strings_free(field);
	*field = copy;
	return 0;
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
			return value_refuse(key, values->text[i], err);
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
		return value_refuse(key, name, err);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return value_refuse(key, name, err);
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
			return value_refuse(key, values->text[i], err);
		if (i >= MBOX_LOCKS || (i > 0 && locks[0] == lock))
			return err_set(err, STATUS_CONFIG, "%s: '%s' is there twice", key->name, values->text[i]);
		locks[i] = lock;
	}
	memcpy(config->mbox_locks, locks, sizeof(locks));
	return 0;
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
			return value_refuse(key, values->text[i], err);
	}
	config->add_return_path = return_path;
	config->add_delivered_to = delivered_to;
	return 0;
}
