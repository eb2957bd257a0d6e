/*
 * A message's way, in a few numbers.
 *
 * One digest runs over all fields from the oldest on, and each hop keeps how it began there. The senders' numbers are salted with it: who
 * wants to be taken for another sender has to find an address with the same 64 bits for this one message, and who reads a ledger can't
 * compare senders of different messages, but for those of the oldest hop, which has nothing before it.
 */
#include <string.h>
#include <strings.h>

#include "pack.h"
#include "received.h"
#include "trace.h"
#include "trace_way.h"
#include "trust.h"

#define VERSION 1
#define NEWEST 10	/* of a chain that is cut */
#define HEAD_BYTES 6
#define HOP_BYTES 32

_Static_assert(HEAD_BYTES + TRACE_HOPS * HOP_BYTES <= TRACE_MAX, "a whole trace fits into a record");

size_t
trace_kept(const struct trace *t)
{
	return t->hops < TRACE_HOPS ? t->hops : TRACE_HOPS;
}

/* Where hop i of the message is kept; -1: nowhere. */
static int
place(const struct trace *t, size_t i)
{
	if (t->hops <= TRACE_HOPS || i < TRACE_HOPS - NEWEST)
		return (int)i;
	return t->hops - i <= NEWEST ? (int)(TRACE_HOPS - (t->hops - i)) : -1;
}

const struct trace_hop *
trace_at(const struct trace *t, size_t i)
{
	int at = i < t->hops ? place(t, i) : -1;

	return at == -1 ? NULL : &t->hop[at];
}

static uint64_t
first_bytes(const unsigned char *digest, size_t n)
{
	struct unpacker u = { .bytes = digest, .left = DIGEST_BYTES };

	return unpack_int(&u, n);
}

/* What a hop's numbers are salted with. */
struct salt {
	const struct digest *older;	/* all older fields */
	const char *recipient;		/* two recipients of one message, sent one by one, are no gap */
	size_t recipient_len;
};

static bool
ends_word(char c)
{
	return c == ' ' || c == ';' || c == '(' || c == ')';
}

/* The word behind "for", outside of comments. */
static void
find_recipient(struct salt *salt, const struct field *f)
{
	const char *p, *end = f->value + f->len, *word;
	bool wanted = false;
	int depth = 0;

	for (p = f->value; p < end; p++) {
		for (word = p; p < end && !ends_word(*p); p++)
			;
		if (wanted && p > word) {
			salt->recipient = word;
			salt->recipient_len = (size_t)(p - word);
			return;
		}
		if (p > word)
			wanted = depth == 0 && p - word == 3 && strncasecmp(word, "for", 3) == 0;
		if (p == end)
			return;
		depth += (*p == '(') - (*p == ')' && depth > 0);
		wanted = wanted && *p == ' ';
	}
}

/* The beginning of: all older fields, what kind of name it is, the name, for whom. */
static uint64_t
salted(const struct salt *salt, char kind, const char *name)
{
	struct digest d = *salt->older;
	unsigned char bytes[DIGEST_BYTES];

	digest_add(&d, &kind, 1);
	digest_add(&d, name, strlen(name) + 1);
	digest_add(&d, salt->recipient, salt->recipient_len);
	digest_end(&d, bytes);
	return first_bytes(bytes, 8);
}

static uint64_t
sender_number(const struct salt *salt, const struct hop *hop)
{
	if (hop->address[0] != '\0')
		return salted(salt, 'a', hop->address);
	if (hop->name[0] != '\0')
		return salted(salt, 'n', hop->name);
	return hop->helo[0] != '\0' ? salted(salt, 'h', hop->helo) : 0;
}

/* Large senders retry from another machine: mail-1.example.org, mail-2.example.org. */
static uint64_t
pool_number(const struct salt *salt, const struct hop *hop)
{
	const char *domain = strchr(hop->name, '.');

	return domain == NULL || strchr(domain + 1, '.') == NULL ? 0 : salted(salt, 'p', domain);
}

static uint32_t
name_number(const char *name)
{
	uint64_t sum = pack_checksum(name, strlen(name));

	return name[0] == '\0' ? 0 : (uint32_t)(sum ^ sum >> 32);
}

/* Which hosts the message came to. */
struct way {
	uint32_t hosts[MESSAGE_FIELDS_MAX];
	size_t len;
	bool circles;
};

/* A host may well hand a message to itself, as to a content filter and back. */
static bool
is_inside(const struct hop *hop)
{
	const char *name = hop->name[0] != '\0' ? hop->name : hop->helo;

	if (hop->address[0] != '\0')
		return strncmp(hop->address, "127.", 4) == 0 || strcmp(hop->address, "::1") == 0;
	return name[0] == '\0' || strcmp(name, "localhost") == 0 || strcmp(name, hop->by) == 0;
}

static void
way_add(struct way *w, const struct hop *hop, uint32_t by)
{
	size_t i;

	if (is_inside(hop) || (w->len > 0 && w->hosts[w->len - 1] == by) || w->len == MESSAGE_FIELDS_MAX)
		return;
	for (i = 0; i < w->len; i++)
		w->circles = w->circles || w->hosts[i] == by;
	w->hosts[w->len++] = by;
}

static void
hop_make(struct trace_hop *to, const struct digest *older, const struct hop *hop, const struct field *f)
{
	struct salt salt = { .older = older, .recipient = "" };

	find_recipient(&salt, f);
	to->sender = sender_number(&salt, hop);
	to->pool = pool_number(&salt, hop);
	to->by = name_number(hop->by);
	to->time = hop->timed && hop->time > 0 && hop->time <= UINT32_MAX ? (uint32_t)hop->time : 0;
}

/* The length goes first: fields can't be cut another way. */
static void
chain_add(struct digest *d, const struct field *f)
{
	unsigned char len[8];
	struct packer p = { .bytes = len, .size = sizeof(len) };

	pack_int(&p, f->len, sizeof(len));
	digest_add(d, len, sizeof(len));
	digest_add(d, f->value, f->len);
}

void
trace_make(struct trace *t, const struct message *m, const char *const *trusted)
{
	const struct field *fields[MESSAGE_FIELDS_MAX], *f;
	struct way way = { .len = 0 };
	struct digest d, until;
	struct trace_hop made;
	struct hop hop;
	uint16_t n = 0, in_trust = 0, i;

	memset(t, 0, sizeof(*t));
	while (n < MESSAGE_FIELDS_MAX && (f = message_field(m, "received", n)) != NULL)
		fields[n++] = f;
	t->hops = n;
	digest_start(&d);
	for (i = 0; i < n; i++) {
		f = fields[n - 1 - i];
		received_parse(&hop, f->value, f->len);
		hop_make(&made, &d, &hop, f);
		way_add(&way, &hop, made.by);
		in_trust = trust_sender(trusted, &hop) ? (uint16_t)(in_trust + 1) : 0;
		chain_add(&d, f);
		until = d;
		digest_end(&until, t->chain);
		made.chain = first_bytes(t->chain, 8);
		if (place(t, i) != -1)
			t->hop[place(t, i)] = made;
	}
	if (n == 0)
		digest_end(&d, t->chain);
	t->circles = way.circles;
	/* Our MTA wrote the newest field. A trusted sender wrote the one below its own, and so on. */
	t->believed = in_trust < n ? (uint16_t)(in_trust + 1) : n;
}

size_t
trace_encode(const struct trace *t, unsigned char bytes[TRACE_MAX])
{
	struct packer p = { .bytes = bytes, .size = TRACE_MAX };
	size_t i;

	pack_int(&p, VERSION, 1);
	pack_int(&p, t->circles, 1);
	pack_int(&p, t->hops, 2);
	pack_int(&p, t->believed, 2);
	for (i = 0; i < trace_kept(t); i++) {
		pack_int(&p, t->hop[i].chain, 8);
		pack_int(&p, t->hop[i].sender, 8);
		pack_int(&p, t->hop[i].pool, 8);
		pack_int(&p, t->hop[i].by, 4);
		pack_int(&p, t->hop[i].time, 4);
	}
	return p.len;
}

int
trace_decode(struct trace *t, const unsigned char *bytes, size_t len)
{
	struct unpacker u = { .bytes = bytes, .left = len };
	uint64_t version = unpack_int(&u, 1), circles = unpack_int(&u, 1);
	size_t i;

	memset(t, 0, sizeof(*t));
	t->circles = circles == 1;
	t->hops = (uint16_t)unpack_int(&u, 2);
	t->believed = (uint16_t)unpack_int(&u, 2);
	if (u.bad || version != VERSION || circles > 1 || t->hops > MESSAGE_FIELDS_MAX || t->believed > t->hops ||
	    u.left != trace_kept(t) * HOP_BYTES)
		return -1;
	for (i = 0; i < trace_kept(t); i++) {
		t->hop[i].chain = unpack_int(&u, 8);
		t->hop[i].sender = unpack_int(&u, 8);
		t->hop[i].pool = unpack_int(&u, 8);
		t->hop[i].by = (uint32_t)unpack_int(&u, 4);
		t->hop[i].time = (uint32_t)unpack_int(&u, 4);
	}
	return 0;
}

void
trace_key(struct fingerprint *key, const struct fingerprint *fp, const struct trace *t)
{
	static const char label[] = "dedup-lda separate copy 1";
	struct digest d;

	digest_start(&d);
	digest_add(&d, label, sizeof(label));
	digest_add(&d, fp->bytes, sizeof(fp->bytes));
	digest_add(&d, t->chain, sizeof(t->chain));
	digest_end(&d, key->bytes);
	memcpy(key->bytes, fp->bytes, FINGERPRINT_TAG / 2);
}
