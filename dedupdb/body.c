/* RFC 6376 section 3.4: the canonical body. */
#include <string.h>

#include "body.h"

/* 16 bytes that are compared at once. GCC and Clang make a few instructions of it, on whatever processor. */
typedef unsigned char word __attribute__((vector_size(16)));

#define WORD sizeof(word)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void
body_start(struct body *b, enum body_form form)
{
	b->form = form;
	b->any = b->blank = b->cr = false;
	b->line_ends = 0;
	b->len = 0;
	digest_start(&b->digest);
}

static void
body_flush(struct body *b)
{
	digest_add(&b->digest, b->buf, b->len);
	b->len = 0;
}

static void
body_put(struct body *b, const char *p, size_t len)
{
	if (len > sizeof(b->buf) - b->len)
		body_flush(b);
	if (len > sizeof(b->buf)) {
		digest_add(&b->digest, p, len);
		return;
	}
	memcpy(b->buf + b->len, p, len);
	b->len += len;
}

/* Put out text, which proves that the white space and line ends before it are not at the end. */
static void
body_text(struct body *b, const char *p, size_t len)
{
	for (; b->line_ends > 0; b->line_ends--)
		body_put(b, "\r\n", 2);
	if (b->blank)
		body_put(b, " ", 1);
	b->blank = false;
	b->any = true;
	body_put(b, p, len);
}

/* Neither a TAB in the 16 bytes at p nor two blanks in a row in the 17 bytes there? */
static inline bool
is_unchanged(const char *p)
{
	word here, next, changed;
	uint64_t half[2];

	memcpy(&here, p, sizeof(here));
	memcpy(&next, p + 1, sizeof(next));
	changed = (word)(((here == ' ') & (next == ' ')) | (here == '\t'));
	memcpy(half, &changed, sizeof(half));
	return (half[0] | half[1]) == 0;
}

/* How many bytes of p, which starts with no blank, stay as they are: up to a TAB, two blanks in a row or a blank at the end. Most
 * lines do as a whole, which is found out by words. */
static size_t
unchanged_run(const char *p, size_t len)
{
	size_t n = 0;

	while (len - n > WORD && is_unchanged(p + n))
		n += WORD;
	if (len - n <= WORD && len > WORD && !is_blank(p[len - 1]) && is_unchanged(p + len - WORD - 1))
		return len;	/* the last words overlap */
	for (; n < len; n++)
		if (p[n] == '\t' || (p[n] == ' ' && (n + 1 == len || is_blank(p[n + 1]))))
			break;
	if (p[n - 1] == ' ')
		n--;	/* the last word ended in a blank, and a TAB follows */
	return n;
}

/* Text of one line, without its line end. */
static void
line_relaxed(struct body *b, const char *p, size_t len)
{
	size_t n;

	while (len > 0) {
		if (is_blank(*p)) {
			b->blank = true;
			n = 1;
		} else {
			n = unchanged_run(p, len);
			body_text(b, p, n);
		}
		p += n;
		len -= n;
	}
}

static void
line_text(struct body *b, const char *p, size_t len)
{
	if (len == 0)
		return;
	if (b->form == BODY_RELAXED)
		line_relaxed(b, p, len);
	else
		body_text(b, p, len);
}

/* A CR that was held back is text after all. */
static void
release_cr(struct body *b)
{
	if (b->cr)
		body_text(b, "\r", 1);
	b->cr = false;
}

void
body_add(struct body *b, const char *p, size_t len)
{
	const char *lf;
	size_t n;

	while (len > 0) {
		lf = memchr(p, '\n', len);
		n = lf == NULL ? len : (size_t)(lf - p);
		if (n > 0) {
			release_cr(b);
			b->cr = p[n - 1] == '\r';
			line_text(b, p, b->cr ? n - 1 : n);
		}
		if (lf != NULL) {
			b->blank = b->cr = false;
			b->line_ends++;
			n++;
		}
		p += n;
		len -= n;
	}
}

void
body_end(struct body *b, unsigned char bytes[BODY_DIGEST_BYTES])
{
	release_cr(b);
	/* Empty lines at the end do not count; text ends in one line end. "simple" makes even an empty body one line. */
	if (b->any || b->form == BODY_SIMPLE)
		body_put(b, "\r\n", 2);
	body_flush(b);
	digest_end(&b->digest, bytes);
}
