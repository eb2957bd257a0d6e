/*
 * The configuration as a whole: whose file is believed, what an address can do to a path, and what the others get to see.
 */
#include <sys/resource.h>

#include "config_fixture.h"

#define OTHER_UID 54321		/* nobody has it */

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
load_password(struct fixture *f, const char *ledger, const char *why, const char *password)
{
	char file[160], url[64];
	const char *assignments[] = { file, url, NULL };
	struct config *c = NULL;
	int ret;

	snprintf(file, sizeof(file), "ledger-password-file=%s", f->path);
	snprintf(url, sizeof(url), "ledger=%s", ledger);
	ret = config_load(&c, NULL, assignments, &joe, getuid(), false, &f->err);
	if (why != NULL)
		assert_refused(f, ret, why);
	else if (ret != 0)
		fail_msg("%s", f->err.text);
	else if (password == NULL)
		assert_null(c->ledger_password);
	else
		assert_string_equal(c->ledger_password, password);
	assert_null(strstr(f->err.text, "s3cret"));
	config_free(&c);
}

/* Read once, if there is a ledger that wants it; and whoever could have read or written it is told of. */
static void
test_password(void **state)
{
	static const char *const bad[] = { "", "\n", "\ns3cret", "s3cret\nmore\n" };
	struct fixture *f = *state;
	struct rlimit core;
	char longest[514];

	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	core.rlim_cur = core.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_CORE, &core), 0);
	load_password(f, "redis://h", "no such file", NULL);
	load_password(f, "none", NULL, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_bytes(f, bad[i], strlen(bad[i]));
		assert_int_equal(chmod(f->path, 0600), 0);
		load_password(f, "redis://h", "one line", NULL);
	}
	write_bytes(f, "s3cr\0et\n", 8);
	assert_int_equal(chmod(f->path, 0600), 0);
	load_password(f, "redis://h", "one line", NULL);
	write_bytes(f, "s3cret w0rd\r\n", 13);
	load_password(f, "redis://h", "everybody can read", NULL);
	assert_int_equal(chmod(f->path, 0602), 0);
	load_password(f, "redis://h", "everybody can write", NULL);
	assert_int_equal(chmod(f->path, 0640), 0);
	load_password(f, "redis://h", NULL, "s3cret w0rd");
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_cur, 0);	/* nor does it get into a core file */
	memset(longest, 'x', 513);
	write_bytes(f, longest, 512);
	assert_int_equal(chmod(f->path, 0600), 0);
	longest[512] = '\0';
	load_password(f, "redis+cluster://h", NULL, longest);
	longest[512] = 'x';
	write_bytes(f, longest, 513);
	assert_int_equal(chmod(f->path, 0600), 0);
	load_password(f, "redis://h", "one line", NULL);
}

static int
read_as(struct fixture *f, int64_t owner)
{
	return config_read(f->config, f->path, true, owner, &f->err);
}

static void
test_no_regular_file(void **state)
{
	struct fixture *f = *state;
	char other[256];

	assert_refused(f, read_as(f, -1), "there is no such file");
	assert_int_equal(config_read(f->config, f->path, false, -1, &f->err), 0);
	assert_int_equal(config_read(f->config, "/nonexistent/folder/x.conf", false, -1, &f->err), 0);
	assert_int_equal(config_read(f->config, "/dev/null/x.conf", false, -1, &f->err), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_refused(f, config_read(f->config, f->path, false, -1, &f->err), "not a regular file");
	unlink(f->path);
	snprintf(other, sizeof(other), "%s/other", f->folder);
	assert_int_equal(symlink(other, f->path), 0);
	assert_refused(f, read_as(f, -1), "symbolic link");
	assert_refused(f, config_read(f->config, f->path, false, getuid(), &f->err), "symbolic link");
	unlink(f->path);
	assert_refused(f, config_read(f->config, f->folder, false, -1, &f->err), "not a regular file");
	assert_refused(f, config_read(f->config, "", true, -1, &f->err), "no such file");
}

static void
test_large_and_binary(void **state)
{
	struct fixture *f = *state;
	size_t len = 10 * 1024 * 1024;
	char *bytes = malloc(len);

	assert_non_null(bytes);
	memset(bytes, '#', len);
	write_bytes(f, bytes, len);
	assert_refused(f, read_as(f, -1), "larger than 65536");
	write_bytes(f, bytes, 65536);
	assert_int_equal(read_as(f, -1), 0);
	memset(bytes, '{', 60000);
	write_bytes(f, bytes, 60000);
	assert_refused(f, read_as(f, -1), "test.conf:1: ");
	memset(bytes, 'a', 60000);
	write_bytes(f, bytes, 60000);
	assert_refused(f, read_as(f, -1), "no such option");
	write_bytes(f, "\177ELF\0\0\0", 7);
	assert_refused(f, read_as(f, -1), "test.conf:1: byte 0x7f");
	write_bytes(f, "window = 7d\nlog = 'sys\0log'\n", 28);
	assert_refused(f, read_as(f, -1), "test.conf:2: byte 0x00");
	srand(1);
	for (int round = 0; round < 300; round++) {
		static const char alphabet[] = "a={},'\"\\$#\n /*+|~%";

		for (size_t i = 0; i < 200; i++)
			bytes[i] = (round & 1) != 0 ? (char)rand() : alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		write_bytes(f, bytes, 200);
		assert_refused(f, read_as(f, -1), "test.conf:");
	}
	free(bytes);
}

static void
test_writers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "window = 1d"), 0);
	assert_int_equal(read_as(f, getuid()), 0);
	assert_int_equal(chmod(f->path, 0646), 0);
	assert_refused(f, read_as(f, -1), "test.conf: everybody can write it");
	assert_refused(f, read_as(f, getuid()), "test.conf: everybody can write it");
	assert_int_equal(chmod(f->path, 0644), 0);
	assert_int_equal(chmod(f->folder, 0777), 0);
	assert_refused(f, read_as(f, -1), "everybody can write it");
	assert_refused(f, read_as(f, getuid()), "everybody can write it");
	assert_int_equal(chmod(f->folder, 01777), 0);
	assert_int_equal(read_as(f, -1), 0);
	assert_refused(f, read_as(f, getuid()), "everybody can write it");
	assert_int_equal(chmod(f->folder, 0700), 0);
}

static void
test_owners(void **state)
{
	struct fixture *f = *state;

	/* Not skip(): cmocka 1.1 reports that as "not ok". */
	if (getuid() != 0)
		return;
	assert_int_equal(read_text(f, "window = 1d"), 0);
	assert_refused(f, read_as(f, OTHER_UID), "belongs to user 0, not to the recipient (user 54321)");
	assert_int_equal(chown(f->path, OTHER_UID, OTHER_UID), 0);
	assert_refused(f, read_as(f, OTHER_UID), f->folder);
	assert_refused(f, read_as(f, -1), "neither to root");
	assert_int_equal(chown(f->folder, OTHER_UID, OTHER_UID), 0);
	assert_int_equal(read_as(f, OTHER_UID), 0);
	assert_refused(f, read_as(f, -1), f->folder);
	assert_refused(f, read_as(f, 0), "belongs to user 54321");
	/* No such user: no private group. */
	assert_int_equal(chmod(f->path, 0664), 0);
	assert_refused(f, read_as(f, OTHER_UID), "its group can write it");
	/* root's own group is root, and daemon's is not. */
	assert_int_equal(chown(f->folder, 0, 0), 0);
	assert_int_equal(chown(f->path, 0, 0), 0);
	assert_int_equal(read_as(f, -1), 0);
	assert_int_equal(chown(f->path, 0, 1), 0);
	assert_refused(f, read_as(f, -1), "its group can write it");
	assert_int_equal(chown(f->path, 0, 0), 0);
	assert_int_equal(chown(f->folder, 0, 1), 0);
	assert_int_equal(chmod(f->folder, 0770), 0);
	assert_refused(f, read_as(f, -1), "its group can write it");
}

static void
test_load(void **state)
{
	struct fixture *f = *state;
	struct identity who = joe;
	const char *assignments[] = { "window=3d", "sync=strict", NULL }, *bad[] = { "window=x", NULL };
	char user_file[128];
	struct config *c = NULL;

	who.home = f->folder;
	assert_int_equal(read_text(f, "window = 1d\ntime-limit = 9s"), 0);
	if (config_load(&c, f->path, assignments, &who, getuid(), true, &f->err) != 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(c->window, 3 * 86400);
	assert_int_equal(c->time_limit, 9);
	assert_true(c->strict);
	assert_non_null(c->scope);
	config_free(&c);
	assert_refused(f, config_load(&c, f->path, bad, &who, getuid(), true, &f->err), "-o window");
	assert_null(c);
	/* Nobody has to listen to errors. */
	assert_int_equal(config_read(f->config, f->folder, true, -1, NULL), -1);
	assert_int_equal(config_set(f->config, "window=x", NULL), -1);
	unlink(f->path);
	assert_refused(f, config_load(&c, f->path, NULL, &who, getuid(), true, &f->err), "no such file");
	if (access(CONFIG_SYSTEM, F_OK) == 0)
		return;
	snprintf(user_file, sizeof(user_file), "%s/%s", f->folder, CONFIG_USER);
	strcpy(f->path, user_file);
	assert_int_equal(read_text(f, "window = 5d"), 0);
	assert_int_equal(config_load(&c, NULL, NULL, &who, getuid(), true, &f->err), 0);
	assert_int_equal(c->window, 5 * 86400);
	config_free(&c);
	assert_int_equal(config_load(&c, NULL, NULL, &who, getuid(), false, &f->err), 0);
	assert_int_equal(c->window, 7 * 86400);
	config_free(&c);
	assert_refused(f, config_load(&c, NULL, NULL, &who, getuid() + 1, true, &f->err), "belongs to user");
	who.home = NULL;
	assert_int_equal(config_load(&c, NULL, NULL, &who, getuid(), true, &f->err), -1);
	assert_int_equal(f->err.status, STATUS_TEMP);
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
		cmocka_unit_test_setup_teardown(test_password, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_and_binary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
	};

	return cmocka_run_group_tests_name("config load", tests, NULL, NULL);
}
