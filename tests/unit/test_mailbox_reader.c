/* Reading mailboxes while they change, and where the messages of an mbox begin and end. */
#include <sys/stat.h>

#include "mail_date.h"
#include "mail_fixture.h"
#include "../../tools/mailbox_reader.h"
#include "../../tools/special_folder.h"

#define NOW INT64_C(1800000000)
#define SENT INT64_C(1795176000)	/* 2026-11-20 12:00:00 UTC */
#define FROM_LINE "From a@b Fri Nov 20 12:00:00 2026\n"

struct seen {
	struct mailbox_reader *r;
	int count;
	char text[4096];		/* what was read, each message in brackets */
	size_t len;
	int64_t date;			/* of the last one */
	enum mbox_quoting quoting;
	const char *path;
	void (*meanwhile)(struct seen *);	/* once, in the first visit */
};

static char folder[] = "/tmp/dedup-reader.XXXXXX";

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
note(struct seen *s, const char *p, size_t len)
{
	if (len > sizeof(s->text) - 1 - s->len)
		len = sizeof(s->text) - 1 - s->len;
	memcpy(s->text + s->len, p, len);
	s->len += len;
	s->text[s->len] = '\0';
}

static int
visit(void *arg, struct mail *mail, struct err *err)
{
	struct seen *s = arg;
	const struct source *bytes = mail_bytes(s->r, s->quoting);
	char buf[7];		/* pieces end anywhere */
	uint64_t size = 0;
	ssize_t n;

	note(s, "[", 1);
	while ((n = bytes->read(bytes->arg, buf, sizeof(buf), err)) > 0) {
		note(s, buf, (size_t)n);
		size += (uint64_t)n;
	}
	if (n == -1)
		return -1;
	note(s, "]", 1);
	if (mail->quoted == 0)
		assert_int_equal(size, mail->size);
	s->date = mail->date;
	if (s->count++ == 0 && s->meanwhile != NULL)
		s->meanwhile(s);
	return 0;
}

static enum reader_end
read_all(struct seen *s, const char *path)
{
	const struct reader_options options = { .path = path, .now = NOW, .since = INT64_MIN, .lock_timeout_ms = 1000 };
	enum reader_end end;
	struct err err;

	s->path = path;
	s->count = 0;
	s->len = 0;
	s->text[0] = '\0';
	if (mailbox_reader_open(&s->r, &options, &err) == -1)
		fail_msg("%s", err.text);
	end = mailbox_reader_each(s->r, visit, s, &err);
	mailbox_reader_close(&s->r);
	return end;
}

static void
assert_mbox(enum mbox_quoting quoting, const char *text, const char *expected)
{
	struct seen s = { .quoting = quoting };

	put("box", text);
	assert_int_equal(read_all(&s, "box"), READER_DONE);
	assert_string_equal(s.text, expected);
}

static void
test_separators(void **state)
{
	(void)state;
	assert_mbox(MBOX_RD, "", "");
	assert_mbox(MBOX_RD, "\n\n", "");
	assert_mbox(MBOX_RD, FROM_LINE, "[]");
	assert_mbox(MBOX_RD, FROM_LINE "A: b\n\nx\n\n" FROM_LINE "C: d\n\ny\n\n", "[A: b\n\nx\n][C: d\n\ny\n]");
	assert_mbox(MBOX_RD, "\n" FROM_LINE "A: b\n\nx", "[A: b\n\nx]");
	assert_mbox(MBOX_RD, FROM_LINE FROM_LINE "A: b\n\n", "[][A: b\n]");
	assert_mbox(MBOX_RD, FROM_LINE "A: b\r\n\r\nx\r\n\r\n" FROM_LINE "C: d\r\n\r\ny\r\n\r\n", "[A: b\r\n\r\nx\r\n][C: d\r\n\r\ny\r\n]");
	/* no empty line before, neither a time nor a field after: text */
	assert_mbox(MBOX_RD, FROM_LINE "A: b\n\nx\n" FROM_LINE "y\n\n", "[A: b\n\nx\n" FROM_LINE "y\n]");
	assert_mbox(MBOX_RD, FROM_LINE "A: b\n\nx\n\nFrom now on\ny\n\n", "[A: b\n\nx\n\nFrom now on\ny\n]");
	assert_mbox(MBOX_RD, FROM_LINE "A: b\n\nx\n\nFrom c\nC: d\n\n", "[A: b\n\nx\n][C: d\n]");
}

static void
test_quoting(void **state)
{
	static const char text[] = FROM_LINE ">From : a\nA: b\n\n>From x\n>>From y\n>Fromage\n> From z\n>\n>>\n>From\n\n";

	(void)state;
	assert_mbox(MBOX_RD, text, "[From : a\nA: b\n\nFrom x\n>From y\n>Fromage\n> From z\n>\n>>\n>From\n]");
	assert_mbox(MBOX_O, text, "[From : a\nA: b\n\nFrom x\n>>From y\n>Fromage\n> From z\n>\n>>\n>From\n]");
	assert_mbox(MBOX_AS_IT_IS, text, "[>From : a\nA: b\n\n>From x\n>>From y\n>Fromage\n> From z\n>\n>>\n>From\n]");
}

/* Longer than any window: every line is there, and the next message is found. */
static void
test_long(void **state)
{
	struct seen s = { .quoting = MBOX_RD };
	FILE *f = fopen("box", "w");
	int i;

	(void)state;
	assert_non_null(f);
	fputs(FROM_LINE "A: b\n\n", f);
	for (i = 0; i < 400000; i++)
		fprintf(f, "line %d\n", i);
	fputs("\n" FROM_LINE "C: d\n\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(read_all(&s, "box"), READER_DONE);
	assert_int_equal(s.count, 2);
}

static void
test_dates(void **state)
{
	static const struct { const char *text; int64_t date; } dates[] = {
		{ "Fri, 20 Nov 2026 12:00:00 +0000", SENT }, { "Fri, 20 Nov 2026 12:00:00 -0530 (EST)", SENT + 19800 },
		{ "20 Nov 26 12:00 GMT", SENT }, { "Fri Nov 20 12:00:00 2026", SENT }, { "Fri Nov 20 12:00:00 CET 2026", SENT - 3600 },
		{ "Fri Nov 20 12:00 2026", SENT }, { "Fri Nov 20 2026", 0 }, { "", 0 }, { "25:00:00 99 Foo 2026", 0 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa Fri Nov 20 12:00:00 2026", SENT },
	};
	struct seen s = { .quoting = MBOX_RD };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
		assert_int_equal(mail_date(dates[i].text, strlen(dates[i].text)), dates[i].date);
	put("box", "From a\nReceived: from x\n\tby y; Fri, 20 Nov 2026 13:00:00 +0100\nReceived: z; 1 Jan 2001 1:00 GMT\n\n");
	assert_int_equal(read_all(&s, "box"), READER_DONE);
	assert_int_equal(s.date, SENT);
	put("box", "From a Fri Nov 20 12:00:00 2099\nA: b\n\n");
	assert_int_equal(read_all(&s, "box"), READER_DONE);
	assert_int_equal(s.date, NOW);
}

/* --- meanwhile --- */

static void
expunge(struct seen *s)
{
	(void)s;
	put("box", FROM_LINE "Only: one\n\n");
}

static void
append(struct seen *s)
{
	FILE *f = fopen("box", "a");

	(void)s;
	assert_non_null(f);
	fputs(FROM_LINE "New: one\n\n", f);
	assert_int_equal(fclose(f), 0);
}

static void
long_mbox(const char *last)
{
	FILE *f = fopen("box", "w");
	int i;

	assert_non_null(f);
	for (i = 0; i < 40000; i++)
		fprintf(f, FROM_LINE "Message-ID: <%d>\n\ntext\n\n", i);
	fputs(last, f);
	assert_int_equal(fclose(f), 0);
}

/* The same size, but what follows is another file's. */
static void
rewrite(struct seen *s)
{
	struct stat st;
	FILE *f = fopen("box", "r+");

	(void)s;
	assert_int_equal(stat("box", &st), 0);
	assert_non_null(f);
	while (st.st_size-- > 0)
		fputc('x', f);
	assert_int_equal(fclose(f), 0);
}

static void
test_mbox_meanwhile(void **state)
{
	struct seen s = { .quoting = MBOX_RD, .meanwhile = append };

	(void)state;
	long_mbox("");
	assert_int_equal(read_all(&s, "box"), READER_DONE);
	assert_int_equal(s.count, 40000);
	s.meanwhile = expunge;
	assert_int_equal(read_all(&s, "box"), READER_CHANGED);
	long_mbox("");
	s.meanwhile = rewrite;
	assert_int_equal(read_all(&s, "box"), READER_CHANGED);
}

static void
flag_all(struct seen *s)
{
	(void)s;
	assert_int_equal(system("for f in M/cur/*; do mv $f ${f}S; done; for f in M/new/*; do [ ! -e $f ] || mv $f M/cur/; done"), 0);
}

/* Each message is seen once, whatever a reader renames: flags, and new to cur. */
static void
test_maildir_meanwhile(void **state)
{
	struct seen s = { .quoting = MBOX_RD, .meanwhile = flag_all };
	char name[64];
	int i;

	(void)state;
	assert_int_equal(system("mkdir -p M/cur M/new M/tmp"), 0);
	for (i = 0; i < 100; i++) {	/* more than are opened ahead */
		snprintf(name, sizeof(name), "M/cur/1700000000.M%03d.h:2,", i);
		put(name, "A: b\n");
	}
	assert_int_equal(read_all(&s, "M"), READER_DONE);
	assert_int_equal(s.count, 100);
	put("M/new/1700000001.M1.h", "A: new\n");
	put("M/new/1700000001.M2.h", "A: new\n");
	assert_int_equal(read_all(&s, "M"), READER_DONE);
	assert_in_range(s.count, 102, 104);	/* what was read in new may be read again in cur */
}

static void
test_special(void **state)
{
	(void)state;
	assert_true(special_folder("Sent") && special_folder("INBOX.drafts") && special_folder("Sent.2025") && special_folder("sent-mail"));
	assert_true(unwanted_folder("Junk") && unwanted_folder("INBOX.spam") && !unwanted_folder("Trash") && !unwanted_folder(""));
	assert_false(special_folder("") || special_folder("Sentinel") || special_folder("lists.sentry") || special_folder("Junk"));
}

static int
enter(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int
leave(void **state)
{
	(void)state;
	return chdir("/") == -1 ? -1 : folder_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_separators),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_mbox_meanwhile),
		cmocka_unit_test(test_maildir_meanwhile),
		cmocka_unit_test(test_special),
	};

	return cmocka_run_group_tests_name("mailbox_reader", tests, enter, leave);
}
