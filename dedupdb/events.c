/* The ring of events. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "fs.h"
#include "pack.h"

#define FILE_NAME "events"
#define FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define VERSION 1
#define CHECKSUM 8	/* bytes */
#define AT_ONCE 64	/* slots that are read together */

static const char *const names[] = {
	[EVENT_DELIVERED] = "delivered", [EVENT_DUPLICATE] = "duplicate", [EVENT_HELPED] = "helped", [EVENT_TAGGED] = "tagged",
	[EVENT_FILED] = "filed", [EVENT_RECOVERED] = "recovered", [EVENT_DROPPED] = "dropped", [EVENT_FORGOTTEN] = "forgotten",
	[EVENT_IMPORTED] = "imported", [EVENT_UNRECORDED] = "unrecorded", [EVENT_RESTORED] = "restored",
};

const char *
event_name(enum event_kind kind)
{
	return names[kind];
}

void
event_begin(struct event *event, enum event_kind kind, const struct fingerprint *fp, int64_t now)
{
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->fp = *fp;
	event->time = now;
}

void
event_message_id(struct event *event, const void *id, size_t len)
{
	event->id_whole = len < UINT16_MAX ? len : UINT16_MAX;
	event->id_len = len < EVENT_ID ? len : EVENT_ID;
	memcpy(event->id, id, event->id_len);
}

static void
pack_name(struct packer *p, const char *name)
{
	pack_string(p, name, strlen(name));
}

void
event_encode(const struct event *e, unsigned char slot[EVENT_SLOT])
{
	struct packer sum = { .bytes = slot, .size = CHECKSUM };
	struct packer p = { .bytes = slot, .len = CHECKSUM, .size = EVENT_SLOT };

	memset(slot, 0, EVENT_SLOT);
	pack_int(&p, e->number, 8);
	pack_int(&p, VERSION, 1);
	pack_int(&p, (uint64_t)e->kind, 1);
	pack_int(&p, e->proof, 1);
	pack_int(&p, 0, 1);
	pack_int(&p, (uint64_t)e->time, 8);
	pack_int(&p, (uint64_t)e->first, 8);
	pack_int(&p, e->size, 8);
	pack_int(&p, e->count, 8);
	pack_int(&p, (uint64_t)e->gap, 8);
	pack_bytes(&p, e->fp.bytes, sizeof(e->fp.bytes));
	pack_int(&p, e->id_whole, 2);
	pack_string(&p, e->id, e->id_len);
	pack_name(&p, e->sender);
	pack_name(&p, e->receiver);
	pack_name(&p, e->queue_id);
	pack_name(&p, e->place);
	pack_int(&sum, pack_checksum(slot + CHECKSUM, EVENT_SLOT - CHECKSUM), CHECKSUM);
}

static bool
is_kind(uint64_t kind)
{
	return kind > 0 && kind < sizeof(names) / sizeof(names[0]);
}

static bool
only_zeroes(const unsigned char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && bytes[i] == 0; i++)
		;
	return i == len;
}

int
event_decode(struct event *e, const unsigned char slot[EVENT_SLOT])
{
	struct unpacker u = { .bytes = slot, .left = EVENT_SLOT };
	const unsigned char *id;
	uint64_t kind;

	if (unpack_int(&u, CHECKSUM) != pack_checksum(slot + CHECKSUM, EVENT_SLOT - CHECKSUM))
		return -1;
	e->number = unpack_int(&u, 8);
	if (unpack_int(&u, 1) != VERSION || !is_kind(kind = unpack_int(&u, 1)))
		return -1;
	e->kind = (enum event_kind)kind;
	e->proof = (unsigned int)unpack_int(&u, 1);
	if (unpack_int(&u, 1) != 0)
		return -1;
	e->time = (int64_t)unpack_int(&u, 8);
	e->first = (int64_t)unpack_int(&u, 8);
	e->size = unpack_int(&u, 8);
	e->count = unpack_int(&u, 8);
	e->gap = (int64_t)unpack_int(&u, 8);
	unpack_bytes(&u, e->fp.bytes, sizeof(e->fp.bytes));
	e->id_whole = (size_t)unpack_int(&u, 2);
	id = unpack_string(&u, &e->id_len);
	unpack_text(&u, e->sender, sizeof(e->sender));
	unpack_text(&u, e->receiver, sizeof(e->receiver));
	unpack_text(&u, e->queue_id, sizeof(e->queue_id));
	unpack_text(&u, e->place, sizeof(e->place));
	if (u.bad || e->id_len > EVENT_ID || e->id_len > e->id_whole || !only_zeroes(u.bytes, u.left))
		return -1;
	memset(e->id, 0, sizeof(e->id));
	memcpy(e->id, id, e->id_len);
	return 0;
}

/* Visit the whole events of the slots `from` to before `to`, and tell which slot each is in. */
struct walk {
	int fd;
	int (*visit)(struct walk *w, uint64_t slot, const struct event *event);
	/* of the visitors */
	uint64_t newest, newest_slot;
	event_visit *each;
	void *arg;
	struct err *err;
};

/* A writer may have been at work in the slot when it was read. */
static int
decode_again(const struct walk *w, struct event *event, unsigned char *slot, uint64_t number)
{
	if (event_decode(event, slot) == 0)
		return 0;
	if (only_zeroes(slot, EVENT_SLOT) || pread(w->fd, slot, EVENT_SLOT, (off_t)(number * EVENT_SLOT)) != EVENT_SLOT)
		return -1;
	return event_decode(event, slot);
}

static int
walk(struct walk *w, uint64_t from, uint64_t to)
{
	unsigned char slots[AT_ONCE][EVENT_SLOT];
	struct event event;
	uint64_t i, n;
	ssize_t len;
	int ret = 0;

	while (ret == 0 && from < to) {
		n = to - from < AT_ONCE ? to - from : AT_ONCE;
		len = fs_pread(w->fd, slots, (size_t)n * EVENT_SLOT, (off_t)(from * EVENT_SLOT), FILE_NAME, w->err);
		if (len == -1)
			return -1;
		n = (uint64_t)len / EVENT_SLOT;
		for (i = 0; ret == 0 && i < n; i++)
			if (decode_again(w, &event, slots[i], from + i) == 0)
				ret = w->visit(w, from + i, &event);
		if (n == 0)
			break;
		from += n;
	}
	return ret;
}

static int
note_newest(struct walk *w, uint64_t slot, const struct event *event)
{
	if (event->number >= w->newest) {
		w->newest = event->number;
		w->newest_slot = slot;
	}
	return 0;
}

static int
pass_on(struct walk *w, uint64_t slot, const struct event *event)
{
	(void)slot;
	return w->each(w->arg, event, w->err);
}

/* Whatever stands in the place of a ring and is none makes way for the next event, but for a folder, which may hold something. */
static void
clear_place(int dir)
{
	if (errno == ELOOP || errno == ENXIO || errno == ESPIPE)
		(void)unlinkat(dir, FILE_NAME, 0);
}

/* Once round: what a larger ring has left behind would stay for ever. */
static void
trim(int fd, uint32_t slots)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size > (off_t)slots * EVENT_SLOT)
		(void)!ftruncate(fd, (off_t)slots * EVENT_SLOT);
}

void
events_write(int dir, uint32_t slots, uint64_t *next, const struct event *event)
{
	struct event numbered = *event;
	struct walk w = { .visit = note_newest };
	unsigned char slot[EVENT_SLOT];
	uint64_t at;

	if (slots == 0)
		return;
	w.fd = openat(dir, FILE_NAME, O_RDWR | O_CREAT | FLAGS, 0600);
	if (w.fd == -1) {
		clear_place(dir);
		return;
	}
	if (*next == 0) {
		(void)walk(&w, 0, EVENTS_MAX);
		*next = w.newest + 1;
	}
	numbered.number = *next;
	event_encode(&numbered, slot);
	at = (*next - 1) % slots;
	if (pwrite(w.fd, slot, sizeof(slot), (off_t)(at * EVENT_SLOT)) == (ssize_t)sizeof(slot))
		(*next)++;
	else
		clear_place(dir);
	if (at == slots - 1)
		trim(w.fd, slots);
	close(w.fd);
}

int
events_each(int dir, const char *path, event_visit *visit, void *arg, struct err *err)
{
	struct walk w = { .visit = note_newest, .each = visit, .arg = arg, .err = err };
	struct stat st;
	int ret;

	w.fd = openat(dir, FILE_NAME, O_RDONLY | FLAGS);
	if (w.fd == -1 && errno == ENOENT)
		return 0;
	if (w.fd == -1 && errno != ELOOP && errno != ENXIO)
		return err_sys(err, "open events of ledger", path);
	if (w.fd == -1 || fstat(w.fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		if (w.fd != -1)
			close(w.fd);
		return err_set(err, STATUS_TEMP, "ledger %s: its events is no regular file; remove it", path);
	}
	ret = walk(&w, 0, EVENTS_MAX);
	w.visit = pass_on;
	if (ret == 0)
		ret = walk(&w, w.newest_slot + 1, EVENTS_MAX);
	if (ret == 0)
		ret = walk(&w, 0, w.newest_slot + 1);
	close(w.fd);
	return ret == -1 ? -1 : 0;
}
