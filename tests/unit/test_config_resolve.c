/*
 * The configuration as a whole: what an address can do to a path, and what the others get to see.
 */
#include "config_fixture.h"

static const struct identity joe = { .user = "joe", .home = "/home/joe", .address = NULL };

static int
resolve_for(struct fixture *f, const char *mailbox, const struct identity *who)
{
	char text[8192];

	snprintf(text, sizeof(text), "mailbox=%s", mailbox);
	set_ok(f, text);
	return config_resolve(f->config, who, &f->err);
}

static void
assert_path(struct fixture *f, const char *mailbox, const struct identity *who, const char *path)
{
	if (resolve_for(f, mailbox, who) != 0)
		fail_msg("%s: %s", mailbox, f->err.text);
	assert_string_equal(f->config->mailbox_path, path);
}

static void
test_paths(void **state)
{
	static const struct { const char *mailbox, *path; } cases[] = {
		{ "maildir:~/Maildir", "/home/joe/Maildir" }, { "~/Maildir/", "/home/joe/Maildir" }, { "maildir:~", "/home/joe" },
		{ "/var/mail/%u", "/var/mail/joe" }, { "mbox:%h/m", "/home/joe/m" }, { "maildir:/a//b/./c///", "/a/b/c" },
		{ "maildir:/./a/.", "/a" }, { "mbox:/100%%/%%u", "/100%/%u" }, { "mbox:/x/%n", "/x/joe" }, { "mbox:/...", "/..." },
		{ "mbox:/a~b/~", "/a~b/~" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_path(f, cases[i].mailbox, &joe, cases[i].path);
	assert_refused(f, resolve_for(f, "maildir:/a/../b", &joe), "mailbox: '..'");
	assert_refused(f, resolve_for(f, "maildir:/..", &joe), "'..'");
	assert_refused(f, resolve_for(f, "maildir:/", &joe), "root folder");
	assert_refused(f, resolve_for(f, "mbox:/.//", &joe), "root folder");
	assert_refused(f, resolve_for(f, "mbox:%u", &joe), "absolute");
	assert_refused(f, resolve_for(f, "mbox:/x/%d", &joe), "%d can't be part of a path: its value is empty");
}

/* What the others that use the ledger know this host by: nothing for a ledger that is files here, else a name, or what is made of the machine. */
static void
test_host(void **state)
{
	static const char *const shared[] = { "redis://ledger.example", "redis+unix:///run/redis.sock", "redis+cluster://a,b" };
	struct fixture *f = *state;
	char text[128], first[64] = "";
	const char *host;

	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_null(f->config->this_host);
	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		snprintf(text, sizeof(text), "ledger=%s", shared[i]);
		set_ok(f, text);
		(void)config_resolve(f->config, &joe, &f->err);
		host = f->config->this_host;
		assert_non_null(host);
		assert_true(strlen(host) > 0 && strlen(host) <= 64);
		assert_true(first[0] == '\0' || strcmp(host, first) == 0);
		snprintf(first, sizeof(first), "%s", host);
	}
	set_ok(f, "host=mx1.example.org");
	(void)config_resolve(f->config, &joe, &f->err);
	assert_string_equal(f->config->this_host, "mx1.example.org");
	set_ok(f, "ledger=none");
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_null(f->config->this_host);
	set_ok(f, "ledger=bdb:~/x");
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_string_equal(f->config->this_host, "mx1.example.org");
	set_ok(f, "host=");
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_null(f->config->this_host);
	assert_refused(f, config_set(f->config, "host=a b", &f->err), "host: 'a b' is not a value for it");
	assert_refused(f, config_set(f->config, "host=a/b", &f->err), "host: ");
}

static void
test_relative(void **state)
{
	struct fixture *f = *state;
	char odd[128], expected[256], *before = getcwd(NULL, 0);

	assert_non_null(before);
	snprintf(odd, sizeof(odd), "%s/100%%u", f->folder);
	assert_int_equal(mkdir(odd, 0700), 0);
	assert_int_equal(chdir(odd), 0);
	snprintf(expected, sizeof(expected), "%s/M", odd);
	assert_path(f, "maildir:M/", &joe, expected);
	assert_path(f, "./M/", &joe, expected);
	assert_path(f, "mbox:M", &joe, expected);
	if (config_set(f->config, "ledger=bdb:L", &f->err) != 0 || config_set(f->config, "log=file:log", &f->err) != 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	snprintf(expected, sizeof(expected), "bdb:%s/L", odd);
	assert_string_equal(f->config->ledger_url, expected);
	snprintf(expected, sizeof(expected), "%s/log", odd);
	assert_string_equal(f->config->log_path, expected);
	free(before);
	rmdir(odd);
	/* In a file it would count from wherever the MTA happens to be. */
	assert_int_equal(read_text(f, "mailbox = maildir:M/"), 0);
	assert_refused(f, config_resolve(f->config, &joe, &f->err), "mailbox: the path must be absolute");
}

static void
test_address(void **state)
{
	static const struct { const char *address, *path; } cases[] = {
		{ "Ann+Lists@Example.ORG", "/v/example.org/ann" }, { "ann@example.org", "/v/example.org/ann" },
		{ "+x@example.org", "/v/example.org/+x" }, { "a@b@example.org", "/v/example.org/a@b" },
		{ "a+b+c@d", "/v/d/a" }, { "a b@d", "/v/d/a b" }, { "%u@d", "/v/d/%u" }, { "~@d", "/v/d/~" },
	};
	struct fixture *f = *state;
	struct identity who = joe;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		who.address = cases[i].address;
		assert_path(f, "maildir:/v/%d/%n", &who, cases[i].path);
	}
	assert_int_equal(config_set(f->config, "recipient-delimiter=", &f->err), 0);
	who.address = "a+b@d";
	assert_path(f, "maildir:/v/%d/%n", &who, "/v/d/a+b");
	who.address = NULL;
	who.user = "Kim@Example.org";
	assert_path(f, "maildir:/v/%d/%n/%u", &who, "/v/Example.org/Kim/Kim@Example.org");
	who.address = "";
	assert_path(f, "maildir:/v/%d/%n", &who, "/v/Example.org/Kim");
}

static void
test_hostile(void **state)
{
	static const char *const bad[] = { "../x@d", "..@d", ".@d", ".x@d", "a/b@d", "/@d", "@d", "a\nb@d", "a\x7f@d", "a\x1b@d",
	    "..+x@d", "a@", "a@..", "a@.", "a@b/c", "a@../..", "a@.d", "a@d\t", "a", "/etc/passwd@x" };
	static const char *const users[] = { "..", ".", ".x", "a/b", "/", "a\nb", "\x01" };
	struct fixture *f = *state;
	struct identity who = joe;
	char large[9000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		who.address = bad[i];
		assert_refused(f, resolve_for(f, "maildir:/v/%d/%n", &who), "can't be part of a path");
		/* It matters only where it is used. */
		assert_path(f, "maildir:/v/%u", &who, "/v/joe");
	}
	memset(large, 'a', sizeof(large) - 3);
	strcpy(large + sizeof(large) - 3, "@d");
	who.address = large;
	assert_refused(f, resolve_for(f, "maildir:/v/%d/%n", &who), "too long");
	who.address = NULL;
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		who.user = users[i];
		assert_refused(f, resolve_for(f, "mbox:/v/%u", &who), "%u can't be part of a path");
		assert_refused(f, resolve_for(f, "mbox:/v/%n", &who), "%n can't be part of a path");
	}
	memset(large, 'a', sizeof(large));
	memcpy(large, "mbox:/", 6);
	large[6000] = '\0';
	assert_refused(f, resolve_for(f, large, &joe), "longer than");
	memset(large, '/', sizeof(large));
	large[4090] = '\0';
	memcpy(large, "mbox:", 5);
	strcat(large, "%h");
	who = joe;
	who.home = "/home/a-home-of-more-than-a-few-characters";
	assert_refused(f, resolve_for(f, large, &who), "longer than");
}

static void
test_homeless(void **state)
{
	struct fixture *f = *state;
	struct identity who = joe;

	who.home = NULL;
	assert_int_equal(resolve_for(f, "maildir:~/M", &who), -1);
	assert_int_equal(f->err.status, STATUS_TEMP);
	assert_non_null(strstr(f->err.text, "home"));
	assert_int_equal(resolve_for(f, "maildir:%h/M", &who), -1);
	assert_int_equal(f->err.status, STATUS_TEMP);
	assert_int_equal(config_set(f->config, "ledger=none", &f->err), 0);
	assert_path(f, "maildir:/v/%u", &who, "/v/joe");
	who.home = "relative";
	assert_int_equal(resolve_for(f, "maildir:~/M", &who), -1);
	assert_int_equal(f->err.status, STATUS_TEMP);
	who.home = "/home/../root";
	assert_refused(f, resolve_for(f, "maildir:~/M", &who), "'..'");
}

static void
test_resolved(void **state)
{
	struct fixture *f = *state;
	struct identity who = joe;

	assert_path(f, "maildir:~/Maildir/", &who, "/home/joe/Maildir");
	assert_ptr_equal(f->config->mailbox_ops, &maildir_ops);
	assert_string_equal(f->config->ledger_url, "bdb:/home/joe/.dedup-lda");
	assert_string_equal(f->config->scope, "maildir:/home/joe/Maildir");
	assert_null(f->config->log_path);
	who.address = "Joe+X@Example.org";
	assert_path(f, "/Var/mail/%u", &who, "/Var/mail/joe");
	assert_ptr_equal(f->config->mailbox_ops, &mbox_ops);
	assert_string_equal(f->config->scope, "mbox:/Var/mail/joe");
	assert_int_equal(config_set(f->config, "alias-copies=each", &f->err), 0);
	assert_int_equal(config_set(f->config, "ledger=none", &f->err), 0);
	assert_int_equal(config_set(f->config, "log=file:/log/%u", &f->err), 0);
	assert_path(f, "/Var/mail/%u", &who, "/Var/mail/joe");
	assert_string_equal(f->config->scope, "mbox:/Var/mail/joe joe+x@example.org");
	assert_null(f->config->ledger_url);
	assert_string_equal(f->config->log_path, "/log/joe");
}

/* What a message is handed to has one spelling, and serves many: the user and the address are part of the scope. */
static void
test_targets(void **state)
{
	struct fixture *f = *state;
	struct identity who = joe;

	assert_path(f, "lmtp:unix:~//run/./%u", &who, "unix:/home/joe/run/joe");
	assert_ptr_equal(f->config->mailbox_ops, &lmtp_ops);
	assert_string_equal(f->config->scope, "lmtp:unix:/home/joe/run/joe joe joe");
	assert_string_equal(f->config->recipient, "joe");
	who.address = "Joe+X@Example.org";
	assert_path(f, "lmtp:Mail.Example:24", &who, "mail.example:24");
	assert_string_equal(f->config->scope, "lmtp:mail.example:24 joe joe@example.org");
	assert_string_equal(f->config->recipient, "Joe+X@Example.org");
	assert_path(f, "pipe:/bin/x '%n %d' %h", &who, "/bin/x '%n %d' %h");
	assert_ptr_equal(f->config->mailbox_ops, &pipe_ops);
	assert_string_equal(f->config->scope, "pipe:/bin/x '%n %d' %h joe joe@example.org");
	assert_string_equal(f->config->command[0], "/bin/x");
	assert_string_equal(f->config->command[1], "joe example.org");
	assert_string_equal(f->config->command[2], "/home/joe");
	assert_null(f->config->command[3]);
	set_ok(f, "alias-copies=each");
	assert_path(f, "lmtp:[::1]:24", &who, "[::1]:24");
	assert_string_equal(f->config->scope, "lmtp:[::1]:24 joe joe@example.org joe+x@example.org");
	assert_null(f->config->command);
	set_ok(f, "recipient-delimiter=");
	assert_path(f, "lmtp:[::1]:24", &who, "[::1]:24");
	assert_string_equal(f->config->scope, "lmtp:[::1]:24 joe joe+x@example.org joe+x@example.org");
}

static void
test_targets_refused(void **state)
{
	struct fixture *f = *state;
	struct identity who = joe;
	char deep[200];

	assert_refused(f, resolve_for(f, "lmtp:unix:run/l", &joe), "absolute");
	assert_refused(f, resolve_for(f, "lmtp:unix:/run/../l", &joe), "'..'");
	memset(deep, 'x', sizeof(deep) - 1);
	memcpy(deep, "lmtp:unix:/", strlen("lmtp:unix:/"));
	deep[sizeof(deep) - 1] = '\0';
	assert_refused(f, resolve_for(f, deep, &joe), "107 bytes");
	assert_refused(f, resolve_for(f, "pipe:/bin/x %d", &joe), "%d can't be part of a word: its value is empty");
	who.address = "-rf@example.org";
	assert_refused(f, resolve_for(f, "pipe:/bin/x %n", &who), "%n can't begin a word");
	assert_path(f, "pipe:/bin/x --user=%n", &who, "/bin/x --user=%n");
	assert_string_equal(f->config->command[1], "--user=-rf");
	who.address = "a/b@example.org";
	assert_refused(f, resolve_for(f, "pipe:/bin/x %n", &who), "slash");
	set_ok(f, "on-duplicate=folder:Copies");
	assert_refused(f, resolve_for(f, "pipe:/bin/x", &joe), "a command has no folders");
	assert_path(f, "lmtp:[::1]:24", &joe, "[::1]:24");
	set_ok(f, "on-duplicate=folder:My Copies");
	assert_refused(f, resolve_for(f, "lmtp:[::1]:24", &joe), "can't be part of an address");
	set_ok(f, "on-duplicate=folder:Copies");
	set_ok(f, "recipient-delimiter=");
	assert_refused(f, resolve_for(f, "lmtp:[::1]:24", &joe), "can't be part of an address");
}

static void
test_unsupported(void **state)
{
	struct fixture *f = *state;

	assert_path(f, "/v/%u/", &joe, "/v/joe");
	assert_int_equal(config_set(f->config, "ledger=none", &f->err), 0);
	assert_int_equal(config_set(f->config, "on-duplicate=folder:Copies", &f->err), 0);
	assert_path(f, "/v/%u/", &joe, "/v/joe");
	assert_refused(f, resolve_for(f, "/v/%u", &joe), "needs a Maildir");
}

static void
test_redis(void **state)
{
	static const char *const ledgers[] = { "redis://me@h:1/0", "redis+unix:///run/r", "redis+sentinel://h/m", "redis+cluster://h" };
	struct fixture *f = *state;
	struct ledger_options options;
	char text[64];

	for (size_t i = 0; i < sizeof(ledgers) / sizeof(*ledgers); i++) {
		snprintf(text, sizeof(text), "ledger=%s", ledgers[i]);
		set_ok(f, text);
		set_ok(f, "ledger-timeout=2m");
		assert_path(f, "/v/%u/", &joe, "/v/joe");
		config_ledger_options(f->config, &options);
		assert_string_equal(options.url, ledgers[i]);
		assert_int_equal(options.timeout_ms, 120000);
		assert_null(options.password);
	}
	assert_refused(f, config_set(f->config, "ledger=redis://u:secret@h", &f->err), "ledger-password-file");
	assert_null(strstr(f->err.text, "secret"));
	assert_refused(f, config_set(f->config, "ledger=redis+unix://%h/s", &f->err), "ledger: ");
	assert_refused(f, config_set(f->config, "ledger-timeout=0", &f->err), "not 0");
}

static void
test_locks(void **state)
{
	struct fixture *f = *state;

	assert_path(f, "mbox:/v/%u", &joe, "/v/joe");
	assert_int_equal(config_set(f->config, "time-limit=601", &f->err), 0);
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_int_equal(config_set(f->config, "mbox-locks=dotlock", &f->err), 0);
	assert_refused(f, config_resolve(f->config, &joe, &f->err), "stale-lock-time");
	assert_int_equal(config_set(f->config, "time-limit=10m", &f->err), 0);
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_int_equal(config_set(f->config, "stale-lock-time=599s", &f->err), 0);
	assert_refused(f, config_resolve(f->config, &joe, &f->err), "stale-lock-time");
	assert_int_equal(config_set(f->config, "mbox-locks=fcntl", &f->err), 0);
	assert_int_equal(config_resolve(f->config, &joe, &f->err), 0);
	assert_int_equal(config_set(f->config, "mbox-locks=dotlock", &f->err), 0);
	assert_path(f, "maildir:/v/%u", &joe, "/v/joe");	/* which has no locks */
}

static void
test_options(void **state)
{
	struct fixture *f = *state;
	struct ledger_options ledger;
	struct mailbox_options mailbox;

	assert_path(f, "mbox:/v/%u", &joe, "/v/joe");
	config_ledger_options(f->config, &ledger);
	assert_string_equal(ledger.url, "bdb:/home/joe/.dedup-lda");
	assert_int_equal(ledger.window, 7 * 86400);
	assert_int_equal(ledger.lock_timeout_ms, 30000);
	assert_true(ledger.create && !ledger.strict && ledger.notice == NULL);
	config_mailbox_options(f->config, &mailbox);
	assert_string_equal(mailbox.path, "/v/joe");
	assert_null(mailbox.folder);
	assert_null(mailbox.sender);
	assert_string_equal(mailbox.head, "");
	assert_int_equal(mailbox.locks[1], MBOX_LOCK_DOTLOCK);
	assert_int_equal(mailbox.lock_timeout_ms, 30000);
	assert_int_equal(mailbox.stale_lock_s, 600);
	assert_false(mailbox.create_folder || mailbox.strict || mailbox.drop_return_path);
	assert_int_equal(config_set(f->config, "lock-timeout=90w", &f->err), 0);
	config_ledger_options(f->config, &ledger);
	assert_int_equal(ledger.lock_timeout_ms, 0x7fffffff);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relative, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_homeless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_targets_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsupported, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redis, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
	};

	return cmocka_run_group_tests_name("config resolve", tests, NULL, NULL);
}
