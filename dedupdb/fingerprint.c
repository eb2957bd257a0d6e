/* The fingerprint: which inputs count, and their hash. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fingerprint.h"

#define FORMAT "dedup-lda 1"	/* another one makes every fingerprint another */

static const char *const own_fields[] = { "message-id", "resent-message-id", "date", "from", "to", "subject", NULL };

static size_t
list_len(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static size_t
list_add(const char **to, size_t n, const char *const *list)
{
	size_t i, len = list_len(list);

	for (i = 0; i < len; i++)
		to[n + i] = list[i];
	return n + len;
}

const char **
fingerprint_fields(const struct fingerprint_options *options, const char *const *also)
{
	size_t n = list_len(own_fields) + list_len(options->headers) + list_len(also);
	const char **fields = calloc(n + 1, sizeof(*fields));

	if (fields == NULL)
		return NULL;
	n = list_add(fields, 0, own_fields);
	n = list_add(fields, n, options->headers);
	list_add(fields, n, also);
	return fields;
}

/* The first field of that name, under that label. */
static void
input_field(const struct message *m, const char *name, const char *label, fingerprint_input *see, void *arg)
{
	const struct field *f = message_field(m, name, 0);

	see(arg, label, f == NULL ? NULL : f->value, f == NULL ? 0 : f->len);
}

static void
input_text(const char *label, const char *text, fingerprint_input *see, void *arg)
{
	see(arg, label, text, strlen(text));
}

static bool
has_field(const struct message *m, const char *name)
{
	const struct field *f = message_field(m, name, 0);

	return f != NULL && f->len > 0;
}

/* Show every input in its order: the one list of what counts. */
static void
inputs(const struct message *m, const struct fingerprint_options *options, fingerprint_input *see, void *arg)
{
	size_t i;

	input_text("version", FORMAT, see, arg);
	input_text("scope", options->scope, see, arg);
	if (has_field(m, "message-id"))
		input_field(m, "message-id", "message-id", see, arg);
	else {
		input_field(m, "date", "stand-in date", see, arg);
		input_field(m, "from", "stand-in from", see, arg);
		input_field(m, "to", "stand-in to", see, arg);
		input_field(m, "subject", "stand-in subject", see, arg);
	}
	input_field(m, "resent-message-id", "resent-message-id", see, arg);
	for (i = 0; i < list_len(options->headers); i++)
		input_field(m, options->headers[i], options->headers[i], see, arg);
	input_text("body", options->body == BODY_RELAXED ? "relaxed" : "simple", see, arg);
	see(arg, "body-digest", message_body_digest(m), BODY_DIGEST_BYTES);
}

static void
hash_number(struct digest *d, size_t number)
{
	unsigned char bytes[8];
	size_t i;

	for (i = sizeof(bytes); i-- > 0; number >>= 8)
		bytes[i] = (unsigned char)(number & 0xff);
	digest_add(d, bytes, sizeof(bytes));
}

/* With its lengths, so that no two different lists of inputs are the same bytes. */
static void
hash_input(void *arg, const char *label, const void *value, size_t len)
{
	struct digest *d = arg;
	unsigned char present = value != NULL;

	hash_number(d, strlen(label));
	digest_add(d, label, strlen(label));
	digest_add(d, &present, 1);
	hash_number(d, len);
	digest_add(d, value, len);
}

bool
fingerprint_make(struct fingerprint *fp, const struct message *m, const struct fingerprint_options *options,
    fingerprint_input *explain, void *arg)
{
	struct digest d;

	if (explain != NULL)
		inputs(m, options, explain, arg);
	if (!has_field(m, "message-id") && !has_field(m, "date"))
		return false;
	digest_start(&d);
	inputs(m, options, hash_input, &d);
	digest_end(&d, fp->bytes);
	return true;
}

void
fingerprint_hex(const struct fingerprint *fp, char hex[FINGERPRINT_HEX])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < FINGERPRINT_BYTES; i++) {
		hex[2 * i] = digits[fp->bytes[i] >> 4];
		hex[2 * i + 1] = digits[fp->bytes[i] & 15];
	}
	hex[FINGERPRINT_HEX - 1] = '\0';
}
