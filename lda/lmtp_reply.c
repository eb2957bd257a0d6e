/* Replies of an LMTP server. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lmtp_reply.h"

#define CODE_LEN 3

void
lmtp_reply_begin(struct lmtp_reply *r)
{
	r->code = 0;
	r->lines = r->len = 0;
	r->text[0] = '\0';
}

/* Three digits of a code that RFC 5321 section 4.2.1 knows, or 0. */
static int
code_of(const char *line, size_t len)
{
	if (len < CODE_LEN || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '9' || line[2] < '0' || line[2] > '9')
		return 0;
	return 100 * (line[0] - '0') + 10 * (line[1] - '0') + (line[2] - '0');
}

static void
keep(struct lmtp_reply *r, const char *text, size_t len)
{
	size_t i;

	if (len + 1 >= sizeof(r->text) - r->len)
		return;
	for (i = 0; i < len; i++)
		r->text[r->len++] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	r->text[r->len++] = '\n';
	r->text[r->len] = '\0';
}

int
lmtp_reply_line(struct lmtp_reply *r, const char *line, size_t len)
{
	int code = code_of(line, len);
	bool more = len > CODE_LEN && line[CODE_LEN] == '-';

	if (code == 0 || (len > CODE_LEN && !more && line[CODE_LEN] != ' '))
		return -1;
	if (len > LMTP_REPLY_LINE_MAX || r->lines == LMTP_LINES_MAX || (r->code != 0 && code != r->code))
		return -1;
	r->code = code;
	r->lines++;
	if (len > CODE_LEN)
		keep(r, line + CODE_LEN + 1, len - CODE_LEN - 1);
	else
		keep(r, "", 0);
	return more ? 0 : 1;
}

bool
lmtp_reply_offers(const struct lmtp_reply *r, const char *extension, const char **value)
{
	const char *line = strchr(r->text, '\n');
	size_t len = strlen(extension);

	for (; line != NULL && line[1] != '\0'; line = strchr(line + 1, '\n')) {
		if (strncasecmp(line + 1, extension, len) != 0 || strchr(" \n", line[1 + len]) == NULL)
			continue;
		if (value != NULL)
			*value = line[1 + len] == ' ' ? line + 2 + len : line + 1 + len;
		return true;
	}
	return false;
}

/* Class 5 of RFC 3463 at the start of the text, as "1.1" of "5.1.1 ..."; "": there is none. */
static void
enhanced(const struct lmtp_reply *r, char *code, size_t size)
{
	size_t len = strspn(r->text + 2, "0123456789.");

	code[0] = '\0';
	if (strncmp(r->text, "5.", 2) != 0 || len >= size || strchr(" \n", r->text[2 + len]) == NULL)
		return;
	memcpy(code, r->text + 2, len);
	code[len] = '\0';
}

/* Replies that speak of the dialogue, not of the message: one of the two sides is wrong, which no sender should suffer from. */
static bool
is_about_protocol(int code)
{
	return (code >= 500 && code <= 504) || code == 555;
}

enum status
lmtp_reply_status(const struct lmtp_reply *r, bool to_recipient)
{
	char code[12];

	if (r->code < 500 || is_about_protocol(r->code))
		return STATUS_TEMP;
	enhanced(r, code, sizeof(code));
	if (strcmp(code, "2.2") == 0 || (code[0] == '\0' && r->code == 552 && to_recipient))
		return STATUS_QUOTA;
	if (strcmp(code, "1.1") == 0 || strcmp(code, "1.6") == 0 || strcmp(code, "1.10") == 0 ||
	    (code[0] == '\0' && (r->code == 550 || r->code == 551) && to_recipient))
		return STATUS_NOUSER;
	return STATUS_REFUSED;
}

void
lmtp_reply_show(const struct lmtp_reply *r, char *buf, size_t size)
{
	snprintf(buf, size, "%d %.*s", r->code, (int)strcspn(r->text, "\n"), r->text);
}
