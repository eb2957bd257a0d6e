/*
 * A configuration file of any bytes: an error that names the file and a line of it, or a configuration that holds what its keys
 * allow. The first line also as an assignment of -o, which takes the value as it stands.
 */
#include <ctype.h>
#include <fcntl.h>
#include <strings.h>

#include "config.h"
#include "fuzz.h"
#include "redis_url.h"

#define SECRET "from-the-environment"

static char path[64];
static const struct identity who = { .user = "user", .home = "/home/user", .address = "user+box@example.org" };

static void
clean(void)
{
	unlink(path);
}

static void
write_file(const void *p, size_t len)
{
	int fd;

	if (path[0] == '\0') {
		snprintf(path, sizeof(path), "/tmp/fuzz_config.XXXXXX");
		must(setenv("SECRET", SECRET, 1) == 0 && setenv("HOME", "/" SECRET, 1) == 0);
		fd = mkstemp(path);
		must(atexit(clean) == 0);
	} else
		fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	must(fd != -1 && fs_write(fd, p, len, NULL, path, NULL) == 0);
	close(fd);
}

static void
check_path(const char *text)
{
	size_t len = strlen(text);

	must(text[0] == '/' && len > 1 && text[len - 1] != '/' && strstr(text, "/../") == NULL && strstr(text, "//") == NULL);
	for (; *text != '\0'; text++)
		must((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void
check_text(const char *text)
{
	must(text != NULL && strstr(text, SECRET) == NULL);
}

static void
check_error(const struct err *err, size_t lines)
{
	char *end;
	unsigned long line;

	must(err->status == STATUS_CONFIG);
	for (const char *p = err->text; *p != '\0'; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	check_text(err->text);
	if (lines == 0)
		return;
	must(strncmp(err->text, path, strlen(path)) == 0 && err->text[strlen(path)] == ':');
	must(isdigit((unsigned char)err->text[strlen(path) + 1]));
	line = strtoul(err->text + strlen(path) + 1, &end, 10);
	must(line >= 1 && line <= lines && strncmp(end, ": ", 2) == 0 && end[2] != '\0');
}

/* A path, or servers, whose URL stays as it was. */
static void
check_ledger(const char *text)
{
	struct redis_url url;

	if (redis_url_is(text))
		must(redis_url_parse(&url, text, NULL) == 0);
	else
		check_path(text + strlen("bdb:"));
}

/* Where the mail goes. */
static void
check_target(const struct config *config)
{
	const char *target = config->mailbox_path;

	must((config->command != NULL) == (config->mailbox_ops == &pipe_ops));
	if (config->mailbox_ops == &pipe_ops)
		must(config->command[0] != NULL && config->command[0][0] != '\0');
	else if (config->mailbox_ops != &lmtp_ops)
		check_path(target);
	else if (strncmp(target, "unix:", 5) == 0)
		check_path(target + 5);
	else
		must(strrchr(target, ':') != NULL && strrchr(target, ':') != target && strtoul(strrchr(target, ':') + 1, NULL, 10) > 0);
}

static void
check_config(struct config *config)
{
	struct err err = { .text = "" };

	check_text(config->mailbox);
	check_text(config->ledger);
	check_text(config->log);
	check_text(config->recipient_delimiter);
	must(config->window >= 1 && config->stale_lock_time >= 1 && config->lock_timeout >= 0 && config->time_limit >= 1);
	must(config->on_duplicate != DUPLICATE_FOLDER || config->duplicate_folder != NULL);
	must(config->mbox_locks[0] != MBOX_LOCK_NONE && config->mbox_locks[0] != config->mbox_locks[1]);
	for (char **name = config->fingerprint_headers; *name != NULL; name++) {
		check_text(*name);
		must(**name != '\0' && strcasecmp(*name, "received") != 0);
		for (const char *p = *name; *p != '\0'; p++)
			must(*p > ' ' && *p < 0x7f && *p != ':' && !(*p >= 'A' && *p <= 'Z'));
	}
	for (char **host = config->trusted_hosts; *host != NULL; host++)
		check_text(*host);
	if (config_resolve(config, &who, &err) != 0) {
		check_error(&err, 0);
		return;
	}
	check_target(config);
	if (config->ledger_url != NULL)
		check_ledger(config->ledger_url);
	if (config->log_path != NULL)
		check_path(config->log_path);
	must(strchr(config->scope, ':') != NULL && strstr(config->scope, config->mailbox_path) != NULL);
}

/* The configuration that the file makes, or NULL. */
static struct config *
read_file(const void *p, size_t len)
{
	struct config *config;
	struct err err = { .text = "" };
	size_t lines = 1;
	int ret;

	write_file(p, len);
	for (size_t at = 0; (at = line_end(p, len, at)) < len;)
		lines++;
	must(config_new(&config, &err) == 0);
	ret = config_read(config, path, true, -1, &err);
	if (ret == 0)
		return config;
	check_error(&err, lines + 1);	/* the parser may find out at the end, which is behind the last line */
	config_free(&config);
	return NULL;
}

static struct config *
read_assignment(const char *text)
{
	struct config *config;
	struct err err = { .text = "" };

	must(config_new(&config, &err) == 0);
	if (config_set(config, text, &err) == 0)
		return config;
	check_error(&err, 0);
	must(strncmp(err.text, "-o ", 3) == 0);
	config_free(&config);
	return NULL;
}

static bool
is_same(const struct config *a, const struct config *b)
{
	return strcmp(a->mailbox, b->mailbox) == 0 && strcmp(a->ledger, b->ledger) == 0 && strcmp(a->log, b->log) == 0 &&
	    strcmp(a->recipient_delimiter, b->recipient_delimiter) == 0 && a->window == b->window &&
	    a->stale_lock_time == b->stale_lock_time && a->lock_timeout == b->lock_timeout && a->time_limit == b->time_limit &&
	    a->on_duplicate == b->on_duplicate && a->on_ledger_failure == b->on_ledger_failure && a->body == b->body &&
	    a->log_target == b->log_target && a->log_json == b->log_json && a->each_alias == b->each_alias &&
	    a->create_folders == b->create_folders && a->reject_unknown == b->reject_unknown &&
	    a->reject_over_quota == b->reject_over_quota && a->strict == b->strict;
}

/* In a file, between single quotes, a value means the same as with -o. Lists are written in another way there, and only -o makes a
 * path absolute. */
static void
check_quoted(const char *assignment, const struct config *config)
{
	const char *equals = strchr(assignment, '=');
	struct bytes text = { 0 };
	struct config *other;

	if (strspn(assignment, "abcdefghijklmnopqrstuvwxyz-") != (size_t)(equals - assignment))
		return;		/* no key looks like that */
	if (strpbrk(equals, "'\\,{}/.") != NULL || strncmp(assignment, "mailbox", 7) == 0 || strncmp(assignment, "l", 1) == 0 ||
	    strncmp(assignment, "trusted-hosts", 13) == 0 || strncmp(assignment, "add-headers", 11) == 0 ||
	    strncmp(assignment, "fingerprint-headers", 19) == 0 || strncmp(assignment, "mbox-locks", 10) == 0)
		return;
	for (const char *p = equals; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return;
	bytes_add(&text, assignment, (size_t)(equals - assignment));
	bytes_text(&text, " = '");
	bytes_text(&text, equals + 1);
	bytes_text(&text, "'\n");
	other = read_file(text.p, text.len);
	must((config == NULL) == (other == NULL));
	must(config == NULL || is_same(config, other));
	config_free(&other);
	bytes_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct config *config;
	char *assignment;

	if (memmem(data, size, SECRET, strlen(SECRET)) != NULL)
		return 0;	/* libFuzzer has seen what is compared */
	config = read_file(data, size);
	assignment = input_text(&in);
	if (config != NULL)
		check_config(config);
	config_free(&config);
	assignment[strcspn(assignment, "\n")] = '\0';
	config = read_assignment(assignment);
	if (strchr(assignment, '=') != NULL)
		check_quoted(assignment, config);
	if (config != NULL)
		check_config(config);
	config_free(&config);
	free(assignment);
	return 0;
}
