/*
 * Two copies' Received fields, as anybody may have written them: what is made of them fits into a record and comes back from it; a copy
 * is the same as itself; what is said of two can't look like anything else in a log line, and what is not sure proves nothing.
 *
 * Input: settings (1 byte), the first copy's header, NUL, the other's. Or T and the bytes of a trace.
 */
#include <ctype.h>

#include "fuzz.h"
#include "trace.h"

#define NOW 1800000000

static const char *const keep[] = { "received", NULL };
static const char *const hosts[] = { ".example.org", "192.0.2.0/25", "2001:db8::/33", "mx.example.net", NULL };

static void
check_bytes(const uint8_t *p, size_t len)
{
	unsigned char again[TRACE_MAX];
	struct trace t;

	if (trace_decode(&t, p, len) == -1)
		return;
	must(t.believed <= t.hops && t.hops <= MESSAGE_FIELDS_MAX);
	must(same_bytes(again, trace_encode(&t, again), p, len));
	must(len == 0 || trace_decode(&t, p, len - 1) == -1);
}

static bool
is_name(const char *p)
{
	for (; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._:[]?", *p) == NULL)
			return false;
	return true;
}

static struct verdict
verdict_of(const struct trace *first, const struct message *m, const struct trace *t, const char *const *trusted)
{
	struct record record = { .state = RECORD_DELIVERED, .first = NOW - 5 };
	struct trace_copy copy = { .m = m, .trace = t, .trusted = trusted };
	struct event event = { .kind = EVENT_DUPLICATE };
	char words[TRACE_WORDS];
	struct verdict v;

	record.trace_len = trace_encode(first, record.trace);
	must(record.trace_len <= TRACE_MAX);
	check_bytes(record.trace, record.trace_len);
	trace_compare(&v, &record, &copy, NOW);
	must(v.proof != PROOF_NONE && v.proof <= PROOF_SEPARATE);
	must(v.gap == GAP_UNKNOWN || (v.gap >= 0 && v.gap <= UINT32_MAX));
	must(is_name(v.sender) && is_name(v.receiver));
	must(!trace_proves(&v) || v.sure || t->hops == 0);
	trace_tell(&event, &v);
	trace_words(&event, words);
	must(words[0] != '\0' && strlen(words) < TRACE_WORDS - 1);
	return v;
}

static bool
same_fields(const struct message *a, const struct message *b)
{
	const struct field *f, *g;
	size_t i;

	for (i = 0; i < MESSAGE_FIELDS_MAX; i++) {
		f = message_field(a, "received", i);
		g = message_field(b, "received", i);
		if (f == NULL || g == NULL)
			return f == g;
		if (!same_bytes(f->value, f->len, g->value, g->len))
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_options options = { .fields = keep };
	struct input in = { data, size };
	const char *const *trusted;
	struct message *a, *b;
	char *one, *two;
	struct trace s, t;
	struct verdict v;

	if (size > 0 && data[0] == 'T') {
		check_bytes(data + 1, size - 1);
		return 0;
	}
	trusted = input_byte(&in) % 2 == 1 ? hosts : NULL;
	one = input_text(&in);
	two = input_text(&in);
	a = message_of(one, strlen(one), &options);
	b = message_of(two, strlen(two), &options);
	trace_make(&s, a, trusted);
	trace_make(&t, b, trusted);
	v = verdict_of(&s, a, &s, trusted);
	must(v.proof == PROOF_SAME_CHAIN && v.sure == (s.hops > 0));
	v = verdict_of(&s, b, &t, trusted);
	must((v.proof == PROOF_SAME_CHAIN) == same_fields(a, b));
	must((memcmp(s.chain, t.chain, sizeof(s.chain)) == 0) == same_fields(a, b));
	message_free(&a);
	message_free(&b);
	free(one);
	free(two);
	return 0;
}
