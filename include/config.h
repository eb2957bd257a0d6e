/*
 * The configuration: keys, their values and where they may come from. The agent and the tools read it alike.
 *
 * Order: built-in defaults, /etc/dedup-lda.conf, ~/.dedup-lda.conf, -o. A later one wins, key by key. A value is checked where it is
 * read, so that an error names its file and line.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "dedupdb.h"
#include "mailbox.h"
#include "message.h"
#include "status.h"

#define CONFIG_SYSTEM "/etc/dedup-lda.conf"
#define CONFIG_USER ".dedup-lda.conf"

enum on_duplicate { DUPLICATE_DISCARD, DUPLICATE_FOLDER, DUPLICATE_TAG };
enum on_ledger_failure { LEDGER_DELIVER, LEDGER_DEFER };
enum log_target { LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_FILE };

/* Whose mail it is. All strings are borrowed. */
struct identity {
	const char *user;	/* login name; never empty */
	const char *home;	/* absolute, or NULL when there is none */
	const char *address;	/* original recipient, or NULL */
};

struct config {
	/* as configured; strings are owned */
	char *mailbox;
	char *ledger;
	char *log;
	char *duplicate_folder;
	char *recipient_delimiter;
	char **trusted_hosts;
	char **fingerprint_headers;	/* lower case, NULL at the end */
	int64_t window;			/* s */
	int64_t stale_lock_time;	/* s */
	int64_t lock_timeout;		/* s */
	int64_t time_limit;		/* s */
	int64_t history;		/* events that the ledger keeps */
	int64_t ledger_timeout;		/* s */
	char *ledger_password_file;	/* as configured, or "" */
	int64_t lmtp_max_size;		/* bytes; 0: no limit */
	int64_t lmtp_max_recipients;
	int64_t lmtp_timeout;		/* s */
	int64_t lmtp_data_timeout;	/* s */
	char *lmtp_stats;		/* an absolute path, or "" */
	char *host;			/* as configured, or "" */
	char *lmtp_user;		/* a login name, or "" */
	enum on_duplicate on_duplicate;
	enum on_ledger_failure on_ledger_failure;
	enum body_form body;
	enum log_target log_target;
	enum mbox_lock mbox_locks[MBOX_LOCKS];
	bool log_json;
	bool each_alias;		/* alias-copies = each */
	bool proven;			/* duplicates = proven */
	bool create_folders;
	bool reject_unknown;		/* unknown-user = reject */
	bool reject_over_quota;
	bool reject_refused;		/* on-refusal = reject */
	bool add_return_path, add_delivered_to;
	bool strict;			/* sync = strict */
	bool lmtp_any_network;		/* lmtp-network = any */

	/* made by config_resolve */
	int64_t ends_after;		/* s: time-limit; less where a worker waits for the delivery, of which other hosts know nothing */
	const struct mailbox_ops *mailbox_ops;
	char *mailbox_path;		/* absolute, no slash at the end; of a kind that hands over: the target, in one spelling */
	char **command;			/* of a pipe: its words, expanded, NULL at the end; else NULL */
	char *user, *home;		/* whose mail it is; home may be NULL */
	char *recipient;		/* the address, or else the user's name */
	char *ledger_url;		/* with an absolute path; NULL: none */
	char *this_host;		/* what other hosts that use the ledger know this one by; NULL: it is this host's own */
	char *machine;			/* this_host where none is configured, once it was asked for */
	char *log_path;
	char *ledger_password;		/* made by config_load; NULL: none */
	char *scope;			/* of the fingerprint */
};

/* All defaults. Returns 0, or -1 without memory. */
int config_new(struct config **config, struct err *err);
void config_free(struct config **config);

/* Read one file. A missing one is an error only if `required`. owner: the user who must own the file and its folder, or -1 for the
 * system's file, where root may own it as well. */
int config_read(struct config *config, const char *path, bool required, int64_t owner, struct err *err);
/* "name=value"; the value is taken as it stands. */
int config_set(struct config *config, const char *assignment, struct err *err);
/* The i-th key, for those who list them: its name, its default as -o takes it, and in words what it may be. NULL: there is none. */
const char *config_key_at(size_t i, const char **def, const char **allowed);
/* Is the mailbox or the ledger one for each domain? Without an address config_resolve() can't tell which. */
bool config_needs_address(const struct config *config);
/* Expand ~ and the variables, and check what needs the whole: call it once, last. */
int config_resolve(struct config *config, const struct identity *who, struct err *err);

/* All of the above as every command does it: defaults, then `file` alone or else the system's and, if user_file, the user's file
 * (who->home, owned by uid), then the assignments (NULL at the end, or NULL), then config_resolve. */
int config_load(struct config **config, const char *file, const char *const *assignments, const struct identity *who, uid_t uid,
    bool user_file, struct err *err);

/* Seconds as milliseconds, as many as fit. */
int config_ms(int64_t seconds);

/* What the ledger and the mailbox need to know of it. The strings are borrowed from config; the caller fills in what one message
 * brings (sender, head, folder) and the notices. */
void config_ledger_options(const struct config *config, struct ledger_options *options);
void config_mailbox_options(const struct config *config, struct mailbox_options *options);

/* "7d": seconds, minutes, hours, days, weeks; a bare number is seconds. Returns 0 or -1. */
int duration_parse(const char *text, int64_t *seconds);

#endif
