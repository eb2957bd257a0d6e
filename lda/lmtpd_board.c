/* The places of the workers, and their numbers. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lmtpd_board.h"

const unsigned int lmtpd_gap_bounds[LMTPD_GAPS - 1] = { 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 5000, 30000, 120000 };

struct shared {
	atomic_bool crowded;
	struct lmtpd_place places[];
};

static size_t
bytes(unsigned int size)
{
	return sizeof(struct shared) + size * sizeof(struct lmtpd_place);
}

struct lmtpd_board *
lmtpd_board_new(unsigned int size)
{
	struct lmtpd_board *board = malloc(sizeof(*board));
	struct shared *shared = mmap(NULL, bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board != NULL && shared != MAP_FAILED) {
		*board = (struct lmtpd_board){ size, &shared->crowded, shared->places };	/* they are all zero */
		return board;
	}
	if (shared != MAP_FAILED)
		munmap(shared, bytes(size));
	free(board);
	return NULL;
}

void
lmtpd_board_free(struct lmtpd_board **board)
{
	if (*board != NULL)
		munmap((char *)(*board)->places - offsetof(struct shared, places), bytes((*board)->size));
	free(*board);
	*board = NULL;
}

unsigned int
lmtpd_board_in(const struct lmtpd_board *board, enum lmtpd_state state)
{
	unsigned int i, n = 0;

	for (i = 0; i < board->size; i++)
		n += atomic_load_explicit(&board->places[i].state, memory_order_relaxed) == (int)state;
	return n;
}

void
lmtpd_board_count(struct lmtpd_place *place, enum lmtpd_count what, uint64_t n)
{
	atomic_fetch_add_explicit(&place->counts[what], n, memory_order_relaxed);
}

void
lmtpd_board_gap(struct lmtpd_place *place, int64_t ms)
{
	size_t i = 0;

	while (i < LMTPD_GAPS - 1 && ms > (int64_t)lmtpd_gap_bounds[i])
		i++;
	atomic_fetch_add_explicit(&place->gaps[i], 1, memory_order_relaxed);
	lmtpd_board_count(place, COUNT_GAP_MS, ms > 0 ? (uint64_t)ms : 0);
}

static uint64_t
sum(const struct lmtpd_board *board, enum lmtpd_count what)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < board->size; i++)
		n += atomic_load_explicit(&board->places[i].counts[what], memory_order_relaxed);
	return n;
}

static void
write_counts(FILE *f, const struct lmtpd_board *board)
{
	static const struct { enum lmtpd_count what; const char *name, *help; } lines[] = {
		{ COUNT_CONNECTIONS, "connections_total", "Connections that were accepted" },
		{ COUNT_MESSAGES, "messages_total", "Messages that were answered" },
		{ COUNT_DELIVERED, "delivered_total", "Recipients to whom a message was delivered" },
		{ COUNT_DUPLICATES, "duplicates_total", "Recipients who had the message already" },
		{ COUNT_DEFERRED, "deferred_total", "Recipients for whom the client has to try again" },
		{ COUNT_REJECTED, "rejected_total", "Recipients who were rejected for good" },
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		fprintf(f, "# HELP dedup_lmtpd_%s %s.\n# TYPE dedup_lmtpd_%s counter\ndedup_lmtpd_%s %" PRIu64 "\n", lines[i].name,
		    lines[i].help, lines[i].name, lines[i].name, sum(board, lines[i].what));
	fprintf(f, "# HELP dedup_lmtpd_workers Worker processes.\n# TYPE dedup_lmtpd_workers gauge\n"
	    "dedup_lmtpd_workers{state=\"idle\"} %u\ndedup_lmtpd_workers{state=\"busy\"} %u\n", lmtpd_board_in(board, PLACE_IDLE),
	    lmtpd_board_in(board, PLACE_BUSY));
}

static void
write_gaps(FILE *f, const struct lmtpd_board *board)
{
	uint64_t n = 0;
	unsigned int i, k;

	fprintf(f, "# HELP dedup_lmtpd_gap_seconds From the end of a message to the last reply (RFC 1047).\n"
	    "# TYPE dedup_lmtpd_gap_seconds histogram\n");
	for (k = 0; k < LMTPD_GAPS; k++) {
		for (i = 0; i < board->size; i++)
			n += atomic_load_explicit(&board->places[i].gaps[k], memory_order_relaxed);
		if (k < LMTPD_GAPS - 1)
			fprintf(f, "dedup_lmtpd_gap_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", lmtpd_gap_bounds[k] / 1000.0, n);
	}
	fprintf(f, "dedup_lmtpd_gap_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\ndedup_lmtpd_gap_seconds_sum %.3f\n"
	    "dedup_lmtpd_gap_seconds_count %" PRIu64 "\n", n, (double)sum(board, COUNT_GAP_MS) / 1000.0, n);
}

int
lmtpd_board_write(const struct lmtpd_board *board, const char *path, struct err *err)
{
	char beside[PATH_MAX];
	FILE *f;
	int fd;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return err_set(err, STATUS_TEMP, "write %s: the path is too long", path);
	if (unlink(beside) == -1 && errno != ENOENT)
		return err_sys(err, "write", beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return err_sys(err, "write", beside);
	(void)fchmod(fd, 0644);		/* numbers only: who collects them is another user */
	f = fdopen(fd, "w");
	if (f == NULL) {
		close(fd);
		return err_sys(err, "write", beside);
	}
	write_counts(f, board);
	write_gaps(f, board);
	if (fclose(f) != 0 || rename(beside, path) == -1)
		return err_sys(err, "write", path);
	return 0;
}
