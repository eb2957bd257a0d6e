/*
 * killer maildir|mbox MAILBOX KILLS SEED COMMAND [ARGUMENT...]: kill an agent at random moments.
 *
 * Each round delivers one new message: the agent is killed once, sometimes twice, after a random part of its usual run time, and then
 * gets the same message until it exits 0, and once more, as after a lost acknowledgement. Rounds go on until KILLS kills have hit a
 * running agent; how late they come follows the machine's load, so that about a third miss. In the end the mailbox is read: each
 * message must be there once, byte by byte, and nothing else.
 *
 * The result is one line of key=value. Exit: 0 the test ran, whatever it found; 1 it did not.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 20		/* per wanted kill: more means that the agent is never hit */
#define RETRIES 20		/* until a delivery counts as refused */
#define CALIBRATE 9		/* undisturbed deliveries that are timed */
#define MESSAGE_MAX 400000	/* bytes */
#define LARGE 300000		/* bytes of every eighth message, which outgrows the agent's memory for one */
#define ID "Message-ID: <kill."

struct run {
	char *const *agent;
	const char *mailbox;
	FILE *input;
	uint64_t random;
	long long usual;	/* ns that an undisturbed delivery takes */
	long long range;	/* ns in which a kill comes */
	size_t len;
	char message[MESSAGE_MAX];
	unsigned int kills, missed, rounds, refused, retried;
	unsigned int missing, twice, torn;
	unsigned int *copies;	/* of each round's message */
};

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
next_random(struct run *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

static long long
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
wait_until(long long when)
{
	struct timespec ts = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* The message of one round, always the same. No line of it looks like a separator. */
static void
make_message(struct run *r, unsigned int round)
{
	size_t large = round % 8 == 7 ? LARGE : 0;
	int n = snprintf(r->message, sizeof(r->message), ID "%u@example.org>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nSubject: %u\n\n"
	    "The text of message %u.\n", round, round, round);

	r->len = (size_t)n;
	while (r->len < large)
		r->len += (size_t)snprintf(r->message + r->len, sizeof(r->message) - r->len, "line at %zu of message %u\n", r->len, round);
	r->len += (size_t)snprintf(r->message + r->len, sizeof(r->message) - r->len, "The end of message %u.\n", round);
}

static void
put_message(struct run *r)
{
	if (fseek(r->input, 0, SEEK_SET) != 0 || fwrite(r->message, 1, r->len, r->input) != r->len || fflush(r->input) != 0 ||
	    ftruncate(fileno(r->input), (off_t)r->len) == -1)
		fail("write the message");
}

static pid_t
start(struct run *r)
{
	pid_t pid;

	if (lseek(fileno(r->input), 0, SEEK_SET) == -1)
		fail("rewind the message");
	pid = fork();
	if (pid == -1)
		fail("fork");
	if (pid == 0) {
		if (dup2(fileno(r->input), STDIN_FILENO) != -1)
			execvp(r->agent[0], r->agent);
		_exit(99);
	}
	return pid;
}

/* Returns waitpid's status. */
static int
finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			fail("waitpid");
	return status;
}

static int
deliver(struct run *r)
{
	return finish(start(r));
}

static void
deliver_killed(struct run *r)
{
	long long when = now_ns() + (long long)(next_random(r) % (uint64_t)r->range);
	pid_t pid = start(r);
	int status;

	wait_until(when);
	kill(pid, SIGKILL);
	status = finish(pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		r->kills++;
		r->range += r->range / 50;
	} else {
		r->missed++;
		r->range -= r->range / 25;
	}
}

/* Until it is taken, and once more. */
static void
deliver_again(struct run *r, unsigned int round)
{
	int i, status = -1;

	for (i = 0; i < RETRIES && status != 0; i++) {
		status = deliver(r);
		if (status != 0)
			r->retried++;
	}
	if (status != 0 || deliver(r) != 0) {
		fprintf(stderr, "message %u was refused: status %#x\n", round, (unsigned int)status);
		r->refused++;
	}
}

static int
compare_times(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
calibrate(struct run *r)
{
	long long times[CALIBRATE], began;
	int i;

	for (i = 0; i < CALIBRATE; i++) {
		make_message(r, r->rounds);
		put_message(r);
		began = now_ns();
		if (deliver(r) != 0)
			r->refused++;
		times[i] = now_ns() - began;
		r->rounds++;
	}
	qsort(times, CALIBRATE, sizeof(times[0]), compare_times);
	r->usual = r->range = times[CALIBRATE / 2];
}

static void
kill_all(struct run *r, unsigned int kills)
{
	unsigned int most = kills * ROUNDS_MAX + CALIBRATE;

	r->copies = calloc(most, sizeof(*r->copies));
	if (r->copies == NULL)
		fail("calloc");
	calibrate(r);
	for (; r->kills < kills && r->rounds < most; r->rounds++) {
		make_message(r, r->rounds);
		put_message(r);
		deliver_killed(r);
		if (r->kills < kills && next_random(r) % 4 == 0)
			deliver_killed(r);
		deliver_again(r, r->rounds);
	}
}

static char *
read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	char *bytes;

	if (f == NULL || fstat(fileno(f), &st) == -1)
		fail(path);
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL)
		fail(path);
	*len = fread(bytes, 1, (size_t)st.st_size, f);
	bytes[*len] = '\0';
	fclose(f);
	return bytes;
}

/* Count the message that begins at p. Returns its length, or 0 when these are not the bytes of one. */
static size_t
count_message(struct run *r, const char *p, size_t len)
{
	unsigned int round;

	if (len < sizeof(ID) || strncmp(p, ID, sizeof(ID) - 1) != 0)
		return 0;
	round = (unsigned int)strtoul(p + sizeof(ID) - 1, NULL, 10);
	if (round >= r->rounds)
		return 0;
	make_message(r, round);
	if (len < r->len || memcmp(p, r->message, r->len) != 0)
		return 0;
	r->copies[round]++;
	return r->len;
}

static void
count_folder(struct run *r, const char *sub)
{
	char path[4096];
	struct dirent *entry;
	size_t len;
	char *bytes;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", r->mailbox, sub);
	d = opendir(path);
	if (d == NULL)
		fail(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", r->mailbox, sub, entry->d_name);
		bytes = read_file(path, &len);
		if (count_message(r, bytes, len) != len)
			r->torn++;
		free(bytes);
	}
	closedir(d);
}

/* An mbox is nothing but entries: From_ line, id, message, empty line. */
static void
count_mbox(struct run *r)
{
	static const char id[] = "X-Dedup-Id: ";
	size_t len, n;
	char *bytes = read_file(r->mailbox, &len), *p = bytes, *end = bytes + len, *lf;

	while (p < end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || strncmp(p, "From ", 5) != 0 || strncmp(lf + 1, id, sizeof(id) - 1) != 0)
			break;
		p = memchr(lf + 1, '\n', (size_t)(end - lf - 1));
		if (p == NULL)
			break;
		p++;
		n = count_message(r, p, (size_t)(end - p));
		if (n == 0 || p[n] != '\n')
			break;
		p += n + 1;
	}
	if (p == NULL || p < end) {
		fprintf(stderr, "not an entry, at byte %zu of %zu\n", p == NULL ? 0 : (size_t)(p - bytes), len);
		r->torn++;
	}
	free(bytes);
}

int
main(int argc, char **argv)
{
	static struct run r;
	unsigned int i;

	if (argc < 6) {
		fprintf(stderr, "usage: killer maildir|mbox mailbox kills seed command [argument...]\n");
		return 1;
	}
	r.mailbox = argv[2];
	r.random = strtoull(argv[4], NULL, 10) * 2654435761u + 1;
	r.agent = argv + 5;
	r.input = tmpfile();
	if (r.input == NULL)
		fail("temporary file");
	kill_all(&r, (unsigned int)strtoul(argv[3], NULL, 10));
	if (strcmp(argv[1], "mbox") == 0)
		count_mbox(&r);
	else {
		count_folder(&r, "new");
		count_folder(&r, "cur");
	}
	for (i = 0; i < r.rounds; i++) {
		r.missing += r.copies[i] == 0;
		r.twice += r.copies[i] > 1;
	}
	printf("messages=%u kills=%u missed=%u usual_us=%lld retried=%u refused=%u missing=%u double=%u torn=%u\n", r.rounds, r.kills,
	    r.missed, r.usual / 1000, r.retried, r.refused, r.missing, r.twice, r.torn);
	return 0;
}
