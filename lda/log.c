/* One line per delivery, for people and for programs. */
#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "fs.h"
#include "log.h"

#define LINE_MAX_BYTES 8192
#define QUEUE_MAX 65536		/* bytes that wait for standard error; later lines are dropped */

struct log {
	enum log_target target;
	bool json, verbose, watched;
	bool syslog;		/* somebody listens there */
	int fd;			/* of the log file, else -1 */
	char *queue;		/* for standard error */
	size_t queued;
};

struct text {
	char bytes[LINE_MAX_BYTES];
	size_t len;
};

/* Returns a descriptor or -1. A device or FIFO may well be meant; a second name of some other file is not. */
static int
open_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;

	if (fd == -1)
		return err_sys(err, "open log", path);
	if (fstat(fd, &st) == -1)
		err_sys(err, "stat log", path);
	else if (S_ISREG(st.st_mode) && st.st_nlink != 1)
		err_set(err, STATUS_TEMP, "log %s: has %ju names", path, (uintmax_t)st.st_nlink);
	else
		return fd;
	close(fd);
	return -1;
}

int
log_open(struct log **out, const struct config *config, bool verbose, struct err *err)
{
	return log_open_as(out, "dedup-lda", config, verbose, err);
}

int
log_open_as(struct log **out, const char *program, const struct config *config, bool verbose, struct err *err)
{
	struct log *log = calloc(1, sizeof(*log));

	*out = NULL;
	if (log == NULL)
		return err_sys(err, "open log", NULL);
	log->target = config->log_target;
	log->json = config->log_json;
	log->watched = verbose;
	log->verbose = verbose || log->target == LOG_TO_STDERR;
	log->fd = -1;
	if (log->verbose)
		log->queue = malloc(QUEUE_MAX);
	if (log->target == LOG_TO_FILE) {
		log->fd = open_file(config->log_path, err);
		if (log->fd == -1) {
			log_close(&log);
			return -1;
		}
	} else if (log->target == LOG_TO_SYSLOG) {
		openlog(program, LOG_PID, LOG_MAIL);
		tzset();	/* syslog(3) wants the local time, which a sandbox would not let it read */
	}
	*out = log;
	return 0;
}

void
log_flush(struct log *log)
{
	if (log->queue != NULL && log->queued > 0)
		(void)fs_write(STDERR_FILENO, log->queue, log->queued, NULL, "standard error", NULL);
	log->queued = 0;
}

void
log_close(struct log **log)
{
	if (*log == NULL)
		return;
	log_flush(*log);
	if ((*log)->fd != -1)
		close((*log)->fd);
	free((*log)->queue);
	free(*log);
	*log = NULL;
}

/* Printable ASCII stays; the rest, and what would end a quoted value, becomes \xHH. */
void
log_add_bytes(struct log_line *line, const char *key, const void *value, size_t len)
{
	const unsigned char *p = value, *end = p + len;
	char *out;
	size_t n = 0;

	if (line->len == LOG_PAIRS_MAX)
		return;
	out = line->pairs[line->len].value;
	for (; p < end && n + 4 <= LOG_VALUE_MAX; p++) {
		if (*p < ' ' || *p >= 0x7f || *p == '"' || *p == '\\')
			n += (size_t)snprintf(out + n, 5, "\\x%02x", *p);
		else
			out[n++] = (char)*p;
	}
	out[n] = '\0';
	if (p < end)
		strlcpy(out + n, "...", 4);
	line->pairs[line->len].key = key;
	line->pairs[line->len].number = false;
	line->len++;
}

void
log_add(struct log_line *line, const char *key, const char *value)
{
	log_add_bytes(line, key, value, strlen(value));
}

void
log_add_number(struct log_line *line, const char *key, long long value)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%lld", value);
	log_add(line, key, digits);
	if (line->len > 0)
		line->pairs[line->len - 1].number = true;
}

static void
put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (n > sizeof(t->bytes) - 2 - t->len)
		n = sizeof(t->bytes) - 2 - t->len;	/* a final newline always fits */
	memcpy(t->bytes + t->len, s, n);
	t->len += n;
}

static void
put_text(struct text *t, const struct log_line *line)
{
	bool quoted;
	size_t i;

	for (i = 0; i < line->len; i++) {
		quoted = line->pairs[i].value[0] == '\0' || strpbrk(line->pairs[i].value, " =") != NULL;
		put(t, i > 0 ? " " : "");
		put(t, line->pairs[i].key);
		put(t, quoted ? "=\"" : "=");
		put(t, line->pairs[i].value);
		put(t, quoted ? "\"" : "");
	}
}

/* \xHH is no JSON escape: the backslash is doubled, so that a reader gets the same text as in the other format. */
static void
put_json(struct text *t, const struct log_line *line)
{
	char one[2] = "";
	const char *p;
	size_t i;

	for (i = 0; i < line->len; i++) {
		put(t, i > 0 ? ",\"" : "\"");
		put(t, line->pairs[i].key);
		put(t, line->pairs[i].number ? "\":" : "\":\"");
		for (p = line->pairs[i].value; *p != '\0'; p++) {
			one[0] = *p;
			put(t, *p == '\\' ? "\\\\" : one);
		}
		put(t, line->pairs[i].number ? "" : "\"");
	}
}

/* stamp: what comes before the line; or NULL. */
static void
format(struct text *t, const struct log *log, const struct log_line *stamp, const struct log_line *line)
{
	void (*put_pairs)(struct text *, const struct log_line *) = log->json ? put_json : put_text;

	t->len = 0;
	put(t, log->json ? "{" : "");
	if (stamp != NULL)
		put_pairs(t, stamp);
	if (stamp != NULL && line->len > 0)
		put(t, log->json ? "," : " ");
	put_pairs(t, line);
	put(t, log->json ? "}" : "");
}

/* Files have no syslogd that would say when and who. */
static void
write_file(struct log *log, const struct log_line *line)
{
	struct log_line stamp;
	struct text t;
	char now[CLOCK_TEXT];

	stamp.len = 0;
	clock_text(now, clock_now());
	log_add(&stamp, "time", now);
	log_add_number(&stamp, "pid", (long long)getpid());
	format(&t, log, &stamp, line);
	put(&t, "\n");
	(void)!write(log->fd, t.bytes, t.len);	/* one call: lines of parallel deliveries do not mix */
}

static void
queue(struct log *log, const struct text *t)
{
	if (log->queue == NULL || t->len + 1 > QUEUE_MAX - log->queued)
		return;
	memcpy(log->queue + log->queued, t->bytes, t->len);
	log->queued += t->len;
	log->queue[log->queued++] = '\n';
}

/* Without a logger there is nothing to format for it. It may be away for a moment, and a server lives for weeks. */
static bool
has_syslog(struct log *log)
{
	if (log->target == LOG_TO_SYSLOG && !log->syslog)
		log->syslog = access("/dev/log", F_OK) == 0;
	return log->syslog;
}

void
log_write(struct log *log, const struct log_line *line, bool warning)
{
	bool to_syslog = has_syslog(log);
	struct text t;

	if (log->target == LOG_TO_FILE)
		write_file(log, line);
	if (!log->verbose && !to_syslog)
		return;
	format(&t, log, NULL, line);
	t.bytes[t.len] = '\0';
	if (log->verbose)
		queue(log, &t);
	if (to_syslog)
		syslog(warning ? LOG_WARNING : LOG_INFO, "%s", t.bytes);
}

void
log_notice(void *log, const char *text)
{
	struct log_line line;

	line.len = 0;
	log_add(&line, "notice", text);
	log_write(log, &line, true);
}

void
log_detail(struct log *log, const char *text)
{
	struct log_line line;
	struct text t;

	if (!log->watched)
		return;
	line.len = 0;
	log_add(&line, "notice", text);
	format(&t, log, NULL, &line);
	queue(log, &t);
}
