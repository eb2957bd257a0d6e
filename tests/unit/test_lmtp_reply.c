/* Replies of an LMTP server: what is one, what it means, and what is shown of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lmtp_reply.h"
#include "lmtp_server.h"

static struct lmtp_reply r;

/* Lines, each with a newline; returns what the last one gave. */
static int
read_reply(const char *text)
{
	int got = 0;

	lmtp_reply_begin(&r);
	for (const char *p = text; *p != '\0' && got == 0; p += strcspn(p, "\n") + 1)
		got = lmtp_reply_line(&r, p, strcspn(p, "\n"));
	return got;
}

static void
test_lines(void **state)
{
	static const struct { const char *text; int got, code; } cases[] = {
		{ "250 ok\n", 1, 250 }, { "250\n", 1, 250 }, { "250-a\n250 b\n", 1, 250 }, { "250-a\n", 0, 250 }, { "354 go\n", 1, 354 },
		{ "599 x\n", 1, 599 }, { "200 x\n", 1, 200 },
		{ "\n", -1, 0 }, { "25\n", -1, 0 }, { "25x\n", -1, 0 }, { "150 x\n", -1, 0 }, { "650 x\n", -1, 0 }, { "2500 x\n", -1, 0 },
		{ "250x\n", -1, 0 }, { " 250 x\n", -1, 0 }, { "250-a\n251 b\n", -1, 250 }, { "SSH-2.0-x\n", -1, 0 },
	};
	char line[LMTP_REPLY_LINE_MAX + 2];
	int i;

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
		assert_int_equal(read_reply(cases[n].text), cases[n].got);
		assert_int_equal(r.code, cases[n].code);
	}
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	lmtp_reply_begin(&r);
	assert_int_equal(lmtp_reply_line(&r, line, LMTP_REPLY_LINE_MAX), 0);
	assert_int_equal(lmtp_reply_line(&r, line, LMTP_REPLY_LINE_MAX + 1), -1);
	lmtp_reply_begin(&r);
	for (i = 0; i < LMTP_LINES_MAX; i++)
		assert_int_equal(lmtp_reply_line(&r, line, LMTP_REPLY_LINE_MAX), 0);
	assert_int_equal(lmtp_reply_line(&r, line, LMTP_REPLY_LINE_MAX), -1);
	assert_true(r.len < sizeof(r.text));
}

static void
test_offers(void **state)
{
	const char *value;

	(void)state;
	assert_int_equal(read_reply("250-SIZE PIPELINING\n250-PIPELINING\n250-size 1000\n250-8BITMIMEX\n250 SMTPUTF8\n"), 1);
	assert_true(lmtp_reply_offers(&r, "PIPELINING", NULL) && lmtp_reply_offers(&r, "SMTPUTF8", &value));
	assert_string_equal(value, "\n");
	assert_true(lmtp_reply_offers(&r, "SIZE", &value));
	assert_int_equal(strtoul(value, NULL, 10), 1000);
	assert_false(lmtp_reply_offers(&r, "8BITMIME", NULL));
	assert_int_equal(read_reply("250 PIPELINING\n"), 1);
	assert_false(lmtp_reply_offers(&r, "PIPELINING", NULL));
}

static void
test_meaning(void **state)
{
	static const struct { const char *text; enum status recipient, other; } cases[] = {
		{ "450 4.2.0 busy\n", STATUS_TEMP, STATUS_TEMP }, { "421 x\n", STATUS_TEMP, STATUS_TEMP }, { "354 x\n", STATUS_TEMP, STATUS_TEMP },
		{ "550 5.1.1 nobody\n", STATUS_NOUSER, STATUS_NOUSER }, { "550 nobody\n", STATUS_NOUSER, STATUS_REFUSED },
		{ "551 moved\n", STATUS_NOUSER, STATUS_REFUSED }, { "550 5.1.10 null MX\n", STATUS_NOUSER, STATUS_NOUSER },
		{ "552 5.2.2 full\n", STATUS_QUOTA, STATUS_QUOTA }, { "552 full\n", STATUS_QUOTA, STATUS_REFUSED },
		{ "552 5.3.4 too large\n", STATUS_REFUSED, STATUS_REFUSED }, { "550 5.7.1 policy\n", STATUS_REFUSED, STATUS_REFUSED },
		{ "554 no\n", STATUS_REFUSED, STATUS_REFUSED }, { "550 5.1.11 x\n", STATUS_REFUSED, STATUS_REFUSED },
		{ "550 5.1.1x\n", STATUS_NOUSER, STATUS_REFUSED }, { "550 4.1.1 odd\n", STATUS_NOUSER, STATUS_REFUSED },
		{ "500 5.5.2 what\n", STATUS_TEMP, STATUS_TEMP }, { "501 5.1.3 syntax\n", STATUS_TEMP, STATUS_TEMP },
		{ "503 5.5.1 order\n", STATUS_TEMP, STATUS_TEMP }, { "555 parameters\n", STATUS_TEMP, STATUS_TEMP },
		{ "550\n", STATUS_NOUSER, STATUS_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(read_reply(cases[i].text), 1);
		assert_int_equal(lmtp_reply_status(&r, true), cases[i].recipient);
		assert_int_equal(lmtp_reply_status(&r, false), cases[i].other);
	}
}

static void
test_shown(void **state)
{
	char text[40];

	(void)state;
	assert_int_equal(read_reply("550-5.1.1 \x1b[31m<a@b>\xc3\xb6\r\a\n550 more\n"), 1);
	lmtp_reply_show(&r, text, sizeof(text));
	assert_string_equal(text, "550 5.1.1 ?[31m<a@b>????");
	lmtp_reply_show(&r, text, 10);
	assert_string_equal(text, "550 5.1.1");
}

static void
test_server(void **state)
{
	static const char *const bad[] = { "", "x", ":24", "h:", "h:0", "h:65536", "h:2x", "h:-1", "[::1]", "::1:24", "[::1:24", "[x]:24",
		"[10.0.0.1]:24",
		"a..b:24", ".a:24", "a.:24", "-a:24", "a b:24", "10.0.0:24", "10.0.0.256:24", "unix:" };
	struct lmtp_server s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (lmtp_server_parse(&s, bad[i], &err) == 0 || err.status != STATUS_CONFIG)
			fail_msg("'%s'", bad[i]);
	assert_int_equal(lmtp_server_parse(&s, "mail_1.example.org:24", &err), 0);
	assert_string_equal(s.host, "mail_1.example.org");
	assert_int_equal(s.port, 24);
	assert_int_equal(s.to.n, 0);
	assert_int_equal(lmtp_server_find(&s, "192.0.2.1:65535", &err), 0);
	assert_int_equal(s.to.n, 1);
	assert_int_equal(s.to.at[0].ss_family, AF_INET);
	assert_int_equal(lmtp_server_find(&s, "[2001:db8::1]:24", &err), 0);
	assert_string_equal(s.host, "2001:db8::1");
	assert_int_equal(s.to.at[0].ss_family, AF_INET6);
	assert_int_equal(lmtp_server_find(&s, "unix:/run/x", &err), 0);
	assert_int_equal(s.port, 0);
	assert_int_equal(s.to.at[0].ss_family, AF_UNIX);
	assert_string_equal(lmtp_server_path("unix:/run/x"), "/run/x");
	assert_null(lmtp_server_path("unixx:/run/x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_meaning),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_server),
	};

	return cmocka_run_group_tests_name("LMTP replies", tests, NULL, NULL);
}
