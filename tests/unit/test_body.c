/* The body digest: RFC 6376 section 3.4. */
#include "feed.h"

#include <openssl/evp.h>

#include <dirent.h>
#include <fcntl.h>

#include "body.h"

static const char *const forms[] = { "relaxed", "simple" };

static void
assert_hash_of(const struct message *m, const char *canonical, size_t len)
{
	unsigned char want[EVP_MAX_MD_SIZE];

	assert_int_equal(EVP_Digest(canonical, len, want, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(message_body_digest(m), want, BODY_DIGEST_BYTES);
}

/* What the RFC says, in the plainest way: split into lines, change each, drop the empty ones at the end, join. */
static void
canonical(struct bytes *out, const char *p, size_t len, enum body_form form)
{
	size_t n, i, start, last = 0;	/* last: where the last line that is not empty ends */
	bool lf;

	for (; len > 0; p += n, len -= n) {
		for (n = 0; n < len && p[n] != '\n'; n++)
			;
		lf = n < len;
		start = out->len;
		for (i = 0; i < n - (lf && n > 0 && p[n - 1] == '\r'); i++) {
			if (form == BODY_RELAXED && (p[i] == ' ' || p[i] == '\t')) {
				if (out->len == start || out->p[out->len - 1] != ' ')
					bytes_add(out, " ", 1);
			} else
				bytes_add(out, p + i, 1);
		}
		while (form == BODY_RELAXED && out->len > start && out->p[out->len - 1] == ' ')
			out->len--;
		i = out->len;
		bytes_add(out, "\r\n", 2);
		if (i > start)
			last = out->len;
		n += lf;
	}
	out->len = last;
	if (last == 0 && form == BODY_SIMPLE)
		bytes_add(out, "\r\n", 2);
}

static void
test_rfc_example(void **state)
{
	static const char mail[] = "A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
	static const char relaxed[] = " C\r\nD E\r\n", simple[] = " C \r\nD \t E\r\n";
	struct message *m = feed_text(mail, BODY_RELAXED, NULL);

	(void)state;
	assert_hash_of(m, relaxed, strlen(relaxed));
	message_free(&m);
	m = feed_text(mail, BODY_SIMPLE, NULL);
	assert_hash_of(m, simple, strlen(simple));
	message_free(&m);
}

/* The hashes that RFC 6376 itself prints for an empty body. */
static void
test_empty_body(void **state)
{
	static const char *const mails[] = {
		"", "A: b", "A: b\n", "A: b\r\n\r\n", "\n", "\r\n", "\n\n\n", "A: b\n\n\r\n\n", "A: b\n c\n\n", "From x\n", "From x"
	};
	static const char *const want[] = {
		"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
	};
	unsigned char text[64];
	struct message *m;
	size_t i, form;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		for (form = 0; form < 2; form++) {
			m = feed_text(mails[i], (enum body_form)form, NULL);
			EVP_EncodeBlock(text, message_body_digest(m), BODY_DIGEST_BYTES);
			assert_string_equal(text, want[form]);
			message_free(&m);
		}
}

struct body_case {
	const char *body, *relaxed, *simple;
};

static const struct body_case cases[] = {
	{ "a", "a\r\n", "a\r\n" },
	{ "a\n", "a\r\n", "a\r\n" },
	{ "a\r\n", "a\r\n", "a\r\n" },
	{ "a\n\n \n\r\n", "a\r\n", "a\r\n\r\n \r\n" },
	{ "\n\na", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "a\n\n\nb\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ " ", "", " \r\n" },
	{ " \t\r\n\t\n", "", " \t\r\n\t\r\n" },
	{ "a ", "a\r\n", "a \r\n" },
	{ "a \t\r\nb", "a\r\nb\r\n", "a \t\r\nb\r\n" },
	{ "\ta\t\tb  c \td", " a b c d\r\n", "\ta\t\tb  c \td\r\n" },
	{ "a\r", "a\r\r\n", "a\r\r\n" },
	{ "a\r\r\n", "a\r\r\n", "a\r\r\n" },
	{ "a\rb\n", "a\rb\r\n", "a\rb\r\n" },
	{ "a \r b\n", "a \r b\r\n", "a \r b\r\n" },
	{ "\r \n", "\r\r\n", "\r \r\n" },
	{ "\r \r\n", "\r\r\n", "\r \r\n" },
	{ "\r\r", "\r\r\r\n", "\r\r\r\n" },
	{ "\n\r", "\r\n\r\r\n", "\r\n\r\r\n" },
	{ "\v \f\n", "\v \f\r\n", "\v \f\r\n" },
	{ "1234567 \tabcdefghijk", "1234567 abcdefghijk\r\n", "1234567 \tabcdefghijk\r\n" },
	{ "12345678 abcdefg \tijklmnop", "12345678 abcdefg ijklmnop\r\n", "12345678 abcdefg \tijklmnop\r\n" },
	{ "1234567890123456789 ", "1234567890123456789\r\n", "1234567890123456789 \r\n" },
	{ "1234567890123456789\t", "1234567890123456789\r\n", "1234567890123456789\t\r\n" },
	{ "no colon\nA: b\n\nc\n", "no colon\r\nA: b\r\n\r\nc\r\n", "no colon\r\nA: b\r\n\r\nc\r\n" },
};

static void
test_cases(void **state)
{
	struct message_options options = { .body = BODY_RELAXED };
	struct bytes mail = { NULL, 0, 0 };
	struct message *m;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (k = 0; k < 2 * FEED_PIECES; k++) {
			mail.len = 0;
			bytes_text(&mail, "A: b\n\n");
			bytes_text(&mail, cases[i].body);
			options.body = k % 2 == 0 ? BODY_RELAXED : BODY_SIMPLE;
			m = feed(mail.p, mail.len, feed_pieces[k / 2], &options);
			if (k % 2 == 0)
				assert_hash_of(m, cases[i].relaxed, strlen(cases[i].relaxed));
			else
				assert_hash_of(m, cases[i].simple, strlen(cases[i].simple));
			message_free(&m);
		}
	bytes_free(&mail);
}

static void
assert_same_digest(const char *a, const char *b, enum body_form form, bool same)
{
	struct message *x = feed_text(a, form, NULL), *y = feed_text(b, form, NULL);

	assert_int_equal(memcmp(message_body_digest(x), message_body_digest(y), BODY_DIGEST_BYTES) == 0, same);
	message_free(&x);
	message_free(&y);
}

static void
test_changes_on_the_way(void **state)
{
	(void)state;
	assert_same_digest("A: b\n\nc\n\nd\n", "A: b\r\n\r\nc\r\n\r\nd\r\n", BODY_RELAXED, true);
	assert_same_digest("A: b\n\nc\n\nd\n", "A: b\r\n\r\nc\r\n\r\nd\r\n", BODY_SIMPLE, true);
	assert_same_digest("A: b\n\nc\nd\n", "A: b\n\nc  \nd \t\n", BODY_RELAXED, true);
	assert_same_digest("A: b\n\nc\nd\n", "A: b\n\nc  \nd \t\n", BODY_SIMPLE, false);
	assert_same_digest("A: b\n\nc d\n", "A: b\n\nc \t d\n", BODY_RELAXED, true);
	assert_same_digest("A: b\n\nc d\n", "A: b\n\ncd\n", BODY_RELAXED, false);
	assert_same_digest("A: b\n\nc\n", "A: b\n\n c\n", BODY_RELAXED, false);
	assert_same_digest("A: b\n\nc\n", "A: b\n\n\nc\n", BODY_RELAXED, false);
}

static void
random_body(struct bytes *b, struct dice *d)
{
	static const char odd[] = " \t\r\n  \n\r";
	size_t n = dice_roll(d, 40), text = 1 + dice_roll(d, 4);
	char c;

	for (; n > 0; n--)
		if (dice_roll(d, 5) < text) {
			c = (char)dice_roll(d, 256);
			bytes_fill(b, c == '\n' ? 'x' : c, 1 + dice_roll(d, 30));
		} else
			bytes_add(b, &odd[dice_roll(d, sizeof(odd) - 1)], 1);
	if (dice_roll(d, 20) == 0)
		bytes_fill(b, odd[dice_roll(d, sizeof(odd) - 1)], 70000);
}

static void
test_random(void **state)
{
	struct dice dice = { 20140731 };
	struct message_options options = { .body = BODY_RELAXED };
	struct bytes mail = { NULL, 0, 0 }, want = { NULL, 0, 0 };
	struct message *m;
	size_t i, piece;

	(void)state;
	for (i = 0; i < 500; i++) {
		mail.len = want.len = 0;
		bytes_text(&mail, "A: b\n\n");
		random_body(&mail, &dice);
		random_body(&mail, &dice);
		options.body = i % 2 == 0 ? BODY_RELAXED : BODY_SIMPLE;
		canonical(&want, mail.p + 6, mail.len - 6, options.body);
		piece = mail.len > 10000 ? 500 + dice_roll(&dice, 60000) : 1 + dice_roll(&dice, 70);
		m = feed(mail.p, mail.len, piece, &options);
		assert_hash_of(m, want.p, want.len);
		message_free(&m);
	}
	bytes_free(&mail);
	bytes_free(&want);
}

/* Pieces in memory of exactly their size, so that tools see a read past the end. */
static void
test_exact_memory(void **state)
{
	static const char text[] = "one two three  four five \t six.\r\nseven eight nine ten\televenx twelve \r\n";
	unsigned char digest[BODY_DIGEST_BYTES];
	struct body b;
	size_t start, len;
	char *copy;

	(void)state;
	for (start = 0; start < sizeof(text) - 1; start++)
		for (len = 1; len < sizeof(text) - start; len++) {
			copy = malloc(len);
			assert_non_null(copy);
			memcpy(copy, text + start, len);
			body_start(&b, BODY_RELAXED);
			body_add(&b, copy, len);
			body_end(&b, digest);
			free(copy);
		}
}

static void
read_file(struct bytes *b, const char *folder, const char *name)
{
	char path[4096], chunk[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd != -1);
	b->len = 0;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		bytes_add(b, chunk, (size_t)n);
	close(fd);
	assert_int_equal(n, 0);
}

/* The folder of foreign mail, or NULL. cmocka 1.1.5 prints a skipped test as one that failed, so such a test just returns. */
static const char *
corpus(void)
{
	const char *folder = getenv("DEDUP_CORPUS");

	if (folder == NULL)
		print_message("# skipped: DEDUP_CORPUS is not set, so there is no foreign mail to test with\n");
	return folder;
}

/* The body hashes that other people's signers wrote into their messages. */
static void
test_signed_mail(void **state)
{
	char name[256], c[64], bh[64], *line, *rest;
	const char *folder = corpus();
	struct message_options options = { .body = BODY_RELAXED };
	struct bytes mail = { NULL, 0, 0 }, list = { NULL, 0, 0 };
	unsigned char text[64];
	struct message *m;
	int rows = 0;

	(void)state;
	if (folder == NULL)
		return;
	read_file(&list, folder, "dkim.tsv");	/* as a whole: an open FILE would share its position with feed()'s children */
	bytes_add(&list, "", 1);
	for (line = strtok_r(list.p, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%255s %63s %63s", name, c, bh), 3);
		options.body = strstr(c, "/relaxed") != NULL ? BODY_RELAXED : BODY_SIMPLE;
		read_file(&mail, folder, name);
		m = feed(mail.p, mail.len, 4096, &options);
		EVP_EncodeBlock(text, message_body_digest(m), BODY_DIGEST_BYTES);
		if (strcmp((char *)text, bh) != 0)
			fail_msg("%s, %s: %s is not %s", name, forms[options.body], (char *)text, bh);
		message_free(&m);
		rows++;
	}
	bytes_free(&list);
	bytes_free(&mail);
	print_message("# %d body hashes of other signers\n", rows);
	assert_true(rows > 0);
}

static void
test_foreign_mail(void **state)
{
	static const char *const fields[] = { "message-id", "date", "from", "to", "subject", "received", NULL };
	const char *folder = corpus();
	struct message_options options = { .fields = fields };
	struct bytes mail = { NULL, 0, 0 };
	struct message *m, *whole;
	struct dirent *entry;
	size_t i, files = 0;
	DIR *dir;

	(void)state;
	if (folder == NULL)
		return;
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".eml") == NULL)
			continue;
		read_file(&mail, folder, entry->d_name);
		whole = feed(mail.p, mail.len, 65536, &options);
		for (i = 0; i < FEED_PIECES - 1; i++) {
			if (mail.len / feed_pieces[i] > 3000)
				continue;
			m = feed(mail.p, mail.len, feed_pieces[i], &options);
			assert_same_message(m, whole, fields);
			message_free(&m);
		}
		message_free(&whole);
		files++;
	}
	closedir(dir);
	bytes_free(&mail);
	print_message("# %zu messages\n", files);
	assert_true(files > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_example),
		cmocka_unit_test(test_empty_body),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_changes_on_the_way),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_exact_memory),
		cmocka_unit_test(test_signed_mail),
		cmocka_unit_test(test_foreign_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
