/* The file of `dedupdb export`, written and read. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "dump.h"
#include "view.h"
#include "version.h"

#define FORMAT "dedup-lda ledger"
#define VERSION 1

void
dump_head(const struct tool *t)
{
	struct out o;

	out_begin(&o, true);
	out_text(&o, "format", FORMAT);
	out_count(&o, "version", VERSION);
	out_text(&o, "program", DEDUP_LDA_VERSION);
	out_time(&o, "created", t->now, t->now);
	out_text(&o, "ledger", t->config->ledger_url);
	out_text(&o, "scope", t->config->scope);
	out_span(&o, "window", t->config->window);
	out_end(&o);
}

static void
print_bytes(const char *key, const unsigned char *bytes, size_t len)
{
	char text[BASE64_TEXT(RECORD_MAX)];

	base64_text(bytes, len, text);
	printf(",\"%s\":\"%s\"", key, text);
}

/* No byte of it needs to be escaped. */
void
dump_record(const struct claim *claim)
{
	const struct record *r = &claim->record;
	char hex[FINGERPRINT_HEX];

	fingerprint_hex(&claim->fp, hex);
	printf("{\"fingerprint\":\"%s\",\"state\":", hex);
	if (r->state != RECORD_PENDING && r->state != RECORD_DELIVERED) {
		fputs("\"damaged\"", stdout);
		print_bytes("raw", claim->raw.bytes, claim->raw.len);
	} else {
		printf("\"%s\",\"first\":%lld,\"decided\":%lld,\"flags\":%u", r->state == RECORD_PENDING ? "pending" : "delivered",
		    (long long)r->first, (long long)r->decided, (unsigned)r->flags);
		if (r->intent.len > 0)
			print_bytes("intent", r->intent.bytes, r->intent.len);
		if (r->trace_len > 0)
			print_bytes("trace", r->trace, r->trace_len);
	}
	puts("}");
}

void
dump_end(uint64_t records)
{
	struct out o;

	out_begin(&o, true);
	out_count(&o, "records", records);
	out_end(&o);
}

/* --- reading --- */

static int
wrong(struct err *err, const char *what, const char *how)
{
	return err_set(err, STATUS_USAGE, "%s %s", what, how);
}

static int
get_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *n, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return wrong(err, key, value == NULL ? "is missing" : "is no whole number");
	*n = json_integer_value(value);
	return *n < min || *n > max ? wrong(err, key, "is out of range") : 0;
}

/* An absent one is empty. */
static int
get_bytes(const json_t *object, const char *key, unsigned char *bytes, size_t max, size_t *len, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	*len = 0;
	if (value == NULL)
		return 0;
	if (!json_is_string(value) || base64_bytes(json_string_value(value), bytes, max, len) == -1)
		return wrong(err, key, "is not in base64, or too long");
	return 0;
}

static int
get_fingerprint(const json_t *object, struct fingerprint *fp, struct err *err)
{
	const char *text = json_string_value(json_object_get(object, "fingerprint"));
	char hex[FINGERPRINT_HEX], byte[3] = "";
	size_t i;

	if (text == NULL || strlen(text) != FINGERPRINT_HEX - 1 || !view_digits(text, hex))
		return wrong(err, "fingerprint", "has not 64 hex digits");
	for (i = 0; i < FINGERPRINT_BYTES; i++) {
		memcpy(byte, hex + 2 * i, 2);
		fp->bytes[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return 0;
}

static int
get_head(const json_t *object, struct dump_line *line, struct err *err)
{
	const char *format = json_string_value(json_object_get(object, "format"));
	const char *scope = json_string_value(json_object_get(object, "scope"));
	int64_t version = 0;

	line->kind = DUMP_HEAD;
	if (format == NULL || strcmp(format, FORMAT) != 0)
		return wrong(err, "format", "is not that of an export");
	if (get_int(object, "version", 1, INT64_MAX, &version, err) == -1)
		return -1;
	if (version != VERSION)
		return err_set(err, STATUS_USAGE, "version is %lld, and this program knows %d: a newer one wrote it, and is needed to restore it",
		    (long long)version, VERSION);
	if (scope == NULL)
		return 0;
	line->scope = strdup(scope);
	return line->scope == NULL ? err_sys(err, "read", NULL) : 0;
}

static int
get_record(const json_t *object, struct dump_line *line, struct err *err)
{
	const char *state = json_string_value(json_object_get(object, "state"));
	struct record *r = &line->record;
	int64_t flags = 0;

	line->kind = DUMP_RECORD;
	if (get_fingerprint(object, &line->fp, err) == -1)
		return -1;
	if (state != NULL && strcmp(state, "damaged") == 0) {
		line->kind = DUMP_DAMAGED;
		return 0;
	}
	if (state != NULL && strcmp(state, "delivered") == 0)
		r->state = RECORD_DELIVERED;
	else if (state != NULL && strcmp(state, "pending") == 0)
		r->state = RECORD_PENDING;
	else
		return wrong(err, "state", "is neither pending nor delivered");
	if (get_int(object, "first", INT64_MIN, INT64_MAX, &r->first, err) == -1 ||
	    get_int(object, "decided", INT64_MIN, INT64_MAX, &r->decided, err) == -1 ||
	    get_int(object, "flags", 0, UINT16_MAX, &flags, err) == -1 ||
	    get_bytes(object, "intent", r->intent.bytes, sizeof(r->intent.bytes), &r->intent.len, err) == -1 ||
	    get_bytes(object, "trace", r->trace, sizeof(r->trace), &r->trace_len, err) == -1)
		return -1;
	r->flags = (uint16_t)flags;
	return r->state == RECORD_DELIVERED && r->intent.len > 0 ? wrong(err, "intent", "is there, but state is delivered") : 0;
}

static int
get_line(const json_t *object, struct dump_line *line, struct err *err)
{
	int64_t records = 0;

	if (!json_is_object(object))
		return wrong(err, "the line", "is no JSON object");
	if (json_object_get(object, "format") != NULL)
		return get_head(object, line, err);
	if (json_object_get(object, "fingerprint") != NULL)
		return get_record(object, line, err);
	line->kind = DUMP_END;
	if (get_int(object, "records", 0, INT64_MAX, &records, err) == -1)
		return wrong(err, "the line", "is neither a record nor the first or last one of an export");
	line->records = (uint64_t)records;
	return 0;
}

/* The next line without its newline. What does not fit is skipped. */
static enum dump_read
read_line(struct dump_reader *r, struct err *err)
{
	bool too_long = false;
	int c;

	r->len = 0;
	r->number++;
	while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
		if (r->len < sizeof(r->text))
			r->text[r->len++] = (char)c;
		else
			too_long = true;
	}
	if (ferror(r->file)) {
		err_sys(err, "read", r->name);
		return DUMP_FAILED;
	}
	if (c == EOF && r->len == 0)
		return DUMP_EOF;
	if (too_long) {
		err_set(err, STATUS_USAGE, "it has more than %d bytes", DUMP_LINE_MAX);
		return DUMP_WRONG;
	}
	return DUMP_OK;
}

enum dump_read
dump_next(struct dump_reader *r, struct dump_line *line, struct err *err)
{
	enum dump_read read = read_line(r, err);
	json_error_t why;
	json_t *object;

	if (read != DUMP_OK)
		return read;
	memset(line, 0, sizeof(*line));
	object = json_loadb(r->text, r->len, JSON_REJECT_DUPLICATES, &why);
	if (object == NULL) {
		err_set(err, STATUS_USAGE, "it is no JSON: %s", why.text);
		return DUMP_WRONG;
	}
	read = get_line(object, line, err) == 0 ? DUMP_OK : DUMP_WRONG;
	json_decref(object);
	if (read != DUMP_OK) {
		free(line->scope);
		line->scope = NULL;
	}
	return read;
}
