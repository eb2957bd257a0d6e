/*
 * A field's value is read once, item by item: words, comments, semicolons. A keyword begins a clause, and the clause says what the words
 * behind it are. Only what stands behind "from" needs more: each kind of host writes names and addresses into it in an order of its own.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mail_date.h"
#include "received.h"

#define BLANKS " \t\r\n\v\f"
#define CUT ",.;:\"'<>"	/* what may stand about a name and is no part of it */

struct span {
	const char *p;
	size_t len;
};

enum item { ITEM_END, ITEM_WORD, ITEM_COMMENT, ITEM_SEMICOLON };

enum clause { CLAUSE_NONE, CLAUSE_FROM, CLAUSE_BY, CLAUSE_WITH, CLAUSE_ID, CLAUSE_OTHER };

struct reading {
	struct hop *hop;
	const char *at, *end;	/* what is still to be read */
	bool flat;		/* a comment was not closed: from here on comments do not nest */
	bool unquoted;		/* there is no closing quote any more */
	enum clause clause;
	unsigned int seen;	/* a bit for each clause that has begun */
	struct span from;	/* the first word behind "from" */
	int from_words;
	struct span lone;	/* the only word of a comment behind it, if that is a name */
	bool bare;		/* the address is not in brackets */
	bool looked_up;		/* the word behind "from" is the name that the receiver looked up */
	bool exim, exchange;	/* who writes so */
	const char *rest;	/* what follows the host or the id, whichever is last */
	bool protocol;		/* hop->with is a protocol's name, and complete */
};

/* A NUL is one byte among others. */
static bool
is_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_text(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

static bool
same_text(struct span s, struct span t)
{
	return s.len == t.len && strncasecmp(s.p, t.p, s.len) == 0;
}

static bool
begins(struct span s, const char *text)
{
	return s.len >= strlen(text) && strncasecmp(s.p, text, strlen(text)) == 0;
}

static struct span
behind(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.len - n };
}

static struct span
without(struct span s, const char *edge)
{
	while (s.len > 0 && is_of(*s.p, edge))
		s = behind(s, 1);
	while (s.len > 0 && is_of(s.p[s.len - 1], edge))
		s.len--;
	return s;
}

/* Adds to what is there, as far as there is room. */
static void
put(char *to, size_t size, struct span s, int (*turn)(int))
{
	size_t n = strlen(to), i;

	for (i = 0; i < s.len && n + 1 < size; i++) {
		unsigned char c = (unsigned char)s.p[i];

		to[n++] = c > ' ' && c < 0x7f ? (char)turn(c) : '?';
	}
	to[n] = '\0';
}

static int
kept(int c)
{
	return c;
}

/* --- items --- */

/* The end of the comment that begins at p, behind its parenthesis; NULL if it is not closed. */
static const char *
comment_end(const struct reading *r, const char *p)
{
	const char *close;
	int depth = 0;

	if (r->flat) {
		close = memchr(p, ')', (size_t)(r->end - p));
		return close == NULL ? NULL : close + 1;
	}
	for (; p < r->end; p++) {
		if (*p == '\\' && p + 1 < r->end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

static struct span
comment(struct reading *r)
{
	const char *p = r->at, *close = comment_end(r, p);

	if (close == NULL && !r->flat) {
		r->flat = true;
		close = comment_end(r, p);
	}
	r->at = close == NULL ? r->end : close;
	return (struct span){ p + 1, (size_t)(r->at - p) - (close == NULL ? 1 : 2) };
}

static void
quoted(struct reading *r)
{
	const char *p;

	for (p = r->at + 1; !r->unquoted && p < r->end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '"') {
			r->at = p;
			return;
		}
	}
	r->unquoted = true;
}

static struct span
word(struct reading *r)
{
	const char *p = r->at;

	for (; r->at < r->end && !is_of(*r->at, BLANKS "();"); r->at++)
		if (*r->at == '"')
			quoted(r);
	return (struct span){ p, (size_t)(r->at - p) };
}

static enum item
next_item(struct reading *r, struct span *s)
{
	while (r->at < r->end && is_of(*r->at, BLANKS ")"))
		r->at++;
	if (r->at == r->end)
		return ITEM_END;
	if (*r->at == ';') {
		*s = (struct span){ r->at++, 1 };
		return ITEM_SEMICOLON;
	}
	if (*r->at == '(') {
		*s = comment(r);
		return ITEM_COMMENT;
	}
	*s = word(r);
	return ITEM_WORD;
}

/* --- addresses and names --- */

/* How much of it is an IPv4 address with a port, if that is one: 1.2.3.4:25, 1.2.3.4.25. */
static size_t
before_port(struct span s)
{
	size_t len = 0, i;
	int dots = 0;

	for (i = 0; i < s.len && (isdigit((unsigned char)s.p[i]) || s.p[i] == '.' || s.p[i] == ':'); i++) {
		dots += s.p[i] == '.';
		if (len == 0 && (dots == 4 || (dots == 3 && s.p[i] == ':')))
			len = i;
	}
	return i == s.len && len > 0 ? len : s.len;
}

/* What stands round an address is cut off: a user, brackets, "IPv6:", a zone, a port. */
static struct span
address_core(struct span s, bool *bare)
{
	const char *at = s.len == 0 ? NULL : memrchr(s.p, '@', s.len), *end;

	if (at != NULL)
		s = behind(s, (size_t)(at + 1 - s.p));
	*bare = s.len == 0 || *s.p != '[';
	if (!*bare)
		s = behind(s, 1);
	if (begins(s, "IPv6:"))
		s = behind(s, 5);
	for (end = s.p; end < s.p + s.len && !is_of(*end, "]%,"); end++)
		;
	s.len = (size_t)(end - s.p);
	s.len = before_port(s);
	return s;
}

/* Returns whether it is an address. An IPv4 address that is mapped into IPv6 is written as what it is. */
static bool
address_read(struct span s, char address[HOP_ADDRESS], bool *bare)
{
	struct in6_addr six;
	struct in_addr four;
	char text[HOP_ADDRESS];

	s = address_core(s, bare);
	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &four) == 1)
		return inet_ntop(AF_INET, &four, address, HOP_ADDRESS) != NULL;
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return inet_ntop(AF_INET, &six.s6_addr[12], address, HOP_ADDRESS) != NULL;
	return inet_ntop(AF_INET6, &six, address, HOP_ADDRESS) != NULL;
}

/* An address in brackets is worth more than one without, and the first more than the next. */
static bool
address_found(struct reading *r, struct span s)
{
	char address[HOP_ADDRESS];
	bool bare;

	if (!address_read(s, address, &bare))
		return false;
	if (*r->hop->address == '\0' || (r->bare && !bare)) {
		memcpy(r->hop->address, address, sizeof(address));
		r->bare = bare;
	}
	return true;
}

/* Words in the place of a name that say that there is none. */
static bool
is_nobody(struct span s)
{
	static const char *const words[] = { "", "unknown", "unverified", "unavailable", "softdnserr", "really", "actually" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_text(s, words[i]))
			return true;
	return false;
}

/* Host names as they are, with what DNS would not allow but people use. */
static bool
is_name(struct span s)
{
	char address[HOP_ADDRESS];
	bool bare;
	bool letter = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		letter = letter || isalpha((unsigned char)s.p[i]);
		if (!isalnum((unsigned char)s.p[i]) && !is_of(s.p[i], "-._"))
			return false;
	}
	return letter && !is_nobody(s) && !address_read(s, address, &bare);
}

/* A name whose last part has letters only: that of a version has not. */
static bool
is_domain(struct span s)
{
	size_t n = 0;

	while (n < s.len && isalpha((unsigned char)s.p[s.len - 1 - n]))
		n++;
	return is_name(s) && n >= 2 && n + 1 < s.len && s.p[s.len - 1 - n] == '.';
}

/* Of "user@host", "IDENT:user@host" */
static struct span
host_of(struct span s)
{
	const char *at = s.len == 0 ? NULL : memrchr(s.p, '@', s.len);

	return without(at == NULL ? s : behind(s, (size_t)(at + 1 - s.p)), CUT);
}

static void
name_found(struct reading *r, struct span s)
{
	s = host_of(s);
	if (*r->hop->name == '\0' && is_name(s))
		put(r->hop->name, HOP_NAME, s, tolower);
}

static void
helo_found(struct reading *r, struct span s)
{
	s = without(s, CUT);
	if (*r->hop->helo == '\0' && !is_nobody(s))
		put(r->hop->helo, HOP_NAME, s, tolower);
}

/* --- what a comment behind "from" says --- */

static struct span
comment_word(struct span *rest)
{
	static const char apart[] = BLANKS "(),\"";
	struct span s = without(*rest, apart);

	*rest = s;
	while (rest->len > 0 && !is_of(*rest->p, apart))
		*rest = behind(*rest, 1);
	s.len -= rest->len;
	return s;
}

/* One word, with the one before it: (name [address]), (HELO word), (name [address] helo=word), (account user [address] verified). */
static void
from_comment_word(struct reading *r, struct span s, struct span before, bool account)
{
	bool greeting = is_text(s, "HELO") || is_text(s, "EHLO") || is_text(s, "LHLO");

	if (is_text(before, "HELO") || is_text(before, "EHLO") || is_text(before, "LHLO"))
		helo_found(r, s);
	else if (begins(s, "helo="))
		helo_found(r, behind(s, 5));
	else if (address_found(r, s)) {
		if (!account)
			name_found(r, before);
	} else if (*s.p == '@')		/* ("port 1234"@name) */
		name_found(r, s);
	r->looked_up = r->looked_up || greeting || (begins(s, "helo=") && !same_text(behind(s, 5), r->from)) || is_text(s, "verified");
	if (is_text(s, "forged"))	/* (name [address] (may be forged)) */
		*r->hop->name = '\0';
}

static void
from_comment(struct reading *r, struct span rest)
{
	struct span before = { rest.p, 0 }, s;
	bool account = false;
	int words = 0;

	for (s = comment_word(&rest); s.len > 0; s = comment_word(&rest)) {
		account = account || (words == 0 && is_text(s, "account"));
		from_comment_word(r, s, before, account);
		before = s;
		words++;
	}
	if (words == 1 && r->lone.len == 0 && (is_domain(before) || memchr(before.p, '@', before.len) != NULL))
		r->lone = before;
}

/* --- clauses --- */

/* The first word is kept until everything is known; an address may follow, or what the sender claims to be. */
static void
from_word(struct reading *r, struct span s)
{
	if (without(s, CUT).len == 0 || address_found(r, r->from_words == 0 ? (struct span){ s.p, 0 } : s))
		return;
	if (r->from_words++ == 0)
		r->from = s;
	else if (is_text(s, "claiming"))
		r->looked_up = true;
	else if (r->looked_up && !is_text(s, "to") && !is_text(s, "be"))
		helo_found(r, s);
}

/* (from user@host), (from name [address]): in a comment, and yet what other hosts write as a clause. */
static void
from_in_comment(struct reading *r, struct span rest)
{
	struct span s = comment_word(&rest);

	if (!is_text(s, "from"))
		return;
	for (s = comment_word(&rest); s.len > 0; s = comment_word(&rest))
		from_word(r, s);
	r->from_words++;
	r->seen |= 1u << CLAUSE_FROM;
}

static void
comment_read(struct reading *r, struct span s)
{
	s = without(s, BLANKS);
	r->exim = r->exim || memmem(s.p, s.len, "Exim", 4) != NULL;
	r->looked_up = r->looked_up || begins(s, "fetchmail");
	if (r->clause == CLAUSE_FROM)
		from_comment(r, s);
	else if (r->seen == 0)
		from_in_comment(r, s);
}

static bool
is_protocol(struct span s)
{
	static const char *const kinds[] = { "SMTP", "ESMTP", "LMTP", "UTF8SMTP", "UTF8LMTP" }, *const security[] = { "", "S", "A", "SA" };
	size_t i, j;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (j = 0; begins(s, kinds[i]) && j < sizeof(security) / sizeof(security[0]); j++)
			if (is_text(behind(s, strlen(kinds[i])), security[j]))
				return true;
	return false;
}

/* Some write more than the protocol: "with Microsoft SMTP Server". Where no word is a protocol's name all of them stand for it. */
static void
with_word(struct reading *r, struct span s)
{
	char *with = r->hop->with;
	size_t n = strlen(with);

	s = without(s, CUT "[]");
	if (r->protocol || s.len == 0)
		return;
	r->protocol = is_protocol(s);
	r->exchange = r->exchange || is_text(s, "Microsoft") || is_text(s, "mapi") || is_text(s, "HTTPS");
	if (r->protocol)
		*with = '\0';
	else if (n > 0 && n + 1 < HOP_WITH)
		strcpy(with + n, " ");
	put(with, HOP_WITH, s, toupper);
}

static void
word_in_clause(struct reading *r, struct span s)
{
	switch (r->clause) {
	case CLAUSE_FROM:
		from_word(r, s);
		break;
	case CLAUSE_BY:
		if (*r->hop->by == '\0') {
			put(r->hop->by, HOP_NAME, without(s, CUT), tolower);
			r->rest = r->at;
		}
		break;
	case CLAUSE_WITH:
		with_word(r, s);
		break;
	case CLAUSE_ID:
		if (*r->hop->id == '\0') {
			put(r->hop->id, HOP_ID, without(s, ",;<>"), kept);
			r->rest = r->at;
		}
		break;
	case CLAUSE_NONE:
	case CLAUSE_OTHER:
		break;
	}
}

static void
word_read(struct reading *r, struct span s)
{
	static const struct { const char *word; enum clause clause; } keywords[] = {
		{ "from", CLAUSE_FROM }, { "by", CLAUSE_BY }, { "with", CLAUSE_WITH }, { "id", CLAUSE_ID }, { "via", CLAUSE_OTHER },
		{ "for", CLAUSE_OTHER },
	};
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!is_text(s, keywords[i].word))
			continue;
		r->clause = (r->seen & 1u << keywords[i].clause) != 0 ? CLAUSE_OTHER : keywords[i].clause;
		r->seen |= 1u << keywords[i].clause;
		return;
	}
	word_in_clause(r, s);
}

/* --- the whole --- */

/* Exim's: 1abcde-0002cd-Ef, and with eleven in the middle since 4.97. */
static bool
is_exim_id(const char *id)
{
	static const char alnum[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t first = strspn(id, alnum), second, third;

	if (first != 6 || id[first] != '-')
		return false;
	id += first + 1;
	second = strspn(id, alnum);
	if ((second != 6 && second != 11) || id[second] != '-')
		return false;
	id += second + 1;
	third = strspn(id, alnum);
	return (third == 2 || third == 4) && id[third] == '\0';
}

/* Exchange writes its version where others have the queue id. */
static bool
is_version(const char *id)
{
	int dots = 0;

	for (; isdigit((unsigned char)*id) || *id == '.'; id++)
		dots += *id == '.';
	return *id == '\0' && dots == 3;
}

/* The word behind "from" is what the sender called itself, or the name that the receiver looked up: with Exim, fetchmail, the smtpd of
 * the Juniper firewall toolkit, and those that say elsewhere what the sender called itself. qmail writes the address without brackets
 * and knows no ids. */
static void
sender(struct reading *r)
{
	struct hop *hop = r->hop;
	bool local = strncmp(hop->with, "LOCAL", 5) == 0, bare;
	bool qmail = *hop->address != '\0' && r->bare && *hop->with != '\0' && *hop->id == '\0' && !r->exchange;
	char address[HOP_ADDRESS];

	if (address_read(r->from, address, &bare)) {
		if (*hop->address == '\0')
			memcpy(hop->address, address, sizeof(address));
		helo_found(r, r->from);
		return;
	}
	if (r->exim)		/* from name (what the sender called itself) [address] */
		helo_found(r, r->lone);
	else
		name_found(r, r->lone);
	if (*hop->name == '\0' && *hop->address != '\0' && (r->looked_up || r->exim || qmail))
		name_found(r, r->from);
	else if (*hop->name != '\0' || *hop->address != '\0' || (!local && r->from_words == 1))
		helo_found(r, host_of(r->from));	/* else a user, or "mail pickup service" */
}

/* The date stands behind the last semicolon outside of comments, or behind the last of all, or just behind the host and the id. */
static void
date(const struct reading *r, const char *value, const char *semicolon)
{
	const char *last = value == r->end ? NULL : memrchr(value, ';', (size_t)(r->end - value));
	const char *const places[] = { semicolon, last == NULL ? NULL : last + 1, r->rest };
	struct hop *hop = r->hop;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]) && hop->time == 0; i++)
		if (places[i] != NULL)
			hop->time = mail_date(places[i], (size_t)(r->end - places[i]));
	hop->timed = hop->time != 0;
}

void
received_parse(struct hop *hop, const char *value, size_t len)
{
	struct reading r = { .hop = hop, .at = value, .end = value + len, .from = { value, 0 }, .lone = { value, 0 } };
	const char *semicolon = NULL;
	struct span s = { value, 0 };
	enum item item;

	memset(hop, 0, sizeof(*hop));
	while ((item = next_item(&r, &s)) != ITEM_END) {
		if (item == ITEM_COMMENT)
			comment_read(&r, s);
		else if (item == ITEM_WORD)
			word_read(&r, s);
		else {
			semicolon = r.at;
			r.clause = CLAUSE_NONE;
		}
	}
	r.exim = r.exim || is_exim_id(hop->id);
	r.looked_up = r.looked_up || strncmp(hop->id, "smtpd", 5) == 0;
	if (r.exchange && is_version(hop->id))
		*hop->id = '\0';
	sender(&r);
	date(&r, value, semicolon);
}

const char *
received_sender(const struct hop *hop, char text[HOP_NAME])
{
	*text = '\0';
	if (*hop->name != '\0')
		strcpy(text, hop->name);
	else if (*hop->address != '\0')
		sprintf(text, "[%s]", hop->address);
	else
		strcpy(text, hop->helo);
	return text;
}
