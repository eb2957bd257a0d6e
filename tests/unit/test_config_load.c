/*
 * The files of a configuration: whose is believed, what is refused, and which of them counts.
 */
#include <sys/resource.h>

#include "config_fixture.h"

#define OTHER_UID 54321		/* nobody has it */

static const struct identity joe = { .user = "joe", .home = "/home/joe", .address = NULL };

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_password, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_and_binary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
	};

	return cmocka_run_group_tests_name("config load", tests, NULL, NULL);
}
