/* Reading a command line of LMTP. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lmtp_command.h"

#define SIZE_DIGITS_MAX 18	/* fit into 63 bits */
#define SYNTAX "501 5.5.4 syntax error in the arguments"
#define NO_ADDRESS "501 5.1.3 bad address syntax"
#define NO_SENDER "501 5.1.7 bad address syntax"

/* What is left of a line. Never read at or behind end. */
struct scan {
	const char *p, *end;
};

static bool
is_byte(const struct scan *s, char c)
{
	return s->p < s->end && *s->p == c;
}

static bool
skip_byte(struct scan *s, char c)
{
	if (!is_byte(s, c))
		return false;
	s->p++;
	return true;
}

static void
skip_blanks(struct scan *s)
{
	while (is_byte(s, ' ') || is_byte(s, '\t'))
		s->p++;
}

static bool
at_end(struct scan *s)
{
	skip_blanks(s);
	return s->p == s->end;
}

static bool
skip_text(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(s->end - s->p) < len || strncasecmp(s->p, text, len) != 0)
		return false;
	s->p += len;
	return true;
}

/* A word in upper or lower case, behind which no letter or digit goes on. */
static bool
skip_word(struct scan *s, const char *word)
{
	struct scan after = *s;

	if (!skip_text(&after, word) || (after.p < after.end && isalnum((unsigned char)*after.p)))
		return false;
	*s = after;
	return true;
}

static bool
number(struct scan *s, uint64_t *n)
{
	const char *from = s->p;

	*n = 0;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
		if (s->p - from == SIZE_DIGITS_MAX)
			return false;
		*n = *n * 10 + (uint64_t)(*s->p - '0');
	}
	return s->p > from && (s->p == s->end || *s->p == ' ' || *s->p == '\t');
}

/* How many bytes the UTF-8 character at p has (RFC 3629), or 0: it is none, or a control character. */
static size_t
utf8_len(const unsigned char *p, const unsigned char *end)
{
	size_t i, len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;

	if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) < len)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xc2 && p[1] < 0xa0) || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

static bool
is_text(const char *line, size_t len)
{
	const unsigned char *p = (const unsigned char *)line, *end = p + len;
	size_t n;

	for (; p < end; p += n) {
		n = *p < 0x80 ? 1 : utf8_len(p, end);
		if (n == 0 || (*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	}
	return true;
}

/* RFC 5321 section 4.1.2, atext; a dot counts, and so do all bytes of UTF-8 (RFC 6531). */
static bool
is_atom(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_domain(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

static bool
put(char text[LMTP_ADDRESS_MAX], size_t *n, char c)
{
	if (*n >= LMTP_ADDRESS_MAX - 1)
		return false;
	text[(*n)++] = c;
	text[*n] = '\0';
	return true;
}

/* The inside of a quoted string, up to the closing quote. */
static bool
quoted_local(struct scan *s, struct lmtp_address *a, size_t *n)
{
	while (s->p < s->end && *s->p != '"') {
		if (*s->p == '\\' && ++s->p == s->end)
			return false;
		if (*s->p == '\t' || !put(a->plain, n, *s->p++))
			return false;
	}
	return skip_byte(s, '"');
}

static bool
local_part(struct scan *s, struct lmtp_address *a, size_t *n)
{
	if (skip_byte(s, '"'))
		return quoted_local(s, a, n) && *n > 0;
	while (s->p < s->end && is_atom(*s->p))
		if (!put(a->plain, n, *s->p++))
			return false;
	return *n > 0;
}

/* @domain or @[literal]. A sender's may be none that DNS could have: to refuse it here would bounce what the MTA has accepted. */
static bool
domain(struct scan *s, struct lmtp_address *a, size_t *n, bool sender)
{
	bool literal;
	const char *from;

	if (!put(a->plain, n, *s->p++))
		return false;
	literal = is_byte(s, '[');
	if (literal && !put(a->plain, n, *s->p++))
		return false;
	for (from = s->p; s->p < s->end && (is_domain(*s->p) || (sender && is_atom(*s->p)) || (literal && *s->p == ':')); s->p++)
		if (!put(a->plain, n, *s->p))
			return false;
	if (s->p == from)
		return false;
	return !literal || (skip_byte(s, ']') && put(a->plain, n, ']'));
}

/* RFC 5321 appendix C: a source route is taken and ignored. */
static bool
skip_route(struct scan *s)
{
	if (!is_byte(s, '@'))
		return true;
	while (s->p < s->end && (is_domain(*s->p) || strchr("@,[]", *s->p) != NULL))
		s->p++;
	return skip_byte(s, ':');
}

/* text from plain: its first `local` bytes are the local part. */
static bool
write_text(struct lmtp_address *a, size_t local)
{
	bool quotes = false;
	size_t i, n = 0;

	for (i = 0; i < local; i++)
		quotes = quotes || !is_atom(a->plain[i]);
	quotes = quotes || a->plain[0] == '.' || a->plain[local - 1] == '.';
	if (quotes && !put(a->text, &n, '"'))
		return false;
	for (i = 0; i < local; i++) {
		if (quotes && (a->plain[i] == '"' || a->plain[i] == '\\') && !put(a->text, &n, '\\'))
			return false;
		if (!put(a->text, &n, a->plain[i]))
			return false;
	}
	if (quotes && !put(a->text, &n, '"'))
		return false;
	for (; a->plain[i] != '\0'; i++)
		if (!put(a->text, &n, a->plain[i]))
			return false;
	return true;
}

/* A path in its brackets. Without a domain it is a local address, as <postmaster> is. */
static bool
path(struct scan *s, struct lmtp_address *a, bool sender)
{
	size_t n = 0, local;

	if (!skip_byte(s, '<'))
		return false;
	if (sender && skip_byte(s, '>'))
		return true;
	if (!skip_route(s) || !local_part(s, a, &n))
		return false;
	local = n;
	if (is_byte(s, '@') && !domain(s, a, &n, sender))
		return false;
	return skip_byte(s, '>') && (s->p == s->end || *s->p == ' ' || *s->p == '\t') && write_text(a, local);
}

static const char *
parse_mail(struct lmtp_command *c, struct scan *s)
{
	skip_blanks(s);
	if (!skip_word(s, "FROM") || !skip_byte(s, ':'))
		return SYNTAX;
	skip_blanks(s);
	if (!path(s, &c->address, true))
		return NO_SENDER;
	while (!at_end(s)) {
		if (skip_text(s, "SIZE=")) {
			if (!number(s, &c->size))
				return SYNTAX;
		} else if (!skip_word(s, "BODY=7BIT") && !skip_word(s, "BODY=8BITMIME") && !skip_word(s, "SMTPUTF8"))
			return "555 5.5.4 unknown parameter of MAIL";
		if (s->p < s->end && !is_byte(s, ' ') && !is_byte(s, '\t'))
			return SYNTAX;
	}
	return NULL;
}

static const char *
parse_rcpt(struct lmtp_command *c, struct scan *s)
{
	skip_blanks(s);
	if (!skip_word(s, "TO") || !skip_byte(s, ':'))
		return SYNTAX;
	skip_blanks(s);
	if (!path(s, &c->address, false))
		return NO_ADDRESS;
	return at_end(s) ? NULL : "555 5.5.4 unknown parameter of RCPT";
}

static const char *
parse_bdat(struct lmtp_command *c, struct scan *s)
{
	skip_blanks(s);
	if (!number(s, &c->size))
		return SYNTAX;
	skip_blanks(s);
	c->last = skip_word(s, "LAST");
	return at_end(s) ? NULL : SYNTAX;
}

/* A name or an address literal; what it says is shown in a header field and in logs. */
static const char *
parse_lhlo(struct lmtp_command *c, struct scan *s)
{
	size_t n = 0;

	skip_blanks(s);
	while (s->p < s->end && n < LMTP_NAME_MAX - 1 && (is_domain(*s->p) || strchr("[]:", *s->p) != NULL) && (unsigned char)*s->p < 0x80)
		c->name[n++] = *s->p++;
	c->name[n] = '\0';
	return n > 0 && at_end(s) ? NULL : "501 5.5.4 LHLO takes a host name or an address literal";
}

static const char *
no_arguments(struct lmtp_command *c, struct scan *s)
{
	(void)c;
	return at_end(s) ? NULL : SYNTAX;
}

static const char *
any_arguments(struct lmtp_command *c, struct scan *s)
{
	(void)c;
	(void)s;
	return NULL;
}

static const struct {
	const char *word;
	enum lmtp_verb verb;
	const char *(*parse)(struct lmtp_command *c, struct scan *s);	/* returns the refusal, or NULL */
} verbs[] = {
	{ "MAIL", LMTP_MAIL, parse_mail },
	{ "RCPT", LMTP_RCPT, parse_rcpt },
	{ "DATA", LMTP_DATA, no_arguments },
	{ "BDAT", LMTP_BDAT, parse_bdat },
	{ "LHLO", LMTP_LHLO, parse_lhlo },
	{ "RSET", LMTP_RSET, no_arguments },
	{ "QUIT", LMTP_QUIT, no_arguments },
	{ "NOOP", LMTP_NOOP, any_arguments },
	{ "VRFY", LMTP_VRFY, any_arguments },
	{ "HELP", LMTP_HELP, any_arguments },
};

void
lmtp_command_parse(struct lmtp_command *c, const char *line, size_t len)
{
	struct scan s = { line, line + len };
	size_t i;

	c->verb = LMTP_UNKNOWN;
	c->address.text[0] = c->address.plain[0] = c->name[0] = '\0';
	c->size = 0;
	c->last = false;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!skip_word(&s, verbs[i].word))
			continue;
		c->verb = verbs[i].verb;
		c->refusal = is_text(line, len) ? verbs[i].parse(c, &s) : "501 5.5.2 control characters or no UTF-8";
		return;
	}
	c->refusal = skip_word(&s, "HELO") || skip_word(&s, "EHLO") ? "500 5.5.1 this is LMTP: say LHLO" : "500 5.5.1 unknown command";
}
