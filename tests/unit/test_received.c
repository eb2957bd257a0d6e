/* Received fields: a table of real ones (received.txt), and what could lead a reader astray. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mail_date.h"
#include "received.h"

#define TABLE "tests/unit/received.txt"
#define ROWS 300	/* at least */
#define VALUE 8192
#define HUGE_VALUE ((size_t)4 * 1024 * 1024)

static struct hop
parse(const char *value)
{
	struct hop hop;

	received_parse(&hop, value, strlen(value));
	return hop;
}

/* --- the table --- */

enum part { PART_HELO, PART_NAME, PART_ADDRESS, PART_BY, PART_WITH, PART_ID, PART_TIME, PARTS };

static const char *const part_names[PARTS] = { "helo", "name", "address", "by", "with", "id", "time" };

struct row {
	int line;			/* where it begins */
	char value[VALUE];
	char want[PARTS][VALUE];
};

static void
hop_part(char to[VALUE], const struct hop *hop, enum part part)
{
	const char *const texts[PARTS] = { hop->helo, hop->name, hop->address, hop->by, hop->with, hop->id, "" };
	const time_t t = (time_t)hop->time;
	struct tm tm;

	snprintf(to, VALUE, "%s", texts[part]);
	if (part == PART_TIME && hop->timed)
		strftime(to, VALUE, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
}

/* Returns how many parts differ, and says which. */
static int
check_value(const struct row *row, const char *how, const char *value)
{
	struct hop hop = parse(value);
	char got[VALUE];
	int wrong = 0, part;

	for (part = 0; part < PARTS; part++) {
		hop_part(got, &hop, (enum part)part);
		if (strcmp(got, row->want[part]) == 0)
			continue;
		print_message("# " TABLE ":%d%s: %s is \"%s\", not \"%s\"\n", row->line, how, part_names[part], got, row->want[part]);
		wrong++;
	}
	return wrong;
}

/* As it stands, with its line ends as in SMTP, and unfolded as message_field() does it. */
static int
check_row(const struct row *row)
{
	static char other[2 * VALUE];
	size_t n = 0;
	const char *p;
	int wrong = check_value(row, "", row->value);

	for (p = row->value; *p != '\0'; p++) {
		if (*p == '\n')
			other[n++] = '\r';
		other[n++] = *p;
	}
	other[n] = '\0';
	wrong += check_value(row, " with CRLF", other);
	for (p = row->value, n = 0; *p != '\0'; p++)
		if (strchr(" \t\n", *p) == NULL)
			other[n++] = *p;
		else if (n > 0 && other[n - 1] != ' ')
			other[n++] = ' ';
	other[n] = '\0';
	return wrong + check_value(row, " unfolded", other);
}

/* "name: value" of what is wanted */
static void
read_part(struct row *row, const char *line, int number)
{
	size_t len;
	int part;

	for (part = 0; part < PARTS; part++) {
		len = strlen(part_names[part]);
		if (strncmp(line, part_names[part], len) != 0 || line[len] != ':' || line[len + 1] != ' ')
			continue;
		snprintf(row->want[part], VALUE, "%s", line + len + 2);
		return;
	}
	fail_msg("%s:%d: no such part: %s", TABLE, number, line);
}

static void
read_line(struct row *row, const char *line, int number)
{
	size_t len = strlen(row->value);

	if (strncmp(line, "Received:", 9) == 0) {
		row->line = number;
		snprintf(row->value, VALUE, "%s", line + 9);
	} else if (*line == ' ' || *line == '\t')
		snprintf(row->value + len, VALUE - len, "\n%s", line);
	else if (*line != '#')
		read_part(row, line, number);
}

static void
test_table(void **state)
{
	static struct row row;
	FILE *file = fopen(TABLE, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int number = 0, rows = 0, wrong = 0;

	(void)state;
	assert_non_null(file);
	do {
		len = getline(&line, &size, file);
		number++;
		if (len > 1) {
			line[len - 1] = '\0';
			read_line(&row, line, number);
		} else if (row.line != 0) {
			wrong += check_row(&row);
			rows++;
			memset(&row, 0, sizeof(row));
		}
	} while (len != -1);
	free(line);
	fclose(file);
	print_message("# %d rows\n", rows);
	assert_true(rows >= ROWS);
	assert_int_equal(wrong, 0);
}

/* --- what could lead astray --- */

static void
test_comments(void **state)
{
	struct hop hop = parse("from a.example (b.example [192.0.2.1]) (from x by y id z (with (nested) \\) by q) w) by c.example (by d) id 1");

	(void)state;
	assert_string_equal(hop.helo, "a.example");
	assert_string_equal(hop.name, "b.example");
	assert_string_equal(hop.by, "c.example");
	assert_string_equal(hop.id, "1");
	assert_string_equal(hop.with, "");
	hop = parse("(x) from \"a (by x) \\\" by y\" ([192.0.2.1]) by c;Thu, 1 Jan 2026 00:00:00 +0000 (a; b)");
	assert_string_equal(hop.helo, "a?(by?x)?\\\"?by?y");
	assert_string_equal(hop.by, "c");
	assert_int_equal(hop.time, 1767225600);
}

/* What is not closed is read as far as it makes sense. */
static void
test_unbalanced(void **state)
{
	struct hop hop = parse("from a (b [192.0.2.1]) by c (Postfix (Debian) with ESMTP id 1; Thu, 1 Jan 2026 00:00:00 +0000");

	(void)state;
	assert_string_equal(hop.by, "c");
	assert_string_equal(hop.with, "ESMTP");
	assert_string_equal(hop.id, "1");
	assert_int_equal(hop.time, 1767225600);
	hop = parse("from a\" (b [192.0.2.1]) by c) id 1; Thu, 1 Jan 2026 00:00:00 +0000");
	assert_string_equal(hop.helo, "a");
	assert_string_equal(hop.address, "192.0.2.1");
	assert_string_equal(hop.by, "c");
	assert_string_equal(hop.id, "1");
	hop = parse("from a (b [192.0.2.1");
	assert_string_equal(hop.name, "b");
	assert_string_equal(hop.address, "192.0.2.1");
	hop = parse("from");
	assert_string_equal(hop.helo, "");
	assert_false(hop.timed);
	hop = parse("");
	assert_string_equal(hop.by, "");
}

static void
test_addresses(void **state)
{
	static const struct { const char *text, *address; } addresses[] = {
		{ "[192.0.2.1]", "192.0.2.1" }, { "192.0.2.1", "192.0.2.1" }, { "[192.0.2.1]:54321", "192.0.2.1" },
		{ "[192.0.2.1:54321]", "192.0.2.1" }, { "192.0.2.1.54321", "192.0.2.1" }, { "u@192.0.2.1", "192.0.2.1" },
		{ "[IPv6:2001:DB8::1]", "2001:db8::1" }, { "[2001:db8:0:0:0:0:0:1]:25", "2001:db8::1" }, { "fe80::1%eth0", "fe80::1" },
		{ "[::ffff:192.0.2.1]", "192.0.2.1" }, { "[IPv6:::FFFF:c000:201]", "192.0.2.1" }, { "[::1]", "::1" },
		{ "192.0.2", "" }, { "192.0.2.256", "" }, { "[unix socket]", "" }, { "[]", "" }, { "[192.0.2.1.example.com]", "" },
		{ "192.0.2.1.25.example", "" }, { "[IPv6:192:0:2]", "" }, { "::1::", "" },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555]", "" },
	};
	char value[256];
	struct hop hop;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		snprintf(value, sizeof(value), "from a (b.example %s) by c", addresses[i].text);
		hop = parse(value);
		assert_string_equal(hop.address, addresses[i].address);
		assert_string_equal(hop.name, *addresses[i].address == '\0' ? "" : "b.example");
	}
}

static void
test_sender(void **state)
{
	static const struct { const char *value, *sender; } senders[] = {
		{ "from a (b.example [192.0.2.1]) by c", "b.example" }, { "from a ([192.0.2.1]) by c", "[192.0.2.1]" },
		{ "from a ([IPv6:2001:db8::1]) by c", "[2001:db8::1]" }, { "from A. by c", "a" }, { "by c", "" },
		{ "from a (b [192.0.2.1] (may be forged)) by c", "[192.0.2.1]" },
	};
	char text[HOP_NAME];
	struct hop hop;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		hop = parse(senders[i].value);
		assert_string_equal(received_sender(&hop, text), senders[i].sender);
	}
}

/* What a sender can have written into comments is neither its name nor its address. */
static void
test_forged(void **state)
{
	static const char *const values[] = {
		"from a (unknown [192.0.2.1]) (Client CN \"b.example [192.0.2.2]\", Issuer \"HELO c.example\" (verified OK)) by d",
		"from a (unknown [192.0.2.1]) by d (envelope-from Exim) id 1", "from a (fetchmail-@[192.0.2.1]) by d",
		"from a ([192.0.2.1]) (Authenticated sender: u@b.example) by d", "from a ([192.0.2.1]) (b.example) by d",
		"from a ([192.0.2.1]) by d (b.example [192.0.2.2])", "from a (b.example [192.0.2.1] (may be forged)) by d",
		"from a ([192.0.2.1] unverified) by d", "from a ([192.0.2.1]) by d with X (verified [192.0.2.2])",
		"from a ([192.0.2.1] helo=a) by d",
		/* names of users that look like an address */
		"from [192.0.2.1] (helo=a ident=u@[192.0.2.2]) by d with esmtp (Exim 4.96) id 1",
		"from [192.0.2.1] (port=1 helo=a ident=u@192.0.2.2) by d with esmtp (Exim 4.96) id 1",
		"from [192.0.2.1] (account u@[192.0.2.2] HELO a) by d with ESMTPSA id 1",
		"from [192.0.2.1] (HELO a) (envelope-from <u@[192.0.2.2]>) by d with SMTP id 1",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct hop hop = parse(values[i]);

		assert_string_equal(hop.helo, "a");
		assert_string_equal(hop.name, "");
		assert_string_equal(hop.address, "192.0.2.1");
		assert_string_equal(hop.by, "d");
	}
}

/* No byte that is not printable, nothing longer than its room. */
static void
test_hostile(void **state)
{
	char value[8 * HOP_NAME], text[HOP_NAME];
	struct hop hop = parse("from \x1b[31m\xc3\xa4 (\xff.example [192.0.2.1]) by a\x7f with \1 id \xe2\x82\xac");

	(void)state;
	assert_string_equal(hop.helo, "?[31m??");
	assert_string_equal(hop.name, "");
	assert_string_equal(hop.by, "a?");
	assert_string_equal(hop.with, "?");
	assert_string_equal(hop.id, "???");
	received_parse(&hop, "from a\0b by c\0d id e\0", 21);
	assert_string_equal(hop.helo, "a?b");
	assert_string_equal(hop.by, "c?d");
	assert_string_equal(hop.id, "e?");
	snprintf(value, sizeof(value), "from %0300d (a%0300d.example [192.0.2.1]) by %0300d with %0300d id %0300d", 1, 2, 3, 4, 5);
	hop = parse(value);
	assert_int_equal(strlen(hop.helo), HOP_NAME - 1);
	assert_int_equal(strlen(hop.name), HOP_NAME - 1);
	assert_int_equal(strlen(hop.by), HOP_NAME - 1);
	assert_int_equal(strlen(hop.with), HOP_WITH - 1);
	assert_int_equal(strlen(hop.id), HOP_ID - 1);
	assert_ptr_equal(received_sender(&hop, text), text);
	assert_string_equal(text, hop.name);
}

/* With anything but linear time this would not end today. */
static void
test_linear(void **state)
{
	static const char *const pieces[] = { "(", ")", "\"", "\\", ";", "(\"", "()", "\"(", "[", "from ", "(from ", "(a ", "a@", "1.", ":", "id ",
		"with a ", " ", "Mon 1:", "(from a(", "from a (b\"", "(Exim", "\\\"" };
	char *value = malloc(HUGE_VALUE);
	struct hop hop;
	size_t i, n, len;

	(void)state;
	assert_non_null(value);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		len = strlen(pieces[i]);
		for (n = 0; n + len <= HUGE_VALUE; n += len)
			memcpy(value + n, pieces[i], len);
		received_parse(&hop, value, n);
		assert_false(hop.timed);
	}
	free(value);
}

/* --- dates --- */

static void
test_dates(void **state)
{
	static const struct { const char *text; int64_t date; } dates[] = {
		{ "Thu, 1 Jan 2026 00:00:00 +0000", 1767225600 }, { "1 Jan 2026 00:00:00 -0000", 1767225600 },
		{ "Thu,1 Jan 2026 00:00:00 +0000(UTC)", 1767225600 }, { "Thu, 01 Jan 2026 01:00 +0100", 1767225600 },
		{ "Thu, 1 Jan 26 00:00:00 UT", 1767225600 }, { "Wed, 31 Dec 25 19:00:00 EST", 1767225600 },
		{ "Wed, 31 Dec 2025 16:00:00 (PST)", 1767225600 }, { "Wed, 31 Dec 2025 16:00:00 -0800 (EST)", 1767225600 },
		{ "Thu, 1 Jan 2026 00:00:00", 1767225600 }, { "Thu, 1 Jan 2026 00:00:00 Q", 1767225600 },
		{ "Thu Jan  1 00:00:00 2026", 1767225600 }, { "Thu Jan 1 00:00:00 GMT 2026", 1767225600 },
		{ "Thu 1 Jan 26 00:00:00-GMT", 1767225600 }, { "Wed 31 Dec 25 17:00:00-MST", 1767225600 },
		{ "2026-01-01 00:00:00.123456789 +0000 UTC m=+1.5", 1767225600 }, { "2026-01-01T00:00:00Z", 1767225600 },
		{ "2026-01-01T02:30:00+02:30", 1767225600 }, { "1-Jan-2026 00:00:00 +0000", 1767225600 },
		{ "Wed, 31 Dec 2025 23:00:00 -100", 1767225600 }, { "Thu, 1 Jan 2026 00:00:00+0000", 1767225600 },
		{ "Jan, 1 2026 02:00:00 GMT+2", 1767225600 }, { "1 January 2026 12:00:00 AM", 1767225600 },
		{ "31 Dec 2025 07:00:00PM -0500", 1767225600 }, { "1 Jan 126 00:00 GMT", 1767225600 }, { "1 Jan 19126 00:00 GMT", 1767225600 },
		{ "(Thu) 1 (of) Jan (uary) 2026 (at) 00:00:00 (a (b) 12:00) +0000", 1767225600 },
		{ "Thu, 1 Jan 1970 00:00:00 +0000", 0 }, { "Fri, 1 Jan 1960 00:00:00 +0000", 0 }, { "1 Jan 2026", 0 }, { "Jan 2026 00:00", 0 },
		{ "1 Jan 2026 24:00:00", 0 }, { "1 Jan 2026 00:60", 0 }, { "32 Jan 2026 00:00", 0 }, { "1 Foo 2026 00:00", 0 },
		{ "01/02/2026 00:00:00", 0 }, { "1 Jan 99999999999 00:00", 0 }, { "1 Jan 2026 99999999999:00", 0 }, { "2026-13-01 00:00", 0 },
		{ "(1 Jan 2026 00:00", 0 }, { "-", 0 }, { "1-", 0 }, { ":", 0 }, { "+", 0 }, { "0:0:0+", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		if (mail_date(dates[i].text, strlen(dates[i].text)) != dates[i].date)
			print_message("# %s\n", dates[i].text);
		assert_int_equal(mail_date(dates[i].text, strlen(dates[i].text)), dates[i].date);
	}
}

/* Where the date stands. */
static void
test_date_places(void **state)
{
	static const char *const values[] = {
		"from a by b; Thu, 1 Jan 2026 00:00:00 +0000", "from a by b; id 1; Thu, 1 Jan 2026 00:00:00 +0000",
		"by b; Thu, 1 Jan 2026 00:00:00 +0000 (envelope-from <a;b@c>)", "by b; Thu, 1 Jan 2026 00:00:00 +0000\n id 12.5.2024",
		"by b (c; Thu, 1 Jan 2026 00:00:00 +0000", "by b id 12 Thu, 1 Jan 2026 00:00:00 +0000", "by b 1 Jan 2026 00:00 GMT",
		"from a (8 Feb 2025 1:00) by b; 1 Jan 2026 00:00:00 -0000", "by b;; Thu, 1 Jan 2026 00:00:00 +0000",
	};
	static const char *const none[] = { "from a by b", "from a 1 Jan 2026 00:00 by b", "by b; tomorrow", "by b;" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct hop hop = parse(values[i]);

		assert_true(hop.timed);
		assert_int_equal(hop.time, 1767225600);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(parse(none[i]).timed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_unbalanced),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_date_places),
	};

	return cmocka_run_group_tests_name("received", tests, NULL, NULL);
}
