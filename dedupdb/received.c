/*
 * A field's value is read once, item by item: words, comments, semicolons. A keyword begins a clause, and the clause says what the words
 * behind it are. Only what stands behind "from" needs more: each kind of host writes names and addresses into it in an order of its own.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "mail_date.h"
#include "received.h"
#include "span.h"

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
	bool placed;		/* a comment behind "from" had the address */
	bool looked_up;		/* the word behind "from" is the name that the receiver looked up */
	bool exim, exchange;	/* who writes so */
	const char *rest;	/* what follows the host or the id, whichever is last */
	bool protocol;		/* hop->with is a protocol's name, and complete */
};

enum { ENDS_WORD = 1, ENDS_COMMENT_WORD = 2, ENDS_BOTH = 3 };

/* Which bytes do, in a table, since each byte of each field is asked. */
static const unsigned char ends[256] = {
	[' '] = ENDS_BOTH, ['\t'] = ENDS_BOTH, ['\r'] = ENDS_BOTH, ['\n'] = ENDS_BOTH, ['\v'] = ENDS_BOTH, ['\f'] = ENDS_BOTH,
	['('] = ENDS_BOTH, [')'] = ENDS_BOTH, [';'] = ENDS_WORD, [','] = ENDS_COMMENT_WORD, ['"'] = ENDS_COMMENT_WORD,
};

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

	for (; r->at < r->end && (ends[(unsigned char)*r->at] & ENDS_WORD) == 0; r->at++)
		if (*r->at == '"')
			quoted(r);
	return (struct span){ p, (size_t)(r->at - p) };
}

static enum item
next_item(struct reading *r, struct span *s)
{
	while (r->at < r->end && byte_in(*r->at, SPAN_BLANKS ")"))
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

/* An address in brackets is worth more than one without, and the first more than the next. */
static bool
address_found(struct reading *r, struct span s)
{
	char address[HOP_ADDRESS];
	bool bare;

	if (!span_address(s, address, &bare))
		return false;
	if (*r->hop->address == '\0' || (r->bare && !bare)) {
		memcpy(r->hop->address, address, sizeof(address));
		r->bare = bare;
	}
	return true;
}

static void
name_found(struct reading *r, struct span s)
{
	s = span_host(s);
	if (*r->hop->name == '\0' && span_is_name(s))
		span_add(r->hop->name, HOP_NAME, s, tolower);
}

static void
helo_found(struct reading *r, struct span s)
{
	s = span_trim(s, SPAN_EDGE);
	if (*r->hop->helo == '\0' && !span_is_nobody(s))
		span_add(r->hop->helo, HOP_NAME, s, tolower);
}

/* --- what a comment behind "from" says --- */

static struct span
comment_word(struct span *rest)
{
	struct span s = *rest;
	size_t n = 0;

	while (s.len > 0 && (ends[(unsigned char)*s.p] & ENDS_COMMENT_WORD) != 0)
		s = span_behind(s, 1);
	while (n < s.len && (ends[(unsigned char)s.p[n]] & ENDS_COMMENT_WORD) == 0)
		n++;
	*rest = span_behind(s, n);
	s.len = n;
	return s;
}

/* Does this word name who sends, as the client has it: (ident=user), (account user ...), (envelope-from <user@host>)? It could say
 * "user@[192.0.2.1]", whatever the client's address is. */
static bool
is_user(struct span s, struct span before)
{
	return span_begins(s, "ident=") || span_is(before, "account") || *s.p == '<';
}

/* One word, with the one before it: (name [address]), (HELO word), (name [address] helo=word), (account user [address] verified). Returns
 * whether it is the address. */
static bool
from_comment_word(struct reading *r, struct span s, struct span before, bool account)
{
	bool greeting = span_is(s, "HELO") || span_is(s, "EHLO") || span_is(s, "LHLO"), found = false, bare;
	char address[HOP_ADDRESS];

	if (span_is(before, "HELO") || span_is(before, "EHLO") || span_is(before, "LHLO"))
		helo_found(r, s);
	else if (span_begins(s, "helo="))
		helo_found(r, span_behind(s, 5));
	else if (!is_user(s, before) && (found = address_found(r, s))) {
		if (!account)
			name_found(r, before);
	} else if (*s.p == '@')		/* ("port 1234"@name) */
		name_found(r, s);
	if (greeting || (span_begins(s, "helo=") && !span_same(span_behind(s, 5), r->from)) ||
	    (span_is(s, "verified") && span_address(before, address, &bare)))
		r->looked_up = true;
	if (span_is(s, "forged"))	/* (name [address] (may be forged)) */
		*r->hop->name = '\0';
	return found;
}

/* Whatever follows the comment with the address says nothing of names: a client's certificate could say anything. */
static void
from_comment(struct reading *r, struct span rest)
{
	struct span before = { rest.p, 0 }, s;
	bool account = false, found = false;
	int words = 0;

	for (s = comment_word(&rest); s.len > 0 && !r->placed; s = comment_word(&rest)) {
		account = account || (words == 0 && span_is(s, "account"));
		found = from_comment_word(r, s, before, account) || found;
		before = s;
		words++;
	}
	r->placed = r->placed || found;
	if (words == 1 && r->lone.len == 0 && (span_is_domain(before) || memchr(before.p, '@', before.len) != NULL))
		r->lone = before;
}

/* --- clauses --- */

/* The first word is kept until everything is known; an address may follow, or what the sender claims to be. */
static void
from_word(struct reading *r, struct span s)
{
	if (span_trim(s, SPAN_EDGE).len == 0 || address_found(r, r->from_words == 0 ? (struct span){ s.p, 0 } : s))
		return;
	if (r->from_words++ == 0)
		r->from = s;
	else if (span_is(s, "claiming"))
		r->looked_up = true;
	else if (r->looked_up && !span_is(s, "to") && !span_is(s, "be"))
		helo_found(r, s);
}

/* (from user@host), (from name [address]): in a comment, and yet what other hosts write as a clause. */
static void
from_in_comment(struct reading *r, struct span rest)
{
	struct span s = comment_word(&rest);

	if (!span_is(s, "from"))
		return;
	for (s = comment_word(&rest); s.len > 0; s = comment_word(&rest))
		from_word(r, s);
	r->from_words++;
	r->seen |= 1u << CLAUSE_FROM;
}

/* A program's name counts outside of the "from" clause only, where no sender has a word. */
static void
comment_read(struct reading *r, struct span s)
{
	if (r->clause == CLAUSE_FROM)
		from_comment(r, s);
	else if (r->seen == 0)
		from_in_comment(r, s);
	else {
		s = comment_word(&s);
		r->exim = r->exim || span_is(s, "Exim");
		r->looked_up = r->looked_up || span_begins(s, "fetchmail-");
	}
}

static bool
is_protocol(struct span s)
{
	static const char *const kinds[] = { "SMTP", "ESMTP", "LMTP", "UTF8SMTP", "UTF8LMTP" }, *const security[] = { "", "S", "A", "SA" };
	size_t i, j;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (j = 0; span_begins(s, kinds[i]) && j < sizeof(security) / sizeof(security[0]); j++)
			if (span_is(span_behind(s, strlen(kinds[i])), security[j]))
				return true;
	return false;
}

/* Some write more than the protocol: "with Microsoft SMTP Server". Where no word is a protocol's name all of them stand for it. */
static void
with_word(struct reading *r, struct span s)
{
	char *with = r->hop->with;
	size_t n = strlen(with);

	s = span_trim(s, SPAN_EDGE "[]");
	if (r->protocol || s.len == 0)
		return;
	r->protocol = is_protocol(s);
	r->exchange = r->exchange || span_is(s, "Microsoft") || span_is(s, "mapi") || span_is(s, "HTTPS");
	if (r->protocol)
		*with = '\0';
	else if (n > 0 && n + 1 < HOP_WITH)
		memcpy(with + n, " ", 2);
	span_add(with, HOP_WITH, s, toupper);
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
			span_add(r->hop->by, HOP_NAME, span_trim(s, SPAN_EDGE), tolower);
			r->rest = r->at;
		}
		break;
	case CLAUSE_WITH:
		with_word(r, s);
		break;
	case CLAUSE_ID:
		if (*r->hop->id == '\0') {
			span_add(r->hop->id, HOP_ID, span_trim(s, ",;<>"), kept);
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
		if (!span_is(s, keywords[i].word))
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

	if (span_address(r->from, address, &bare)) {
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
		helo_found(r, span_host(r->from));	/* else a user, or "mail pickup service" */
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
	bool bare = *hop->name == '\0' && *hop->address != '\0';

	if (bare)
		snprintf(text, HOP_NAME, "[%s]", hop->address);
	else
		snprintf(text, HOP_NAME, "%s", *hop->name != '\0' ? hop->name : hop->helo);
	return text;
}
