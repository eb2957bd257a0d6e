/*
 * Appending to an mbox of any bytes, and finding out afterwards what became of the entry when the file has any bytes: M5, nothing
 * is cut off but verified bytes of our own at the end. What is right is worked out from the bytes alone, without digests or pieces.
 *
 * Input: flags (2 bytes), how many bytes of the entry are there (2), where NULs are in it (2) and how many (1), length of the mbox
 * before (2) and of what comes after the entry (2), these two, and the message.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <strings.h>

#include "fuzz.h"
#include "mailbox.h"
#include "mbox_entry.h"

enum {
	WITHOUT_MESSAGE = 1, OTHER_MESSAGE = 2, WITH_HEAD = 4, DROP_RETURN_PATH = 8, CHANGED_PREFIX = 16, SHORTER_PREFIX = 32,
	WITHOUT_SENDER = 64
};

struct parts {
	unsigned int flags;
	size_t keep, zero_at, zero_len;
	struct input prefix, extra, message;
};

static char folder[64], path[80];
static struct mailbox_options options;
static struct record record = { .state = RECORD_PENDING };
static int syncs;

/* The disk is not what is looked at here. */
int
fsync(int fd)
{
	(void)fd;
	syncs++;
	return 0;
}

/* The input can then name the id as well. */
int
getentropy(void *buf, size_t len)
{
	memset(buf, 0xab, len);
	return 0;
}

static size_t
input_number(struct input *in)
{
	size_t low = input_byte(in);

	return low | (size_t)input_byte(in) << 8;
}

static struct input
input_part(struct input *in, size_t len)
{
	struct input part = { in->p, len < in->left ? len : in->left };

	in->p += part.left;
	in->left -= part.left;
	return part;
}

static struct parts
parts_of(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct parts p = { .flags = (unsigned int)input_number(&in) };
	size_t prefix, extra;

	p.keep = input_number(&in);
	p.zero_at = input_number(&in);
	p.zero_len = input_byte(&in);
	prefix = input_number(&in);
	extra = input_number(&in);
	p.prefix = input_part(&in, prefix);
	p.extra = input_part(&in, extra);
	p.message = in;
	return p;
}

static void
clean(void)
{
	unlink(path);
	rmdir(folder);
}

static void
prepare(const struct parts *p)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "/tmp/fuzz_mbox.XXXXXX");
		must(mkdtemp(folder) != NULL && atexit(clean) == 0);
		snprintf(path, sizeof(path), "%s/box", folder);
	}
	options = (struct mailbox_options){
		.path = path, .sender = (p->flags & WITHOUT_SENDER) != 0 ? NULL : "a@b", .locks = { MBOX_LOCK_FCNTL },
		.head = (p->flags & WITH_HEAD) != 0 ? "Return-Path: <a@b>\nDelivered-To: From b\n" : "",
		.drop_return_path = (p->flags & DROP_RETURN_PATH) != 0, .lock_timeout_ms = 60000, .stale_lock_s = 600
	};
}

static void
file_put(const void *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd != -1 && fs_write(fd, p, len, NULL, path, NULL) == 0);
	close(fd);
}

static void
file_get(struct bytes *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	must(fd != -1 && fstat(fd, &st) == 0);
	to->len = 0;
	bytes_fill(to, 0, (size_t)st.st_size);
	must(fs_pread(fd, to->p, to->len, 0, path, NULL) == (ssize_t)to->len);
	close(fd);
}

static struct mailbox *
box_locked(void)
{
	struct mailbox *box = NULL;
	struct err err = { .text = "" };

	must(mbox_ops.open(&box, &options, &err) == 0 && mbox_ops.lock(box, NULL, &err) == 0);
	return box;
}

static bool
is_empty_line(const char *p, size_t at, size_t end)
{
	return end - at == 1 ? p[at] == '\n' : end - at == 2 && p[at] == '\r' && p[at + 1] == '\n';
}

/* The next separator from `at` on, where a line starts; len when there is none. */
static size_t
separator(const char *p, size_t len, size_t at, bool after_empty)
{
	size_t end;

	for (; at < len; at = end) {
		if (after_empty && starts_with(p + at, len - at, "From "))
			break;
		end = line_end(p, len, at);
		after_empty = is_empty_line(p, at, end);
	}
	return at;
}

static bool
is_field(const char *p, size_t at, size_t end, const char *name)
{
	size_t len = strlen(name);

	return end - at > len && p[at + len] == ':' && strncasecmp(p + at, name, len) == 0;
}

static bool
is_readers(const char *p, size_t at, size_t end)
{
	static const char *const names[] = {
		"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase", "X-Label", "Content-Length", "Lines",
		"X-Mozilla-Status", "X-Mozilla-Status2", "X-Mozilla-Keys", "X-Evolution", "X-Evolution-Source",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (is_field(p, at, end, names[i]))
			return true;
	return false;
}

/* What of the entry at [at, len) a reader leaves alone: its header from X-Dedup-Id on without the reader's own fields, and its body
 * without the line ends behind it. Nothing if the header has no end or no X-Dedup-Id, or the From_ line has a NUL. */
static void
kept_by_readers(struct bytes *to, const char *p, size_t len, size_t at)
{
	size_t end = line_end(p, len, at);
	bool ours = false, counts = true;

	to->len = 0;
	if (memchr(p + at, '\0', end - at) != NULL)
		return;
	for (at = end; at < len; at = end) {
		end = line_end(p, len, at);
		if (is_empty_line(p, at, end))
			break;
		if (p[at] != ' ' && p[at] != '\t')
			counts = !is_readers(p, at, end);
		ours = ours || is_field(p, at, end, MBOX_ID_FIELD);
		if (ours && counts)
			bytes_add(to, p + at, end - at);
	}
	if (at == len || !ours) {
		to->len = 0;
		return;
	}
	while (len > end && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	bytes_add(to, "\n", 1);
	bytes_add(to, p + end, len - end);
}

/* Is there an entry that a reader may have made of ours? */
static bool
is_anywhere(const struct bytes *file, const struct bytes *entry)
{
	struct bytes want = { 0 }, got = { 0 };
	size_t at = strspn(entry->p, "\n"), next;
	bool found = false;

	kept_by_readers(&want, entry->p, entry->len, at);
	for (at = separator(file->p, file->len, 0, true); at < file->len && !found; at = next) {
		next = separator(file->p, file->len, line_end(file->p, file->len, at), false);
		kept_by_readers(&got, file->p, next, at);
		found = want.len > 0 && same_bytes(got.p, got.len, want.p, want.len);
	}
	bytes_free(&want);
	bytes_free(&got);
	return found;
}

/* Does a reader see an entry begin there? */
static bool
begins_at(const struct bytes *file, size_t start)
{
	size_t at = separator(file->p, file->len, 0, true);

	while (at < start)
		at = separator(file->p, file->len, line_end(file->p, file->len, at), false);
	return at == start;
}

/* Publishing changes nothing of what was there, and what it adds is one entry for a reader. */
static void
check_published(const struct bytes *file, const struct input *prefix, const struct bytes *entry)
{
	size_t at;

	must(file->len > prefix->left && same_bytes(file->p, prefix->left, prefix->p, prefix->left));
	must(file->p[file->len - 1] == '\n' && file->p[file->len - 2] == '\n');
	at = prefix->left + strspn(entry->p, "\n");
	must(begins_at(file, at));
	must(separator(file->p, file->len, line_end(file->p, file->len, at), false) == file->len);
	must(is_anywhere(file, entry));
}

/* Deliver, and see what the entry is. */
static void
publish(const struct message *m, const struct input *prefix, struct bytes *entry)
{
	struct mailbox *box = box_locked();
	struct bytes file = { 0 };
	struct err err = { .text = "" };
	static struct mbox_entry e;

	syncs = 0;
	must(mbox_ops.stage(box, m, NULL, &record.intent, &err) == 0);
	must(entry_decode(&e, &record.intent) == 0 && e.s0 == prefix->left);
	must(mbox_ops.publish(box, &err) == 0 && syncs > 0);
	mbox_ops.close(&box);
	file_get(&file);
	bytes_add(entry, file.p + prefix->left, file.len - prefix->left);
	must(entry->len == e.len);
	bytes_add(entry, "", 1);	/* for strspn() */
	entry->len--;
	check_published(&file, prefix, entry);
	bytes_free(&file);
}

static void
make_damage(struct bytes *file, const struct parts *p, const struct bytes *entry)
{
	size_t keep = p->keep < entry->len ? p->keep : entry->len, prefix = p->prefix.left;

	bytes_add(file, p->prefix.p, prefix);
	if ((p->flags & CHANGED_PREFIX) != 0 && prefix > 0)
		file->p[p->zero_at % prefix] ^= 1;
	if ((p->flags & SHORTER_PREFIX) != 0 && prefix > 0)
		file->len = prefix = prefix - 1;
	bytes_add(file, entry->p, keep);
	for (size_t i = p->zero_at; i < p->zero_at + p->zero_len && i < keep; i++)
		file->p[prefix + i] = 0;
	bytes_add(file, p->extra.p, p->extra.left);
}

/* How long the file is when all is done; *settled: the message is there. */
static size_t
expected(const struct bytes *file, const struct parts *p, const struct bytes *entry, bool *settled)
{
	size_t s0 = p->prefix.left, seen = s0 < MBOX_PREFIX_MAX ? s0 : MBOX_PREFIX_MAX, tail;
	bool prefix = file->len >= s0 && (seen == 0 || memcmp(file->p + s0 - seen, p->prefix.p + s0 - seen, seen) == 0);

	*settled = (prefix && file->len - s0 >= entry->len && memcmp(file->p + s0, entry->p, entry->len) == 0) ||
	    is_anywhere(file, entry);
	if (*settled || !prefix || (p->flags & (WITHOUT_MESSAGE | OTHER_MESSAGE)) != 0 || file->len - s0 > entry->len)
		return file->len;
	for (tail = s0; tail < file->len; tail++)
		if (file->p[tail] != entry->p[tail - s0] && file->p[tail] != 0)
			return file->len;
	return s0;
}

static void
check_settled(const struct message *m, const struct parts *p, const struct bytes *entry)
{
	struct mailbox *box;
	struct bytes before = { 0 }, after = { 0 };
	struct err err = { .text = "" };
	enum settled got;
	bool settled;
	size_t len;

	make_damage(&before, p, entry);
	len = expected(&before, p, entry, &settled);
	file_put(before.p, before.len);
	syncs = 0;
	box = box_locked();
	got = mbox_ops.settle(box, &record, (p->flags & WITHOUT_MESSAGE) != 0 ? NULL : m, 1800000000, &err);
	mbox_ops.close(&box);
	must(got == (settled ? SETTLED : SETTLE_GONE));
	must(syncs > 0);
	file_get(&after);
	must(same_bytes(after.p, after.len, before.p, len));
	bytes_free(&before);
	bytes_free(&after);
}

/* Another message whose entry is as long where that can be, and differs at its end only. */
static struct message *
another(const struct parts *p, const struct message *m)
{
	const struct message_options how = { 0 };
	struct bytes text = { 0 };
	struct message *other;

	bytes_add(&text, p->message.p, p->message.left);
	if (text.len == 0 || message_envelope(m) != NULL || (p->flags & DROP_RETURN_PATH) != 0)
		bytes_text(&text, "\nanother\n");
	else
		text.p[text.len - 1] ^= 1;
	other = message_of(text.p, text.len, &how);
	bytes_free(&text);
	return other;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_options how = { 0 };
	struct parts p = parts_of(data, size);
	struct message *m = message_of(p.message.p, p.message.left, &how), *other;
	struct bytes entry = { 0 };

	prepare(&p);
	file_put(p.prefix.p, p.prefix.left);
	publish(m, &p.prefix, &entry);
	other = another(&p, m);
	check_settled((p.flags & OTHER_MESSAGE) != 0 ? other : m, &p, &entry);
	message_free(&m);
	message_free(&other);
	bytes_free(&entry);
	return 0;
}
