/*
 * Single values: what a key allows, and where its value goes. Private to the configuration.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define VALUES_MAX 64		/* entries of one list */
#define VALUE_SHOWN 80		/* bytes of a value that an error repeats, with the final NUL */

struct values {
	size_t n;		/* 1 unless the key takes a list */
	const char *text[VALUES_MAX];
};

struct config_key;

/* Check the values and put them into config in place of what was there. Returns 0, or -1: STATUS_CONFIG, or STATUS_TEMP without
 * memory. The error begins with the key. */
typedef int config_setter(struct config *config, const struct config_key *key, const struct values *values, struct err *err);

struct config_key {
	const char *name;
	const char *def;	/* the default, written as for -o */
	config_setter *set;
	const char *allowed;	/* for errors */
	bool list;
	bool has_path;		/* a relative path given with -o counts from the current folder */
	size_t field;		/* offset in struct config, for setters that serve several keys */
	int64_t min;		/* of durations, s */
	int64_t max;		/* of counts */
	const char *choice[2];	/* of two-valued keys; the second is true */
};

config_setter set_mailbox, set_ledger, set_log, set_duration, set_count, set_size, set_choice, set_on_duplicate, set_ledger_failure,
    set_password_file, set_body, set_delimiter, set_hosts, set_fields, set_locks, set_headers, set_stats, set_lmtp_user;

/* What to say of a value that is none for its key. Returns -1: STATUS_CONFIG. */
int value_refuse(const struct config_key *key, const char *value, struct err *err);

/* The text as an error may show it: cut, and without control characters. Returns buf. */
const char *value_shown(char buf[VALUE_SHOWN], const char *text);

config_setter set_host;
/* config->this_host, of a configuration whose ledger is known; for config_resolve(). */
int resolve_host(struct config *config, struct err *err);

/* Where the path in a mailbox, ledger or log value begins; NULL when there is none. */
const char *value_path(const struct config_key *key, const char *value);

/* The kind of a mailbox value: "maildir", "mbox", "pipe", "lmtp", or NULL; *rest is what follows the kind. */
const char *mailbox_kind(const char *value, const char **rest);

#endif
