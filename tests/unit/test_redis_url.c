/* URLs of ledgers in Redis: what is taken, what is refused, and that no password is repeated. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "redis_url.h"

static struct redis_url
taken(const char *text)
{
	struct redis_url u;
	struct err err = { .text = "" };

	if (redis_url_parse(&u, text, &err) == -1)
		fail_msg("%s: %s", text, err.text);
	return u;
}

static void
test_single(void **state)
{
	struct redis_url u = taken("redis://db.example.org");

	(void)state;
	assert_int_equal(u.kind, REDIS_SINGLE);
	assert_int_equal(u.n, 1);
	assert_string_equal(u.hosts[0].name, "db.example.org");
	assert_int_equal(u.hosts[0].port, 6379);
	assert_int_equal(u.db, 0);
	assert_string_equal(u.user, "");
	u = taken("redis://mail@192.0.2.1:7000/3");
	assert_string_equal(u.user, "mail");
	assert_string_equal(u.hosts[0].name, "192.0.2.1");
	assert_int_equal(u.hosts[0].port, 7000);
	assert_int_equal(u.db, 3);
	u = taken("redis://[2001:db8::1]:65535/");
	assert_string_equal(u.hosts[0].name, "2001:db8::1");
	assert_int_equal(u.hosts[0].port, 65535);
	u = taken("redis://[::1]");
	assert_int_equal(u.hosts[0].port, 6379);
}

static void
test_unix(void **state)
{
	struct redis_url u = taken("redis+unix:///run/redis/socket");

	(void)state;
	assert_int_equal(u.kind, REDIS_UNIX);
	assert_int_equal(u.n, 0);
	assert_string_equal(u.path, "/run/redis/socket");
	u = taken("redis+unix://joe@/s?db=65535");
	assert_string_equal(u.user, "joe");
	assert_string_equal(u.path, "/s");
	assert_int_equal(u.db, 65535);
}

static void
test_several(void **state)
{
	struct redis_url u = taken("redis+sentinel://a,b:1,[::2]:3/main/9");

	(void)state;
	assert_int_equal(u.kind, REDIS_SENTINEL);
	assert_int_equal(u.n, 3);
	assert_int_equal(u.hosts[0].port, 26379);
	assert_int_equal(u.hosts[1].port, 1);
	assert_string_equal(u.hosts[2].name, "::2");
	assert_string_equal(u.name, "main");
	assert_int_equal(u.db, 9);
	u = taken("redis+cluster://x@a:7000,a:7001");
	assert_int_equal(u.kind, REDIS_CLUSTER);
	assert_int_equal(u.n, 2);
	assert_string_equal(u.hosts[1].name, "a");
	assert_int_equal(u.hosts[1].port, 7001);
}

static void
test_refused(void **state)
{
	static const char *const texts[] = { "redis:", "redis:/", "redis://", "redis:///0", "redis://:6379", "redis://a:", "redis://a:0",
		"redis://a:65536", "redis://a:99999999999999999999", "redis://a:1x", "redis://a/x", "redis://a/65536", "redis://a/-1",
		"redis://a/1/2", "redis://a,b", "redis://a,", "redis://::1", "redis://[::1", "redis://[a]", "redis://[::1]x", "redis://[]",
		"redis://192.0.2.300", "redis://1", "redis://a b", "redis://a%41", "redis://a\n", "redis://\xc3\xa4", "redis://@a",
		"redis://a@b@c", "redis://.a", "redis://a..b", "redis://-a", "redis+unix://", "redis+unix://s", "redis+unix:///",
		"redis+unix:///s?", "redis+unix:///s?db=", "redis+unix:///s?db=x", "redis+unix:///s?x=1", "redis+sentinel://a",
		"redis+sentinel://a/", "redis+sentinel://a//1", "redis+sentinel:///m", "redis+cluster://a/0", "redis+cluster://",
		"redis+frob://a", "rediss://a", "redis+tls://a",
		"redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a" };
	struct redis_url u;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		err.status = STATUS_OK;
		if (redis_url_parse(&u, texts[i], &err) == 0)
			fail_msg("taken: %s", texts[i]);
		assert_int_equal(err.status, STATUS_CONFIG);
		assert_true(redis_url_is(texts[i]));
	}
	assert_false(redis_url_is("bdb:/redis:"));
	assert_false(redis_url_is("none"));
}

static void
test_long(void **state)
{
	char text[1024] = "redis://";
	struct redis_url u;

	(void)state;
	memset(text + strlen(text), 'a', 255);
	(void)taken(text);
	strcat(text, "a");
	assert_int_equal(redis_url_parse(&u, text, NULL), -1);
	memset(text, 0, sizeof(text));
	strcpy(text, "redis+unix:///");
	memset(text + strlen(text), 'a', 106);
	(void)taken(text);
	strcat(text, "a");
	assert_int_equal(redis_url_parse(&u, text, NULL), -1);
}

/* Somebody will write one there. */
static void
test_no_password(void **state)
{
	static const char *const texts[] = { "redis://u:secret@h", "redis://:secret@h", "redis+unix://u:secret@/s",
		"redis+cluster://:secret@a,b", "redis+sentinel://u:secret@a", "redis://u:sec/ret@h", "rediss://u:secret@h",
		"redis+x://u:secret@h", "redis://u:secret@h@", "redis://u:sec ret@h" };
	struct redis_url u;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(redis_url_parse(&u, texts[i], &err), -1);
		assert_null(strstr(err.text, "sec"));
		assert_null(strstr(err.text, "ret"));
	}
	assert_int_equal(redis_url_parse(&u, "redis://u:secret@h", &err), -1);
	assert_non_null(strstr(err.text, "ledger-password-file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single), cmocka_unit_test(test_unix), cmocka_unit_test(test_several), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long), cmocka_unit_test(test_no_password),
	};

	return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
