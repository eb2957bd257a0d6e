/*
 * The added header lines: neither the sender nor the address can add a line, a field or a separator of their own.
 *
 * Input: settings (1 byte), sender, NUL, address, NUL, the message.
 */
#include "fuzz.h"
#include "head.h"

#define LINE_MAX_BYTES 998	/* RFC 5322 section 2.1.1, without the line end */

static bool
is_printable(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			return false;
	return true;
}

/* The value of the line at *p, if it is that field's; *p then points behind the line. */
static const char *
take_line(const char **p, const char *name, size_t *len)
{
	const char *line = *p, *value = line + strlen(name);
	size_t line_len = strcspn(line, "\n");

	*len = 0;
	if (strncmp(line, name, strlen(name)) != 0)
		return NULL;
	must(line_len <= LINE_MAX_BYTES && line[line_len] == '\n');
	must(is_printable(line, line_len));
	*p = line + line_len + 1;
	*len = line_len - strlen(name);
	return value;
}

static size_t
count_fields(const struct message *m, const char *name)
{
	size_t n = 0;

	while (message_field(m, name, n) != NULL)
		n++;
	return n;
}

/* Read as a message the head is what it was meant to be. */
static void
check_fields(const char *head, bool path, bool to)
{
	const struct message_options options = { .fields = head_fields };
	struct message *m = message_of(head, strlen(head), &options);

	must(message_envelope(m) == NULL);
	must(count_fields(m, "return-path") == path);
	must(count_fields(m, "delivered-to") == to);
	must(count_fields(m, "message-id") == 0);
	message_free(&m);
}

static void
check_head(const struct head_options *options, const struct message *m)
{
	char *head = head_make(options, m);
	const char *p = head, *path, *to;
	size_t path_len, to_len;

	must(head != NULL);
	path = take_line(&p, "Return-Path: <", &path_len);
	if (path != NULL) {
		must(options->config->add_return_path);
		must(path_len > 0 && memchr(path, '>', path_len) == path + path_len - 1);
		must(memchr(path, '<', path_len) == NULL);
		must(options->sender == NULL || same_bytes(path, path_len - 1, options->sender, strlen(options->sender)));
	}
	to = take_line(&p, "Delivered-To: ", &to_len);
	if (to != NULL) {
		must(options->config->add_delivered_to);
		must(same_bytes(to, to_len, options->address, strlen(options->address)));
	}
	must(*p == '\0');
	/* The message's own goes only where another takes its place. */
	must(!head_drops_return_path(options) || path != NULL);
	check_fields(head, path != NULL, to != NULL);
	free(head);
}

static void
check_tag(int64_t first, const struct fingerprint *fp)
{
	char *line = head_tag(first, fp);

	must(line != NULL && strncmp(line, "X-Dedup-Lda: duplicate; first=", 30) == 0);
	must(strcspn(line, "\n") == strlen(line) - 1 && strlen(line) < LINE_MAX_BYTES);
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	const struct message_options how = { .fields = head_fields };
	struct fingerprint fp = { { 0 } };
	unsigned int settings = input_byte(&in);
	struct config config = { .add_return_path = (settings & 1) != 0, .add_delivered_to = (settings & 2) != 0 };
	char *sender = input_text(&in), *address = input_text(&in);
	struct head_options options = { .config = &config, .sender = (settings & 4) != 0 ? NULL : sender,
		.address = (settings & 8) != 0 ? NULL : address };
	struct message *m = message_of(in.p, in.left, &how);
	int64_t first = 0;

	check_head(&options, m);
	memcpy(&first, data, size < sizeof(first) ? size : sizeof(first));
	memcpy(fp.bytes, data, size < sizeof(fp.bytes) ? size : sizeof(fp.bytes));
	check_tag(first, &fp);
	message_free(&m);
	free(sender);
	free(address);
	return 0;
}
