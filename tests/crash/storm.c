/*
 * storm [-j deliverers] [-k maildir|mbox] [-s seed] [-v] [-w wrong-agent] SECONDS FOLDER: everything at once.
 *
 * Deliverers hand over many messages, several copies of each, some at the same time and some late; half of the deliveries are
 * killed at a random moment. Meanwhile a mail reader moves messages from new/ to cur/, flags and deletes them (an mbox is
 * rewritten under its locks, in place or by a rename), and dedupdb recovers and prunes. In the end every message is delivered
 * until that is taken, and once more. What the reader deleted and what is there then must be one copy of each message.
 *
 * A second copy in an mbox is counted as "window" if the reader had deleted the first one before any delivery of that message
 * had ended well: no append can close that window. Pieces of entries that a kill left in an mbox and that the reader kept are
 * counted as "pieces"; a reader of a Maildir must never see one.
 *
 * Exit: 0 no message is lost, doubled or torn, and no process hung or ended with another code than 0 and 75 (with -w: some are
 * lost or doubled); 1 not, or trouble with the test itself. The seed repeats what is chosen, not how the processes are
 * scheduled.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/scene.h"
#include "lib/scenes.h"

#define MESSAGES_MAX 200000
#define RECENT 12		/* messages that are handed over at the same time */
#define LARGE_EVERY 24
#define DELIVERERS_MAX 64
#define FINISHERS 4		/* in the end */
#define TRIES 20		/* until a message counts as refused */
#define TEMPORARY 75
#define NO_MESSAGE UINT32_MAX
#define SMALL 300		/* bytes */
#define SHOWN 20

struct fate {
	atomic_bool acked;	/* a delivery of it ended well */
	atomic_bool early;	/* the reader deleted a copy before that */
	atomic_uint deleted;	/* copies that the reader deleted */
	unsigned int present;	/* in the end */
};

struct shared {
	atomic_bool stop;
	atomic_uint next;	/* messages so far */
	atomic_uint deliveries, kills, deferred, hung, code, refused, torn, pieces, shown;
	atomic_uint moved, flagged, tool_runs;
	struct fate fate[MESSAGES_MAX];
};

struct storm {
	struct world w;
	struct shared *s;
	uint64_t random;
	long usual_us;		/* that a delivery takes */
	char input[PATH_MAX];	/* this deliverer's message */
};

static struct {
	unsigned int deliverers, seconds;
	uint64_t seed;
	bool mbox, verbose;
	const char *wrong, *folder, *build;
} options = { .deliverers = 8 };

static void
usage(void)
{
	fputs("usage: storm [-v] [-j deliverers] [-k maildir|mbox] [-s seed] [-w wrong-agent] seconds folder\n", stderr);
	exit(1);
}

/* A number below `below`. */
static unsigned int
chance(struct storm *t, unsigned int below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (unsigned int)((t->random >> 16) % below);
}

static void
sow(struct storm *t, unsigned int who)
{
	int i;

	t->random = (options.seed + 1) * 2654435761u + who * 40503u + 1;
	for (i = 0; i < 16; i++)
		chance(t, 2);
}

static long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long)(ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static void
pause_us(long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static void
say(struct storm *t, const char *what, unsigned int number, int value)
{
	char line[256];

	if (atomic_fetch_add(&t->s->shown, 1) >= SHOWN)
		return;
	snprintf(line, sizeof(line), "# %s: message %u, %d\n", what, number, value);
	(void)!write(STDOUT_FILENO, line, strlen(line));
}

static char *
text_of(unsigned int number, size_t *len)
{
	char name[32];

	snprintf(name, sizeof(name), "storm%u", number);
	return mail_text(name, number % LARGE_EVERY == LARGE_EVERY - 1 ? SPILL : SMALL, len);
}

static void
put_message(const struct storm *t, unsigned int number)
{
	size_t len;
	char *text = text_of(number, &len);
	FILE *f = fopen(t->input, "we");

	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) == EOF)
		die(t->input);
	free(text);
}

/* Which message begins here? Its length goes into *len. NO_MESSAGE: these are not the bytes of one. */
static uint32_t
which(const char *bytes, size_t left, size_t *len)
{
	static const char id[] = "\nMessage-ID: <storm";
	const char *p = memmem(bytes, left < 200 ? left : 200, id, sizeof(id) - 1);
	unsigned long number;
	char *text;
	bool same;

	if (p == NULL)
		return NO_MESSAGE;
	number = strtoul(p + sizeof(id) - 1, NULL, 10);
	if (number >= MESSAGES_MAX)
		return NO_MESSAGE;
	text = text_of((unsigned int)number, len);
	same = left >= *len && memcmp(bytes, text, *len) == 0;
	free(text);
	return same ? (uint32_t)number : NO_MESSAGE;
}

/* Count how one ended. Returns whether the message was taken. */
static bool
account(struct storm *t, unsigned int number, int code)
{
	atomic_fetch_add(&t->s->deliveries, 1);
	if (code == 0) {
		atomic_store(&t->s->fate[number].acked, true);
		return true;
	}
	if (code == ENDED_SIGNAL + SIGKILL)
		atomic_fetch_add(&t->s->kills, 1);
	else if (code == TEMPORARY)
		atomic_fetch_add(&t->s->deferred, 1);
	else {
		atomic_fetch_add(code == ENDED_HUNG ? &t->s->hung : &t->s->code, 1);
		say(t, code == ENDED_HUNG ? "hung" : "wrong exit code", number, code);
	}
	return false;
}

/* A new one, one that others deliver at this moment, or an old one. */
static unsigned int
choose(struct storm *t)
{
	unsigned int next = atomic_load(&t->s->next), kind = chance(t, 8);

	if ((kind < 2 || next == 0) && next < MESSAGES_MAX)
		return atomic_fetch_add(&t->s->next, 1);
	if (kind < 7 && next > RECENT)
		return next - 1 - chance(t, RECENT);
	return chance(t, next);
}

static void
deliver_on(struct storm *t)
{
	unsigned int number;
	long after;

	while (!atomic_load(&t->s->stop)) {
		number = choose(t);
		put_message(t, number);
		after = (long)chance(t, (unsigned int)(t->usual_us + t->usual_us / 4));
		if (chance(t, 2) == 0)
			account(t, number, run_killed(t->w.agent, t->input, t->w.out, after));
		else
			account(t, number, run_plain(t->w.agent, t->input, t->w.out));
	}
}

static void
deliver_all(struct storm *t, unsigned int from)
{
	unsigned int i, number, next = atomic_load(&t->s->next);

	for (number = from; number < next; number += FINISHERS) {
		put_message(t, number);
		for (i = 0; i < TRIES && !account(t, number, run_plain(t->w.agent, t->input, t->w.out)); i++)
			;
		if (i == TRIES || !account(t, number, run_plain(t->w.agent, t->input, t->w.out))) {
			atomic_fetch_add(&t->s->refused, 1);
			say(t, "refused", number, (int)i);
		}
	}
}

static void
run_tools(struct storm *t)
{
	while (!atomic_load(&t->s->stop)) {
		(void)world_tool(&t->w, "recover");
		(void)world_tool(&t->w, "prune");
		atomic_fetch_add(&t->s->tool_runs, 1);
		pause_us(20000);
	}
}

static void
note_deleted(struct storm *t, uint32_t number)
{
	struct fate *fate = &t->s->fate[number];

	if (!atomic_load(&fate->acked))
		atomic_store(&fate->early, true);
	atomic_fetch_add(&fate->deleted, 1);
}

/* ---- a reader of a Maildir ---- */

static uint32_t
which_file(struct storm *t, const char *path)
{
	size_t left, len = 0;
	char *bytes = read_whole(path, &left);
	uint32_t number;

	if (bytes == NULL)
		die(path);
	number = which(bytes, left, &len);
	free(bytes);
	if (number == NO_MESSAGE || len != left) {
		atomic_fetch_add(&t->s->torn, 1);
		say(t, path, 0, (int)left);
		return NO_MESSAGE;
	}
	return number;
}

static void
rename_to(const char *from, const char *folder, const char *name, const char *flags)
{
	char to[PATH_MAX];
	int base = (int)strcspn(name, ":");

	snprintf(to, sizeof(to), "%s/cur/%.*s:2,%s", folder, base, name, flags);
	if (rename(from, to) == -1)
		die(from);
}

static void
read_file(struct storm *t, const char *path, const char *name, bool is_new)
{
	uint32_t number = which_file(t, path);

	switch (number == NO_MESSAGE ? 8 : chance(t, 8)) {
	case 0:
		if (unlink(path) == -1)
			die(path);
		note_deleted(t, number);
		break;
	case 1:
	case 2:
		rename_to(path, t->w.mailbox, name, "FS");
		atomic_fetch_add(&t->s->flagged, 1);
		break;
	default:
		if (is_new) {
			rename_to(path, t->w.mailbox, name, "S");
			atomic_fetch_add(&t->s->moved, 1);
		}
		break;
	}
}

static void
read_folder(struct storm *t, const char *sub, unsigned int one_in)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", t->w.mailbox, sub);
	d = opendir(path);
	if (d == NULL && errno == ENOENT)
		return;
	if (d == NULL)
		die(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || chance(t, one_in) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", t->w.mailbox, sub, entry->d_name);
		if (access(path, F_OK) == 0)	/* readdir may show what we have renamed since */
			read_file(t, path, entry->d_name, strcmp(sub, "new") == 0);
	}
	closedir(d);
}

static void
count_folder(struct storm *t, const char *sub)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint32_t number;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", t->w.mailbox, sub);
	d = opendir(path);
	if (d == NULL)
		die(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", t->w.mailbox, sub, entry->d_name);
		number = which_file(t, path);
		if (number != NO_MESSAGE)
			t->s->fate[number].present++;
	}
	closedir(d);
}

/* ---- a reader of an mbox ---- */

struct piece {
	const char *start;
	size_t len;
	size_t head;		/* bytes before the message */
	uint32_t number;	/* NO_MESSAGE: it is not whole */
};

static const char *
after_line(const char *p, const char *end, const char *begin)
{
	size_t len = strlen(begin);
	const char *lf;

	if ((size_t)(end - p) < len || memcmp(p, begin, len) != 0)
		return NULL;
	lf = memchr(p, '\n', (size_t)(end - p));
	return lf == NULL ? NULL : lf + 1;
}

/* From_ line, our id, perhaps a status, the message, and newlines up to the next entry. */
static struct piece
next_piece(const char *p, const char *end)
{
	struct piece piece = { .start = p, .number = NO_MESSAGE };
	const char *q = after_line(p, end, "From "), *status;
	size_t len;

	if (q != NULL)
		q = after_line(q, end, "X-Dedup-Id: ");
	if (q != NULL) {
		piece.head = (size_t)(q - p);
		status = after_line(q, end, "Status: ");
		if (status != NULL)
			q = status;
		piece.number = which(q, (size_t)(end - q), &len);
	}
	if (piece.number != NO_MESSAGE) {
		for (q += len; q < end && *q == '\n'; q++)
			;
	} else {
		q = memmem(p, (size_t)(end - p), "\n\nFrom ", 7);
		q = q == NULL ? end : q + 2;
	}
	piece.len = (size_t)(q - p);
	return piece;
}

/* As the agent does: fcntl, then a dotlock; never wait for one with the other held. */
static int
lock_mbox(const char *path, const char *dotlock)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat a, b;
	int fd = open(path, O_RDWR | O_CLOEXEC), dot;

	if (fd == -1)
		die(path);
	if (fcntl(fd, F_SETLK, &lock) == 0 && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino) {
		dot = open(dotlock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (dot != -1) {
			if (dprintf(dot, "%ld\n", (long)getpid()) < 0 || close(dot) == -1)
				die(dotlock);
			return fd;
		}
	}
	close(fd);
	return -1;
}

static void
put(FILE *f, const char *bytes, size_t len)
{
	if (fwrite(bytes, 1, len, f) != len)
		die("write the mbox");
}

/* Keep, flag or delete. What is not whole is kept as it is. */
static void
edit(struct storm *t, FILE *to, const struct piece *piece)
{
	static const char status[] = "Status: RO\n";
	bool had;

	switch (piece->number == NO_MESSAGE ? 8 : chance(t, 8)) {
	case 0:
		note_deleted(t, piece->number);
		return;
	case 1:
		had = memcmp(piece->start + piece->head, status, 8) == 0;
		put(to, piece->start, piece->head);
		if (!had)
			put(to, status, sizeof(status) - 1);
		put(to, piece->start + piece->head, piece->len - piece->head);
		atomic_fetch_add(&t->s->flagged, 1);
		return;
	default:
		put(to, piece->start, piece->len);
	}
}

static void
write_mbox(struct storm *t, int fd, const char *bytes, size_t len)
{
	char path[PATH_MAX];
	int new = fd;

	if (chance(t, 4) == 0) {
		snprintf(path, sizeof(path), "%s.new", t->w.mailbox);
		new = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (new == -1 || pwrite(new, bytes, len, 0) != (ssize_t)len || ftruncate(new, (off_t)len) == -1)
		die("write the mbox");
	if (new == fd)
		return;
	close(new);
	if (rename(path, t->w.mailbox) == -1)
		die(path);
}

static void
read_mbox(struct storm *t)
{
	char dotlock[PATH_MAX], *bytes, *edited;
	const char *p;
	struct piece piece;
	size_t len, edited_len;
	FILE *to;
	int fd;

	snprintf(dotlock, sizeof(dotlock), "%s.lock", t->w.mailbox);
	fd = lock_mbox(t->w.mailbox, dotlock);
	if (fd == -1)
		return;
	bytes = read_whole(t->w.mailbox, &len);
	to = open_memstream(&edited, &edited_len);
	if (bytes == NULL || to == NULL)
		die(t->w.mailbox);
	for (p = bytes; p < bytes + len; p += piece.len) {
		piece = next_piece(p, bytes + len);
		edit(t, to, &piece);
	}
	if (fclose(to) == EOF)
		die("write the mbox");
	write_mbox(t, fd, edited, edited_len);
	free(bytes);
	free(edited);
	if (unlink(dotlock) == -1)
		die(dotlock);
	close(fd);
}

static void
count_mbox_file(struct storm *t)
{
	size_t len;
	char *bytes = read_whole(t->w.mailbox, &len);
	const char *p;
	struct piece piece;

	if (bytes == NULL)
		die(t->w.mailbox);
	for (p = bytes; p < bytes + len; p += piece.len) {
		piece = next_piece(p, bytes + len);
		if (piece.number == NO_MESSAGE)
			atomic_fetch_add(&t->s->pieces, 1);
		else
			t->s->fate[piece.number].present++;
	}
	free(bytes);
}

/* ---- */

static void
read_mail(struct storm *t)
{
	while (!atomic_load(&t->s->stop)) {
		if (options.mbox) {
			read_mbox(t);
			pause_us((long)chance(t, 40000));
		} else {
			read_folder(t, "new", 2);
			read_folder(t, "cur", 16);
			pause_us((long)chance(t, 5000));
		}
	}
}

enum role { DELIVERER, READER, TOOLS, FINISHER };

static void
start(struct storm *t, enum role role, unsigned int who)
{
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid > 0)
		return;
	sow(t, who);
	snprintf(t->input, sizeof(t->input), "%s/message.%u", t->w.folder, who);
	if (role == DELIVERER)
		deliver_on(t);
	else if (role == READER)
		read_mail(t);
	else if (role == TOOLS)
		run_tools(t);
	else
		deliver_all(t, who % FINISHERS);
	_exit(0);
}

static bool
wait_all(void)
{
	bool good = true;
	int status;

	while (wait(&status) > 0)
		good = good && status == 0;
	return good;
}

/* How long a delivery takes when eight run at the same time is found out by the first ones. */
static void
calibrate(struct storm *t)
{
	unsigned int i;
	long began;

	snprintf(t->input, sizeof(t->input), "%s/message", t->w.folder);
	for (i = 0; i < 8; i++) {
		unsigned int number = atomic_fetch_add(&t->s->next, 1);

		put_message(t, number);
		began = now_us();
		account(t, number, run_plain(t->w.agent, t->input, t->w.out));
		t->usual_us = now_us() - began;
	}
	t->usual_us *= (long)(options.deliverers > 2 ? options.deliverers / 2 : 1);
}

static bool
rage(struct storm *t)
{
	unsigned int i;
	bool good;

	calibrate(t);
	for (i = 0; i < options.deliverers; i++)
		start(t, DELIVERER, i);
	start(t, READER, DELIVERERS_MAX);
	if (options.wrong == NULL)
		start(t, TOOLS, DELIVERERS_MAX + 1);
	pause_us((long)options.seconds * 1000000);
	atomic_store(&t->s->stop, true);
	good = wait_all();
	for (i = 0; i < FINISHERS; i++)
		start(t, FINISHER, DELIVERERS_MAX + FINISHERS + i);
	return wait_all() && good;
}

struct verdict {
	unsigned int lost, doubled, window, deleted;
};

static void
judge(struct storm *t, struct verdict *v)
{
	unsigned int i, copies, deleted;

	if (options.mbox)
		count_mbox_file(t);
	else {
		count_folder(t, "new");
		count_folder(t, "cur");
	}
	memset(v, 0, sizeof(*v));
	for (i = 0; i < atomic_load(&t->s->next); i++) {
		deleted = atomic_load(&t->s->fate[i].deleted);
		copies = deleted + t->s->fate[i].present;
		v->deleted += deleted;
		if (copies == 0) {
			v->lost++;
			say(t, "lost", i, 0);
		} else if (copies > 1 && options.mbox && atomic_load(&t->s->fate[i].early))
			v->window++;
		else if (copies > 1) {
			v->doubled++;
			say(t, "doubled", i, (int)copies);
		}
	}
}

static bool
storm(void)
{
	static const struct scene quiet[] = {
		MAILDIR("storm", .fresh = true, .beside = BESIDE_TOOLS),
		MBOX("storm", .fresh = true, .first = "", .beside = BESIDE_TOOLS),
	};
	static const char *const more[] = { "on-ledger-failure=defer", "lock-timeout=5s", NULL };
	static struct storm t;
	struct verdict v;
	char folder[PATH_MAX];
	bool good;

	t.s = mmap(NULL, sizeof(*t.s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.s == MAP_FAILED)
		die("mmap");
	snprintf(folder, sizeof(folder), "%s/storm", options.folder);
	world_make(&t.w, &quiet[options.mbox], folder, options.build, options.wrong, more);
	good = rage(&t);
	judge(&t, &v);
	printf("storm=%s seed=%ju messages=%u deliveries=%u kills=%u exit75=%u moved=%u flagged=%u deleted=%u tools=%u lost=%u "
	    "doubled=%u window=%u torn=%u pieces=%u hung=%u code=%u refused=%u\n", options.mbox ? "mbox" : "maildir",
	    (uintmax_t)options.seed, t.s->next, t.s->deliveries, t.s->kills, t.s->deferred, t.s->moved, t.s->flagged, v.deleted,
	    t.s->tool_runs, v.lost, v.doubled, v.window, t.s->torn, t.s->pieces, t.s->hung, t.s->code, t.s->refused);
	if (options.wrong != NULL)
		return good && v.lost + v.doubled > 0;
	good = good && v.lost + v.doubled + t.s->torn + t.s->hung + t.s->code + t.s->refused == 0;
	if (good || !options.verbose)
		world_free(&t.w);
	return good;
}

int
main(int argc, char **argv)
{
	int c;

	options.seed = (uint64_t)time(NULL);
	while ((c = getopt(argc, argv, "j:k:s:vw:")) != -1) {
		switch (c) {
		case 'j':
			options.deliverers = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			options.mbox = strcmp(optarg, "mbox") == 0;
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'w':
			options.wrong = optarg;
			break;
		default:
			usage();
		}
	}
	options.build = getenv("BUILD");
	if (optind != argc - 2 || options.deliverers < 1 || options.deliverers > DELIVERERS_MAX || options.build == NULL)
		usage();
	options.seconds = (unsigned int)strtoul(argv[optind], NULL, 10);
	options.folder = realpath(argv[optind + 1], NULL);
	if (options.folder == NULL)
		die(argv[optind + 1]);
	return storm() ? 0 : 1;
}
