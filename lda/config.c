/*
 * The table of keys, and where their values come from.
 */
#include <bsd/string.h>
#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "config_secret.h"
#include "config_value.h"
#include "expand.h"
#include "string_list.h"

#define PLACE_SHOWN 300		/* bytes of a file's name that an error repeats, with the final NUL */
#define DURATION "a number with s, m, h, d or w, of 100 years at most"

/* The one place where a key is defined. */
static const struct config_key keys[] = {
	{ .name = "mailbox", .def = "maildir:~/Maildir", .set = set_mailbox, .has_path = true,
	    .allowed = "maildir:PATH, mbox:PATH, pipe:COMMAND, lmtp:unix:PATH, lmtp:HOST:PORT, or a path (a Maildir if it ends in /, "
		"else an mbox)" },
	{ .name = "ledger", .def = "bdb:~/.dedup-lda", .set = set_ledger, .has_path = true,
	    .allowed = "bdb:PATH, none, redis://[USER@]HOST[:PORT][/DB], redis+unix:///PATH, "
		"redis+sentinel://HOST[:PORT],.../NAME, redis+cluster://HOST[:PORT],..." },
	{ .name = "ledger-password-file", .def = "", .set = set_password_file, .has_path = true,
	    .allowed = "the path of a file, or nothing" },
	{ .name = "ledger-timeout", .def = "5s", .set = set_duration, .field = offsetof(struct config, ledger_timeout), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "window", .def = "7d", .set = set_duration, .field = offsetof(struct config, window), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "history", .def = "8192", .set = set_count, .field = offsetof(struct config, history), .max = EVENTS_MAX,
	    .allowed = "a number of events, 0 to 65536" },
	{ .name = "host", .def = "", .set = set_host, .allowed = "up to 64 letters, digits, dots, - and _, or nothing" },
	{ .name = "on-duplicate", .def = "discard", .set = set_on_duplicate,
	    .allowed = "discard, tag, folder:NAME (no slash, no '..', no dot in front)" },
	{ .name = "duplicates", .def = "all", .set = set_choice, .field = offsetof(struct config, proven),
	    .choice = { "all", "proven" }, .allowed = "all, proven" },
	{ .name = "on-ledger-failure", .def = "deliver", .set = set_ledger_failure, .choice = { "deliver", "defer" },
	    .allowed = "deliver, defer" },
	{ .name = "alias-copies", .def = "one", .set = set_choice, .field = offsetof(struct config, each_alias),
	    .choice = { "one", "each" }, .allowed = "one, each" },
	{ .name = "create-folders", .def = "no", .set = set_choice, .field = offsetof(struct config, create_folders),
	    .choice = { "no", "yes" }, .allowed = "no, yes" },
	{ .name = "unknown-user", .def = "defer", .set = set_choice, .field = offsetof(struct config, reject_unknown),
	    .choice = { "defer", "reject" }, .allowed = "defer, reject" },
	{ .name = "add-headers", .def = "return-path, delivered-to", .set = set_headers, .list = true,
	    .allowed = "return-path, delivered-to" },
	{ .name = "recipient-delimiter", .def = "+", .set = set_delimiter,
	    .allowed = "one character other than @ and /, or nothing" },
	{ .name = "trusted-hosts", .def = "", .set = set_hosts, .list = true,
	    .allowed = "host names, IP addresses, networks such as 192.0.2.0/24" },
	{ .name = "sync", .def = "auto", .set = set_choice, .field = offsetof(struct config, strict),
	    .choice = { "auto", "strict" }, .allowed = "auto, strict" },
	{ .name = "body", .def = "relaxed", .set = set_body, .choice = { "relaxed", "simple" }, .allowed = "relaxed, simple" },
	{ .name = "fingerprint-headers", .def = "date, list-id", .set = set_fields, .list = true,
	    .allowed = "names of header fields, without the colon" },
	{ .name = "over-quota", .def = "defer", .set = set_choice, .field = offsetof(struct config, reject_over_quota),
	    .choice = { "defer", "reject" }, .allowed = "defer, reject" },
	{ .name = "on-refusal", .def = "defer", .set = set_choice, .field = offsetof(struct config, reject_refused),
	    .choice = { "defer", "reject" }, .allowed = "defer, reject" },
	{ .name = "mbox-locks", .def = "fcntl, dotlock", .set = set_locks, .list = true, .allowed = "fcntl, dotlock" },
	{ .name = "stale-lock-time", .def = "10m", .set = set_duration, .field = offsetof(struct config, stale_lock_time), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "lock-timeout", .def = "30s", .set = set_duration, .field = offsetof(struct config, lock_timeout),
	    .allowed = DURATION },
	{ .name = "time-limit", .def = "300s", .set = set_duration, .field = offsetof(struct config, time_limit), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "lmtp-max-size", .def = "0", .set = set_size, .field = offsetof(struct config, lmtp_max_size),
	    .allowed = "a number of bytes, perhaps with K, M or G; 0 is no limit" },
	{ .name = "lmtp-max-recipients", .def = "1000", .set = set_count, .field = offsetof(struct config, lmtp_max_recipients), .min = 1,
	    .max = 1000000, .allowed = "a number, 1 to 1000000" },
	{ .name = "lmtp-timeout", .def = "5m", .set = set_duration, .field = offsetof(struct config, lmtp_timeout), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "lmtp-data-timeout", .def = "10m", .set = set_duration, .field = offsetof(struct config, lmtp_data_timeout), .min = 1,
	    .allowed = DURATION ", and not 0" },
	{ .name = "lmtp-network", .def = "loopback", .set = set_choice, .field = offsetof(struct config, lmtp_any_network),
	    .choice = { "loopback", "any" }, .allowed = "loopback, any" },
	{ .name = "lmtp-stats", .def = "", .set = set_stats, .allowed = "the absolute path of a file, or nothing" },
	{ .name = "lmtp-user", .def = "", .set = set_lmtp_user, .allowed = "a login name, or nothing" },
	{ .name = "log", .def = "syslog", .set = set_log, .has_path = true, .allowed = "syslog, stderr, file:PATH" },
	{ .name = "log-format", .def = "text", .set = set_choice, .field = offsetof(struct config, log_json),
	    .choice = { "text", "json" }, .allowed = "text, json" },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

/* What libconfuse's callbacks work on. It hands them no argument and is not reentrant itself, so this is set for one call of it. */
static struct reading {
	struct config *config;
	const char *path;
	const char *text;
	struct err *err;
	bool failed;
} *reading;

static const struct config_key *
find_key(const char *name, size_t len)
{
	for (size_t i = 0; i < KEYS; i++)
		if (strlen(keys[i].name) == len && memcmp(keys[i].name, name, len) == 0)
			return &keys[i];
	return NULL;
}

/* The first error counts: libconfuse reports what follows from it as well. */
static int
fail_at(int line, enum status status, const char *text)
{
	if (reading->failed)
		return -1;
	reading->failed = true;
	if (line > 0)
		return err_set(reading->err, status, "%.*s:%d: %s", PLACE_SHOWN, reading->path, line, text);
	return err_set(reading->err, status, "%.*s: %s", PLACE_SHOWN, reading->path, text);
}

static void __attribute__((format(printf, 2, 0)))
catch_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[ERR_TEXT];
	int len = vsnprintf(text, sizeof(text) / 2, fmt, ap);

	/* A stray quote or brace may have made a whole paragraph one name. */
	for (char *p = text; len >= 0 && *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (len < 0)
		strlcpy(text, "syntax error", sizeof(text));
	if (strncmp(text, "no such option", strlen("no such option")) == 0)
		strlcat(text, ": dedup-lda.conf(5) lists the keys", sizeof(text));
	fail_at(cfg->line, STATUS_CONFIG, text);
}

static int
apply_option(cfg_opt_t *opt, int line)
{
	const struct config_key *key = find_key(opt->name, strlen(opt->name));
	struct values values = { .n = cfg_opt_size(opt) };
	struct err why;

	if (key == NULL)	/* libconfuse was told of these keys alone */
		return fail_at(line, STATUS_CONFIG, "unknown key");
	if (values.n > VALUES_MAX)
		return fail_at(line, STATUS_CONFIG, "the list is too long");
	for (unsigned int i = 0; i < values.n; i++)
		values.text[i] = cfg_opt_getnstr(opt, i);
	if (key->set(reading->config, key, &values, &why) != 0)
		return fail_at(line, why.status, why.text);
	return 0;
}

static int
catch_value(cfg_t *cfg, cfg_opt_t *opt)
{
	return apply_option(opt, cfg->line);
}

/* An empty list is the one value that libconfuse does not show to catch_value. */
static int
apply_empty_lists(cfg_t *cfg)
{
	for (cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++) {
		if ((opt->flags & CFGF_LIST) != 0 && (opt->flags & CFGF_MODIFIED) != 0 && cfg_opt_size(opt) == 0 &&
		    apply_option(opt, config_file_line(reading->text, opt->name)) != 0)
			return -1;
	}
	return 0;
}

/* Of the keys, libconfuse is told those that occur in the text: it copies each one, which takes longer than to read a short file. No
 * escape that config_file_check lets through can write a key in another way. */
static cfg_t *
parser_new(const char *path, const char *text)
{
	cfg_opt_t options[KEYS + 1];
	const cfg_opt_t single = CFG_STR(NULL, NULL, CFGF_NODEFAULT), list = CFG_STR_LIST(NULL, NULL, CFGF_NODEFAULT);
	const cfg_opt_t end = CFG_END();
	size_t n = 0;
	cfg_t *cfg;

	for (size_t i = 0; i < KEYS; i++) {
		if (strstr(text, keys[i].name) == NULL)
			continue;
		options[n] = keys[i].list ? list : single;
		options[n].name = keys[i].name;
		options[n++].validcb = catch_value;
	}
	options[n] = end;
	if ((cfg = cfg_init(options, CFGF_NONE)) == NULL)
		return NULL;
	cfg_set_error_function(cfg, catch_error);
	if ((cfg->filename = strdup(path)) == NULL) {
		cfg_free(cfg);
		return NULL;
	}
	return cfg;
}

static int
parse(struct config *config, const char *path, char *text, size_t len, struct err *err)
{
	struct reading now = { .config = config, .path = path, .text = text, .err = err };
	cfg_t *cfg = NULL;
	FILE *file = NULL;
	int result = -1;

	if (len == 0)
		return 0;
	if (config_file_check(path, text, len, err) != 0)
		return -1;
	/* From memory, since libconfuse's scanner ends the process when a read fails. */
	if ((cfg = parser_new(path, text)) == NULL || (file = fmemopen(text, len, "r")) == NULL) {
		err_sys(err, "read", path);
		goto out;
	}
	reading = &now;
	if (cfg_parse_fp(cfg, file) != CFG_SUCCESS)
		fail_at(cfg->line, STATUS_CONFIG, "syntax error");
	else if (apply_empty_lists(cfg) == 0)
		result = 0;
	reading = NULL;
out:
	if (file != NULL)
		fclose(file);
	if (cfg != NULL)
		cfg_free(cfg);
	return result;
}

int
config_read(struct config *config, const char *path, bool required, int64_t owner, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int result = config_file_read(path, owner, false, &text, &len, err);

	if (result == 0 && required)
		return err_set(err, STATUS_CONFIG, "%s: there is no such file", path);
	if (result > 0)
		result = parse(config, path, text, len, err);
	free(text);
	return result;
}

/* {a, b} or a, b: copy holds the pieces. */
static int
split_list(char *copy, struct values *values)
{
	char *end = copy + strlen(copy), *piece;

	if (*copy == '{' && end > copy + 1 && end[-1] == '}') {
		*--end = '\0';
		copy++;
	}
	values->n = 0;
	if (copy[strspn(copy, " \t")] == '\0')
		return 0;
	while ((piece = strsep(&copy, ",")) != NULL) {
		if (values->n == VALUES_MAX)
			return -1;
		piece += strspn(piece, " \t");
		for (end = piece + strlen(piece); end > piece && (end[-1] == ' ' || end[-1] == '\t'); end--)
			end[-1] = '\0';
		values->text[values->n++] = piece;
	}
	return 0;
}

static int
assign(struct config *config, const struct config_key *key, const char *value, struct err *err)
{
	struct values values = { .n = 1, .text = { value } };
	char *copy = NULL;
	int result = -1;

	if (key->list) {
		if ((copy = strdup(value)) == NULL)
			return err_sys(err, "strdup", NULL);
		if (split_list(copy, &values) != 0) {
			err_set(err, STATUS_CONFIG, "%s: the list is too long", key->name);
			goto out;
		}
	}
	result = key->set(config, key, &values, err);
out:
	free(copy);
	return result;
}

/* A relative path, made absolute; the folder's own % are doubled, since the value is still to be expanded. *whole is NULL when
 * nothing needs to change. */
static int
make_absolute(const struct config_key *key, const char *value, char **whole, struct err *err)
{
	const char *path = value_path(key, value);
	char *here, *to;

	*whole = NULL;
	if (path == NULL || *path == '\0' || strchr("/~%", *path) != NULL)
		return 0;
	if ((here = getcwd(NULL, 0)) == NULL)
		return err_sys(err, "getcwd", NULL);
	if ((*whole = malloc(strlen(value) + 2 * strlen(here) + 2)) == NULL) {
		free(here);
		return err_sys(err, "malloc", NULL);
	}
	to = (char *)memcpy(*whole, value, (size_t)(path - value)) + (path - value);
	for (const char *from = here; *from != '\0'; *to++ = *from++)
		if (*from == '%')
			*to++ = '%';
	*to++ = '/';
	memcpy(to, path, strlen(path) + 1);
	free(here);
	return 0;
}

int
config_set(struct config *config, const char *assignment, struct err *err)
{
	const char *equals = strchr(assignment, '=');
	const struct config_key *key;
	char shown[VALUE_SHOWN], *whole;
	struct err why;
	int result;

	if (equals == NULL)
		return err_set(err, STATUS_CONFIG, "-o %s: it must be name=value", value_shown(shown, assignment));
	if ((key = find_key(assignment, (size_t)(equals - assignment))) == NULL)
		return err_set(err, STATUS_CONFIG, "-o %s: unknown key: dedup-lda.conf(5) and 'dedupdb help keys' list them",
		    value_shown(shown, assignment));
	if (make_absolute(key, equals + 1, &whole, err) != 0)
		return -1;
	result = assign(config, key, whole != NULL ? whole : equals + 1, &why);
	if (result != 0)
		err_set(err, why.status, "-o %s", why.text);
	free(whole);
	return result;
}

const char *
config_key_at(size_t i, const char **def, const char **allowed)
{
	if (i >= KEYS)
		return NULL;
	*def = keys[i].def;
	*allowed = keys[i].allowed;
	return keys[i].name;
}

int
config_new(struct config **config, struct err *err)
{
	struct config *c = calloc(1, sizeof(*c));

	*config = NULL;
	if (c == NULL)
		return err_sys(err, "calloc", NULL);
	for (size_t i = 0; i < KEYS; i++) {
		if (assign(c, &keys[i], keys[i].def, err) != 0) {
			config_free(&c);
			return -1;
		}
	}
	*config = c;
	return 0;
}

void
config_free(struct config **config)
{
	struct config *c = *config;

	if (c == NULL)
		return;
	free(c->mailbox);
	free(c->ledger);
	free(c->log);
	free(c->lmtp_stats);
	free(c->host);
	free(c->machine);
	free(c->lmtp_user);
	free(c->duplicate_folder);
	free(c->recipient_delimiter);
	strings_free(&c->trusted_hosts);
	strings_free(&c->fingerprint_headers);
	free(c->mailbox_path);
	strings_free(&c->command);
	free(c->user);
	free(c->home);
	free(c->recipient);
	free(c->ledger_url);
	free(c->this_host);
	free(c->log_path);
	free(c->ledger_password_file);
	secret_free(&c->ledger_password);
	free(c->scope);
	free(c);
	*config = NULL;
}
