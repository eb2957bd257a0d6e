/*
 * One connection to a server: nothing here waits longer than it was told to, whatever the server sends, and no reply can be larger than
 * what a ledger needs.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "redis.h"

#define REPLY_MAX (16 * 1024 * 1024)	/* bytes */
#define ELEMENTS_MAX 65536		/* of one array */
#define NESTED_MAX 5			/* arrays in arrays; CLUSTER SLOTS has four */
#define BYTES_AT_ONCE 16384
#define SAID_MAX 160			/* bytes of a server's words that an error repeats */

#if HIREDIS_MAJOR < 1
typedef int array_len;
#else
typedef size_t array_len;
#endif

/* An array's length is told before its elements come, and room is made for all of them. Since version 1 the library lets arrays nest as deep
 * as they like, and frees them by calling itself: a few MB of "*1" would end in a stack that is too small. */
static void *
make_array(const redisReadTask *task, array_len elements)
{
	const redisReplyObjectFunctions *usual = task->privdata;
	const redisReadTask *outer;
	unsigned int depth = 1;

	for (outer = task->parent; outer != NULL && depth <= NESTED_MAX; outer = outer->parent)
		depth++;
	return elements > ELEMENTS_MAX || depth > NESTED_MAX ? NULL : usual->createArray(task, elements);
}

static int
make_reader(struct redis_link *l)
{
	l->reader = redisReaderCreate();
	if (l->reader == NULL)
		return -1;
	l->functions = *l->reader->fn;
	l->functions.createArray = make_array;
	l->reader->privdata = l->reader->fn;
	l->reader->fn = &l->functions;
	return 0;
}

void
redis_link_close(struct redis_link *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
	if (l->reader != NULL) {
		if (l->reader->reply != NULL)	/* half of one, which needs the functions that go now */
			l->functions.freeObject(l->reader->reply);
		l->reader->reply = NULL;
		redisReaderFree(l->reader);
	}
	l->reader = NULL;
}

static int
broken(struct redis_link *l, const char *name, const char *how, struct err *err)
{
	redis_link_close(l);
	return err_set(err, STATUS_TEMP, "%s: %s", name, how);
}

int
redis_link_open(struct redis_link *l, const struct host_addresses *to, int64_t until, const char *name, struct err *err)
{
	int on = 1, error = EADDRNOTAVAIL;
	unsigned int i;
	int64_t now;

	for (i = 0; i < to->n && l->fd == -1; i++) {	/* each has its share of the time */
		now = clock_ms();
		error = host_connect(&l->fd, &to->at[i], to->len[i], now + (until - now) / (to->n - i));
	}
	if (l->fd == -1)
		return err_set(err, STATUS_TEMP, "%s: connect: %s", name, strerror(error));
	if (to->at[i - 1].ss_family != AF_UNIX)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return make_reader(l) == 0 ? 0 : broken(l, name, "out of memory", err);
}

bool
redis_link_is_idle(const struct redis_link *l)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLIN };

	/* Nothing comes unasked but the end; and what does would be taken for the next answer. */
	return l->reader->pos == l->reader->len && poll(&pfd, 1, 0) == 0;
}

static int
send_all(struct redis_link *l, const char *p, size_t len, int64_t until, const char *name, struct err *err)
{
	ssize_t n;

	while (len > 0) {
		n = send(l->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (host_wait(l->fd, POLLOUT, until) != 1)
				return broken(l, name, "it takes no more bytes", err);
		} else if (errno != EINTR)
			return broken(l, name, strerror(errno), err);
	}
	return 0;
}

int
redis_link_send(struct redis_link *l, const struct redis_command *c, int64_t until, bool *whole, const char *name, struct err *err)
{
	const char *argv[REDIS_ARGS_MAX];
	char *bytes;
	int ret, len;

	*whole = false;
	memcpy(argv, c->argv, sizeof(argv));
	len = redisFormatCommandArgv(&bytes, c->argc, argv, c->len);
	if (len < 0)
		return broken(l, name, "out of memory", err);
	ret = send_all(l, bytes, (size_t)len, until, name, err);
	redisFreeCommand(bytes);
	*whole = ret == 0;
	return ret;
}

/* More bytes of a reply. */
static int
receive_more(struct redis_link *l, int64_t until, size_t *got, const char *name, struct err *err)
{
	char bytes[BYTES_AT_ONCE];
	ssize_t n;
	int ready;

	do {
		ready = host_wait(l->fd, POLLIN, until);
		if (ready == 0)
			return broken(l, name, "no answer in time", err);
		n = ready == -1 ? -1 : recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n == -1 && (errno == EAGAIN || errno == EINTR));
	if (n == -1)
		return broken(l, name, strerror(errno), err);
	if (n == 0)
		return broken(l, name, "it closed the connection", err);
	*got += (size_t)n;
	if (*got > REPLY_MAX)
		return broken(l, name, "its answer is too long", err);
	return redisReaderFeed(l->reader, bytes, (size_t)n) == REDIS_OK ? 0 : broken(l, name, "out of memory", err);
}

int
redis_link_receive(struct redis_link *l, int64_t until, redisReply **reply, const char *name, struct err *err)
{
	size_t got = 0;
	void *whole = NULL;

	*reply = NULL;
	for (;;) {
		if (redisReaderGetReply(l->reader, &whole) != REDIS_OK)
			return broken(l, name, "its answer is none of a Redis server", err);
		if (whole != NULL)
			break;
		if (receive_more(l, until, &got, name, err) == -1)
			return -1;
	}
	*reply = whole;
	return 0;
}

int
redis_link_ask(struct redis_link *l, const struct redis_command *c, int64_t until, redisReply **reply, const char *name,
    struct err *err)
{
	bool whole;

	*reply = NULL;
	return redis_link_send(l, c, until, &whole, name, err) == -1 ? -1 : redis_link_receive(l, until, reply, name, err);
}

int
redis_said(const char *name, const redisReply *reply, struct err *err)
{
	char text[SAID_MAX];
	size_t i;

	if (reply->type != REDIS_REPLY_ERROR)
		return err_set(err, STATUS_TEMP, "%s: its answer is not what was asked for", name);
	snprintf(text, sizeof(text), "%s", reply->str);
	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
			text[i] = '?';
	return err_set(err, STATUS_TEMP, "%s: %s", name, text);
}
