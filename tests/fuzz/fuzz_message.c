/*
 * Reading a message and making its fingerprint: the same whatever the size of the pieces, in memory, in a file or handed on; and
 * the body digest is the one of a canonical body made without any cleverness.
 */
#include <sys/syscall.h>

#include "digest.h"
#include "fingerprint.h"
#include "fuzz.h"

static const char *const counted[] = { "date", "list-id", NULL }, *const also[] = { "return-path", NULL };
static const char **fields;

/* message_read() gets at most so many bytes at once. */
static struct {
	int fd;
	size_t most;
	uint32_t dice;	/* 0: always `most` */
} slow = { .fd = -1 };

ssize_t
read(int fd, void *buf, size_t n)
{
	size_t most = slow.most;

	if (fd == slow.fd && slow.dice != 0) {
		slow.dice = slow.dice * 1664525u + 1013904223u;
		most = 1 + (slow.dice >> 16) % slow.most;
	}
	return syscall(SYS_read, fd, buf, fd == slow.fd && n > most ? most : n);
}

struct reading {
	struct message *m;
	struct fingerprint fp;
	bool made;
};

static void
identify_for(struct reading *r, enum body_form form, const char *scope)
{
	const struct fingerprint_options options = { .scope = scope, .headers = counted, .body = form };

	r->made = fingerprint_make(&r->fp, r->m, &options, NULL, NULL);
}

static void
read_as(struct reading *r, const void *p, size_t len, enum body_form form, const struct sink *spill)
{
	const struct message_options options = { .fields = fields, .body = form, .spill = spill };
	struct err err = { .text = "" };

	slow.fd = file_of(p, len);
	must(message_read(&r->m, slow.fd, &options, &err) == 0);
	close(slow.fd);
	slow.fd = -1;
	must(message_size(r->m) == len);
	identify_for(r, form, "maildir:/a");
}

static void
read_in_pieces(struct reading *r, const void *p, size_t len, enum body_form form, size_t most, uint32_t dice)
{
	slow.most = most;
	slow.dice = dice;
	read_as(r, p, len, form, NULL);
}

static void
check_field(const struct field *f)
{
	must(f->len <= MESSAGE_FIELD_MAX && f->value[f->len] == '\0');
	must(f->len == 0 || (f->value[0] != ' ' && f->value[f->len - 1] != ' '));
	for (size_t i = 0; i < f->len; i++)
		must(f->value[i] != '\n' && f->value[i] != '\t' && (f->value[i] != ' ' || f->value[i + 1] != ' '));
}

/* What counts is the same. */
static void
check_same_fingerprint(const struct reading *a, const struct reading *b)
{
	must(memcmp(message_body_digest(a->m), message_body_digest(b->m), BODY_DIGEST_BYTES) == 0);
	must(a->made == b->made);
	must(!a->made || memcmp(&a->fp, &b->fp, sizeof(a->fp)) == 0);
	for (size_t i = 0; fields[i] != NULL; i++)
		for (size_t n = 0;; n++) {
			const struct field *f = message_field(a->m, fields[i], n), *g = message_field(b->m, fields[i], n);

			must((f == NULL) == (g == NULL));
			if (f == NULL)
				break;
			check_field(f);
			must(same_bytes(f->value, f->len, g->value, g->len));
		}
}

static void
check_same(const struct reading *a, const struct reading *b)
{
	const char *e = message_envelope(a->m), *f = message_envelope(b->m);

	check_same_fingerprint(a, b);
	must((e == NULL) == (f == NULL));
	must(e == NULL || strcmp(e, f) == 0);
}

static void
check_replay(const struct reading *r, const void *p, size_t len)
{
	struct bytes out = { 0 };
	const struct sink sink = { bytes_write, &out };

	must(message_replay(r->m, &sink, NULL) == 0);
	must(same_bytes(out.p, out.len, p, len));
	bytes_free(&out);
}

/* In pieces of one byte and of odd sizes. */
static void
check_pieces(const struct reading *whole, const uint8_t *data, size_t size, enum body_form form)
{
	struct reading r;

	read_in_pieces(&r, data, size, form, 1, 0);
	check_same(whole, &r);
	check_replay(&r, data, size);
	message_free(&r.m);
	read_in_pieces(&r, data, size, form, 13, hash_of(data, size) | 1);
	check_same(whole, &r);
	check_replay(&r, data, size);
	message_free(&r.m);
}

/* Empty lines at the end do not count, so this message is the same, and too large for memory. */
static void
check_outgrown(const struct reading *whole, const uint8_t *data, size_t size, enum body_form form)
{
	struct bytes in = { 0 }, out = { 0 };
	const struct sink spill = { bytes_write, &out };
	struct reading r;

	if (size > 0 && data[size - 1] == '\r')
		return;		/* it would become part of a line end */
	bytes_add(&in, data, size);
	bytes_fill(&in, '\n', MESSAGE_MEMORY + 1);
	slow.most = 60000;
	slow.dice = 0;
	read_as(&r, in.p, in.len, form, NULL);
	must(!message_was_spilled(r.m));
	check_same_fingerprint(whole, &r);
	check_replay(&r, in.p, in.len);
	message_free(&r.m);
	read_as(&r, in.p, in.len, form, &spill);
	must(message_was_spilled(r.m));
	must(same_bytes(out.p, out.len, in.p, in.len));
	check_same_fingerprint(whole, &r);
	message_free(&r.m);
	bytes_free(&in);
	bytes_free(&out);
}

/* LF counts as CRLF. */
static void
check_line_ends(const struct reading *whole, const uint8_t *data, size_t size, enum body_form form)
{
	struct bytes in = { 0 };
	struct reading r;

	for (size_t i = 0; i < size; i++)
		bytes_add(&in, data[i] == '\n' && (i == 0 || data[i - 1] != '\r') ? "\r\n" : (const char *)data + i,
		    data[i] == '\n' && (i == 0 || data[i - 1] != '\r') ? 2 : 1);
	read_in_pieces(&r, in.p, in.len, form, 7, 0);
	check_same_fingerprint(whole, &r);
	message_free(&r.m);
	bytes_free(&in);
}

/* Another hop changes nothing, another mailbox everything. */
static void
check_what_counts(struct reading *whole, const uint8_t *data, size_t size, enum body_form form)
{
	const char *text = (const char *)data;
	struct bytes in = { 0 };
	struct reading r;

	if (size > 0 && *text > ' ' && *text < 0x7f && *text != ':' && !starts_with(text, size, "From ") &&
	    !starts_with(text, size, ">From ")) {
		bytes_text(&in, "Received: from a\n\tby b; Fri, 20 Nov 2026 12:00:00 +0000\n");
		bytes_add(&in, data, size);
		read_in_pieces(&r, in.p, in.len, form, 65536, 0);
		check_same_fingerprint(whole, &r);
		message_free(&r.m);
		bytes_free(&in);
	}
	r = *whole;
	identify_for(&r, form, "maildir:/b");
	must(!r.made || memcmp(&r.fp, &whole->fp, sizeof(r.fp)) != 0);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One line without its line end, canonical. */
static void
line_canonical(struct bytes *to, const char *p, size_t len, enum body_form form)
{
	while (form == BODY_RELAXED && len > 0 && is_blank(p[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (form == BODY_SIMPLE || !is_blank(p[i]))
			bytes_add(to, p + i, 1);
		else if (i == 0 || !is_blank(p[i - 1]))
			bytes_add(to, " ", 1);
	}
	bytes_add(to, "\r\n", 2);
}

/* RFC 6376 section 3.4, word by word. */
static void
check_canonical(const uint8_t *data, size_t size, enum body_form form)
{
	struct bytes in = { 0 }, to = { 0 };
	unsigned char want[DIGEST_BYTES];
	struct reading r;
	struct digest d;
	size_t end, text;

	bytes_add(&in, "\n", 1);
	bytes_add(&in, data, size);
	read_in_pieces(&r, in.p, in.len, form, 65536, 0);
	for (size_t at = 1; at < in.len; at = end) {
		end = line_end(in.p, in.len, at);
		text = in.p[end - 1] == '\n' ? end - 1 : end;
		if (text < end && text > at && in.p[text - 1] == '\r')
			text--;
		line_canonical(&to, in.p + at, text - at, form);
	}
	while (to.len >= 2 && memcmp(to.p + to.len - 2, "\r\n", 2) == 0 &&
	    (to.len == 2 || (to.len >= 4 && memcmp(to.p + to.len - 4, "\r\n", 2) == 0)))
		to.len -= 2;
	if (to.len == 0 && form == BODY_SIMPLE)
		bytes_text(&to, "\r\n");
	digest_start(&d);
	digest_add(&d, to.p, to.len);
	digest_end(&d, want);
	must(memcmp(want, message_body_digest(r.m), sizeof(want)) == 0);
	message_free(&r.m);
	bytes_free(&in);
	bytes_free(&to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fingerprint_options options = { .headers = counted };
	enum body_form form = (hash_of(data, size) & 1) != 0 ? BODY_RELAXED : BODY_SIMPLE;
	struct reading whole;

	fields = fingerprint_fields(&options, also);
	must(fields != NULL);
	read_in_pieces(&whole, data, size, form, 65536, 0);
	check_pieces(&whole, data, size, form);
	if (hash_of(data, size) % 4 == 0)	/* it takes its time */
		check_outgrown(&whole, data, size, form);
	check_line_ends(&whole, data, size, form);
	check_what_counts(&whole, data, size, form);
	check_canonical(data, size, BODY_RELAXED);
	check_canonical(data, size, BODY_SIMPLE);
	message_free(&whole.m);
	free(fields);
	return 0;
}
