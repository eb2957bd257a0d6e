/* A mail reader on an mbox: rewrites it under its locks, in place or by a rename, with flags set and messages left out. */
#include <sys/stat.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storm.h"

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
		piece.number = storm_which(q, (size_t)(end - q), &len);
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

	switch (piece->number == NO_MESSAGE ? 8 : dice_roll(&t->dice, 8)) {
	case 0:
		storm_note_deleted(t, piece->number);
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

	if (dice_roll(&t->dice, 4) == 0) {
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

void
read_storm_mbox(struct storm *t)
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

void
count_storm_mbox(struct storm *t)
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
