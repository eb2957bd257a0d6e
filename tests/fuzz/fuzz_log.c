/*
 * Lines of the log: one line per delivery, no control characters, and exactly the pairs that were added, however their values look.
 *
 * Input: settings (1 byte: the format, and how many pairs), then the values, each with a NUL behind it; a value that starts with #
 * is a number's.
 */
#include <ctype.h>

#include "fuzz.h"
#include "log.h"

#define PAIRS 12	/* no delivery has more */

static const char *const keys[PAIRS] = { "action", "msgid", "fp", "user", "mailbox", "folder", "size", "ms", "first", "age",
	"ledger", "reason" };

static char path[64];
static int file;

struct pair {
	char *value;
	size_t len;
	bool number;
	long long n;
};

/* A value as it has to be written, without quotes. */
static void
escaped(struct bytes *to, const struct pair *pair)
{
	char one[24];

	if (pair->number) {
		snprintf(one, sizeof(one), "%lld", pair->n);
		bytes_text(to, one);
	}
	for (size_t i = 0; !pair->number && i < pair->len; i++) {
		unsigned char c = (unsigned char)pair->value[i];

		snprintf(one, sizeof(one), isprint(c) && c != '"' && c != '\\' ? "%c" : "\\x%02x", c);
		bytes_text(to, one);
	}
	bytes_add(to, "", 1);
}

/* Is what was written the value, or a start of it that is marked as one? */
static bool
is_value(const char *got, size_t len, const struct pair *pair)
{
	struct bytes want = { 0 };
	bool same;

	escaped(&want, pair);
	same = same_bytes(got, len, want.p, want.len - 1);
	if (!same && len >= 3 && len <= LOG_VALUE_MAX + 3 && memcmp(got + len - 3, "...", 3) == 0 && want.len - 1 > LOG_VALUE_MAX - 4)
		same = want.len > len - 3 && memcmp(want.p, got, len - 3) == 0;
	bytes_free(&want);
	return same;
}

/* key=value or key="value": to the pair's end. */
static const char *
check_text_pair(const char *p, const char *key, const struct pair *pair)
{
	const char *end;

	must(strncmp(p, key, strlen(key)) == 0 && p[strlen(key)] == '=');
	p += strlen(key) + 1;
	if (*p != '"') {
		end = p + strcspn(p, " \"=");
		must(*end == ' ' || *end == '\0');
		must(end > p && is_value(p, (size_t)(end - p), pair));
		return end;
	}
	end = strchr(++p, '"');
	must(end != NULL && is_value(p, (size_t)(end - p), pair));
	return end + 1;
}

/* "key":"value" or "key":number. The only escape is a doubled backslash. */
static const char *
check_json_pair(const char *p, const char *key, const struct pair *pair)
{
	struct bytes value = { 0 };
	size_t n;

	must(*p == '"' && strncmp(p + 1, key, strlen(key)) == 0);
	p += strlen(key) + 1;
	must(p[0] == '"' && p[1] == ':');
	p += 2;
	if (pair->number) {
		n = strcspn(p, ",}");
		must(is_value(p, n, pair));
		return p + n;
	}
	must(*p == '"');
	for (p++; *p != '"' && *p != '\0'; p++) {
		must(*p != '\\' || p[1] == '\\');
		p += *p == '\\';
		bytes_add(&value, p, 1);
	}
	must(*p == '"' && is_value(value.p, value.len, pair));
	bytes_free(&value);
	return p + 1;
}

/* All of the line: time and pid, which only a file has, then ours. */
static void
check_line(const char *line, bool json, const struct pair *pairs, size_t n)
{
	const struct pair pid = { .number = true, .n = getpid() };
	struct pair date = { .len = strlen("2026-11-20T12:00:00Z") };

	if (json)
		must(*line++ == '{');
	date.value = strstr(line, json ? ":\"" : "=");
	must(date.value != NULL);
	date.value += json ? 2 : 1;
	for (size_t i = 0; i < n + 2; i++) {
		const char *key = i == 0 ? "time" : i == 1 ? "pid" : keys[i - 2];
		const struct pair *pair = i == 0 ? &date : i == 1 ? &pid : &pairs[i - 2];

		if (i > 0)
			must(*line++ == (json ? ',' : ' '));
		line = json ? check_json_pair(line, key, pair) : check_text_pair(line, key, pair);
	}
	must(strcmp(line, json ? "}" : "") == 0);
}

static void
clean(void)
{
	unlink(path);
}

static void
prepare(void)
{
	if (path[0] == '\0') {
		snprintf(path, sizeof(path), "/tmp/fuzz_log.XXXXXX");
		file = mkstemp(path);
		must(file != -1 && atexit(clean) == 0);
	}
	must(ftruncate(file, 0) == 0);
}

static void
write_line(const struct config *config, const struct pair *pairs, size_t n)
{
	static struct log_line line;
	struct log *log;
	struct err err = { .text = "" };

	must(log_open(&log, config, false, &err) == 0);
	line.len = 0;
	for (size_t i = 0; i < n; i++)
		if (pairs[i].number)
			log_add_number(&line, keys[i], pairs[i].n);
		else
			log_add_bytes(&line, keys[i], pairs[i].value, pairs[i].len);
	log_write(log, &line, false);
	log_close(&log);
}

static void
read_back(struct bytes *text)
{
	char piece[4096];
	ssize_t got;

	must(lseek(file, 0, SEEK_SET) == 0);
	while ((got = read(file, piece, sizeof(piece))) > 0)
		bytes_add(text, piece, (size_t)got);
	must(got == 0 && text->len > 0);
	for (size_t i = 0; i + 1 < text->len; i++)
		must(text->p[i] >= ' ' && text->p[i] < 0x7f);
	must(text->p[text->len - 1] == '\n');
	text->p[text->len - 1] = '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int settings = input_byte(&in);
	struct pair pairs[PAIRS] = { 0 };
	size_t i, n = (settings >> 1) % (PAIRS + 1);
	struct bytes text = { 0 };
	struct config config = { .log_target = LOG_TO_FILE, .log_json = (settings & 1) != 0, .log_path = path };

	prepare();
	for (i = 0; i < n; i++) {
		pairs[i].value = input_text(&in);
		pairs[i].len = strlen(pairs[i].value);
		pairs[i].number = pairs[i].value[0] == '#';
		pairs[i].n = pairs[i].number ? (long long)strtoull(pairs[i].value + 1, NULL, 10) : 0;
	}
	write_line(&config, pairs, n);
	read_back(&text);
	check_line(text.p, config.log_json, pairs, n);
	bytes_free(&text);
	for (i = 0; i < n; i++)
		free(pairs[i].value);
	return 0;
}
