/* Inflicting damage. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hurt.h"
#include "snapshot.h"
#include "trace.h"

#define PAGE 4096	/* bytes */
#define DEPTH 16	/* descriptors that a walk may use */

static int root_fd = -1;

static char *
plain(const char *word)
{
	return (char *)(uintptr_t)word;	/* execv() does not say const, and changes nothing */
}

static void
run(const char *program, const char *option, const char *a, const char *b)
{
	char *argv[] = { plain(program), plain(option), plain(a), plain(b), NULL };

	if (run_plain(argv, NULL, NULL) != 0) {
		fprintf(stderr, "%s %s %s: failed\n", program, a, b);
		exit(1);
	}
}

void
copy_tree(const char *from, const char *to)
{
	run("/bin/cp", "-aT", from, to);
}

enum { GIVE = '+', TAKE_BACK = '-' };	/* what root is asked for */

static bool
ask_root(char what, const char *path)
{
	char request[PATH_MAX + 1], reply = 0;
	int n = snprintf(request, sizeof(request), "%c%s", what, path);

	return write(root_fd, request, (size_t)n) == n && read(root_fd, &reply, 1) == 1 && reply == '0';
}

/* -1: it is no regular file. A descriptor that a FIFO in its place does not stop. */
static int
open_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		die(path);
	if (!S_ISREG(st->st_mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

enum filling { ZEROES, NOISE };

static void
fill(int fd, off_t at, off_t len, enum filling with, struct dice *dice)
{
	unsigned char buf[PAGE];
	size_t i, n;

	memset(buf, 0, sizeof(buf));
	for (; len > 0; at += (off_t)n, len -= (off_t)n) {
		n = len < PAGE ? (size_t)len : PAGE;
		for (i = 0; with == NOISE && i < n; i++)
			buf[i] = (unsigned char)dice_roll(dice, 256);
		if (pwrite(fd, buf, n, at) != (ssize_t)n)
			die("write noise");
	}
}

static bool
resize(const struct place *p, off_t by, bool half)
{
	struct stat st;
	int fd = open_file(p->path, &st);
	off_t size;

	if (fd == -1)
		return false;
	size = half ? st.st_size / 2 : st.st_size + by;
	if (ftruncate(fd, size < 0 ? 0 : size) == -1)
		die(p->path);
	close(fd);
	return st.st_size > 0;
}

static bool
empty(const struct place *p)
{
	return resize(p, -INT_MAX, false);
}

static bool
cut_half(const struct place *p)
{
	return resize(p, 0, true);
}

static bool
cut_byte(const struct place *p)
{
	return resize(p, -1, false);
}

static bool
lengthen(const struct place *p)
{
	return resize(p, PAGE, false);
}

static bool
overwrite(const struct place *p, enum filling with)
{
	struct stat st;
	int fd = open_file(p->path, &st);

	if (fd == -1)
		return false;
	fill(fd, 0, st.st_size, with, p->dice);
	close(fd);
	return st.st_size > 0;
}

static bool
zero(const struct place *p)
{
	return overwrite(p, ZEROES);
}

static bool
noise(const struct place *p)
{
	return overwrite(p, NOISE);
}

static bool
noise_page(const struct place *p, bool header)
{
	struct stat st;
	int fd = open_file(p->path, &st);
	off_t at = 0, left;

	if (fd == -1 || st.st_size == 0) {
		close(fd);
		return false;
	}
	if (!header)
		at = (off_t)dice_roll(p->dice, (unsigned int)((st.st_size + PAGE - 1) / PAGE)) * PAGE;
	left = st.st_size - at;
	fill(fd, at, left < PAGE ? left : PAGE, NOISE, p->dice);
	close(fd);
	return true;
}

static bool
page(const struct place *p)
{
	return noise_page(p, false);
}

static bool
header(const struct place *p)
{
	return noise_page(p, true);
}

static bool
bit(const struct place *p)
{
	struct stat st;
	unsigned char byte;
	int fd = open_file(p->path, &st);
	off_t at;

	if (fd == -1 || st.st_size == 0) {
		close(fd);
		return false;
	}
	at = (off_t)dice_roll(p->dice, (unsigned int)st.st_size);
	if (pread(fd, &byte, 1, at) != 1)
		die(p->path);
	byte ^= (unsigned char)(1U << dice_roll(p->dice, 8));
	if (pwrite(fd, &byte, 1, at) != 1)
		die(p->path);
	close(fd);
	return true;
}

/* A disk that rots changes no times. */
static bool
keeping_times(const struct place *p, bool (*inflict)(const struct place *))
{
	struct timespec times[2];
	struct stat st;

	if (lstat(p->path, &st) == -1 || !S_ISREG(st.st_mode) || !inflict(p))
		return false;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (utimensat(AT_FDCWD, p->path, times, 0) == -1)
		die(p->path);
	return true;
}

static bool
rot_page(const struct place *p)
{
	return keeping_times(p, page);
}

static bool
rot_bit(const struct place *p)
{
	return keeping_times(p, bit);
}

static bool
rot_all(const struct place *p)
{
	return keeping_times(p, noise);
}

/* What other hurts have shut. */
static void
open_up(const char *path)
{
	if (root_fd != -1)
		ask_root(TAKE_BACK, path);
	run("/bin/chmod", "-R", "u+rwX", path);
}

bool
take_away(const char *path)
{
	char above[PATH_MAX];
	struct stat st;

	snprintf(above, sizeof(above), "%s/..", path);
	if (lstat(path, &st) == -1)
		return false;
	if (!S_ISDIR(st.st_mode))
		return unlink(path) == 0;	/* another hurt may have shut its folder */
	open_up(path);
	if (access(above, W_OK) == -1)		/* the same */
		return false;
	remove_tree(path);
	return true;
}

static bool
gone(const struct place *p)
{
	return take_away(p->path);
}

static bool
older(const struct place *p)
{
	if (access(p->older, F_OK) == -1 || !take_away(p->path))
		return false;
	copy_tree(p->older, p->path);
	return true;
}

static bool
file_instead(const struct place *p)
{
	int fd;

	if (!take_away(p->path))
		return false;
	fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		die(p->path);
	fill(fd, 0, PAGE, NOISE, p->dice);
	close(fd);
	return true;
}

static bool
fifo(const struct place *p)
{
	if (!take_away(p->path))
		return false;
	if (mkfifo(p->path, 0600) == -1)
		die(p->path);
	return true;
}

static bool
folder(const struct place *p)
{
	char inside[PATH_MAX];

	if (!take_away(p->path))
		return false;
	snprintf(inside, sizeof(inside), "%s/inside", p->path);
	if (mkdir(p->path, 0700) == -1 || mkdir(inside, 0700) == -1)
		die(p->path);
	return true;
}

/* Of the same content, so that whoever follows it finds all in order. */
static bool
link_to_copy(const struct place *p)
{
	if (access(p->path, F_OK) == -1)
		return false;
	open_up(p->path);
	(void)take_away(p->aside);
	copy_tree(p->path, p->aside);
	if (!take_away(p->path))
		return false;
	if (symlink(p->aside, p->path) == -1)
		die(p->path);
	return true;
}

static bool
link_to_nothing(const struct place *p)
{
	if (!take_away(p->path))
		return false;
	if (symlink("/nonexistent/nothing", p->path) == -1)
		die(p->path);
	return true;
}

static bool
shut(const struct place *p)
{
	return chmod(p->path, 0) == 0;
}

static bool
read_only(const struct place *p)
{
	return chmod(p->path, (p->part & PART_FOLDERS) != 0 ? 0500 : 0400) == 0;
}

/* As if root had made it: a file is a new one. */
static bool
of_root(const struct place *p)
{
	if ((p->part & PART_FOLDERS) == 0) {
		if (access(p->path, R_OK) == -1)
			return false;
		(void)take_away(p->aside);
		copy_tree(p->path, p->aside);
		if (!take_away(p->path) || rename(p->aside, p->path) == -1)
			return false;
	}
	return ask_root(GIVE, p->path);
}

#define STRANGE_AT (PART_TOP | PART_LOCK)
#define ALL (PART_FILES | PART_FOLDERS)
#define NEEDED (ALL & ~PART_EVENTS)

const struct hurt hurts[] = {
	{ .name = "empty", .parts = PART_FILES, .inflict = empty },
	{ .name = "cut to half", .parts = PART_FILES, .inflict = cut_half },
	{ .name = "cut by a byte", .parts = PART_FILES, .inflict = cut_byte },
	{ .name = "longer", .parts = PART_FILES, .inflict = lengthen },
	{ .name = "zeroes", .parts = PART_FILES, .inflict = zero },
	{ .name = "noise", .parts = PART_FILES, .inflict = noise },
	{ .name = "noise in a page", .parts = PART_FILES, .inflict = page },
	{ .name = "noise in the header", .parts = PART_FILES, .inflict = header },
	{ .name = "a bit", .parts = PART_FILES, .inflict = bit },
	{ .name = "rotten", .parts = PART_REGION, .sly = true, .inflict = rot_all },
	{ .name = "a rotten page", .parts = PART_REGION, .sly = true, .inflict = rot_page },
	{ .name = "a rotten bit", .parts = PART_REGION, .sly = true, .inflict = rot_bit },
	{ .name = "gone", .parts = ALL, .inflict = gone },
	{ .name = "older", .parts = ALL, .inflict = older },
	{ .name = "a FIFO", .parts = ALL, .obstacle = STRANGE_AT, .inflict = fifo },
	{ .name = "a folder", .parts = ALL, .obstacle = PART_LOCK, .inflict = folder },
	{ .name = "a file", .parts = PART_FOLDERS, .obstacle = STRANGE_AT, .inflict = file_instead },
	{ .name = "a link", .parts = ALL, .obstacle = STRANGE_AT, .inflict = link_to_copy },
	{ .name = "a broken link", .parts = ALL, .obstacle = STRANGE_AT, .inflict = link_to_nothing },
	{ .name = "unreadable", .parts = ALL, .obstacle = NEEDED, .inflict = shut },
	{ .name = "read-only", .parts = ALL, .obstacle = NEEDED, .inflict = read_only },
	{ .name = "root's", .parts = ALL, .obstacle = NEEDED, .root = true, .inflict = of_root },
};
const size_t hurts_len = sizeof(hurts) / sizeof(hurts[0]);

bool
hurt_applies(const struct hurt *hurt, enum part part)
{
	return (hurt->parts & part) != 0 && (!hurt->root || root_fd != -1);
}

void
hurt_mend(const struct place *p)
{
	bool is_folder = (p->part & PART_FOLDERS) != 0;
	struct stat st;

	if (lstat(p->path, &st) == -1)
		return;
	if (S_ISDIR(st.st_mode) != is_folder || (!is_folder && !S_ISREG(st.st_mode)))
		(void)take_away(p->path);
	else if (st.st_uid != geteuid())
		ask_root(TAKE_BACK, p->path);
	else if (chmod(p->path, is_folder ? 0700 : 0600) == -1)
		die(p->path);
}

static uid_t owner;

static int
give_back(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	(void)ftw;
	return st->st_uid == 0 ? lchown(path, owner, (gid_t)-1) : 0;
}

static void
serve_as_root(int fd)
{
	char request[PATH_MAX + 1];
	bool done;
	ssize_t n;

	while ((n = read(fd, request, sizeof(request) - 1)) > 1) {
		request[n] = '\0';
		done = request[0] == GIVE ? lchown(request + 1, 0, (gid_t)-1) == 0 :
		    nftw(request + 1, give_back, DEPTH, FTW_PHYS) == 0;
		if (write(fd, done ? "0" : "1", 1) != 1)
			break;
	}
	_exit(0);
}

void
hurt_keep_root(uid_t user)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1 || (pid = fork()) == -1)
		die("keep a process of root's");
	if (pid == 0) {
		close(ends[0]);
		owner = user;
		serve_as_root(ends[1]);
	}
	close(ends[1]);
	root_fd = ends[0];
}
