/* What makes two messages the same, and what does not. */
#include "feed.h"

#include "fingerprint.h"

#define SCOPE "maildir:/home/a/Maildir"

static const char *const usual[] = { "date", "list-id", NULL };

static int
make(struct fingerprint *fp, const char *mail, const struct fingerprint_options *options)
{
	const char **fields = fingerprint_fields(options, NULL);
	struct message *m;
	int ret;

	assert_non_null(fields);
	m = feed_text(mail, options->body, fields);
	ret = fingerprint_make(fp, m, options, NULL, NULL);
	message_free(&m);
	free(fields);
	return ret;
}

/* Do both messages count as the same, with these headers? */
static bool
same_with(const char *a, const char *b, const char *const *headers)
{
	struct fingerprint_options options = { SCOPE, headers, BODY_RELAXED };
	struct fingerprint x, y;

	assert_int_equal(make(&x, a, &options), 1);
	assert_int_equal(make(&y, b, &options), 1);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static bool
same(const char *a, const char *b)
{
	return same_with(a, b, usual);
}

#define MAIL(head, body) "Message-ID: <1@a>\nDate: d\n" head "\n" body

static void
test_copies(void **state)
{
	(void)state;
	assert_true(same(MAIL("", "b\n"), MAIL("", "b\n")));
	assert_true(same(MAIL("", "b\n"), "From x\n" MAIL("Received: by x\n", "b \n")));
	assert_true(same(MAIL("Received: by a\nDelivered-To: a\nTo: a\nSubject: a\n", "b\n"),
	    MAIL("Received: by b\nDelivered-To: b\nTo: b\nSubject: b\n", "b\n")));
	assert_true(same("Message-ID: <1@a>\nDate: d\n\nb\n", "date:  d \r\nMESSAGE-ID :\r\n <1@a> \r\n\r\nb\r\n"));
	assert_true(same("Message-ID: <1@a>\nDate: d e\n\nb\n", "Message-ID: <1@a>\nDate: d\n\te\n\nb\n"));
	/* only the first occurrence counts */
	assert_true(same(MAIL("", "b\n"), MAIL("Message-ID: <2@a>\nDate: e\n", "b\n")));
	assert_true(same(MAIL("List-Id: a\n", "b\n"), MAIL("List-Id: a\nList-Id: b\n", "b\n")));
}

static void
test_other_messages(void **state)
{
	(void)state;
	assert_false(same(MAIL("", "b\n"), MAIL("", "c\n")));
	assert_false(same(MAIL("", "b\n"), "Message-ID: <1@A>\nDate: d\n\nb\n"));
	assert_false(same(MAIL("", "b\n"), "Message-ID: <1@a>\nDate: e\n\nb\n"));
	assert_false(same(MAIL("", "b\n"), "Message-ID: <1@a>\n\nb\n"));
	assert_false(same(MAIL("", "b\n"), MAIL("List-Id: <l>\n", "b\n")));
	assert_false(same(MAIL("", "b\n"), MAIL("List-Id:\n", "b\n")));	/* empty is not absent */
	assert_false(same(MAIL("", "b\n"), MAIL("Resent-Message-ID: <2@a>\n", "b\n")));
	assert_false(same(MAIL("Resent-Message-ID: <3@a>\n", "b\n"), MAIL("Resent-Message-ID: <2@a>\n", "b\n")));
	assert_false(same(MAIL("Resent-Message-ID: <3@a>\n", "b\n"), MAIL("List-Id: <3@a>\n", "b\n")));
}

static void
test_configured_headers(void **state)
{
	static const char *const none[] = { NULL }, *const subject[] = { "subject", NULL };
	static const char *const odd[] = { "body", "scope", "message-id", NULL };

	(void)state;
	assert_true(same_with("Message-ID: <1@a>\nDate: d\n\n", "Message-ID: <1@a>\nDate: e\nList-Id: l\n\n", none));
	assert_true(same_with("Message-ID: <1@a>\nDate: d\n\n", "Message-ID: <1@a>\nDate: e\nList-Id: l\n\n", NULL));
	assert_true(same_with(MAIL("", ""), MAIL("", ""), odd));
	assert_false(same_with(MAIL("Scope: a\n", ""), MAIL("", ""), odd));
	assert_false(same_with(MAIL("Subject: a\n", ""), MAIL("Subject: b\n", ""), subject));
	assert_true(same_with(MAIL("Subject: a\n", ""), MAIL("Subject: a\n", ""), subject));
}

static void
test_options_count(void **state)
{
	struct fingerprint_options options = { SCOPE, usual, BODY_RELAXED }, other = options;
	struct fingerprint x, y;

	(void)state;
	assert_int_equal(make(&x, MAIL("", "b\n"), &options), 1);
	other.scope = SCOPE "2";
	assert_int_equal(make(&y, MAIL("", "b\n"), &other), 1);
	assert_memory_not_equal(&x, &y, sizeof(x));
	other = options;
	other.body = BODY_SIMPLE;
	assert_int_equal(make(&y, MAIL("", "b\n"), &other), 1);	/* the digest is the same, the form is not */
	assert_memory_not_equal(&x, &y, sizeof(x));
}

static void
test_stand_ins(void **state)
{
	static const char full[] = "Date: d\nFrom: f\nTo: t\nSubject: s\n\nb\n";

	(void)state;
	assert_true(same(full, "Received: x\nSubject: s\nTo: t\nFrom: f\nDate: d\n\nb\n"));
	assert_true(same(full, "Date: d\nFrom: f\nTo: t\nSubject: s\nMessage-ID:\n\nb\n"));
	assert_true(same(full, "Date: d\nFrom: f\nTo: t\nSubject: s\nMessage-ID: \t\nMessage-ID: <late@a>\n\nb\n"));
	assert_false(same(full, "Date: d\nFrom: f\nTo: t\nSubject: s\nMessage-ID: <1@a>\n\nb\n"));
	assert_false(same(full, "Date: e\nFrom: f\nTo: t\nSubject: s\n\nb\n"));
	assert_false(same(full, "Date: d\nFrom: e\nTo: t\nSubject: s\n\nb\n"));
	assert_false(same(full, "Date: d\nFrom: f\nTo: e\nSubject: s\n\nb\n"));
	assert_false(same(full, "Date: d\nFrom: f\nTo: t\nSubject: e\n\nb\n"));
	assert_false(same(full, "Date: d\nFrom: f\nSubject: s\n\nb\n"));
	assert_false(same("Date: d\nFrom: x\n\n", "Date: d\nTo: x\n\n"));
	assert_true(same("Date: d\n\n", "Date: d\n\n"));
}

static void
test_nothing_identifies(void **state)
{
	struct fingerprint_options options = { SCOPE, usual, BODY_RELAXED };
	struct fingerprint fp;

	(void)state;
	assert_int_equal(make(&fp, "", &options), 0);
	assert_int_equal(make(&fp, "\nbody\n", &options), 0);
	assert_int_equal(make(&fp, "From: f\nTo: t\nSubject: s\n\nbody\n", &options), 0);
	assert_int_equal(make(&fp, "Message-ID:\nDate: \t\nFrom: f\n\n", &options), 0);
	assert_int_equal(make(&fp, "Message-ID: <a>\n\n", &options), 1);
}

static void
see(void *arg, const char *label, const void *value, size_t len)
{
	bytes_text(arg, label);
	bytes_text(arg, value == NULL ? "-" : "=");
	if (strcmp(label, "body-digest") != 0)
		bytes_add(arg, value, len);
	else
		assert_int_equal(len, BODY_DIGEST_BYTES);
	bytes_text(arg, "\n");
}

static void
assert_explained(const char *mail, int result, const char *want)
{
	struct fingerprint_options options = { SCOPE, usual, BODY_RELAXED };
	const char **fields = fingerprint_fields(&options, NULL);
	struct message *m = feed_text(mail, options.body, fields);
	struct bytes seen = { NULL, 0, 0 };
	struct fingerprint fp;

	assert_int_equal(fingerprint_make(&fp, m, &options, see, &seen), result);
	bytes_add(&seen, "", 1);
	assert_string_equal(seen.p, want);
	bytes_free(&seen);
	message_free(&m);
	free(fields);
}

static void
test_explain(void **state)
{
	(void)state;
	assert_explained(MAIL("List-Id:\n", "b\n"), 1,
	    "version=dedup-lda 1\nscope=" SCOPE "\nmessage-id=<1@a>\nresent-message-id-\ndate=d\nlist-id=\n"
	    "body=relaxed\nbody-digest=\n");
	assert_explained("Date: d\nSubject: s\n\n", 1,
	    "version=dedup-lda 1\nscope=" SCOPE "\nstand-in date=d\nstand-in from-\nstand-in to-\nstand-in subject=s\n"
	    "resent-message-id-\ndate=d\nlist-id-\nbody=relaxed\nbody-digest=\n");
	assert_explained("Subject: s\n\n", 0,
	    "version=dedup-lda 1\nscope=" SCOPE "\nstand-in date-\nstand-in from-\nstand-in to-\nstand-in subject=s\n"
	    "resent-message-id-\ndate-\nlist-id-\nbody=relaxed\nbody-digest=\n");
}

/* Ledgers outlive programs: the same message must have the same fingerprint in every version. Computed apart from this code. */
static void
test_known_fingerprints(void **state)
{
	struct fingerprint_options options = { SCOPE, usual, BODY_RELAXED };
	struct fingerprint fp;
	char hex[FINGERPRINT_HEX];

	(void)state;
	assert_int_equal(make(&fp, MAIL("List-Id: l\n", "a  b \n\n"), &options), 1);
	fingerprint_hex(&fp, hex);
	assert_string_equal(hex, "b6f1de822180308de98eff3236b9117dbe93943214a6ee002073ba206339a42c");
	options.body = BODY_SIMPLE;
	assert_int_equal(make(&fp, "Date: d\nSubject: s\nTo:\n\n", &options), 1);
	fingerprint_hex(&fp, hex);
	assert_string_equal(hex, "35fc031689e9407cfd81771e4b13e04db3349fd23252b71b6c80a1c457e6be68");
}

static void
test_fields(void **state)
{
	static const char *const also[] = { "received", NULL };
	struct fingerprint_options options = { SCOPE, usual, BODY_RELAXED };
	static const char *const want[] = {
		"message-id", "resent-message-id", "date", "from", "to", "subject", "list-id", "received"
	};
	const char **fields = fingerprint_fields(&options, also);
	size_t i, k;

	(void)state;
	assert_non_null(fields);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		for (k = 0; fields[k] != NULL && strcmp(fields[k], want[i]) != 0; k++)
			;
		assert_non_null(fields[k]);
	}
	free(fields);
	options.headers = NULL;
	fields = fingerprint_fields(&options, NULL);
	assert_non_null(fields);
	free(fields);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_other_messages),
		cmocka_unit_test(test_configured_headers),
		cmocka_unit_test(test_options_count),
		cmocka_unit_test(test_stand_ins),
		cmocka_unit_test(test_nothing_identifies),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_known_fingerprints),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
