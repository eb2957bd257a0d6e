/*
 * bench [-j parallel] [-k first-number] [-n messages] [-r rounds] [-t seconds] [-u users] [-w warm-up] -s size SUBJECTS: deliver
 * and measure.
 *
 * Each line of the file SUBJECTS, in fields with tabs between them, is one that delivers:
 *	NAME	new|dup	exec	ARGUMENT...		a program, run for each message, with the message in a pipe
 *	NAME	new|dup	lmtp	SOCKET	PID	RECIPIENT	a server, asked over as many connections as there are messages in parallel
 * "dup": it is given each round's messages a second time. {user} in an argument, or in the recipient, stands for the message's number modulo
 * the users.
 * In a round every subject has its turn, and each round begins with another one, so that whatever else happens on the machine hits all.
 * Who has used up its seconds begins no further message, and sits out the later rounds.
 *
 * Output, with tabs:
 *	D	NAME	new|dup	ROUND	message number	latency us	CPU us	largest resident set KiB	exit code, LMTP reply, 0
 *	B	NAME	new|dup	ROUND	us for the whole batch	CPU us and KiB of the server, 0 for programs
 * Round -1 is the warm-up.
 *
 * Latency is from before the fork to after the exit, or from MAIL to the reply. The kernel takes what a process had resident before exec
 * for its own, so this program stays small: bodies are in files and go through pipes without being copied.
 */
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/letter.h"
#include "lib/lmtp.h"
#include "lib/procs.h"

#define SUBJECTS_MAX 32
#define FIELDS_MAX 64
#define PARALLEL_MAX 256
#define STACK_BYTES (128 * 1024)
#define OK_LMTP 250

struct subject {
	const char *name;
	bool dup, lmtp;
	char **argv;		/* exec: NULL at the end; lmtp: socket, pid, recipient */
	pid_t server;
	uint64_t used_us;
};

struct result {
	uint64_t latency_us, cpu_us, rss_kib;
	int code;
};

static struct {
	unsigned int parallel, messages, rounds, users, warmup;
	uint64_t first, limit_us;
	size_t size;
	const char *subjects;
} options = { .parallel = 1, .messages = 10, .rounds = 1, .users = 1, .warmup = 2,
    .limit_us = UINT64_MAX };

static struct subject subjects[SUBJECTS_MAX];
static size_t subject_count;
static struct { int fd; size_t len; } body, body_crlf;

/* What the threads of one batch share. */
struct batch {
	const struct subject *subject;
	unsigned int messages;
	uint64_t first;
	atomic_uint next;
	uint64_t until_us;	/* no message is begun later */
	pthread_barrier_t begin;
	struct result *results;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t
timeval_us(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static char *
fill_user(const char *argument, uint64_t number)
{
	static const char user[] = "{user}";
	const char *p = strstr(argument, user);
	char *filled;

	if (p == NULL)
		return strdup(argument);
	if (asprintf(&filled, "%.*s%" PRIu64 "%s", (int)(p - argument), argument, number % options.users, p + sizeof(user) - 1) == -1)
		return NULL;
	return filled;
}

/* posix_spawn would ask for the state of each signal, which is a hundred system calls. */
static pid_t
start(char *const *argv, int input)
{
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(input, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		signal(SIGPIPE, SIG_DFL);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid == -1)
		die(argv[0]);
	return pid;
}

/* A program that does not read to the end is its own fault: its exit code tells. */
static void
feed(int fd, uint64_t number)
{
	char header[LETTER_HEADER_MAX];
	size_t len = letter_header(header, number, false);
	off_t from = 0;

	if (write(fd, header, len) != (ssize_t)len)
		return;
	while (from < (off_t)body.len)
		if (sendfile(fd, body.fd, &from, body.len - (size_t)from) <= 0)
			return;
}

static void
run_program(const struct subject *s, uint64_t number, struct result *r)
{
	char *argv[FIELDS_MAX + 1];
	struct rusage usage;
	uint64_t begun;
	int pipes[2], status;
	size_t i;
	pid_t pid;

	for (i = 0; s->argv[i] != NULL; i++) {
		argv[i] = fill_user(s->argv[i], number);
		if (argv[i] == NULL)
			die("fill in");
	}
	argv[i] = NULL;
	begun = now_us();
	if (pipe2(pipes, O_CLOEXEC) == -1)
		die("pipe");
	pid = start(argv, pipes[0]);
	close(pipes[0]);
	feed(pipes[1], number);
	close(pipes[1]);
	if (wait4(pid, &status, 0, &usage) == -1)
		die("wait");
	r->latency_us = now_us() - begun;
	r->cpu_us = timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime);
	r->rss_kib = (uint64_t)usage.ru_maxrss;
	r->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	for (i = 0; argv[i] != NULL; i++)
		free(argv[i]);
}

static void
ask_server(const struct subject *s, int fd, uint64_t number, struct result *r)
{
	char header[LETTER_HEADER_MAX];
	size_t len = letter_header(header, number, true);
	char *recipient = fill_user(s->argv[2], number);
	uint64_t begun = now_us();
	int reply = fd == -1 || recipient == NULL ? -1 : lmtp_deliver(fd, recipient, header, len, body_crlf.fd, body_crlf.len);

	memset(r, 0, sizeof(*r));
	r->latency_us = now_us() - begun;
	r->code = reply == OK_LMTP ? 0 : reply;
	free(recipient);
}

static void *
work(void *arg)
{
	struct batch *b = arg;
	int fd = b->subject->lmtp ? lmtp_connect(b->subject->argv[0]) : -1;
	unsigned int i;

	pthread_barrier_wait(&b->begin);
	while (now_us() <= b->until_us && (i = atomic_fetch_add(&b->next, 1)) < b->messages) {
		if (b->subject->lmtp)
			ask_server(b->subject, fd, b->first + i, &b->results[i]);
		else
			run_program(b->subject, b->first + i, &b->results[i]);
	}
	if (fd != -1)
		close(fd);
	return NULL;
}

static uint64_t
run_threads(struct batch *b)
{
	pthread_t threads[PARALLEL_MAX];
	pthread_attr_t attributes;
	uint64_t begun;
	unsigned int i;

	if (pthread_barrier_init(&b->begin, NULL, options.parallel + 1) != 0 || pthread_attr_init(&attributes) != 0)
		die("threads");
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (i = 0; i < options.parallel; i++)
		if (pthread_create(&threads[i], &attributes, work, b) != 0)
			die("thread");
	begun = now_us();
	b->until_us = options.limit_us == UINT64_MAX ? UINT64_MAX : begun + options.limit_us;
	pthread_barrier_wait(&b->begin);
	for (i = 0; i < options.parallel; i++)
		pthread_join(threads[i], NULL);
	begun = now_us() - begun;
	pthread_attr_destroy(&attributes);
	pthread_barrier_destroy(&b->begin);
	return begun;
}

static void
print_batch(const struct batch *b, const char *kind, int round, uint64_t us, const struct usage *server)
{
	const char *name = b->subject->name;
	const struct result *r;
	unsigned int i;

	for (i = 0; i < b->messages; i++) {
		r = &b->results[i];
		if (r->code != 0 && round < 0) {
			fprintf(stderr, "bench: %s does not deliver: %d\n", name, r->code);
			exit(1);
		}
		printf("D\t%s\t%s\t%d\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%d\n", name, kind, round, b->first + i,
		    r->latency_us, r->cpu_us, r->rss_kib, r->code);
	}
	printf("B\t%s\t%s\t%d\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", name, kind, round, us, server->cpu_us, server->rss_kib);
	if (fflush(stdout) == EOF)
		die("write");
}

/* Returns how many messages it did. */
static unsigned int
run_batch(struct subject *s, const char *kind, int round, uint64_t first, unsigned int messages)
{
	struct batch b = { .subject = s, .messages = messages, .first = first };
	struct usage before = { 0 }, after = { 0 };
	uint64_t us;

	b.results = calloc(messages, sizeof(*b.results));
	if (b.results == NULL)
		die("memory");
	if (s->lmtp)
		procs_usage(s->server, &before);
	us = run_threads(&b);
	if (s->lmtp)
		procs_usage(s->server, &after);
	after.cpu_us -= before.cpu_us;
	if (round >= 0)
		s->used_us += us;
	if (atomic_load(&b.next) < messages)
		b.messages = atomic_load(&b.next);
	print_batch(&b, kind, round, us, &after);
	free(b.results);
	return b.messages;
}

static void
take_turn(struct subject *s, int round, uint64_t first)
{
	unsigned int done;

	if (s->used_us > options.limit_us)
		return;
	done = run_batch(s, "new", round, first, options.messages);
	if (s->dup)
		run_batch(s, "dup", round, first, done);
}

static void
run_rounds(void)
{
	uint64_t first = options.first;
	size_t i;
	int round;

	for (i = 0; i < subject_count && options.warmup > 0; i++)
		run_batch(&subjects[i], "new", -1, first, options.warmup);
	first += options.warmup;
	for (round = 0; round < (int)options.rounds; round++, first += options.messages)
		for (i = 0; i < subject_count; i++)
			take_turn(&subjects[(i + (size_t)round) % subject_count], round, first);
}

static void
add_subject(char *line)
{
	struct subject *s = &subjects[subject_count];
	char *fields[FIELDS_MAX + 1], *save = NULL, *p;
	size_t i, n = 0;

	for (p = strtok_r(line, "\t\n", &save); p != NULL && n < FIELDS_MAX; p = strtok_r(NULL, "\t\n", &save))
		fields[n++] = p;
	if (n == 0)
		return;
	if (subject_count == SUBJECTS_MAX || n < 4 || (s->argv = calloc(n, sizeof(*s->argv))) == NULL) {
		errno = EINVAL;
		die(fields[0]);
	}
	s->name = strdup(fields[0]);
	s->dup = strcmp(fields[1], "dup") == 0;
	s->lmtp = strcmp(fields[2], "lmtp") == 0;
	for (i = 3; i < n; i++)
		s->argv[i - 3] = strdup(fields[i]);
	if (s->lmtp && n == 6)
		s->server = (pid_t)strtol(s->argv[1], NULL, 10);
	subject_count++;
}

static void
read_subjects(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		die(path);
	while (getline(&line, &size, f) != -1)
		add_subject(line);
	free(line);
	fclose(f);
}

static unsigned int
number(const char *text, unsigned int most)
{
	unsigned long value = strtoul(text, NULL, 10);

	if (value < 1 || value > most) {
		fprintf(stderr, "bench: %s: not from 1 to %u\n", text, most);
		exit(1);
	}
	return (unsigned int)value;
}

static void
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "j:k:n:r:s:t:u:w:")) != -1)
		switch (c) {
		case 'j':
			options.parallel = number(optarg, PARALLEL_MAX);
			break;
		case 'k':
			options.first = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			options.messages = number(optarg, 1000000);
			break;
		case 'r':
			options.rounds = number(optarg, 1000000);
			break;
		case 's':
			options.size = number(optarg, 1 << 30);
			break;
		case 't':
			options.limit_us = number(optarg, 100000) * 1000000ULL;
			break;
		case 'u':
			options.users = number(optarg, 1000);
			break;
		case 'w':
			options.warmup = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(1);
		}
	if (optind != argc - 1 || options.size < LETTER_HEADER_MAX) {
		fprintf(stderr, "bench: usage: see tests/bench/bench.c; a message has %d bytes or more\n", LETTER_HEADER_MAX);
		exit(1);
	}
	options.subjects = argv[optind];
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	read_subjects(options.subjects);
	body.fd = letter_body(options.size, false, &body.len);
	body_crlf.fd = letter_body(options.size, true, &body_crlf.len);
	if (body.fd == -1 || body_crlf.fd == -1)
		die("body");
	run_rounds();
	return 0;
}
