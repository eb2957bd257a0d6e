/*
 * A whole LMTP session over any bytes: it ends, the replies are replies, an address means the same when it is read again, each recipient gets
 * an answer in order, a text ends where CRLF.CRLF is and nowhere else, and none of it depends on the pieces in which the bytes come.
 *
 * Input: settings (1 byte), what the client sends.
 */
#include <sys/syscall.h>

#include "fuzz.h"
#include "lmtp_session.h"

static volatile sig_atomic_t stopping;
static atomic_bool crowded;
static const struct lmtp_weather weather = { &stopping, &crowded, NULL };

/* What lmtp_io reads comes in pieces of up to so many bytes. */
static struct {
	int fd;
	uint32_t dice;	/* 0: all at once */
} slow = { .fd = -1 };

ssize_t
read(int fd, void *buf, size_t n)
{
	size_t most = n;

	if (fd == slow.fd && slow.dice != 0) {
		slow.dice = slow.dice * 1664525u + 1013904223u;
		most = 1 + (slow.dice >> 16) % 9;
	}
	return syscall(SYS_read, fd, buf, n < most ? n : most);
}

/* One play of a session. */
struct play {
	const uint8_t *sent;
	size_t len;
	struct lmtp_io io;
	unsigned int settings, accepted, answered;
	size_t limit, goes_on;		/* of octets; where the text that was read last ends, if that is known */
	bool dots;			/* the message that is read came by DATA */
	struct bytes texts, replies;	/* of all messages; of the server */
};

static size_t
position(const struct play *p)
{
	return (size_t)lseek(p->io.in_fd, 0, SEEK_CUR) - (p->io.end - p->io.at);
}

static bool
is_line(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			return false;
	return true;
}

static void
check_address(const struct lmtp_address *a)
{
	struct lmtp_command again;
	char line[LMTP_ADDRESS_MAX + 16];

	must(a->plain[0] != '\0' && is_line(a->plain, strlen(a->plain)) && is_line(a->text, strlen(a->text)));
	snprintf(line, sizeof(line), "RCPT TO:<%s>", a->text);
	lmtp_command_parse(&again, line, strlen(line));
	must(again.refusal == NULL);
	must(strcmp(again.address.text, a->text) == 0 && strcmp(again.address.plain, a->plain) == 0);
}

static void *
on_recipient(void *arg, const struct lmtp_address *to, char reply[LMTP_REPLY_MAX])
{
	struct play *p = arg;
	unsigned int *number = malloc(sizeof(*number));

	must(number != NULL);
	p->goes_on = 0;
	check_address(to);
	if (to->plain[0] == 'x') {
		snprintf(reply, LMTP_REPLY_MAX, "550 5.1.1 no");
		free(number);
		return NULL;
	}
	*number = p->accepted++;
	snprintf(reply, LMTP_REPLY_MAX, "250 2.1.5 yes");
	return number;
}

static void
on_forget(void *arg, void *recipient)
{
	struct play *p = arg;

	must(p->goes_on == 0 || position(p) == p->goes_on);
	free(recipient);
}

/* A text by DATA that began at `from`, line by line, where a line ends with CRLF: what must have been read of it, if it has an end, and where
 * commands go on. */
static void
check_text(struct play *p, size_t from, const struct bytes *got, bool read)
{
	struct bytes want = { 0 };
	const char *at = (const char *)p->sent + from, *end = (const char *)p->sent + p->len, *line_stop;
	size_t octets = 0;

	for (;; at = line_stop + 2) {
		line_stop = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (line_stop == NULL || (line_stop == at + 1 && *at == '.'))
			break;
		if (at < line_stop && *at == '.')
			at++;
		bytes_add(&want, at, (size_t)(line_stop - at));
		bytes_text(&want, "\n");
		octets += (size_t)(line_stop - at) + 2;
	}
	must(read == (line_stop != NULL && (p->limit == 0 || octets <= p->limit)));
	must(!read || same_bytes(got->p, got->len, want.p, want.len));
	p->goes_on = line_stop == NULL ? 0 : (size_t)(line_stop + 2 - (const char *)p->sent);
	bytes_free(&want);
}

/* The last reply, which is not sent yet, is the one to DATA. */
static bool
said_354(const struct lmtp_io *io)
{
	const char *line_stop, *line;

	if (io->out_len < 2)
		return false;
	line_stop = memrchr(io->out, '\r', io->out_len);
	line = memrchr(io->out, '\n', io->out_len - 1);
	line = line == NULL ? io->out : line + 1;
	return starts_with(line, (size_t)(line_stop - line), "354 ");
}

static int
on_read(void *arg, const struct lmtp_envelope *e, const struct source *from, struct err *err)
{
	struct play *p = arg;
	struct bytes text = { 0 };
	char buf[64];
	size_t begin = position(p);
	ssize_t n;

	must(e->count > 0 && e->client[0] != '\0');
	p->dots = said_354(&p->io);
	p->answered = 0;
	while ((n = from->read(from->arg, buf, 2 + p->settings % 60, err)) > 0)
		bytes_add(&text, buf, (size_t)n);
	p->goes_on = 0;
	if (p->dots)
		check_text(p, begin, &text, n == 0);
	if (n == 0) {
		bytes_text(&p->texts, "message:");
		bytes_add(&p->texts, text.p, text.len);
	}
	bytes_free(&text);
	return n == 0 ? 0 : -1;
}

static void
on_deliver(void *arg, const struct lmtp_envelope *e, void *recipient, char reply[LMTP_REPLY_MAX])
{
	struct play *p = arg;

	must(p->answered < e->count && recipient == e->recipients[p->answered]);
	must(*(unsigned int *)recipient == p->accepted - e->count + p->answered);
	p->answered++;
	snprintf(reply, LMTP_REPLY_MAX, "250 2.0.0 number %u", *(unsigned int *)recipient);
}

static bool
on_answered(void *arg, const struct lmtp_envelope *e, int64_t gap_ms)
{
	struct play *p = arg;

	must(p->answered == e->count && gap_ms >= 0);
	return true;
}

static void
on_drop(void *arg)
{
	(void)arg;
}

static void
play(struct play *p, const uint8_t *data, size_t size, unsigned int settings, uint32_t dice)
{
	const struct lmtp_handler handler = { on_recipient, on_forget, on_read, on_deliver, on_answered, on_drop, p };
	const struct lmtp_settings how = { .hostname = "here", .max_size = (settings & 1) != 0 ? 30 : 0,
		.max_recipients = (settings & 2) != 0 ? 2 : 1000, .timeout_ms = 60000, .data_timeout_ms = 60000 };
	int in = file_of(data, size), out = memfd_create("replies", MFD_CLOEXEC);
	char buf[4096];
	ssize_t n;

	must(out != -1);
	p->sent = data;
	p->len = size;
	p->settings = settings;
	p->limit = how.max_size;
	slow.fd = in;
	slow.dice = dice;
	lmtp_io_init(&p->io, in, out, &weather);
	must(lmtp_session_run(&p->io, &how, &handler) == 0);
	slow.fd = -1;
	must(lseek(out, 0, SEEK_SET) == 0);
	while ((n = read(out, buf, sizeof(buf))) > 0)
		bytes_add(&p->replies, buf, (size_t)n);
	close(in);
	close(out);
}

static void
check_replies(const struct bytes *replies)
{
	const char *at = replies->p, *end = at + replies->len, *line_stop;

	for (; at < end; at = line_stop + 2) {
		line_stop = memmem(at, (size_t)(end - at), "\r\n", 2);
		must(line_stop != NULL && line_stop - at >= 4 && line_stop - at <= 510);
		must(at[0] >= '2' && at[0] <= '5' && (at[3] == ' ' || at[3] == '-'));
		for (const char *c = at; c < line_stop; c++)
			must(*c >= ' ' && *c <= '~');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int settings = input_byte(&in);
	struct play *whole = calloc(1, sizeof(*whole)), *pieces = calloc(1, sizeof(*pieces));

	must(whole != NULL && pieces != NULL);
	play(whole, in.p, in.left, settings, 0);
	play(pieces, in.p, in.left, settings, hash_of(data, size) | 1);
	check_replies(&whole->replies);
	must(same_bytes(whole->texts.p, whole->texts.len, pieces->texts.p, pieces->texts.len));
	must(same_bytes(whole->replies.p, whole->replies.len, pieces->replies.p, pieces->replies.len));
	bytes_free(&whole->texts);
	bytes_free(&whole->replies);
	bytes_free(&pieces->texts);
	bytes_free(&pieces->replies);
	free(whole);
	free(pieces);
	return 0;
}
