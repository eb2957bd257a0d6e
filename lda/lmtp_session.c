/* One LMTP session. */
#include <bsd/string.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"
#include "lmtp_data.h"
#include "lmtp_session.h"

#define ERRORS_MAX 20		/* commands that are none: this is no client of ours */
#define IDLE_MAX 200		/* commands in a row without a message: a place that somebody else could use */
#define SEND_MS 60000
#define ENVELOPE_TIMEOUTS 6	/* lmtp-timeouts from MAIL to DATA, though recipients keep coming: a place, too */
#define LATE_MS 5000		/* no reply waits longer than this for those that are to go with it */
#define OUT_OF_ORDER "503 5.5.1 wrong sequence of commands"

struct lmtp_session {
	struct lmtp_io *io;
	const struct lmtp_settings *settings;
	const struct lmtp_handler *handler;
	char client[LMTP_NAME_MAX];	/* "" before LHLO */
	bool in_mail;
	int64_t mail_until_ms;		/* in_mail: when there have been enough recipients */
	struct lmtp_envelope envelope;
	size_t room;			/* of envelope.recipients */
	struct lmtp_data data;
	struct lmtp_command command;
	unsigned int errors, idle;
	bool leaving;			/* after this message, if not before */
	bool over;
};

static void
end_mail(struct lmtp_session *s)
{
	size_t i;

	for (i = 0; i < s->envelope.count; i++)
		s->handler->forget(s->handler->arg, s->envelope.recipients[i]);
	s->envelope.count = 0;
	s->in_mail = false;
}

/* Unique on this host: the time, and the process, which takes longer than the clock's step for a message. */
static void
make_id(struct lmtp_session *s)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	snprintf(s->envelope.id, sizeof(s->envelope.id), "%" PRIx64 "%05lx-%lx", (uint64_t)now.tv_sec,
	    (unsigned long)now.tv_nsec / 1000, (unsigned long)getpid());
}

static void
goodbye(struct lmtp_session *s, const char *reply)
{
	lmtp_io_reply(s->io, "%s", reply);
	s->over = true;
}

/* The next command into s->command. False: the session is over. */
static bool
next_command(struct lmtp_session *s)
{
	char line[LMTP_LINE_MAX + 1];
	size_t len = 0;
	enum lmtp_io_result result = LMTP_IO_STOP;

	if (!*s->io->weather->stopping && !s->leaving)
		result = lmtp_io_line(s->io, line, sizeof(line), &len, clock_ms() + s->settings->timeout_ms);
	if (result == LMTP_IO_STOP)
		goodbye(s, s->leaving ? "421 4.3.2 this process ends: another one is there" : "421 4.3.2 the server is stopping");
	else if (result == LMTP_IO_LATE)
		goodbye(s, "421 4.4.2 nothing was heard for too long");
	else if (result == LMTP_IO_GONE)
		s->over = true;
	else if (s->errors >= ERRORS_MAX)
		goodbye(s, "421 4.7.0 too many errors");
	else if (s->idle >= IDLE_MAX)
		goodbye(s, "421 4.7.0 too many commands without a message");
	if (s->over)
		return false;
	if (len < sizeof(line))
		lmtp_command_parse(&s->command, line, len);
	else
		s->command = (struct lmtp_command){ .refusal = "500 5.5.2 line too long" };
	return true;
}

static void
lhlo(struct lmtp_session *s)
{
	end_mail(s);
	strlcpy(s->client, s->command.name, sizeof(s->client));
	lmtp_io_reply(s->io, "250-%s", s->settings->hostname);
	lmtp_io_reply(s->io, "250-PIPELINING");
	lmtp_io_reply(s->io, "250-ENHANCEDSTATUSCODES");
	lmtp_io_reply(s->io, "250-8BITMIME");
	lmtp_io_reply(s->io, "250-SMTPUTF8");
	lmtp_io_reply(s->io, "250-CHUNKING");
	lmtp_io_reply(s->io, "250 SIZE %" PRIu64, s->settings->max_size);	/* RFC 1870 section 3: 0 is no limit */
}

static void
mail(struct lmtp_session *s)
{
	if (s->client[0] == '\0') {
		lmtp_io_reply(s->io, "503 5.5.1 say LHLO first");
		return;
	}
	if (s->in_mail) {
		lmtp_io_reply(s->io, OUT_OF_ORDER);
		return;
	}
	if (s->settings->max_size > 0 && s->command.size > s->settings->max_size) {
		lmtp_io_reply(s->io, "552 5.3.4 message too large: the limit is %" PRIu64 " bytes", s->settings->max_size);
		return;
	}
	s->in_mail = true;
	s->mail_until_ms = clock_ms() + ENVELOPE_TIMEOUTS * s->settings->timeout_ms;
	s->envelope.sender = s->command.address;
	make_id(s);
	lmtp_io_reply(s->io, "250 2.1.0 sender ok");
}

static void
rcpt(struct lmtp_session *s)
{
	char reply[LMTP_REPLY_MAX];
	void *recipient, **more;
	size_t room = s->room;

	if (!s->in_mail) {
		lmtp_io_reply(s->io, OUT_OF_ORDER);
		s->idle++;	/* within a message none does: those that have a place would wait for ever behind those that have none */
		return;
	}
	if (clock_ms() > s->mail_until_ms) {
		goodbye(s, "421 4.4.2 the recipients came too slowly");
		return;
	}
	if (s->envelope.count >= s->settings->max_recipients) {
		lmtp_io_reply(s->io, "452 4.5.3 too many recipients");
		return;
	}
	if (s->envelope.count == room) {
		room = room == 0 ? 16 : 2 * room;
		more = realloc(s->envelope.recipients, room * sizeof(*more));
		if (more == NULL) {
			lmtp_io_reply(s->io, "451 4.3.0 out of memory");
			return;
		}
		s->envelope.recipients = more;
		s->room = room;
	}
	lmtp_io_flush_late(s->io, LATE_MS, clock_ms() + SEND_MS);	/* to look one up may take long, and many came in one parcel */
	s->over = s->io->gone;
	if (s->over)
		return;
	recipient = s->handler->recipient(s->handler->arg, &s->command.address, reply);
	if (recipient != NULL)
		s->envelope.recipients[s->envelope.count++] = recipient;
	lmtp_io_reply(s->io, "%s", reply);
}

static const char *
why_not_read(const struct lmtp_session *s)
{
	return s->data.too_large ? "552 5.3.4 message too large" : "451 4.3.1 the message could not be stored";
}

/* What is no matter of the state. False: it is. */
static bool
anytime(struct lmtp_session *s)
{
	const struct lmtp_command *c = &s->command;

	if (c->refusal != NULL)
		lmtp_io_reply(s->io, "%s", c->refusal);
	else if (c->verb == LMTP_NOOP)
		lmtp_io_reply(s->io, "250 2.0.0 ok");
	else if (c->verb == LMTP_VRFY)
		lmtp_io_reply(s->io, "252 2.5.0 send some mail to find out");
	else if (c->verb == LMTP_HELP)
		lmtp_io_reply(s->io, "214 2.0.0 dedup-lmtpd(8)");
	else if (c->verb == LMTP_QUIT)
		goodbye(s, "221 2.0.0 bye");
	else
		return false;
	return true;
}

/* Throw a chunk away that belongs to no message. */
static void
skip_chunk(struct lmtp_session *s)
{
	lmtp_data_start(&s->data, s->io, 0, s->settings->data_timeout_ms);
	lmtp_data_chunk(&s->data, s->command.size, true);
	lmtp_data_drain(&s->data);
	s->over = s->data.end != LMTP_DATA_ENDED;
}

/* Who can't say how long a chunk is has lost us: what is text and what is a command? */
static bool
lost_chunk(struct lmtp_session *s)
{
	if (s->command.verb != LMTP_BDAT || s->command.refusal == NULL)
		return false;
	goodbye(s, s->command.refusal);
	return true;
}

/* One chunk is read: answer, and go on to the next one. */
static enum lmtp_data_end
next_chunk(void *arg)
{
	struct lmtp_session *s = arg;

	lmtp_io_reply(s->io, "%s", s->data.failed ? why_not_read(s) : "250 2.0.0 go on");
	while (!s->over && next_command(s)) {
		s->idle += s->command.verb != LMTP_BDAT || s->command.size == 0;
		if (lost_chunk(s))
			return LMTP_DATA_ABORTED;
		if (anytime(s)) {
			s->errors += s->command.refusal != NULL;
			continue;
		}
		switch (s->command.verb) {
		case LMTP_BDAT:
			lmtp_data_chunk(&s->data, s->command.size, s->command.last);
			return LMTP_DATA_OPEN;
		case LMTP_RSET:
			lmtp_io_reply(s->io, "250 2.0.0 ok");
			return LMTP_DATA_ABORTED;
		default:
			lmtp_io_reply(s->io, OUT_OF_ORDER);	/* RFC 3030 section 2 */
		}
	}
	return LMTP_DATA_ABORTED;
}

static void
answer(struct lmtp_session *s, bool whole)
{
	char reply[LMTP_REPLY_MAX];
	size_t i;

	for (i = 0; i < s->envelope.count; i++) {
		strlcpy(reply, why_not_read(s), sizeof(reply));
		if (whole)
			s->handler->deliver(s->handler->arg, &s->envelope, s->envelope.recipients[i], reply);
		lmtp_io_reply(s->io, "%s", reply);
		lmtp_io_flush(s->io, clock_ms() + SEND_MS);
	}
	if (whole)
		s->leaving = !s->handler->answered(s->handler->arg, &s->envelope, clock_ms() - s->data.ended_ms);
}

/* s->data is started. */
static void
receive(struct lmtp_session *s)
{
	struct err err = { .status = STATUS_OK };
	int ret = s->handler->read(s->handler->arg, &s->envelope, &s->data.source, &err);

	lmtp_data_drain(&s->data);	/* whatever ended it early, the client talks on */
	switch (s->data.end) {
	case LMTP_DATA_ENDED:
		answer(s, ret == 0 && !s->data.too_large);
		s->idle = s->errors = 0;
		break;
	case LMTP_DATA_LATE:
		goodbye(s, "421 4.4.2 the message came too slowly");
		break;
	case LMTP_DATA_GONE:
		s->over = true;
		break;
	default:
		break;
	}
	if (ret == 0)
		s->handler->drop(s->handler->arg);
	end_mail(s);
}

static void
data(struct lmtp_session *s)
{
	if (s->envelope.count == 0) {
		lmtp_io_reply(s->io, s->in_mail ? "503 5.5.1 no valid recipients" : OUT_OF_ORDER);
		return;
	}
	lmtp_io_reply(s->io, "354 go on, end with a dot alone");
	lmtp_data_start(&s->data, s->io, s->settings->max_size, s->settings->data_timeout_ms);
	receive(s);
}

static void
bdat(struct lmtp_session *s)
{
	if (s->envelope.count == 0) {
		skip_chunk(s);
		lmtp_io_reply(s->io, s->in_mail ? "503 5.5.1 no valid recipients" : OUT_OF_ORDER);
		return;
	}
	lmtp_data_start(&s->data, s->io, s->settings->max_size, s->settings->data_timeout_ms);
	lmtp_data_chunk(&s->data, s->command.size, s->command.last);
	s->data.next_chunk = next_chunk;
	s->data.arg = s;
	receive(s);
}

static void
rset(struct lmtp_session *s)
{
	end_mail(s);
	lmtp_io_reply(s->io, "250 2.0.0 ok");
}

static void
obey(struct lmtp_session *s)
{
	if (lost_chunk(s))
		return;
	if (s->command.verb == LMTP_UNKNOWN && s->client[0] == '\0') {
		goodbye(s, s->command.refusal);		/* another protocol, perhaps a browser that somebody makes speak to us */
		return;
	}
	s->idle += s->command.verb != LMTP_RCPT;
	s->errors += s->command.refusal != NULL;
	if (anytime(s))
		return;
	switch (s->command.verb) {
	case LMTP_LHLO:
		lhlo(s);
		break;
	case LMTP_MAIL:
		mail(s);
		break;
	case LMTP_RCPT:
		rcpt(s);
		break;
	case LMTP_DATA:
		data(s);
		break;
	case LMTP_BDAT:
		bdat(s);
		break;
	default:
		rset(s);
	}
}

int
lmtp_session_run(struct lmtp_io *io, const struct lmtp_settings *settings, const struct lmtp_handler *handler)
{
	struct lmtp_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	s->io = io;
	s->settings = settings;
	s->handler = handler;
	s->envelope.client = s->client;
	lmtp_io_reply(io, "220 %s LMTP dedup-lda", settings->hostname);
	while (!s->over && next_command(s))
		obey(s);
	lmtp_io_flush(io, clock_ms() + SEND_MS);
	end_mail(s);
	free(s->envelope.recipients);
	free(s);
	return 0;
}
