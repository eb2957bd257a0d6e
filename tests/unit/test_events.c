/* The ring of events: what it keeps, and that nothing which is done to its file matters to anybody else. */
#include <sys/stat.h>

#include <fcntl.h>

#include "event_fixture.h"
#include "fs.h"
#include "pack.h"

struct ring {
	char folder[64];
	int dir;
	uint64_t next;
};

static int
setup(void **state)
{
	struct ring *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	*state = r;
	snprintf(r->folder, sizeof(r->folder), "/tmp/dedup-events.XXXXXX");
	if (mkdtemp(r->folder) == NULL)
		return -1;
	r->dir = open(r->folder, O_RDONLY | O_DIRECTORY);
	return r->dir == -1 ? -1 : 0;
}

static int
teardown_ring(void **state)
{
	struct ring *r = *state;
	int ret = folder_remove(r->folder);

	close(r->dir);
	free(r);
	return ret;
}

static void
write_events(struct ring *r, uint32_t slots, unsigned int from, unsigned int to)
{
	struct event event;

	for (; from < to; from++) {
		event = event_of(from);
		events_write(r->dir, slots, &r->next, &event);
	}
}

static void
must_hold(const struct ring *r, const char *expected)
{
	struct seen seen = { .len = 0 };
	struct err err = { .text = "" };

	if (events_each(r->dir, r->folder, see, &seen, &err) == -1)
		fail_msg("%s", err.text);
	assert_string_equal(seen.text, expected);
}

static int
open_ring(const struct ring *r)
{
	int fd = openat(r->dir, "events", O_RDWR);

	assert_int_not_equal(fd, -1);
	return fd;
}

static off_t
ring_size(const struct ring *r)
{
	struct stat st;

	assert_int_equal(fstatat(r->dir, "events", &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_size;
}

static void
test_slot(void **state)
{
	struct event event = event_of(7), again;
	unsigned char slot[EVENT_SLOT];
	size_t i;

	(void)state;
	event_message_id(&event, "<a\0b@example.org>", 17);
	event.number = UINT64_MAX;
	event.kind = EVENT_FILED;
	event.first = -1;
	event.size = 1ULL << 40;
	event.count = 3;
	event.proof = 255;
	event.gap = 612;
	memset(event.sender, 's', sizeof(event.sender) - 1);
	memset(event.receiver, 'r', sizeof(event.receiver) - 1);
	memset(event.queue_id, 'q', sizeof(event.queue_id) - 1);
	memset(event.place, 'p', sizeof(event.place) - 1);
	event_encode(&event, slot);
	assert_int_equal(event_decode(&again, slot), 0);
	assert_memory_equal(again.id, "<a\0b@example.org>", 17);
	assert_int_equal(again.id_len, 17);
	assert_true(again.number == UINT64_MAX && again.kind == EVENT_FILED && again.time == NOW + 7 && again.first == -1);
	assert_true(again.size == 1ULL << 40 && again.count == 3 && again.proof == 255 && again.gap == 612);
	assert_memory_equal(again.fp.bytes, event.fp.bytes, FINGERPRINT_BYTES);
	assert_string_equal(again.sender, event.sender);
	assert_string_equal(again.receiver, event.receiver);
	assert_string_equal(again.queue_id, event.queue_id);
	assert_string_equal(again.place, event.place);
	for (i = 0; i < sizeof(slot); i++) {	/* any byte that changes makes it no event */
		slot[i] ^= 1;
		assert_int_equal(event_decode(&again, slot), -1);
		slot[i] ^= 1;
	}
}

/* The longest of everything fits into a slot, and a longer Message-ID is cut and says so. */
static void
test_long(void **state)
{
	struct event event = event_of(1), again;
	unsigned char slot[EVENT_SLOT];
	char id[70000];

	(void)state;
	memset(id, 'x', sizeof(id));
	memset(event.sender, 's', sizeof(event.sender) - 1);
	memset(event.receiver, 'r', sizeof(event.receiver) - 1);
	memset(event.queue_id, 'q', sizeof(event.queue_id) - 1);
	memset(event.place, 'p', sizeof(event.place) - 1);
	event_message_id(&event, id, EVENT_ID);
	event_encode(&event, slot);
	assert_int_equal(event_decode(&again, slot), 0);
	assert_true(again.id_len == EVENT_ID && again.id_whole == EVENT_ID);
	event_message_id(&event, id, EVENT_ID + 1);
	event_encode(&event, slot);
	assert_int_equal(event_decode(&again, slot), 0);
	assert_true(again.id_len == EVENT_ID && again.id_whole == EVENT_ID + 1);
	event_message_id(&event, id, sizeof(id));
	event_encode(&event, slot);
	assert_int_equal(event_decode(&again, slot), 0);
	assert_int_equal(again.id_whole, UINT16_MAX);
}

/* What is no event although its checksum fits. */
static void
test_lies(void **state)
{
	static const struct {
		size_t at;
		unsigned char byte;
	} lies[] = {
		{ 16, 0 }, { 16, 2 },		/* version */
		{ 17, 0 }, { 17, 12 }, { 17, 255 },	/* kind */
		{ 19, 1 },			/* must be zero */
		{ 93, 4 },			/* the whole Message-ID is shorter than its beginning */
		{ 94, 1 }, { 95, 255 },		/* longer than a slot, longer than it can be */
		{ 511, 1 },			/* something behind the end */
	};
	struct event event = event_of(1), again;
	unsigned char slot[EVENT_SLOT], kept;
	struct packer p;
	size_t i;

	(void)state;
	event_message_id(&event, "<a@b>", 5);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		event_encode(&event, slot);
		kept = slot[lies[i].at];
		slot[lies[i].at] = lies[i].byte;
		assert_int_not_equal(kept, lies[i].byte);
		p = (struct packer){ .bytes = slot, .size = 8 };
		pack_int(&p, pack_checksum(slot + 8, EVENT_SLOT - 8), 8);
		if (event_decode(&again, slot) != -1)
			fail_msg("byte %zu may be %u", lies[i].at, lies[i].byte);
	}
}

static void
test_wraps(void **state)
{
	struct ring *r = *state;

	must_hold(r, "");
	write_events(r, SLOTS, 1, 4);
	must_hold(r, "1 2 3");
	write_events(r, SLOTS, 4, 9);
	must_hold(r, "1 2 3 4 5 6 7 8");
	write_events(r, SLOTS, 9, 12);
	must_hold(r, "4 5 6 7 8 9 10 11");
	assert_int_equal(r->next, 12);
	assert_int_equal(ring_size(r), SLOTS * EVENT_SLOT);
	write_events(r, SLOTS, 12, 1000);
	must_hold(r, "992 993 994 995 996 997 998 999");
	assert_int_equal(ring_size(r), SLOTS * EVENT_SLOT);
}

/* Who does not know the next number finds it, wherever the ring stands. */
static void
test_number_not_known(void **state)
{
	struct ring *r = *state;
	unsigned int n;

	for (n = 1; n < 30; n++) {
		r->next = 0;
		write_events(r, SLOTS, n, n + 1);
		assert_int_equal(r->next, n + 1);
	}
	must_hold(r, "22 23 24 25 26 27 28 29");
}

static void
test_none_are_kept(void **state)
{
	struct ring *r = *state;

	write_events(r, 0, 1, 3);
	assert_int_equal(faccessat(r->dir, "events", F_OK, 0), -1);
	assert_int_equal(r->next, 0);
}

static void
test_size_changes(void **state)
{
	struct ring *r = *state;

	write_events(r, SLOTS, 1, 13);
	write_events(r, 4, 13, 17);	/* once round: what is left over goes */
	must_hold(r, "13 14 15 16");
	assert_int_equal(ring_size(r), 4 * EVENT_SLOT);
	write_events(r, SLOTS, 17, 25);
	must_hold(r, "17 18 19 20 21 22 23 24");
	write_events(r, 1, 25, 28);
	must_hold(r, "27");
}

static void
test_torn_slot(void **state)
{
	struct ring *r = *state;
	int fd;

	write_events(r, SLOTS, 1, 12);
	fd = open_ring(r);
	assert_int_equal(pwrite(fd, "torn", 4, 5 * EVENT_SLOT + 200), 4);	/* event 6 */
	must_hold(r, "4 5 7 8 9 10 11");
	assert_int_equal(pwrite(fd, "torn", 4, 2 * EVENT_SLOT + 300), 4);	/* event 11, the newest */
	must_hold(r, "4 5 7 8 9 10");
	r->next = 0;
	write_events(r, SLOTS, 12, 13);		/* takes its place */
	must_hold(r, "4 5 7 8 9 10 12");
	write_events(r, SLOTS, 13, 17);
	must_hold(r, "8 9 10 12 13 14 15 16");
	close(fd);
}

static void
test_truncated(void **state)
{
	struct ring *r = *state;
	int fd;

	write_events(r, SLOTS, 1, 12);
	fd = open_ring(r);
	assert_int_equal(ftruncate(fd, 4 * EVENT_SLOT + 17), 0);
	must_hold(r, "4 9 10 11");
	write_events(r, SLOTS, 12, 14);
	must_hold(r, "9 10 11 12 13");
	assert_int_equal(ftruncate(fd, 0), 0);
	must_hold(r, "");
	write_events(r, SLOTS, 14, 15);
	must_hold(r, "14");
	close(fd);
}

static void
test_foreign_file(void **state)
{
	unsigned char noise[9000];
	struct ring *r = *state;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)(i * 2654435761U >> 13);
	fd = openat(r->dir, "events", O_RDWR | O_CREAT, 0600);
	assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
	close(fd);
	must_hold(r, "");
	write_events(r, SLOTS, 1, 3);
	must_hold(r, "1 2");
	write_events(r, SLOTS, 3, 12);
	must_hold(r, "4 5 6 7 8 9 10 11");
	assert_int_equal(ring_size(r), SLOTS * EVENT_SLOT);
}

/* What a writer could be led astray by, or would wait for, makes way. Nothing behind a link is touched. */
static void
test_something_else_in_place(void **state)
{
	struct ring *r = *state;
	struct seen seen = { .len = 0 };
	struct stat st;
	struct err err;
	int fd, how;

	fd = openat(r->dir, "other", O_RDWR | O_CREAT, 0600);
	for (how = 0; how < 3; how++) {
		unlinkat(r->dir, "events", 0);
		assert_int_equal(how == 0 ? symlinkat("other", r->dir, "events") : mkfifoat(r->dir, "events", 0600), 0);
		if (how == 2)
			close(openat(r->dir, "events", O_RDWR | O_NONBLOCK));
		assert_int_equal(events_each(r->dir, r->folder, see, &seen, &err), -1);
		assert_non_null(strstr(err.text, "no regular file"));
		write_events(r, SLOTS, 1, 2);
		assert_int_equal(fstatat(r->dir, "events", &st, AT_SYMLINK_NOFOLLOW), -1);
		write_events(r, SLOTS, 2, 3);
		must_hold(r, "2");
		r->next = 0;
	}
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

/* A folder may hold something: it stays, and there are no events. */
static void
test_folder_in_place(void **state)
{
	struct ring *r = *state;
	struct seen seen = { .len = 0 };
	struct err err;

	assert_int_equal(mkdirat(r->dir, "events", 0700), 0);
	write_events(r, SLOTS, 1, 3);
	assert_int_equal(events_each(r->dir, r->folder, see, &seen, &err), -1);
	assert_non_null(strstr(err.text, "no regular file"));
	assert_int_equal(unlinkat(r->dir, "events", AT_REMOVEDIR), 0);
	write_events(r, SLOTS, 3, 4);
	must_hold(r, "3");
}

static int
stop(void *arg, const struct event *event, struct err *err)
{
	int *n = arg;

	if (event->time == NOW + 5)
		return ++*n > 10 ? err_set(err, STATUS_TEMP, "enough") : 1;
	(*n)++;
	return 0;
}

static void
test_visitor_stops(void **state)
{
	struct ring *r = *state;
	struct err err;
	int n = 0;

	write_events(r, SLOTS, 1, 12);
	assert_int_equal(events_each(r->dir, r->folder, stop, &n, &err), 0);
	assert_int_equal(n, 2);
	n = 100;
	assert_int_equal(events_each(r->dir, r->folder, stop, &n, &err), -1);
	assert_string_equal(err.text, "enough");
}

#define RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown_ring)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_lies),
		RING(test_wraps),
		RING(test_number_not_known),
		RING(test_none_are_kept),
		RING(test_size_changes),
		RING(test_torn_slot),
		RING(test_truncated),
		RING(test_foreign_file),
		RING(test_something_else_in_place),
		RING(test_folder_in_place),
		RING(test_visitor_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
