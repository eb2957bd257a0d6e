/*
 * The connection of smtp-gap. The socket never blocks: every wait is a poll(2) that ends at the deadline or with a signal.
 */
#include <sys/ioctl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "smtp_gap_line.h"
#include "stop.h"

#define SLICE_MS 250	/* a signal just before a poll(2) is noticed after this time */
#define DRAIN_MS 2

struct line {
	int fd;
	SSL_CTX *context;	/* NULL in the clear */
	SSL *ssl;
	size_t used;		/* bytes of `in` that are not read yet */
	char in[LINE_ROOM];
};

/* What one attempt at reading, writing or shaking hands came to. */
enum attempt { DONE, WANTS_READ, WANTS_WRITE, HUNG_UP, FAILED };

static int
wait_for(const struct line *line, enum attempt wanted, int64_t deadline, struct fault *f)
{
	struct pollfd p = { .fd = line->fd, .events = wanted == WANTS_WRITE ? POLLOUT : POLLIN };
	int64_t left;
	int n;

	for (;;) {
		if (tool_stopped() != 0)
			return fault_set(f, EX_TEMPFAIL, "interrupted");
		left = (deadline - gap_now() + 999) / 1000;
		if (left <= 0)
			return fault_set(f, EX_TEMPFAIL, "timed out");
		n = poll(&p, 1, left < SLICE_MS ? (int)left : SLICE_MS);
		if (n > 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return fault_set(f, EX_OSERR, "poll: %s", strerror(errno));
	}
}

static int
hung_up(struct fault *f)
{
	return fault_set(f, EX_TEMPFAIL, "the server closed the connection");
}

static int
failed(const struct line *line, struct fault *f)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (line->ssl != NULL && reason == NULL && errno == 0)
		return hung_up(f);	/* without a farewell */
	if (line->ssl == NULL || reason == NULL)
		return fault_set(f, EX_TEMPFAIL, "%s", strerror(errno));
	ERR_clear_error();
	return fault_set(f, EX_PROTOCOL, "TLS: %s", reason);
}

/* What failed() looks at must come from the next call. */
static void
tls_begin(void)
{
	ERR_clear_error();
	errno = 0;
}

static enum attempt
tls_attempt(const struct line *line, int result)
{
	if (result > 0)
		return DONE;
	switch (SSL_get_error(line->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return HUNG_UP;
	default:
		return FAILED;
	}
}

static enum attempt
plain_attempt(ssize_t result, enum attempt wanted)
{
	if (result > 0)
		return DONE;
	if (result == 0)
		return HUNG_UP;
	return errno == EAGAIN || errno == EINTR ? wanted : FAILED;
}

/* Read what is there, to the end of `in`, where there must be room. */
static enum attempt
fill(struct line *line)
{
	size_t room = sizeof(line->in) - line->used, got = 0;
	enum attempt result;
	ssize_t n;

	if (line->ssl != NULL) {
		tls_begin();
		result = tls_attempt(line, SSL_read_ex(line->ssl, line->in + line->used, room, &got));
	} else {
		n = recv(line->fd, line->in + line->used, room, 0);
		result = plain_attempt(n, WANTS_READ);
		got = n > 0 ? (size_t)n : 0;
	}
	line->used += got;
	return result;
}

static enum attempt
send_some(struct line *line, const char *bytes, size_t len, size_t *sent)
{
	ssize_t n;

	*sent = 0;
	if (line->ssl != NULL) {
		tls_begin();
		return tls_attempt(line, SSL_write_ex(line->ssl, bytes, len, sent));
	}
	n = send(line->fd, bytes, len, MSG_NOSIGNAL);
	*sent = n > 0 ? (size_t)n : 0;
	return plain_attempt(n, WANTS_WRITE);
}

/* Returns 1: try again, 0: done, -1. */
static int
after(const struct line *line, enum attempt result, int64_t deadline, struct fault *f)
{
	switch (result) {
	case DONE:
		return 0;
	case HUNG_UP:
		return hung_up(f);
	case FAILED:
		return failed(line, f);
	default:
		return wait_for(line, result, deadline, f) == -1 ? -1 : 1;
	}
}

static int
finish_connect(const struct line *line, int64_t deadline, struct fault *f)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (wait_for(line, WANTS_WRITE, deadline, f) == -1)
		return -1;
	if (getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	return error == 0 ? 0 : fault_set(f, EX_TEMPFAIL, "%s", strerror(error));
}

int
line_connect(struct line **line, const struct gap_place *place, int64_t deadline, struct fault *f)
{
	struct line *l = calloc(1, sizeof(*l));
	int one = 1;

	*line = NULL;
	if (l == NULL)
		return fault_set(f, EX_OSERR, "no memory");
	l->fd = socket(place->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd == -1) {
		fault_set(f, EX_TEMPFAIL, "%s", strerror(errno));
		goto fail;
	}
	/* the final dot must not wait for an acknowledgement of what came before it */
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(l->fd, (const struct sockaddr *)&place->addr, place->len) == -1 && errno != EINPROGRESS) {
		fault_set(f, EX_TEMPFAIL, "%s", strerror(errno));
		goto fail;
	}
	if (finish_connect(l, deadline, f) == -1)
		goto fail;
	*line = l;
	return 0;
fail:
	line_close(&l);
	return -1;
}

/* For whom the certificate must be. Returns 1, or 0 as OpenSSL does. */
static int
expect(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
		return 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host);
}

/* Without verification any encryption is better than none, as weak as it may be. */
static int
prepare_tls(struct line *line, const char *host, bool verify)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	line->context = SSL_CTX_new(TLS_client_method());
	if (line->context == NULL)
		return -1;
	SSL_CTX_set_verify(line->context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(line->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_options(line->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (!verify)
		SSL_CTX_set_security_level(line->context, 0);
	else if (SSL_CTX_set_default_verify_paths(line->context) != 1)
		return -1;
	line->ssl = SSL_new(line->context);
	if (line->ssl == NULL || SSL_set_fd(line->ssl, line->fd) != 1)
		return -1;
	if (!numeric && SSL_set_tlsext_host_name(line->ssl, host) != 1)
		return -1;
	return verify && expect(line->ssl, host) != 1 ? -1 : 0;
}

int
line_starttls(struct line *line, const char *host, bool verify, int64_t deadline, struct fault *f)
{
	long verdict;
	int again;

	if (line->used > 0)
		return fault_set(f, EX_PROTOCOL, "something was said in the clear after the answer to STARTTLS");
	if (prepare_tls(line, host, verify) == -1)
		return failed(line, f);
	do {
		tls_begin();
		again = after(line, tls_attempt(line, SSL_connect(line->ssl)), deadline, f);
	} while (again > 0);
	verdict = SSL_get_verify_result(line->ssl);
	if (again == -1 && verify && verdict != X509_V_OK)
		return fault_set(f, EX_PROTOCOL, "TLS: %s", X509_verify_cert_error_string(verdict));
	return again;
}

const char *
line_tls(const struct line *line)
{
	return line->ssl == NULL ? "" : SSL_get_version(line->ssl);
}

int
line_write(struct line *line, const void *bytes, size_t len, int64_t deadline, struct fault *f)
{
	const char *p = bytes;
	size_t sent;

	while (len > 0) {
		if (after(line, send_some(line, p, len, &sent), deadline, f) == -1)
			return -1;
		p += sent;
		len -= sent;
	}
	return 0;
}

int
line_drain(struct line *line, int64_t deadline, struct fault *f)
{
	struct pollfd p = { .fd = line->fd, .events = POLLIN };
	int queued;

	while (ioctl(line->fd, SIOCOUTQ, &queued) == 0 && queued > 0 && !line_heard(line)) {
		if (tool_stopped() != 0)
			return fault_set(f, EX_TEMPFAIL, "interrupted");
		if (gap_now() >= deadline)
			return fault_set(f, EX_TEMPFAIL, "timed out");
		poll(&p, 1, DRAIN_MS);
	}
	return 0;
}

bool
line_heard(struct line *line)
{
	enum attempt result;

	if (line->used > 0)
		return true;
	result = fill(line);
	return result != WANTS_READ && result != WANTS_WRITE;
}

int
line_read(struct line *line, char text[LINE_ROOM], int64_t deadline, struct fault *f)
{
	const char *end;
	size_t len, whole;

	while ((end = memchr(line->in, '\n', line->used)) == NULL) {
		if (line->used == sizeof(line->in))
			return fault_set(f, EX_PROTOCOL, "a line of more than %d bytes", LINE_ROOM);
		if (after(line, fill(line), deadline, f) == -1)
			return -1;
	}
	whole = (size_t)(end - line->in) + 1;
	len = whole - 1;
	if (len > 0 && line->in[len - 1] == '\r')
		len--;
	memcpy(text, line->in, len);
	line->used -= whole;
	memmove(line->in, line->in + whole, line->used);
	return (int)len;
}

int64_t
line_round_trip(const struct line *line)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(line->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1 || info.tcpi_min_rtt == 0 || info.tcpi_min_rtt == UINT32_MAX)
		return -1;
	return info.tcpi_min_rtt;
}

void
line_close(struct line **line)
{
	struct line *l = *line;

	if (l == NULL)
		return;
	SSL_free(l->ssl);
	SSL_CTX_free(l->context);
	if (l->fd != -1)
		close(l->fd);
	free(l);
	*line = NULL;
}
