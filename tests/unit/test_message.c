/* Reading messages: header, envelope lines, limits, where the bytes go, errors. */
#include "feed.h"

#include <sys/time.h>

#include <fcntl.h>
#include <signal.h>

static const char *const fields[] = { "message-id", "date", "subject", "x", "to", NULL };
static const struct message_options plain = { .fields = fields };

static void
assert_field(const struct message *m, const char *name, size_t n, const char *want)
{
	const struct field *f = message_field(m, name, n);

	if (want == NULL) {
		assert_null(f);
		return;
	}
	assert_non_null(f);
	assert_string_equal(f->name, name);
	assert_int_equal(f->len, strlen(want));
	assert_string_equal(f->value, want);
}

struct header_case {
	const char *mail, *subject, *x, *envelope;
	const char *body;	/* as simple canonicalization leaves it, but for the last line end */
};

static const struct header_case headers[] = {
	{ "", NULL, NULL, NULL, "" },
	{ "\n", NULL, NULL, NULL, "" },
	{ "\r\nSubject: a\n", NULL, NULL, NULL, "Subject: a" },
	{ "Subject: a", "a", NULL, NULL, "" },
	{ "Subject: a\r", "a\r", NULL, NULL, "" },
	{ "Subject: a\nX: b\n\nc", "a", "b", NULL, "c" },
	{ "SUBJECT \t: a\r\nx:b\r\n\r\nc", "a", "b", NULL, "c" },
	{ "Subject:\nX:\n\n", "", "", NULL, "" },
	{ "Subject:  a\t b  c\t\nX: 1\n 2\n\t3\n", "a b c", "1 2 3", NULL, "" },
	{ "Subject:\n a\n \n b \n\nc", "a b", NULL, NULL, "c" },
	{ "Subject:\r\n a\r\n \r\n b \r\n\r\nc", "a b", NULL, NULL, "c" },
	{ "Subject: a\rb\r\r\nX: c\n", "a\rb\r", "c", NULL, "" },
	{ "Subject: a\nSubject: b\nSubjects: c\nSubjec: d\n", "a", NULL, NULL, "" },
	{ "Subjec: a\nSubjects: b\nXX: c\n", NULL, NULL, NULL, "" },
	{ "Subject: a:b: c\nX: \xe4\xff\x01\n", "a:b: c", "\xe4\xff\x01", NULL, "" },
	/* no field: the body begins */
	{ " Subject: a\nX: b\n", NULL, NULL, NULL, " Subject: a\r\nX: b" },
	{ "Subject: a\nno field\nX: b\n", "a", NULL, NULL, "no field\r\nX: b" },
	{ "Subject: a\nnofield", "a", NULL, NULL, "nofield" },
	{ "Subject: a\nnofield\n\nX: b\n", "a", NULL, NULL, "nofield\r\n\r\nX: b" },
	{ "Subject: a\n: b\n", "a", NULL, NULL, ": b" },
	{ "Subject: a\n\x7f: b\n", "a", NULL, NULL, "\x7f: b" },
	{ "Subject: a\n\xe4: b\n", "a", NULL, NULL, "\xe4: b" },
	{ "Subject: a\nX\r: b\n", "a", NULL, NULL, "X\r: b" },
	{ "Subject: a\nX X: b\n", "a", NULL, NULL, "X X: b" },
	{ "Subject: a\n\rX: b\n", "a", NULL, NULL, "\rX: b" },
	{ "Subject: a\n\r", "a", NULL, NULL, "\r" },
	{ "Subject: a\n\r\r\nb", "a", NULL, NULL, "\r\r\nb" },
	{ "Subject: a\n>From x\n", "a", NULL, NULL, ">From x" },
	{ "Subject: a\nFrom x\n", "a", NULL, NULL, "From x" },
	/* envelope lines */
	{ "From a Mon\nSubject: b\n\nc", "b", NULL, "From a Mon", "c" },
	{ ">From a Mon\r\n>From b\nFrom c\nSubject: b\n\nc", "b", NULL, "From a Mon", "c" },
	{ "From a", NULL, NULL, "From a", "" },
	{ "From ", NULL, NULL, "From ", "" },
	{ "From \n\n", NULL, NULL, "From ", "" },
	{ "From a\r\r\n\r\nFrom b\n", NULL, NULL, "From a\r", "From b" },
	{ "From a\n Subject: b\n\nc", NULL, NULL, "From a", " Subject: b\r\n\r\nc" },
	{ "From: a\nSubject: b\n", "b", NULL, NULL, "" },
	{ "From", NULL, NULL, NULL, "From" },
	{ ">From", NULL, NULL, NULL, ">From" },
	{ ">>From a\n", NULL, NULL, NULL, ">>From a" },
};

static void
test_headers(void **state)
{
	struct message_options options = { .fields = fields, .body = BODY_SIMPLE };
	const struct header_case *c;
	struct message *m, *body;
	struct bytes b = { NULL, 0, 0 };
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		for (k = 0; k < 4; k++) {
			c = &headers[i];
			m = feed(c->mail, strlen(c->mail), feed_pieces[k], &options);
			b.len = 0;
			bytes_text(&b, "A: b\n\n");
			bytes_text(&b, c->body);
			body = feed(b.p, b.len, 65536, &options);
			if (memcmp(message_body_digest(m), message_body_digest(body), BODY_DIGEST_BYTES) != 0)
				fail_msg("wrong body: %s", c->mail);
			assert_field(m, "subject", 0, c->subject);
			assert_field(m, "x", 0, c->x);
			if (c->envelope == NULL)
				assert_null(message_envelope(m));
			else
				assert_string_equal(message_envelope(m), c->envelope);
			message_free(&m);
			message_free(&body);
		}
	bytes_free(&b);
}

/* Wrong names and long ones: a field only with the colon among the first 1000 bytes. */
static void
test_long_names(void **state)
{
	struct message *m;
	struct bytes b;
	size_t n, k;

	(void)state;
	for (n = 998; n <= 1001; n++)
		for (k = 0; k < 4; k++) {
			memset(&b, 0, sizeof(b));
			bytes_text(&b, "X: a\n");
			bytes_fill(&b, 'n', n);
			bytes_text(&b, ": c\nSubject: d\n\n");
			m = feed(b.p, b.len, feed_pieces[k], &plain);
			assert_field(m, "x", 0, "a");
			assert_field(m, "subject", 0, n < 1000 ? "d" : NULL);
			message_free(&m);
			bytes_free(&b);
		}
}

static void
test_limits_of_values(void **state)
{
	struct bytes b = { NULL, 0, 0 };
	struct message *m;
	size_t k;

	(void)state;
	bytes_text(&b, "From ");
	bytes_fill(&b, 'e', MESSAGE_ENVELOPE_MAX);
	bytes_text(&b, "\r\nSubject: ");
	bytes_fill(&b, 's', MESSAGE_FIELD_MAX - 1);
	bytes_text(&b, " t\nX: ");
	bytes_fill(&b, 'x', MESSAGE_FIELD_MAX);
	bytes_text(&b, "\n y\nTo: z\n\n");
	for (k = 0; k < FEED_PIECES; k++) {
		m = feed(b.p, b.len, feed_pieces[k], &plain);
		assert_int_equal(strlen(message_envelope(m)), MESSAGE_ENVELOPE_MAX);
		assert_int_equal(message_field(m, "subject", 0)->len, MESSAGE_FIELD_MAX - 1);
		assert_int_equal(message_field(m, "x", 0)->len, MESSAGE_FIELD_MAX);
		assert_int_equal(message_field(m, "x", 0)->value[MESSAGE_FIELD_MAX - 1], 'x');
		assert_field(m, "to", 0, "z");
		message_free(&m);
	}
	bytes_free(&b);
}

/* A CR that is the last byte kept of a line that goes on. */
static void
test_cut_envelope(void **state)
{
	struct bytes b = { NULL, 0, 0 };
	struct message *m;
	size_t k;

	(void)state;
	bytes_text(&b, "From ");
	bytes_fill(&b, 'e', MESSAGE_ENVELOPE_MAX - 6);
	bytes_text(&b, "\rmore\n\n");
	for (k = 0; k < FEED_PIECES; k++) {
		m = feed(b.p, b.len, feed_pieces[k], &plain);
		assert_int_equal(strlen(message_envelope(m)), MESSAGE_ENVELOPE_MAX);
		assert_int_equal(message_envelope(m)[MESSAGE_ENVELOPE_MAX - 1], '\r');
		message_free(&m);
	}
	bytes_free(&b);
}

static void
test_huge_header_line(void **state)
{
	struct bytes b = { NULL, 0, 0 };
	struct message *m;

	(void)state;
	bytes_text(&b, "X: a\nSubject: ");
	bytes_fill(&b, 's', 10 * 1000 * 1000);
	bytes_text(&b, "\nOther: ");
	bytes_fill(&b, ' ', 10 * 1000 * 1000);
	bytes_text(&b, "\nTo: z\n\n");
	m = feed(b.p, b.len, 65536, &plain);
	assert_field(m, "x", 0, "a");
	assert_int_equal(message_field(m, "subject", 0)->len, MESSAGE_FIELD_MAX);
	assert_field(m, "to", 0, "z");
	message_free(&m);
	bytes_free(&b);
}

static void
test_many_fields(void **state)
{
	struct bytes b = { NULL, 0, 0 };
	struct message *m;
	size_t i;

	(void)state;
	for (i = 0; i < MESSAGE_FIELDS_MAX + 10; i++)
		bytes_text(&b, i % 2 == 0 ? "X: even\n" : "X: odd\nOther: z\n");
	bytes_text(&b, "Subject: late\nTo: later\nSubject: never\nX: never\n\n");
	m = feed(b.p, b.len, 65536, &plain);
	assert_field(m, "x", 0, "even");
	assert_field(m, "x", MESSAGE_FIELDS_MAX - 1, "odd");
	assert_field(m, "x", MESSAGE_FIELDS_MAX, NULL);
	assert_field(m, "subject", 0, "late");
	assert_field(m, "subject", 1, NULL);
	assert_field(m, "to", 0, "later");
	assert_field(m, "date", 0, NULL);
	assert_field(m, "other", 0, NULL);
	message_free(&m);
	bytes_free(&b);
}

static void
test_nul(void **state)
{
	static const char mail[] = "Subject: a\0b\nX: \0\nX\0: c\n\nd\0\n";
	static const char body[] = "\nX\0: c\n\nd\0\n";
	struct message_options options = { .fields = fields, .body = BODY_SIMPLE };
	struct message *m, *n;
	size_t k;

	(void)state;
	for (k = 0; k < 4; k++) {
		m = feed(mail, sizeof(mail) - 1, feed_pieces[k], &options);
		assert_int_equal(message_field(m, "subject", 0)->len, 3);
		assert_memory_equal(message_field(m, "subject", 0)->value, "a\0b", 4);
		assert_int_equal(message_field(m, "x", 0)->len, 1);
		assert_memory_equal(message_field(m, "x", 0)->value, "\0", 2);
		n = feed(body, sizeof(body) - 1, 65536, &options);
		assert_memory_equal(message_body_digest(m), message_body_digest(n), BODY_DIGEST_BYTES);
		message_free(&m);
		message_free(&n);
	}
}

/* A message that looks as bad as chance makes it; some are long. */
static void
random_mail(struct bytes *b, struct dice *d)
{
	static const char *const parts[] = {
		"From ", ">From ", "From x\n", "Subject", "subject:", "X: ", "X:a\n", "To :", "\n", "\r\n", "\r", " ", "\t", ":",
		"\n ", "\r\n\t", "a", "Date: now\r\n", "no field", "\n\n", "\r\n\r\n", "   ", "0123456789abcdef", "\xff", ">"
	};
	size_t n = 1 + dice_roll(d, 40);
	char c;

	for (; n > 0; n--)
		if (dice_roll(d, 10) == 0) {
			c = (char)dice_roll(d, 256);
			bytes_fill(b, c, 1 + dice_roll(d, dice_roll(d, 20) == 0 ? 9000 : 9));
		} else
			bytes_text(b, parts[dice_roll(d, sizeof(parts) / sizeof(parts[0]))]);
}

static void
test_pieces_do_not_matter(void **state)
{
	struct message_options options = { .fields = fields };
	struct dice dice = { 19820813 };
	struct bytes b = { NULL, 0, 0 };
	struct message *m, *whole;
	size_t i, k;

	(void)state;
	for (i = 0; i < 150; i++) {
		b.len = 0;
		random_mail(&b, &dice);
		options.body = i % 2 == 0 ? BODY_RELAXED : BODY_SIMPLE;
		whole = feed(b.p, b.len, 65536, &options);
		for (k = 0; k < 5; k++) {
			m = feed(b.p, b.len, k == 4 ? 1 + dice_roll(&dice, 50) : feed_pieces[k], &options);
			assert_same_message(m, whole, fields);
			message_free(&m);
		}
		message_free(&whole);
	}
	bytes_free(&b);
}

static void
make_mail(struct bytes *b, size_t size)
{
	struct dice dice = { 1047 };
	size_t i;
	char c;

	bytes_text(b, "From x\nSubject: a\n\n");
	for (i = b->len; i < size; i++) {
		c = (char)dice_roll(&dice, 256);
		bytes_add(b, &c, 1);
	}
}

struct spill {
	struct message *m;
	struct bytes got;
};

/* What comes before the message's first large piece is known when that is handed on. */
static int
spill_write(void *arg, const void *buf, size_t len, struct err *err)
{
	struct spill *s = arg;

	assert_field(s->m, "subject", 0, "a");
	assert_string_equal(message_envelope(s->m), "From x");
	return bytes_write(&s->got, buf, len, err);
}

/* The sizes round the limit, with a sink and without. */
static void
test_keeping(void **state)
{
	static const size_t sizes[] = { 100, MESSAGE_MEMORY - 1, MESSAGE_MEMORY, MESSAGE_MEMORY + 1, 5 * MESSAGE_MEMORY + 7 };
	struct bytes mail, got = { NULL, 0, 0 };
	struct spill spilled = { NULL, { NULL, 0, 0 } };
	struct sink spill = { spill_write, &spilled }, sink = { bytes_write, &got };
	struct message_options options = { .fields = fields };
	struct message *m;
	size_t i, large;

	(void)state;
	for (i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&mail, 0, sizeof(mail));
		make_mail(&mail, sizes[i / 2]);
		large = i % 2 == 0 ? 0 : mail.len > MESSAGE_MEMORY;
		options.spill = i % 2 == 0 ? NULL : &spill;
		got.len = spilled.got.len = 0;
		feed_to(&spilled.m, mail.p, mail.len, 60001, &options);
		m = spilled.m;
		assert_int_equal(message_was_spilled(m), large);
		assert_int_equal(spilled.got.len, large ? mail.len : 0);
		if (large) {
			assert_memory_equal(spilled.got.p, mail.p, mail.len);
			assert_int_equal(message_replay(m, &sink, NULL), -1);
			assert_int_equal(got.len, 0);
		} else {
			assert_int_equal(message_replay(m, &sink, NULL), 0);
			assert_int_equal(message_replay(m, &sink, NULL), 0);	/* as often as wanted */
			assert_int_equal(got.len, 2 * mail.len);
			assert_memory_equal(got.p, mail.p, mail.len);
			assert_memory_equal(got.p + mail.len, mail.p, mail.len);
		}
		message_free(&m);
		bytes_free(&mail);
	}
	bytes_free(&got);
	bytes_free(&spilled.got);
}

static int
refuse(void *arg, const void *buf, size_t len, struct err *err)
{
	(void)arg;
	(void)buf;
	(void)len;
	return err_set(err, STATUS_QUOTA, "refused");
}

static void
test_errors_of_sinks(void **state)
{
	struct sink sink = { refuse, NULL };
	struct message_options options = { .fields = fields, .spill = &sink };
	struct bytes mail = { NULL, 0, 0 };
	struct message *m;
	struct err err;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	make_mail(&mail, 2 * MESSAGE_MEMORY);
	assert_int_equal(fwrite(mail.p, 1, mail.len, file), mail.len);
	rewind(file);
	assert_int_equal(message_read(&m, fileno(file), &options, &err), -1);
	assert_null(m);
	assert_int_equal(err.status, STATUS_QUOTA);
	assert_string_equal(err.text, "refused");
	options.spill = NULL;
	assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
	assert_int_equal(message_read(&m, fileno(file), &options, &err), 0);
	assert_int_equal(message_replay(m, &sink, &err), -1);
	assert_int_equal(err.status, STATUS_QUOTA);
	message_free(&m);
	fclose(file);
	m = feed_text("", BODY_RELAXED, NULL);
	assert_int_equal(message_replay(m, &sink, &err), 0);	/* nothing to push */
	message_free(&m);
	message_free(&m);
	bytes_free(&mail);
}

/* The sender is gone in the middle: a message that may be cut off is no message. */
static void
test_read_error(void **state)
{
	struct message *m;
	struct err err;
	int fds[2], fd;

	(void)state;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd != -1);
	assert_int_equal(message_read(&m, fd, &plain, &err), -1);
	assert_int_equal(err.status, STATUS_TEMP);
	close(fd);
	/* A Unix socket that is closed with bytes unread resets the other end once that has read all. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[0], "x", 1), 1);
	assert_int_equal(write(fds[1], "Subject: a\n\nb\n", 14), 14);
	close(fds[1]);
	assert_int_equal(message_read(&m, fds[0], &plain, &err), -1);
	assert_null(m);
	assert_int_equal(err.status, STATUS_TEMP);
	close(fds[0]);
}

static void
ignore(int sig)
{
	(void)sig;
}

/* Signals and a pipe that somebody made non-blocking only make it wait. */
static void
test_interruptions(void **state)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct message *m;
	struct err err;
	int fds[2], i;
	pid_t pid;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0) {
			usleep(50000);
			if (write(fds[1], "Subject: a\n", 11) == 11 && usleep(50000) == 0)
				_exit(write(fds[1], "X: b\n", 5) == 5 ? 0 : 1);
			_exit(1);
		}
		close(fds[1]);
		if (i == 1)
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &often, NULL);
		if (message_read(&m, fds[0], &plain, &err) == -1)
			fail_msg("%s", err.text);
		setitimer(ITIMER_REAL, &never, NULL);
		assert_field(m, "subject", 0, "a");
		assert_field(m, "x", 0, "b");
		message_free(&m);
		close(fds[0]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_limits_of_values),
		cmocka_unit_test(test_cut_envelope),
		cmocka_unit_test(test_huge_header_line),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_pieces_do_not_matter),
		cmocka_unit_test(test_keeping),
		cmocka_unit_test(test_errors_of_sinks),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_interruptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
