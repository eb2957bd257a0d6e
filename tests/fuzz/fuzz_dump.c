/*
 * The file of an export, which anybody may have written or cut: line by line it is taken as tools/dump.h says, or found wrong; a record
 * that is taken is the one that the line tells, and comes out again when it is written and read.
 *
 * Input: the file.
 */
#include <ctype.h>
#include <openssl/evp.h>

#include "dump.h"
#include "fuzz.h"

/* Are these the bytes of a member, encoded by somebody else? Absent is empty. */
static bool
is_member(const json_t *object, const char *key, const unsigned char *bytes, size_t len)
{
	const char *text = json_string_value(json_object_get(object, key));
	unsigned char other[2 * RECORD_MAX];

	(void)EVP_EncodeBlock(other, bytes, (int)len);
	return strcmp((const char *)other, text == NULL ? "" : text) == 0;
}

static bool
is_number(const json_t *object, const char *key, int64_t n)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) == n;
}

static bool
is_fingerprint(const json_t *object, const struct fingerprint *fp)
{
	const char *text = json_string_value(json_object_get(object, "fingerprint"));
	char hex[FINGERPRINT_HEX];
	size_t i;

	fingerprint_hex(fp, hex);
	if (text == NULL || strlen(text) != strlen(hex))
		return false;
	for (i = 0; hex[i] != '\0'; i++)
		if (tolower((unsigned char)text[i]) != hex[i])
			return false;
	return true;
}

static bool
same_record(const struct record *a, const struct record *b)
{
	return a->state == b->state && a->flags == b->flags && a->first == b->first && a->decided == b->decided &&
	    same_bytes(a->intent.bytes, a->intent.len, b->intent.bytes, b->intent.len) &&
	    same_bytes(a->trace, a->trace_len, b->trace, b->trace_len);
}

/* Written as export does, and read as restore does. */
static void
write_and_read(const struct dump_line *line)
{
	static struct dump_reader reader;
	struct claim claim = { .fp = line->fp, .record = line->record };
	struct dump_line again;
	FILE *out = stdout;
	char *text = NULL;
	size_t len = 0;
	struct err err;

	stdout = open_memstream(&text, &len);
	must(stdout != NULL);
	dump_record(&claim);
	must(fclose(stdout) == 0);
	stdout = out;
	must(len > 0 && len < DUMP_LINE_MAX / 2 && text[len - 1] == '\n');
	reader = (struct dump_reader){ .file = fmemopen(text, len, "r"), .name = "again" };
	must(reader.file != NULL && dump_next(&reader, &again, &err) == DUMP_OK && again.kind == DUMP_RECORD);
	must(memcmp(&again.fp, &line->fp, sizeof(again.fp)) == 0 && same_record(&again.record, &line->record));
	must(dump_next(&reader, &again, &err) == DUMP_EOF);
	fclose(reader.file);
	free(text);
}

static void
check_record(const json_t *object, const struct dump_line *line)
{
	const struct record *r = &line->record;
	const char *state = json_string_value(json_object_get(object, "state"));
	unsigned char bytes[RECORD_MAX];
	struct record decoded;

	must(is_fingerprint(object, &line->fp));
	must(state != NULL && strcmp(state, r->state == RECORD_PENDING ? "pending" : "delivered") == 0);
	must(r->state == RECORD_PENDING || r->state == RECORD_DELIVERED);
	must(is_number(object, "first", r->first) && is_number(object, "decided", r->decided) && is_number(object, "flags", r->flags));
	must(r->intent.len <= INTENT_MAX && r->trace_len <= TRACE_MAX);
	must(r->state == RECORD_PENDING || r->intent.len == 0);
	must(is_member(object, "intent", r->intent.bytes, r->intent.len) && is_member(object, "trace", r->trace, r->trace_len));
	must(record_decode(&decoded, bytes, record_encode(r, bytes)) == 0 && same_record(&decoded, r));
	write_and_read(line);
}

/* What was taken, beside the text that it was taken from. */
static void
check_line(const char *text, size_t len, struct dump_line *line)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	must(len <= DUMP_LINE_MAX && object != NULL);
	switch (line->kind) {
	case DUMP_HEAD:
		must(is_number(object, "version", 1));
		must((line->scope == NULL) == !json_is_string(json_object_get(object, "scope")));
		must(line->scope == NULL || strcmp(line->scope, json_string_value(json_object_get(object, "scope"))) == 0);
		free(line->scope);
		break;
	case DUMP_RECORD:
		check_record(object, line);
		break;
	case DUMP_DAMAGED:
		must(is_fingerprint(object, &line->fp));
		break;
	case DUMP_END:
		must(line->records <= INT64_MAX && is_number(object, "records", (int64_t)line->records));
		must(json_object_get(object, "fingerprint") == NULL && json_object_get(object, "format") == NULL);
		break;
	}
	json_decref(object);
}

/* A last line, with nothing else in it, may not be refused. */
static bool
is_plain_end(const char *text, size_t len)
{
	json_t *object = len > DUMP_LINE_MAX ? NULL : json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *records = json_object_get(object, "records");
	bool plain = json_object_size(object) == 1 && json_is_integer(records) && json_integer_value(records) >= 0;

	json_decref(object);
	return plain;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dump_reader reader;
	const char *text = (const char *)data;
	struct dump_line line;
	struct err err;
	size_t at = 0, end, len;
	enum dump_read read;

	if (size == 0)
		return 0;
	reader = (struct dump_reader){ .file = fdopen(file_of(data, size), "r"), .name = "input" };
	must(reader.file != NULL);
	while (at < size) {
		err.text[0] = '\0';
		read = dump_next(&reader, &line, &err);
		must(read == DUMP_OK || read == DUMP_WRONG);
		end = line_end(text, size, at);
		len = end - at - (text[end - 1] == '\n');
		must(read == DUMP_WRONG || len <= DUMP_LINE_MAX);
		if (read == DUMP_OK)
			check_line(text + at, len, &line);
		else
			must(err.text[0] != '\0' && !is_plain_end(text + at, len));
		at = end;
	}
	must(dump_next(&reader, &line, &err) == DUMP_EOF);
	fclose(reader.file);
	return 0;
}
