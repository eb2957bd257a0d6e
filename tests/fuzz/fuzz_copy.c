/*
 * The copier: a Maildir's copy is the message without its envelope lines and, where it is told so, without its Return-Path fields;
 * an mbox's copy holds no separator, and one '>' less on each quoted line makes it the Maildir's copy again.
 */
#include <strings.h>

#include "copy.h"
#include "fingerprint.h"
#include "fuzz.h"

#define HEAD "Return-Path: <new@example.org>\n"

static void
copy_in_pieces(struct bytes *out, const struct copy_options *options, const uint8_t *data, size_t size, size_t most, uint32_t dice)
{
	struct copier *c = malloc(sizeof(*c));
	const struct sink sink = { bytes_write, out };
	size_t n;

	must(c != NULL);
	out->len = 0;
	copier_init(c, options, &sink);
	for (; size > 0; data += n, size -= n) {
		dice = dice * 1664525u + 1013904223u;
		n = 1 + (dice >> 16) % most;
		if (n > size)
			n = size;
		must(c->in.write(c->in.arg, data, n, NULL) == 0);
	}
	must(copier_finish(c, NULL) == 0);
	must(c->last == (out->len == 0 ? -1 : (unsigned char)out->p[out->len - 1]));
	free(c);
}

/* The pieces do not matter; the result is in out. */
static void
copy(struct bytes *out, const struct copy_options *options, const uint8_t *data, size_t size)
{
	struct bytes again = { 0 };
	uint32_t dice = hash_of(data, size);

	copy_in_pieces(out, options, data, size, 1, 0);
	copy_in_pieces(&again, options, data, size, 7, dice);
	must(same_bytes(out->p, out->len, again.p, again.len));
	copy_in_pieces(&again, options, data, size, 1 << 20, dice);
	must(same_bytes(out->p, out->len, again.p, again.len));
	bytes_free(&again);
}

static size_t
envelope_len(const char *p, size_t len)
{
	size_t at = 0;

	while (len > at && (starts_with(p + at, len - at, "From ") || starts_with(p + at, len - at, ">From ")))
		at = line_end(p, len, at);
	return at;
}

/* The length of a field's name if the line is the first one of a field, else 0. */
static size_t
name_len(const char *p, size_t len)
{
	size_t name = 0, colon;

	while (name < len && p[name] > ' ' && p[name] < 0x7f && p[name] != ':')
		name++;
	for (colon = name; colon < len && (p[colon] == ' ' || p[colon] == '\t');)
		colon++;
	return colon < len && colon < COPY_NAME_MAX && p[colon] == ':' ? name : 0;
}

/* The message without its Return-Path fields. */
static void
drop_return_path(struct bytes *to, const char *p, size_t len)
{
	bool inside = false, drops = false;
	size_t at, end, name;

	for (at = 0; at < len; at = end) {
		end = line_end(p, len, at);
		if (!inside || (p[at] != ' ' && p[at] != '\t')) {
			name = name_len(p + at, end - at);
			if (name == 0)
				break;
			inside = true;
			drops = name == strlen("Return-Path") && strncasecmp(p + at, "Return-Path", name) == 0;
		}
		if (!drops)
			bytes_add(to, p + at, end - at);
	}
	if (at < len)
		bytes_add(to, p + at, len - at);
}

/* A From_ line behind that many '>', or more? */
static bool
is_quoted(const char *p, size_t len, size_t least)
{
	size_t quotes = 0;

	while (quotes < len && p[quotes] == '>')
		quotes++;
	return quotes >= least && starts_with(p + quotes, len - quotes, "From ");
}

static void
check_quoted(const struct bytes *quoted, const struct bytes *plain)
{
	struct bytes back = { 0 };
	size_t at, end, quote;

	for (at = 0; at < quoted->len; at = end) {
		end = line_end(quoted->p, quoted->len, at);
		must(!starts_with(quoted->p + at, quoted->len - at, "From "));
		quote = is_quoted(quoted->p + at, end - at, 1) ? 1 : 0;
		bytes_add(&back, quoted->p + at + quote, end - at - quote);
	}
	must(same_bytes(back.p, back.len, plain->p, plain->len));
	bytes_free(&back);
}

/* A reader of the copy sees the message that we saw. */
static void
check_reread(const uint8_t *data, size_t size, const struct bytes *plain)
{
	static const char *const fields[] = { "message-id", "date", NULL };
	const struct message_options options = { .fields = fields };
	struct message *a = message_of(data, size, &options), *b = message_of(plain->p, plain->len, &options);

	must(memcmp(message_body_digest(a), message_body_digest(b), BODY_DIGEST_BYTES) == 0);
	must(message_envelope(b) == NULL);
	for (size_t i = 0; fields[i] != NULL; i++) {
		const struct field *f = message_field(a, fields[i], 0), *g = message_field(b, fields[i], 0);

		must((f == NULL) == (g == NULL) && (f == NULL || same_bytes(f->value, f->len, g->value, g->len)));
	}
	message_free(&a);
	message_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes plain = { 0 }, quoted = { 0 }, dropped = { 0 }, want = { 0 };
	size_t envelope = envelope_len((const char *)data, size);

	copy(&plain, &(struct copy_options){ .head = "" }, data, size);
	must(same_bytes(plain.p, plain.len, data + envelope, size - envelope));
	check_reread(data, size, &plain);
	copy(&quoted, &(struct copy_options){ .head = "", .quote_from = true }, data, size);
	check_quoted(&quoted, &plain);

	bytes_text(&want, HEAD);
	if (plain.len > 0 && (plain.p[0] == ' ' || plain.p[0] == '\t'))
		bytes_text(&want, "\n");
	drop_return_path(&want, plain.p, plain.len);
	copy(&dropped, &(struct copy_options){ .head = HEAD, .drop_return_path = true }, data, size);
	must(same_bytes(dropped.p, dropped.len, want.p, want.len));
	check_reread(data, size, &dropped);
	copy(&quoted, &(struct copy_options){ .head = HEAD, .drop_return_path = true, .quote_from = true }, data, size);
	check_quoted(&quoted, &dropped);

	bytes_free(&plain);
	bytes_free(&quoted);
	bytes_free(&dropped);
	bytes_free(&want);
	return 0;
}
