/* The text of a message over LMTP: dots, line ends, chunks, limits, in pieces of every size. */
#include <sys/socket.h>

#include <fcntl.h>

#include "feed.h"
#include "fs.h"
#include "lmtp_data.h"

static volatile sig_atomic_t stopping;
static atomic_bool crowded;
static const struct lmtp_weather weather = { &stopping, &crowded, NULL };

struct text_case {
	const char *sent, *stored, *left;	/* left: what follows the end */
	uint64_t octets;
};

static const struct text_case texts[] = {
	{ ".\r\n", "", "", 0 },
	{ "\r\n.\r\nX", "\n", "X", 2 },
	{ "a\r\n.\r\n", "a\n", "", 3 },
	{ "a\r\n..\r\n.\r\nQUIT", "a\n.\n", "QUIT", 6 },
	{ "..a\r\n...b\r\n.c\r\n.\r\n", ".a\n..b\nc\n", "", 12 },
	{ "a.\r\n.\r\n", "a.\n", "", 4 },
	/* only CRLF.CRLF is the end */
	{ "a\n.\n.\r\nb\r\n.\r\n", "a\n.\n.\nb\n", "", 10 },
	{ "a\n.\r\nb\r\n.\r\n", "a\n.\nb\n", "", 8 },
	{ "a\r\n.\nb\r\n.\r\n", "a\n\nb\n", "", 7 },
	{ "a\r.\rb\r\n.\r\n", "a\r.\rb\n", "", 7 },
	{ "a\r\n.\rb\r\n.\r\n", "a\n\rb\n", "", 7 },
	{ "a\r\n.\r\r\n.\r\n", "a\n\r\n", "", 6 },
	{ "a\r\r\n.\r\n", "a\r\n", "", 4 },
	{ "a\n\r\n.\r\n", "a\n\n", "", 4 },
	{ "a\r\n\n.\r\n.\r\n", "a\n\n.\n", "", 7 },
};

static void
check_text(const struct text_case *t, size_t piece)
{
	struct lmtp_text text;
	unsigned char out[256];
	size_t done = 0, n = 0, len = strlen(t->sent), used = 1;

	lmtp_text_start(&text, true);
	while (used > 0) {
		used = len - done < piece ? len - done : piece;
		n += lmtp_text_take(&text, (const unsigned char *)t->sent + done, &used, out + n, piece == 1 ? 2 : sizeof(out) - n);
		done += used;
	}
	assert_int_equal(text.state, TEXT_ENDED);
	assert_int_equal(n, strlen(t->stored));
	assert_memory_equal(out, t->stored, n);
	assert_string_equal(t->sent + done, t->left);
	assert_int_equal(text.octets, t->octets);
}

static void
test_text(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (k = 0; k < FEED_PIECES; k++)
			check_text(&texts[i], feed_pieces[k]);
}

/* A client in this very process: it has sent all it ever will. */
struct client {
	struct lmtp_io io;
	struct lmtp_data data;
	int fds[2];
	const char *next;	/* BDAT: the chunks that follow, each a size and 'L' or '.' */
	unsigned int asked;
};

static struct client *
client(const char *sent, size_t len, bool closes)
{
	struct client *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, c->fds), 0);
	assert_int_equal(write(c->fds[1], sent, len), len);
	if (closes)
		shutdown(c->fds[1], SHUT_WR);
	lmtp_io_init(&c->io, c->fds[0], c->fds[0], &weather);
	return c;
}

static void
client_free(struct client *c)
{
	close(c->fds[0]);
	close(c->fds[1]);
	free(c);
}

static enum lmtp_data_end
next_chunk(void *arg)
{
	struct client *c = arg;
	uint64_t size;
	char *end;

	c->asked++;
	if (c->next == NULL || *c->next == '\0')
		return LMTP_DATA_ABORTED;
	size = strtoul(c->next, &end, 10);
	lmtp_data_chunk(&c->data, size, *end == 'L');
	c->next = end + 1;
	return LMTP_DATA_OPEN;
}

static void
chunks(struct client *c, uint64_t limit, const char *sizes)
{
	lmtp_data_start(&c->data, &c->io, limit, 10000);
	c->data.next_chunk = next_chunk;
	c->data.arg = c;
	c->next = sizes;
	(void)next_chunk(c);
}

static struct bytes
read_all(struct client *c)
{
	struct bytes all = { 0 };
	unsigned char buf[7];
	ssize_t n;

	while ((n = c->data.source.read(c->data.source.arg, buf, sizeof(buf), NULL)) > 0)
		bytes_add(&all, buf, (size_t)n);
	return all;
}

static void
assert_reads(struct client *c, const char *want)
{
	struct bytes got = read_all(c);

	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.p, want, got.len);
	assert_int_equal(c->data.end, LMTP_DATA_ENDED);
	bytes_free(&got);
}

static void
test_chunks(void **state)
{
	static const char sent[] = ".a\r\n.\r\nb\r\nc\rd\nNEXT";
	static const char *const splits[] = { "14L", "0.14L", "14.0L", "1.1.1.1.1.1.1.1.1.1.1.1.1.1L", "3.4.7L", "9.5L" };
	struct client *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
		c = client(sent, strlen(sent), false);
		chunks(c, 14, splits[i]);
		assert_reads(c, ".a\n.\nb\nc\rd\n");	/* a dot is a dot */
		assert_int_equal(c->data.text.octets, 14);
		assert_memory_equal(c->io.in + c->io.at, "NEXT", 4);
		client_free(c);
	}
	c = client("a\r", 2, false);
	chunks(c, 0, "2L");
	assert_reads(c, "a\r");
	client_free(c);
}

/* Too large: how much of it was read; the rest is passed over, up to what follows the message. */
static size_t
assert_drained(struct client *c)
{
	struct bytes got = read_all(c);
	size_t len = got.len;

	assert_true(c->data.too_large);
	lmtp_data_drain(&c->data);
	assert_int_equal(c->data.end, LMTP_DATA_ENDED);
	assert_memory_equal(c->io.in + c->io.at, "NEXT", 4);
	bytes_free(&got);
	client_free(c);
	return len;
}

static void
test_large(void **state)
{
	struct client *c = client("0123456789\r\n.\r\nNEXT", 19, false);

	(void)state;
	lmtp_data_start(&c->data, &c->io, 12, 10000);
	assert_reads(c, "0123456789\n");
	client_free(c);
	c = client("0123456789\r\n.\r\nNEXT", 19, false);
	lmtp_data_start(&c->data, &c->io, 11, 10000);
	(void)assert_drained(c);
	/* a chunk that is announced is enough */
	c = client("abcdefghijNEXT", 14, false);
	chunks(c, 9, "4.6L");
	assert_int_equal(assert_drained(c), 4);
}

/* A message may be as large as the limit, also where its last line comes in two pieces. */
static void
test_full(void **state)
{
	struct client *c = client("0123456789\r\n.\r", 14, false);
	unsigned char buf[16];

	(void)state;
	lmtp_data_start(&c->data, &c->io, 12, 10000);
	assert_int_equal(c->data.source.read(c->data.source.arg, buf, sizeof(buf), NULL), 11);
	assert_int_equal(write(c->fds[1], "\nNEXT", 5), 5);
	assert_reads(c, "");
	client_free(c);
}

static void
test_broken(void **state)
{
	struct client *c = client("a\r\n.\r", 5, true);
	struct bytes got;

	(void)state;
	lmtp_data_start(&c->data, &c->io, 0, 10000);
	got = read_all(c);
	assert_int_equal(c->data.end, LMTP_DATA_GONE);
	bytes_free(&got);
	client_free(c);
	c = client("a\r\n.\r", 5, false);
	lmtp_data_start(&c->data, &c->io, 0, 50);
	got = read_all(c);
	assert_int_equal(c->data.end, LMTP_DATA_LATE);
	bytes_free(&got);
	client_free(c);
	c = client("abc", 3, false);
	chunks(c, 0, "3.");
	got = read_all(c);
	assert_int_equal(c->data.end, LMTP_DATA_ABORTED);
	assert_int_equal(c->asked, 2);
	bytes_free(&got);
	client_free(c);
}

/* One fingerprint: the digest and the bytes of a message over LMTP are those of the same message from a pipe. */
static void
test_same_message(void **state)
{
	static const char *const names[] = { "subject", NULL };
	const struct message_options options = { .fields = names };
	static const char sent[] = "Subject: a\r\n b\r\n\r\n..dot\r\n\r\nend \r\n.\r\n", piped[] = "Subject: a\n b\n\n.dot\n\nend \n";
	struct message *m, *same = feed(piped, strlen(piped), 65536, &options);	/* forks: valgrind looks for leaks there, too */
	struct client *c = client(sent, strlen(sent), false);
	struct err err = { .text = "" };

	(void)state;
	lmtp_data_start(&c->data, &c->io, 0, 10000);
	assert_int_equal(message_read_from(&m, &c->data.source, &options, &err), 0);
	assert_same_message(m, same, names);
	message_free(&m);
	message_free(&same);
	client_free(c);
}

/* A line that has no end, of a client that sends faster than we read. */
static void
test_endless_line(void **state)
{
	static char sent[LMTP_IO_BYTES + 2];
	struct client *c;
	char line[8];
	size_t len;

	(void)state;
	memset(sent, 'x', sizeof(sent) - 1);
	sent[sizeof(sent) - 1] = '\n';
	c = client(sent, sizeof(sent), false);
	assert_int_equal(lmtp_io_line(&c->io, line, sizeof(line), &len, clock_ms() - 1), LMTP_IO_LATE);
	client_free(c);
}

static void
test_lines(void **state)
{
	struct client *c = client("one\r\ntwo\n\r\n1234567890\r\nlast\r\n", 29, true);
	static const char *const want[] = { "one", "two", "", NULL, "last" };
	char line[8];
	size_t i, len;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(lmtp_io_line(&c->io, line, sizeof(line), &len, clock_ms() + 10000), LMTP_IO_OK);
		if (want[i] == NULL) {
			assert_int_equal(len, sizeof(line));	/* too long */
			continue;
		}
		assert_int_equal(len, strlen(want[i]));
		assert_memory_equal(line, want[i], len);
	}
	assert_int_equal(lmtp_io_line(&c->io, line, sizeof(line), &len, clock_ms() + 10000), LMTP_IO_GONE);
	client_free(c);
	c = client("one\r\n", 5, false);
	stopping = 1;
	assert_int_equal(lmtp_io_line(&c->io, line, sizeof(line), &len, clock_ms() + 10000), LMTP_IO_STOP);
	stopping = 0;
	client_free(c);
	c = client("on", 2, false);
	assert_int_equal(lmtp_io_line(&c->io, line, sizeof(line), &len, clock_ms() + 50), LMTP_IO_LATE);
	client_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_same_message),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
