/* Traces: what two chains of Received fields say of the place where a message was copied. */
#include "feed.h"

#include "received.h"
#include "trace.h"

#define NOW 1800000000
#define FIRST (NOW - 100)

/* The fields of a chain, the oldest first; tests/unit reads better so. */
#define CLIENT "from laptop (dsl-9.example.com [198.51.100.9]) by relay.example.com with ESMTPSA id C1; Fri, 20 Nov 2026 12:00:00 +0000"
#define AT_MX(id, time) "from relay.example.com (relay.example.com [192.0.2.7]) by mx.example.org (Postfix) with ESMTPS id " id \
	" for <joe@example.org>; Fri, 20 Nov 2026 " time " +0000"
#define AT_STORE(id, time) "from mx.example.org (mx.example.org [203.0.113.1]) by store.example.org (Postfix) with ESMTP id " id \
	" for <joe@example.org>; Fri, 20 Nov 2026 " time " +0000"

static const char *const keep[] = { "received", "delivered-to", NULL };
static const char *const nobody[] = { NULL };

struct chain {
	const char *hops[8];	/* the oldest first, NULL behind the last */
};

static struct message *
message_of(const struct chain *c)
{
	char text[8192] = "";
	struct message *m;
	size_t n = 0, i;

	while (n < 8 && c->hops[n] != NULL)
		n++;
	for (i = n; i-- > 0; )
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "Received: %s\n", c->hops[i]);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "Message-ID: <1@a>\n\nb\n");
	m = feed_text(text, BODY_RELAXED, keep);
	assert_non_null(m);
	return m;
}

static struct verdict
verdict_of(struct message *first, struct message *copy, const char *const *trusted, bool loops)
{
	struct record record = { .state = RECORD_DELIVERED, .first = FIRST };
	struct trace a, b;
	struct trace_copy at_hand = { .m = copy, .trace = &b, .trusted = trusted, .loops = loops };
	struct verdict v;

	trace_make(&a, first, trusted);
	trace_make(&b, copy, trusted);
	record.trace_len = trace_encode(&a, record.trace);
	trace_compare(&v, &record, &at_hand, NOW);
	message_free(&first);
	message_free(&copy);
	return v;
}

static struct verdict
compare(const struct chain *first, const struct chain *copy, const char *const *trusted)
{
	return verdict_of(message_of(first), message_of(copy), trusted, false);
}

static void
check(const struct verdict *v, enum trace_proof proof, bool sure, int64_t gap, const char *sender, const char *receiver)
{
	assert_int_equal(v->proof, proof);
	assert_int_equal(v->sure, sure);
	assert_true(v->gap == gap);
	assert_string_equal(v->sender, sender);
	assert_string_equal(v->receiver, receiver);
}

#define SAYS(first, copy, trusted, ...) do { \
	struct verdict v_ = compare(&(struct chain){ first }, &(struct chain){ copy }, trusted); \
	check(&v_, __VA_ARGS__); \
} while (0)
#define HOPS(...) { __VA_ARGS__ }
#define CHAIN(...) (&(struct chain){ { __VA_ARGS__ } })

static void
test_same_chain(void **state)
{
	(void)state;
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01")), HOPS(CLIENT, AT_MX("A", "12:00:01")), nobody,
	    PROOF_SAME_CHAIN, true, 100, "mx.example.org", "");
	SAYS(HOPS(CLIENT), HOPS("from laptop (dsl-9.example.com [198.51.100.9])\n\tby relay.example.com  with ESMTPSA id C1;\n"
	    " Fri, 20 Nov 2026 12:00:00 +0000"), nobody, PROOF_SAME_CHAIN, true, 100, "relay.example.com", "");
	/* nobody can tell who handed it over */
	SAYS(HOPS(NULL), HOPS(NULL), nobody, PROOF_SAME_CHAIN, false, 100, "", "");
	SAYS(HOPS(""), HOPS(""), nobody, PROOF_SAME_CHAIN, true, 100, "", "");
}

static void
test_gap(void **state)
{
	static const char *const mx[] = { "203.0.113.0/24", NULL }, *const by_name[] = { ".example.org", NULL };
	struct verdict v;

	(void)state;
	/* our own MTA accepted it twice */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01")), HOPS(CLIENT, AT_MX("B", "12:10:13")), nobody,
	    PROOF_QUEUE_ID, true, 612, "relay.example.com", "mx.example.org");
	v = compare(CHAIN(CLIENT, AT_MX("A", "12:00:01")), CHAIN(CLIENT, AT_MX("B", "12:10:13")), nobody);
	assert_string_equal(v.queue_id, "B");
	assert_true(trace_proves(&v));
	/* the copy came first */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:10:13")), HOPS(CLIENT, AT_MX("B", "12:00:01")), nobody,
	    PROOF_QUEUE_ID, true, 612, "relay.example.com", "mx.example.org");
	/* another host did, which says so itself */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:02")),
	    HOPS(CLIENT, AT_MX("B", "12:10:13"), AT_STORE("S2", "12:10:14")), nobody,
	    PROOF_QUEUE_ID, false, 612, "relay.example.com", "mx.example.org");
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:02")),
	    HOPS(CLIENT, AT_MX("B", "12:10:13"), AT_STORE("S2", "12:10:14")), mx,
	    PROOF_QUEUE_ID, true, 612, "relay.example.com", "mx.example.org");
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:02")),
	    HOPS(CLIENT, AT_MX("B", "12:10:13"), AT_STORE("S2", "12:10:14")), by_name,
	    PROOF_QUEUE_ID, true, 612, "relay.example.com", "mx.example.org");
	/* inside: mx to store */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:02")),
	    HOPS(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S2", "12:05:02")), nobody,
	    PROOF_QUEUE_ID, true, 300, "mx.example.org", "store.example.org");
	/* a date that nobody can read */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01")), HOPS(CLIENT, AT_MX("B", "noon")), nobody,
	    PROOF_QUEUE_ID, true, GAP_UNKNOWN, "relay.example.com", "mx.example.org");
}

#define FROM(sender, by, id, rcpt) "from " sender " by " by " (Postfix) with ESMTP id " id rcpt "; Fri, 20 Nov 2026 12:00:01 +0000"

static void
test_same_sender(void **state)
{
	static const char *const pool[] = { ".big.example", NULL }, *const one[] = { "m1.big.example", "m2.big.example", NULL };

	(void)state;
	/* its word for itself is another, its address is not */
	SAYS(HOPS(CLIENT, FROM("one (r.example.com [192.0.2.7])", "mx", "A", "")), HOPS(CLIENT, FROM("two ([192.0.2.7])", "mx", "B", "")),
	    nobody, PROOF_QUEUE_ID, true, 0, "[192.0.2.7]", "mx");
	SAYS(HOPS(CLIENT, FROM("one ([192.0.2.7])", "mx", "A", "")), HOPS(CLIENT, FROM("one ([192.0.2.8])", "mx", "B", "")),
	    nobody, PROOF_FORK, true, 0, "relay.example.com", "mx");
	/* its word alone proves nothing */
	SAYS(HOPS(CLIENT, FROM("one.example", "mx", "A", "")), HOPS(CLIENT, FROM("one.example", "mx", "B", "")),
	    nobody, PROOF_QUEUE_ID, false, 0, "one.example", "mx");
	/* another machine of many */
	SAYS(HOPS(CLIENT, FROM("m1 (m1.big.example [192.0.2.1])", "mx", "A", "")),
	    HOPS(CLIENT, FROM("m2 (m2.big.example [192.0.2.2])", "mx", "B", "")),
	    nobody, PROOF_QUEUE_ID, false, 0, "m2.big.example", "mx");
	SAYS(HOPS(CLIENT, FROM("m1 (m1.big.example [192.0.2.1])", "mx", "A", "")),
	    HOPS(CLIENT, FROM("m2 (m2.big.example [192.0.2.2])", "mx", "B", "")),
	    pool, PROOF_QUEUE_ID, true, 0, "m2.big.example", "mx");
	SAYS(HOPS(CLIENT, FROM("m1 (m1.big.example [192.0.2.1])", "mx", "A", "")),
	    HOPS(CLIENT, FROM("m2 (m2.big.example [192.0.2.2])", "mx", "B", "")),
	    one, PROOF_QUEUE_ID, false, 0, "m2.big.example", "mx");
	/* a domain is no pool of machines */
	SAYS(HOPS(CLIENT, FROM("a (a.example [192.0.2.1])", "mx", "A", "")), HOPS(CLIENT, FROM("b (b.example [192.0.2.2])", "mx", "B", "")),
	    nobody, PROOF_FORK, true, 0, "relay.example.com", "mx");
	SAYS(HOPS(CLIENT, FROM("m1 (m1.big.example [192.0.2.1])", "mx", "A", "")),
	    HOPS(CLIENT, FROM("m1 (m1.big.test [192.0.2.2])", "mx", "B", "")),
	    nobody, PROOF_FORK, true, 0, "relay.example.com", "mx");
	/* another machine of the receiver's: its clock is another */
	SAYS(HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx1", "A", "")), HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx2", "B", "")),
	    nobody, PROOF_QUEUE_ID, false, 0, "[192.0.2.7]", "mx2");
	/* one message for two recipients */
	SAYS(HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx", "A", " for <joe@x>")), HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx", "B", " for <sales@x>")),
	    nobody, PROOF_FORK, true, 0, "relay.example.com", "mx");
	SAYS(HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx", "A", " (for <joe@x>) for joe@x")),
	    HOPS(CLIENT, FROM("r ([192.0.2.7])", "mx", "B", " (for <sales@x>) for joe@x")),
	    nobody, PROOF_QUEUE_ID, true, 0, "[192.0.2.7]", "mx");
}

static void
test_first_hop(void **state)
{
	(void)state;
	SAYS(HOPS(AT_MX("A", "12:00:01")), HOPS(AT_MX("B", "12:01:01")), nobody,
	    PROOF_SENDER, true, 60, "relay.example.com", "mx.example.org");
	SAYS(HOPS(AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:01")), HOPS(AT_MX("B", "12:01:01"), AT_STORE("S2", "12:00:01")), nobody,
	    PROOF_SENDER, false, 60, "relay.example.com", "mx.example.org");
	SAYS(HOPS(AT_MX("A", "12:00:01")), HOPS(CLIENT), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	SAYS(HOPS(NULL), HOPS(CLIENT), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	SAYS(HOPS(CLIENT), HOPS(NULL), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	/* from nobody knows whom */
	SAYS(HOPS("by mx with ESMTP id A"), HOPS("by mx with ESMTP id B"), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	SAYS(HOPS(CLIENT, "by mx with LMTP id A"), HOPS(CLIENT, "by mx with LMTP id B"), nobody,
	    PROOF_QUEUE_ID, false, GAP_UNKNOWN, "relay.example.com", "mx");
}

#define VIA_LIST "from relay.example.com ([192.0.2.7]) by lists.example.net with ESMTP id L for <all@lists.example.net>;" \
	" Fri, 20 Nov 2026 12:00:03 +0000"
#define FROM_LIST "from lists.example.net ([192.0.2.99]) by mx.example.org with ESMTP id M for <joe@example.org>;" \
	" Fri, 20 Nov 2026 12:00:09 +0000"

static void
test_fork(void **state)
{
	(void)state;
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01")), HOPS(CLIENT, VIA_LIST, FROM_LIST), nobody,
	    PROOF_FORK, false, GAP_UNKNOWN, "relay.example.com", "lists.example.net");
	/* the forged early copy: older hops as they came from a list, and another sender */
	SAYS(HOPS(CLIENT, VIA_LIST, FROM("lists.example.net ([198.51.100.66])", "mx.example.org", "F", " for <joe@example.org>")),
	    HOPS(CLIENT, VIA_LIST, FROM_LIST), nobody, PROOF_FORK, true, 8, "lists.example.net", "mx.example.org");
	/* what came here directly, after a copy of it had gone on and came back */
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), VIA_LIST), HOPS(CLIENT, AT_MX("A", "12:00:01")), nobody,
	    PROOF_FORK, true, GAP_UNKNOWN, "mx.example.org", "");
}

/* Whoever can write older hops does not choose who wrote them. */
static void
test_forged_trust(void **state)
{
	static const char *const mx[] = { "mx.example.org", NULL };
	struct verdict v;

	(void)state;
	/* an early copy from elsewhere, with a hop that looks like the trusted host's */
	v = compare(CHAIN(CLIENT, AT_MX("forged", "12:00:01"),
	    FROM("mx.example.org ([198.51.100.66])", "store.example.org", "S1", "")),
	    CHAIN(CLIENT, AT_MX("real", "12:00:02"), AT_STORE("S2", "12:00:03")), mx);
	check(&v, PROOF_QUEUE_ID, false, 1, "relay.example.com", "mx.example.org");
	assert_false(trace_proves(&v));
	/* both by the trusted host */
	v = compare(CHAIN(CLIENT, AT_MX("A", "12:00:01"), AT_STORE("S1", "12:00:02")),
	    CHAIN(CLIENT, AT_MX("B", "12:00:02"), AT_STORE("S2", "12:00:03")), mx);
	check(&v, PROOF_QUEUE_ID, true, 1, "relay.example.com", "mx.example.org");
	assert_true(trace_proves(&v));
}

#define OUT "from mx.example.org ([203.0.113.1]) by fwd.example.net with ESMTP id O for <joe@example.net>; Fri, 20 Nov 2026 12:00:09 +0000"
#define BACK "from fwd.example.net ([192.0.2.50]) by mx.example.org with ESMTP id Z for <joe@example.org>; Fri, 20 Nov 2026 12:00:19 +0000"
#define INSIDE(id) "from mx.example.org ([127.0.0.1]) by localhost (mx.example.org [127.0.0.1]) (amavisd-new, port 10024) with ESMTP" \
	" id x" id " for <joe@example.org>; Fri, 20 Nov 2026 12:00:02 +0000"
#define AGAIN(id) "from localhost (localhost [127.0.0.1]) by mx.example.org (Postfix) with ESMTP id y" id \
	" for <joe@example.org>; Fri, 20 Nov 2026 12:00:02 +0000"

static void
test_loop(void **state)
{
	static const char *const local[] = { "127.0.0.0/8", NULL };

	(void)state;
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01")), HOPS(CLIENT, AT_MX("A", "12:00:01"), OUT, BACK), nobody,
	    PROOF_LOOP, true, 100, "mx.example.org", "fwd.example.net");
	/* through a host twice, on a way of its own */
	SAYS(HOPS(AT_STORE("S", "12:00:01")), HOPS(AT_MX("A", "12:00:01"), OUT, BACK), nobody,
	    PROOF_LOOP, false, GAP_UNKNOWN, "", "");
	SAYS(HOPS(CLIENT, AT_STORE("S", "12:00:01")), HOPS(CLIENT, AT_MX("A", "12:00:01"), OUT, BACK), nobody,
	    PROOF_LOOP, false, GAP_UNKNOWN, "", "");
	/* where all mail goes that way it says nothing */
	SAYS(HOPS(AT_MX("B", "12:00:01"), OUT, BACK), HOPS(VIA_LIST, AT_MX("A", "12:00:01"), OUT, BACK), nobody,
	    PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	/* a content filter on the same host is no loop */
	SAYS(HOPS(CLIENT, AT_STORE("S", "12:00:01")), HOPS(CLIENT, AT_MX("B", "12:00:01"), INSIDE("2"), AGAIN("2")), nobody,
	    PROOF_FORK, false, GAP_UNKNOWN, "relay.example.com", "mx.example.org");
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), INSIDE("1"), AGAIN("1")), HOPS(CLIENT, AT_MX("B", "12:02:01"), INSIDE("2"), AGAIN("2")),
	    nobody, PROOF_QUEUE_ID, false, 120, "relay.example.com", "mx.example.org");
	SAYS(HOPS(CLIENT, AT_MX("A", "12:00:01"), INSIDE("1"), AGAIN("1")), HOPS(CLIENT, AT_MX("B", "12:02:01"), INSIDE("2"), AGAIN("2")),
	    local, PROOF_QUEUE_ID, true, 120, "relay.example.com", "mx.example.org");
	/* the same host twice in a row */
	SAYS(HOPS(CLIENT, AT_STORE("S", "12:00:01")), HOPS(CLIENT, AT_MX("B", "12:00:01"), FROM("mx", "mx.example.org", "T", "")), nobody,
	    PROOF_FORK, false, GAP_UNKNOWN, "relay.example.com", "mx.example.org");
}

static void
test_delivered_to(void **state)
{
	struct verdict v;

	(void)state;
	v = verdict_of(message_of(CHAIN(CLIENT)), message_of(CHAIN(VIA_LIST)), nobody, true);
	check(&v, PROOF_LOOP, false, GAP_UNKNOWN, "", "");
	/* but who handed it over again is known better */
	v = verdict_of(message_of(CHAIN(CLIENT)), message_of(CHAIN(CLIENT)), nobody, true);
	check(&v, PROOF_SAME_CHAIN, true, 100, "relay.example.com", "");
}

/* --- long chains --- */

/* n hops; hop `other` (0 the oldest) and all newer ones differ from those of other words. */
static struct message *
message_long(size_t n, size_t other, const char *word)
{
	char *text = NULL;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);
	struct message *m;

	assert_non_null(f);
	for (i = n; i-- > 0; )
		fprintf(f, "Received: from h%zu (h%zu.example.com [10.0.%zu.%zu]) by h%zu with ESMTP id %s\n", i, i, i / 250, i % 250, i + 1,
		    i >= other ? word : "same");
	fputs("Message-ID: <1@a>\n\nb\n", f);
	assert_int_equal(fclose(f), 0);
	m = feed_text(text, BODY_RELAXED, keep);
	free(text);
	return m;
}

static enum trace_proof
proof_long(size_t n, size_t other, size_t m)
{
	return verdict_of(message_long(n, other, "one"), message_long(m, other, "two"), nobody, false).proof;
}

static void
test_long(void **state)
{
	(void)state;
	assert_int_equal(proof_long(TRACE_HOPS, TRACE_HOPS - 1, TRACE_HOPS), PROOF_QUEUE_ID);
	assert_int_equal(proof_long(60, 59, 60), PROOF_QUEUE_ID);
	assert_int_equal(proof_long(60, 60, 60), PROOF_SAME_CHAIN);
	assert_int_equal(proof_long(60, 10, 60), PROOF_QUEUE_ID);
	assert_int_equal(proof_long(60, 0, 60), PROOF_SENDER);
	assert_int_equal(proof_long(60, 30, 60), PROOF_SEPARATE);	/* nobody knows where */
	assert_int_equal(proof_long(30, 30, 60), PROOF_SEPARATE);
	assert_int_equal(proof_long(20, 20, 60), PROOF_LOOP);
	assert_int_equal(proof_long(256, 256, 256), PROOF_SAME_CHAIN);
	assert_int_equal(proof_long(256, 255, 256), PROOF_QUEUE_ID);
	assert_int_equal(proof_long(400, 400, 400), PROOF_SAME_CHAIN);	/* of those that are looked at */
}

/* --- encoding --- */

static void
test_encoding(void **state)
{
	static const size_t lens[] = { 0, 1, 2, TRACE_HOPS - 1, TRACE_HOPS, TRACE_HOPS + 1, 100, 256 };
	unsigned char bytes[TRACE_MAX], again[TRACE_MAX];
	struct trace t, back;
	struct message *m;
	size_t i, j, len;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		m = message_long(lens[i], 0, "x");
		trace_make(&t, m, nobody);
		message_free(&m);
		assert_int_equal(t.hops, lens[i]);
		assert_int_equal(t.believed, lens[i] > 0);
		len = trace_encode(&t, bytes);
		assert_int_equal(len, 6 + 32 * (lens[i] < TRACE_HOPS ? lens[i] : TRACE_HOPS));
		assert_int_equal(trace_decode(&back, bytes, len), 0);
		assert_int_equal(trace_encode(&back, again), len);
		assert_memory_equal(bytes, again, len);
		for (j = 0; j < len; j++)
			assert_int_equal(trace_decode(&back, bytes, j), -1);
	}
}

static void
test_broken(void **state)
{
	static const struct { size_t at; unsigned char byte; } breaks[] = { { 0, 0 }, { 0, 2 }, { 1, 2 }, { 2, 1 }, { 3, 3 }, { 5, 3 } };
	struct record record = { .state = RECORD_DELIVERED, .first = FIRST };
	struct message *m = message_of(CHAIN(CLIENT, AT_MX("A", "12:00:01")));
	struct trace t;
	struct trace_copy copy = { .m = m, .trace = &t, .trusted = nobody };
	struct verdict v;
	unsigned char good;
	size_t i;

	(void)state;
	trace_make(&t, m, nobody);
	record.trace_len = trace_encode(&t, record.trace);
	for (i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		good = record.trace[breaks[i].at];
		record.trace[breaks[i].at] = breaks[i].byte;
		trace_compare(&v, &record, &copy, NOW);
		check(&v, PROOF_NONE, false, GAP_UNKNOWN, "", "");
		record.trace[breaks[i].at] = good;
	}
	trace_compare(&v, &record, &copy, NOW);
	check(&v, PROOF_SAME_CHAIN, true, 100, "mx.example.org", "");
	record.trace_len = 0;
	trace_compare(&v, &record, &copy, NOW);
	check(&v, PROOF_NONE, false, GAP_UNKNOWN, "", "");
	assert_false(trace_proves(&v));
	message_free(&m);
}

static void
test_hostile(void **state)
{
	struct verdict v;
	size_t i;

	(void)state;
	v = compare(CHAIN(CLIENT, FROM("r ([192.0.2.7])", "mx\" proof=queue-id", "A", "")),
	    CHAIN(CLIENT, FROM("r->x=y ([192.0.2.7])", "mx\" proof=queue-id", "B", "")), nobody);
	assert_int_equal(v.proof, PROOF_QUEUE_ID);
	for (i = 0; v.sender[i] != '\0'; i++)
		assert_null(strchr("\"= <>\\", v.sender[i]));
	for (i = 0; v.receiver[i] != '\0'; i++)
		assert_null(strchr("\"= <>\\", v.receiver[i]));
	/* two fields are not one */
	SAYS(HOPS("a", "b"), HOPS("ab"), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
	SAYS(HOPS("ab", "c"), HOPS("a", "bc"), nobody, PROOF_SEPARATE, false, GAP_UNKNOWN, "", "");
}

/* --- keys --- */

static void
test_key(void **state)
{
	struct message *one = message_of(CHAIN(CLIENT, AT_MX("A", "12:00:01")));
	struct message *two = message_of(CHAIN(CLIENT, AT_MX("B", "12:00:01")));
	struct fingerprint fp = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } }, other = { { 1, 2, 3, 4, 5, 6, 7, 8, 10 } }, a, b;
	struct trace s, t;

	(void)state;
	trace_make(&s, one, nobody);
	trace_make(&t, two, nobody);
	trace_key(&a, &fp, &s);
	assert_memory_equal(a.bytes, fp.bytes, FINGERPRINT_TAG / 2);
	assert_memory_not_equal(a.bytes, fp.bytes, FINGERPRINT_BYTES);
	trace_key(&b, &fp, &s);
	assert_memory_equal(a.bytes, b.bytes, FINGERPRINT_BYTES);
	trace_key(&b, &fp, &t);
	assert_memory_not_equal(a.bytes, b.bytes, FINGERPRINT_BYTES);
	trace_key(&b, &other, &s);
	assert_memory_not_equal(a.bytes, b.bytes, FINGERPRINT_BYTES);
	message_free(&one);
	message_free(&two);
}

static void
test_words(void **state)
{
	static const char *const names[] = { "none", "same-chain", "queue-id", "sender", "fork", "loop", "separate", "none" };
	struct event event = { .proof = 0, .gap = 612, .sender = "mx1.example", .receiver = "mx2.example", .queue_id = "4XyZ" };
	char text[TRACE_WORDS], longest[EVENT_NAME];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(trace_proof_name(i), names[i]);
		assert_string_equal(trace_proof_name(i | PROOF_SURE), names[i]);
	}
	assert_string_equal(trace_proof_name(255), "none");
	trace_words(&event, text);
	assert_string_equal(text, "");
	event.proof = PROOF_QUEUE_ID | PROOF_SURE;
	trace_words(&event, text);
	assert_string_equal(text, "copied between mx1.example and mx2.example, 612 s apart: it was taken there twice, this time as 4XyZ");
	event.proof = PROOF_QUEUE_ID;
	event.gap = GAP_UNKNOWN;
	trace_words(&event, text);
	assert_string_equal(text, "copied between mx1.example and mx2.example: it was taken there twice, this time as 4XyZ"
	    " (as hosts say that need not be believed)");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(event.sender, longest, sizeof(event.sender));
	memcpy(event.receiver, longest, sizeof(event.receiver));
	event.gap = INT64_MAX;
	for (i = 0; i <= 255; i++) {
		event.proof = i;
		trace_words(&event, text);
		assert_true(strlen(text) < TRACE_WORDS - 1);	/* nothing was cut */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_chain), cmocka_unit_test(test_gap), cmocka_unit_test(test_same_sender),
		cmocka_unit_test(test_first_hop), cmocka_unit_test(test_fork), cmocka_unit_test(test_forged_trust),
		cmocka_unit_test(test_loop), cmocka_unit_test(test_delivered_to), cmocka_unit_test(test_long),
		cmocka_unit_test(test_encoding), cmocka_unit_test(test_broken), cmocka_unit_test(test_hostile), cmocka_unit_test(test_key),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
