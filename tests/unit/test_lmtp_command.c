/* Command lines of LMTP: what each of them says, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lmtp_command.h"

static struct lmtp_command c;

static void
parse(const char *line)
{
	lmtp_command_parse(&c, line, strlen(line));
}

static void
good(const char *line, enum lmtp_verb verb)
{
	parse(line);
	if (c.refusal != NULL)
		fail_msg("'%s': %s", line, c.refusal);
	assert_int_equal(c.verb, verb);
}

static void
refused(const char *line, const char *code)
{
	parse(line);
	if (c.refusal == NULL || strncmp(c.refusal, code, strlen(code)) != 0)
		fail_msg("'%s': %s instead of %s", line, c.refusal == NULL ? "taken" : c.refusal, code);
}

static void
test_verbs(void **state)
{
	(void)state;
	good("DATA", LMTP_DATA);
	good("data  ", LMTP_DATA);
	good("RSET", LMTP_RSET);
	good("QUIT\t", LMTP_QUIT);
	good("NOOP whatever", LMTP_NOOP);
	good("VRFY joe", LMTP_VRFY);
	good("help", LMTP_HELP);
	refused("DATA 1", "501 5.5.4");
	refused("QUIT now", "501 5.5.4");
	refused("DATAX", "500 5.5.1");
	refused("DAT", "500 5.5.1");
	refused("", "500 5.5.1");
	refused(" DATA", "500 5.5.1");
	refused("HELO x", "500 5.5.1 this is LMTP");
	refused("EHLO x", "500 5.5.1 this is LMTP");
	refused("GET / HTTP/1.1", "500 5.5.1");
	assert_int_equal(c.verb, LMTP_UNKNOWN);
}

static void
test_lhlo(void **state)
{
	(void)state;
	good("LHLO mx1.example.org", LMTP_LHLO);
	assert_string_equal(c.name, "mx1.example.org");
	good("lhlo  [IPv6:2001:db8::1] ", LMTP_LHLO);
	assert_string_equal(c.name, "[IPv6:2001:db8::1]");
	refused("LHLO", "501");
	refused("LHLO ", "501");
	refused("LHLO a b", "501");
	refused("LHLO a(b)", "501");
	refused("LHLO m\xc3\xbc.example", "501");
}

static void
sender(const char *line, const char *text, const char *plain)
{
	good(line, LMTP_MAIL);
	assert_string_equal(c.address.text, text);
	assert_string_equal(c.address.plain, plain);
}

static void
test_paths(void **state)
{
	(void)state;
	sender("MAIL FROM:<joe@example.org>", "joe@example.org", "joe@example.org");
	sender("mail from: <Joe.B+x=y@Example.ORG>", "Joe.B+x=y@Example.ORG", "Joe.B+x=y@Example.ORG");
	sender("MAIL FROM:<>", "", "");
	sender("MAIL FROM:<@a.example,@b.example:joe@c.example>", "joe@c.example", "joe@c.example");
	sender("MAIL FROM:<\"joe\"@c.example>", "joe@c.example", "joe@c.example");
	sender("MAIL FROM:<\"joe b\"@c.example>", "\"joe b\"@c.example", "joe b@c.example");
	sender("MAIL FROM:<\"a@b\"@c.example>", "\"a@b\"@c.example", "a@b@c.example");
	sender("MAIL FROM:<\"a\\\"\\\\>b\"@c.example>", "\"a\\\"\\\\>b\"@c.example", "a\"\\>b@c.example");
	sender("MAIL FROM:<\".joe\"@c.example>", "\".joe\"@c.example", ".joe@c.example");
	sender("MAIL FROM:<joe@[192.0.2.1]>", "joe@[192.0.2.1]", "joe@[192.0.2.1]");
	sender("MAIL FROM:<joe@[IPv6:::1]>", "joe@[IPv6:::1]", "joe@[IPv6:::1]");
	sender("MAIL FROM:<joe@c&d/e+f=g>", "joe@c&d/e+f=g", "joe@c&d/e+f=g");
	refused("RCPT TO:<joe@c&d>", "501 5.1.3");
	sender("MAIL FROM:<postmaster>", "postmaster", "postmaster");
	sender("MAIL FROM:<j\xc3\xb6@\xe4\xbe\x8b.example> SMTPUTF8", "j\xc3\xb6@\xe4\xbe\x8b.example", "j\xc3\xb6@\xe4\xbe\x8b.example");
	good("RCPT TO:<joe@example.org>", LMTP_RCPT);
	refused("RCPT TO:<>", "501 5.1.3");
}

static void
test_bad_paths(void **state)
{
	static const char *const bad[] = { "", "joe@x", "<joe@x", "joe@x>", "<joe@>", "<@x>", "<a b@x>", "<a>b@x>", "<a@b@c>", "<a@x>y",
	    "<a@x y>", "<\"a@x>", "<\"\"@x>", "<\"a\\", "<a@[x>", "<a@x]>", "<a,b@x>", "<a@x(c)>", "<<a@x>>", "<@a:>", "<@a>", "<\"a\tb\"@x>" };
	char line[1200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(line, "MAIL FROM:");
		strcat(line, bad[i]);
		refused(line, "501 5.1.7");
		strcpy(line, "RCPT TO:");
		strcat(line, bad[i]);
		refused(line, "501 5.1.3");
	}
	refused("MAIL <a@x>", "501 5.5.4");
	refused("MAIL FROM <a@x>", "501 5.5.4");
	refused("RCPT FROM:<a@x>", "501 5.5.4");
	refused("RCPT TO:<a\x01@x>", "501 5.5.2");
	refused("RCPT TO:<a\xff@x>", "501 5.5.2");
	refused("RCPT TO:<a\xc3@x>", "501 5.5.2");
	refused("RCPT TO:<a\xc0\xaf@x>", "501 5.5.2");
	refused("RCPT TO:<a\xed\xa0\x80@x>", "501 5.5.2");
	refused("RCPT TO:<a\xc2\x85@x>", "501 5.5.2");
	refused("RCPT TO:<a\x7f@x>", "501 5.5.2");
	lmtp_command_parse(&c, "RCPT TO:<a\0@x>", 14);
	assert_memory_equal(c.refusal, "501 5.5.2", 9);
	memset(line, 'a', sizeof(line));
	memcpy(line, "RCPT TO:<", 9);
	strcpy(line + 9 + 505, "@x>");
	good(line, LMTP_RCPT);
	memset(line + 9, 'a', 511);
	strcpy(line + 9 + 510, "@x>");
	refused(line, "501 5.1.3");
}

static void
test_parameters(void **state)
{
	(void)state;
	good("MAIL FROM:<a@x> SIZE=1234 BODY=8BITMIME SMTPUTF8", LMTP_MAIL);
	assert_true(c.size == 1234);
	good("MAIL FROM:<a@x>   body=7bit  size=0", LMTP_MAIL);
	good("MAIL FROM:<> SIZE=999999999999999999", LMTP_MAIL);
	refused("MAIL FROM:<a@x> SIZE=9999999999999999999", "501 5.5.4");
	refused("MAIL FROM:<a@x> SIZE=", "501 5.5.4");
	refused("MAIL FROM:<a@x> SIZE=1x", "501 5.5.4");
	refused("MAIL FROM:<a@x> SIZE=-1", "501 5.5.4");
	refused("MAIL FROM:<a@x> BODY=BINARYMIME", "555 5.5.4");
	refused("MAIL FROM:<a@x> SMTPUTF8=1", "501 5.5.4");
	refused("MAIL FROM:<a@x> RET=FULL", "555 5.5.4");
	refused("MAIL FROM:<a@x>SIZE=1", "501 5.1.7");
	refused("RCPT TO:<a@x> NOTIFY=NEVER", "555 5.5.4");
	good("RCPT TO:<a@x>  ", LMTP_RCPT);
}

static void
test_bdat(void **state)
{
	(void)state;
	good("BDAT 0", LMTP_BDAT);
	assert_false(c.last);
	good("bdat 1000 last", LMTP_BDAT);
	assert_true(c.last);
	assert_true(c.size == 1000);
	refused("BDAT", "501");
	refused("BDAT x", "501");
	refused("BDAT 1 LASTX", "501");
	refused("BDAT 1 FIRST", "501");
	refused("BDAT -1", "501");
	refused("BDAT 1LAST", "501");
	refused("BDAT 18446744073709551616", "501");
	good("DATA", LMTP_DATA);
	assert_true(c.size == 0);	/* nothing of an earlier command stays */
	assert_false(c.last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_lhlo),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_bdat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
