/*
 * The configuration's keys, their defaults, and files that say something wrong.
 */
#include "config_fixture.h"

static void
assert_defaults(const struct config *c)
{
	assert_string_equal(c->mailbox, "maildir:~/Maildir");
	assert_string_equal(c->ledger, "bdb:~/.dedup-lda");
	assert_string_equal(c->log, "syslog");
	assert_int_equal(c->log_target, LOG_TO_SYSLOG);
	assert_string_equal(c->recipient_delimiter, "+");
	assert_non_null(c->trusted_hosts);
	assert_null(c->trusted_hosts[0]);
	assert_string_equal(c->fingerprint_headers[0], "date");
	assert_string_equal(c->fingerprint_headers[1], "list-id");
	assert_null(c->fingerprint_headers[2]);
	assert_int_equal(c->window, 7 * 86400);
	assert_int_equal(c->history, 8192);
	assert_int_equal(c->stale_lock_time, 600);
	assert_int_equal(c->lock_timeout, 30);
	assert_int_equal(c->time_limit, 300);
	assert_int_equal(c->on_duplicate, DUPLICATE_DISCARD);
	assert_int_equal(c->on_ledger_failure, LEDGER_DELIVER);
	assert_int_equal(c->body, BODY_RELAXED);
	assert_int_equal(c->mbox_locks[0], MBOX_LOCK_FCNTL);
	assert_int_equal(c->mbox_locks[1], MBOX_LOCK_DOTLOCK);
	assert_false(c->log_json || c->each_alias || c->create_folders || c->reject_unknown || c->reject_over_quota || c->strict);
	assert_true(c->add_return_path && c->add_delivered_to);
}

static void
test_defaults(void **state)
{
	struct fixture *f = *state;

	assert_defaults(f->config);
	assert_null(f->config->duplicate_folder);
	assert_null(f->config->scope);
}

static void
test_example(void **state)
{
	struct fixture *f = *state;
	const char *root = getenv("SRCDIR");
	char path[4096], line[1024], text[65536] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/examples/dedup-lda.conf", root != NULL ? root : ".");
	if ((file = fopen(path, "r")) == NULL)
		fail_msg("%s: run this at the root of the repository, or set SRCDIR", path);
	/* As it is, and with each key in effect: the shipped lines are comments of the form "#key = value". */
	while (fgets(line, sizeof(line), file) != NULL)
		strcat(text, line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && strstr(line, " = ") != NULL ? line + 1 : line);
	fclose(file);
	if (read_text(f, text) != 0)
		fail_msg("%s", f->err.text);
	assert_defaults(f->config);
	set_ok(f, "mailbox=/x/");
	if (read_text(f, text) != 0)
		fail_msg("%s", f->err.text);
	/* The mailbox is back: so the lines were in effect. */
	assert_defaults(f->config);
}

static const char every_key[] =
    "# every key, none at its default\n"
    "mailbox = mbox:/var/mail/%u\n"
    "ledger = \"none\"\n"
    "window = 2w\n"
    "history = 65536\n"
    "on-duplicate = 'folder:Junk Copies.old'\n"
    "duplicates = proven\n"
    "on-ledger-failure = defer\n"
    "alias-copies = each\n"
    "create-folders = yes\n"
    "unknown-user = reject\n"
    "add-headers = {}\n"
    "recipient-delimiter = -   # not +\n"
    "trusted-hosts = {mx.example.org, .example.net, 192.0.2.0/24, 2001:db8::/32,\n\t::1}\n"
    "sync = strict\n"
    "body = simple\n"
    "fingerprint-headers = {Subject}\n"
    "over-quota = reject\n"
    "mbox-locks = {dotlock}\n"
    "stale-lock-time = 1h\n"
    "lock-timeout = 0\n"
    "time-limit = 2m\r\n"
    "log = file:/var/log/%u\n"
    "log-format = json";

static void
test_every_key(void **state)
{
	struct fixture *f = *state;
	struct config *c = f->config;

	if (read_text(f, every_key) != 0)
		fail_msg("%s", f->err.text);
	assert_string_equal(c->mailbox, "mbox:/var/mail/%u");
	assert_string_equal(c->ledger, "none");
	assert_string_equal(c->log, "file:/var/log/%u");
	assert_int_equal(c->log_target, LOG_TO_FILE);
	assert_string_equal(c->duplicate_folder, "Junk Copies.old");
	assert_string_equal(c->recipient_delimiter, "-");
	assert_string_equal(c->trusted_hosts[0], "mx.example.org");
	assert_string_equal(c->trusted_hosts[4], "::1");
	assert_null(c->trusted_hosts[5]);
	assert_string_equal(c->fingerprint_headers[0], "subject");
	assert_null(c->fingerprint_headers[1]);
	assert_true(c->proven);
	assert_int_equal(c->window, 14 * 86400);
	assert_int_equal(c->history, 65536);
	assert_int_equal(c->stale_lock_time, 3600);
	assert_int_equal(c->lock_timeout, 0);
	assert_int_equal(c->time_limit, 120);
	assert_int_equal(c->on_duplicate, DUPLICATE_FOLDER);
	assert_int_equal(c->on_ledger_failure, LEDGER_DEFER);
	assert_int_equal(c->body, BODY_SIMPLE);
	assert_int_equal(c->mbox_locks[0], MBOX_LOCK_DOTLOCK);
	assert_int_equal(c->mbox_locks[1], MBOX_LOCK_NONE);
	assert_true(c->log_json && c->each_alias && c->create_folders && c->reject_unknown && c->reject_over_quota && c->strict);
	assert_false(c->add_return_path || c->add_delivered_to);
}

static void
test_later_wins(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "window = 1d\ntrusted-hosts = {a.example, b.example}\nwindow = 2d"), 0);
	assert_int_equal(f->config->window, 2 * 86400);
	assert_int_equal(read_text(f, "trusted-hosts = c.example\nsync = strict"), 0);
	assert_string_equal(f->config->trusted_hosts[0], "c.example");
	assert_null(f->config->trusted_hosts[1]);
	assert_int_equal(f->config->window, 2 * 86400);
	assert_int_equal(read_text(f, "trusted-hosts = {}"), 0);
	assert_null(f->config->trusted_hosts[0]);
	assert_int_equal(read_text(f, ""), 0);
	assert_int_equal(read_text(f, "# only a comment"), 0);
	assert_true(f->config->strict);
}

static void
test_set(void **state)
{
	struct fixture *f = *state;

	set_ok(f, "add-headers={ return-path }");
	assert_true(f->config->add_return_path && !f->config->add_delivered_to);
	set_ok(f, "add-headers=delivered-to");
	assert_true(!f->config->add_return_path && f->config->add_delivered_to);
	set_ok(f, "add-headers={}");
	set_ok(f, "add-headers=");
	assert_false(f->config->add_return_path || f->config->add_delivered_to);
	set_ok(f, "fingerprint-headers=Date,X-Serial , subject");
	assert_string_equal(f->config->fingerprint_headers[1], "x-serial");
	assert_string_equal(f->config->fingerprint_headers[2], "subject");
	set_ok(f, "recipient-delimiter=");
	assert_string_equal(f->config->recipient_delimiter, "");
	set_ok(f, "on-duplicate=tag");
	assert_int_equal(f->config->on_duplicate, DUPLICATE_TAG);
	set_ok(f, "log=stderr");
	assert_int_equal(f->config->log_target, LOG_TO_STDERR);
	set_ok(f, "mailbox=mbox:/a b'\"\\${HOME}=c");
	assert_string_equal(f->config->mailbox, "mbox:/a b'\"\\${HOME}=c");
	set_ok(f, "mbox-locks=dotlock, fcntl");
	assert_int_equal(f->config->mbox_locks[0], MBOX_LOCK_DOTLOCK);
	assert_int_equal(f->config->mbox_locks[1], MBOX_LOCK_FCNTL);
}

/* Refused both ways; in a file the line is named. */
static void
test_bad_values(void **state)
{
	static const struct { const char *name, *value, *part; } bad[] = {
		{ "mailbox", "", "allowed: maildir:PATH" }, { "mailbox", "maildir:", "allowed" },
		{ "mailbox", "imap:x", "allowed" },
		{ "mailbox", "maildir:~bob/M", "another user" }, { "mailbox", "maildir:/x/%x", "unknown variable %x" },
		{ "mailbox", "mbox:/x/%", "single %" }, { "mailbox", "pipe:", "allowed" },
		{ "mailbox", "pipe: ", "names no program" }, { "mailbox", "pipe:/x %q", "unknown variable %q" },
		{ "mailbox", "pipe:/bin/%n", "can't be named by" }, { "mailbox", "pipe:sh -c %n", "can't stand in the code" },
		{ "mailbox", "lmtp:unix:", "needs a path" }, { "mailbox", "lmtp:host", "needs unix:/path, host:port" },
		{ "mailbox", "lmtp:host:0", "needs" }, { "mailbox", "lmtp:::1:24", "needs brackets" },
		{ "mailbox", "lmtp:10.0.0.300:24", "neither a name nor an address" }, { "mailbox", "lmtp:unix:/x/%q", "unknown variable" },
		{ "on-refusal", "bounce", "allowed: defer, reject" },
		{ "ledger", "", "allowed: bdb:PATH" }, { "ledger", "/x", "allowed" }, { "ledger", "bdb:", "allowed" },
		{ "ledger", "memory:", "allowed" }, { "ledger", "bdb:%q", "unknown variable %q" },
		{ "history", "", "allowed: a number" }, { "history", "-1", "allowed" }, { "history", "65537", "allowed" },
		{ "history", "1k", "allowed" }, { "history", "9999999999999999999999", "allowed" },
		{ "window", "0", "not 0" }, { "window", "-1d", "allowed: a number" }, { "window", "7 days", "allowed" },
		{ "window", "99999999999999999999", "allowed" }, { "window", "101w1", "allowed" }, { "window", "5300w", "allowed" },
		{ "on-duplicate", "delete", "allowed: discard" }, { "on-duplicate", "folder:", "allowed" },
		{ "on-duplicate", "folder:a/b", "allowed" }, { "on-duplicate", "folder:..", "allowed" },
		{ "on-duplicate", "folder:.a", "allowed" }, { "on-duplicate", "folder:a..b", "allowed" },
		{ "on-duplicate", "folder:a.", "allowed" },
		{ "duplicates", "some", "allowed: all, proven" },
		{ "on-ledger-failure", "bounce", "allowed: deliver, defer" }, { "alias-copies", "two", "allowed: one, each" },
		{ "create-folders", "maybe", "allowed: no, yes" }, { "unknown-user", "bounce", "allowed: defer, reject" },
		{ "add-headers", "x-y", "allowed: return-path" }, { "recipient-delimiter", "--", "allowed: one character" },
		{ "recipient-delimiter", "/", "allowed" }, { "recipient-delimiter", "@", "allowed" },
		{ "trusted-hosts", "10.0.0.256", "allowed: host names" }, { "trusted-hosts", "10.0.0.0/33", "allowed" },
		{ "trusted-hosts", "::1/129", "allowed" }, { "trusted-hosts", "a..b", "allowed" },
		{ "trusted-hosts", "-a.example", "allowed" }, { "trusted-hosts", "10.0.0.0/", "allowed" },
		{ "trusted-hosts", "a b", "allowed" }, { "sync", "never", "allowed: auto, strict" },
		{ "body", "strict", "allowed: relaxed, simple" }, { "fingerprint-headers", "received", "differs" },
		{ "fingerprint-headers", "Delivered-To", "differs" }, { "fingerprint-headers", "return-path", "differs" },
		{ "fingerprint-headers", "X-Dedup-Id", "differs" }, { "fingerprint-headers", "date:", "allowed: names" },
		{ "fingerprint-headers", "da te", "allowed" }, { "fingerprint-headers", "d\303\244te", "allowed" },
		{ "over-quota", "bounce", "allowed: defer, reject" }, { "mbox-locks", "flock", "allowed: fcntl, dotlock" },
		{ "stale-lock-time", "0s", "not 0" }, { "lock-timeout", "-1", "allowed" }, { "lock-timeout", "1y", "allowed" },
		{ "time-limit", "0", "not 0" }, { "log", "mail", "allowed: syslog" }, { "log", "file:", "allowed" },
		{ "log", "file:/%z", "unknown variable %z" }, { "log-format", "xml", "allowed: text, json" },
	};
	struct fixture *f = *state;
	char text[256], place[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "%s=%s", bad[i].name, bad[i].value);
		snprintf(place, sizeof(place), "-o %s: ", bad[i].name);
		assert_refused(f, config_set(f->config, text, &f->err), bad[i].part);
		assert_int_equal(strncmp(f->err.text, place, strlen(place)), 0);
		snprintf(text, sizeof(text), "# one\n\n%s = '%s' # three\n# four\n", bad[i].name, bad[i].value);
		snprintf(place, sizeof(place), "%s:3: %s: ", f->path, bad[i].name);
		assert_refused(f, read_text(f, text), bad[i].part);
		if (strncmp(f->err.text, place, strlen(place)) != 0)
			fail_msg("expected %s got %s", place, f->err.text);
	}
	assert_defaults(f->config);
}

static void
test_bad_assignments(void **state)
{
	static const char *const bad[] = { "", "=", "=x", "window", "Window=7d", "window =7d", "windo=7d", "include=/etc/passwd",
	    "a\nb=c", "mailbox=/a\nb", "mbox-locks=", "mbox-locks={}", "mbox-locks=fcntl, fcntl", "mbox-locks=fcntl,dotlock,fcntl",
	    "fingerprint-headers=date, DATE", "fingerprint-headers=date,,subject", "on-duplicate=folder:a\x01", "add-headers={x" };
	struct fixture *f = *state;
	char text[1024] = "trusted-hosts=a.example";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_refused(f, config_set(f->config, bad[i], &f->err), "-o ");
	for (size_t i = 0; i < 64; i++)
		strcat(text, ",a.example");
	assert_refused(f, config_set(f->config, text, &f->err), "too long");
	memset(text + 20, 'x', sizeof(text) - 21);
	assert_refused(f, config_set(f->config, text, &f->err), "-o ");
	assert_defaults(f->config);
}

/* Syntax errors, and what libconfuse itself would take without a word. */
static void
test_syntax(void **state)
{
	static const struct { const char *text; int line; const char *part; } bad[] = {
		{ "a\n", 1, "no such option 'a': dedup-lda.conf(5)" }, { "\n\nwindo = 7d\n", 3, "no such option" },
		{ "include(\"/etc/passwd\")\n", 1, "+ * ( )" }, { "include '/etc/passwd'", 1, "no such option 'include'" },
		{ "__unknown = x", 1, "no such option" }, { "window\n", 2, "" }, { "window 7d\n", 1, "equal sign" },
		{ "\nwindow = {7d}\n", 2, "unexpected token '{'" }, { "window == 7d", 1, "unexpected token" },
		{ "window = \n\n", 3, "premature end" }, { "}\n", 1, "brace" }, { "section {\n}\n", 1, "no such option" },
		{ "# c\nwindow = \"7d\nsync = auto\n", 2, "not closed" }, { "window = '7d", 1, "not closed" },
		{ "trusted-hosts = {a.example, b.example\n", 2, "premature end" },
		{ "trusted-hosts = {a.example b.example}", 1, "" },
		{ "recipient-delimiter = +\n", 1, "put quotes" }, { "window = 7d*\n", 1, "put quotes" },
		{ "add-headers += return-path\n", 1, "put quotes" }, { "/* a\n * b\n */\n", 1, "put quotes" },
		{ "\n// a comment\n", 2, "starts with #" }, { "\nmailbox = ${HOME}/M/\n", 2, "environment" },
		{ "mailbox = /x/${HOME:-y}\n", 1, "environment" }, { "mailbox = \"/x/${HOME}\"\n", 1, "environment" },
		{ "mailbox = \"/x/\\${HOME}\"\n", 1, "backslash" }, { "mailbox = \"/x\\x2e\"\n", 1, "backslash" },
		{ "mailbox = maildir:'/a b'\n", 1, "whole value" }, { "\nmbox-locks = {}\n", 2, "without any lock" },
		{ "window=1d mbox-locks={}\n", 0, "without any lock" }, { "window = 7d\n\n\x01\n", 3, "no text file" },
		{ "window = 7d\n\r", 2, "no text file" }, { "'' = x\n", 1, "syntax error" }, { "a|b = x\n", 1, "" },
		{ "mbox-locks = {fcntl,\n fcntl}\n", 2, "twice" }, { "window = 7d\nlog = nowhere # c\nsync = x\n", 2, "nowhere" },
		{ "\\\n", 1, "no such option" }, { "mailbox = '/a\\\n", 1, "not closed" }, { "mailbox = \"/a\\", 1, "backslash" },
	};
	struct fixture *f = *state;
	char place[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(place, sizeof(place), bad[i].line > 0 ? "%s:%d: " : "%s: ", f->path, bad[i].line);
		assert_refused(f, read_text(f, bad[i].text), bad[i].part);
		if (strncmp(f->err.text, place, strlen(place)) != 0)
			fail_msg("expected '%s', got '%s'", place, f->err.text);
	}
	/* The parser keeps no state between files, and these are fine. */
	assert_int_equal(read_text(f, "mailbox = '/x/${HOME}' # it's \"${HOME}\"\nlog='file:/a\\\\b'"), 0);
	assert_string_equal(f->config->mailbox, "/x/${HOME}");
	assert_string_equal(f->config->log, "file:/a\\b");
	assert_int_equal(read_text(f, "mailbox = \"mbox:/a \\\"b\\\\\" sync=strict"), 0);
	assert_string_equal(f->config->mailbox, "mbox:/a \"b\\");
	assert_int_equal(read_text(f, "recipient-delimiter = '+'\nledger = redis://h:6379/0\nadd-headers={return-path,}"), 0);
	assert_string_equal(f->config->ledger, "redis://h:6379/0");
}

static void
test_durations(void **state)
{
	static const struct { const char *text; int64_t seconds; } cases[] = {
		{ "0", 0 }, { "7", 7 }, { "30s", 30 }, { "2m", 120 }, { "3h", 10800 }, { "7d", 604800 }, { "1w", 604800 },
		{ "36500d", INT64_C(3153600000) }, { "3153600000", INT64_C(3153600000) }, { "007d", 604800 },
		{ "36501d", -1 }, { "3153600001", -1 }, { "", -1 }, { "d", -1 }, { "-1", -1 }, { "+1", -1 }, { " 1", -1 },
		{ "1 ", -1 }, { "1D", -1 }, { "1dd", -1 }, { "1.5d", -1 }, { "1y", -1 }, { "0x10", -1 }, { "1e3", -1 },
		{ "9223372036854775808", -1 }, { "18446744073709551617", -1 }, { "99999999999999999999999999999999w", -1 },
	};
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		seconds = -2;
		assert_int_equal(duration_parse(cases[i].text, &seconds), cases[i].seconds < 0 ? -1 : 0);
		assert_int_equal(seconds, cases[i].seconds < 0 ? -2 : cases[i].seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_example, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_assignments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syntax, setup, teardown),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
