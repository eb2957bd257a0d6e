/* The header lines that a delivery adds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fs.h"
#include "head.h"

#define ADDRESS_MAX 900		/* bytes: RFC 5322 section 2.1.1 ends a line at 998 */

const char *const head_fields[] = { "return-path", "delivered-to", "received", "message-id", NULL };

/* An address that would break out of its line or its brackets is not written. */
static bool
is_writable(const char *address)
{
	const unsigned char *p;

	for (p = (const unsigned char *)address; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f || *p == '<' || *p == '>')
			return false;
	return strlen(address) <= ADDRESS_MAX;
}

bool
head_drops_return_path(const struct head_options *options)
{
	return (options->relay || options->config->add_return_path) && options->sender != NULL && is_writable(options->sender);
}

bool
head_envelope_sender(const struct message *m, char *sender, size_t size)
{
	const char *line = message_envelope(m);
	size_t n;

	if (line == NULL || strncmp(line, "From ", 5) != 0)
		return false;
	line += 5;
	n = strcspn(line, " \t");
	if (n == 0 || n >= size)
		return false;
	memcpy(sender, line, n);
	sender[n] = '\0';
	if (strcasecmp(sender, "MAILER-DAEMON") == 0)
		sender[0] = '\0';
	return true;
}

static void
return_path(char *text, size_t size, const struct head_options *options, const struct message *m)
{
	const char *sender = options->sender;
	char found[ADDRESS_MAX + 1];

	text[0] = '\0';
	if (options->relay || !options->config->add_return_path)
		return;
	if (sender == NULL) {
		if (message_field(m, "return-path", 0) != NULL || !head_envelope_sender(m, found, sizeof(found)))
			return;
		sender = found;
	}
	if (is_writable(sender))
		snprintf(text, size, "Return-Path: <%s>\n", sender);
}

static void
delivered_to(char *text, size_t size, const struct head_options *options, const struct message *m)
{
	const struct field *field;
	size_t i;

	text[0] = '\0';
	if (options->relay || !options->config->add_delivered_to || options->address == NULL || options->address[0] == '\0' ||
	    !is_writable(options->address))
		return;
	for (i = 0; (field = message_field(m, "delivered-to", i)) != NULL; i++)
		if (strcasecmp(field->value, options->address) == 0)
			return;
	snprintf(text, size, "Delivered-To: %s\n", options->address);
}

/* An MTA's own Delivered-To of this delivery stands above the first Received field, and knows the recipient better than the address does,
 * which may be an alias that was resolved. */
bool
head_tells_loop(const struct head_options *options, const struct message *m)
{
	const struct field *field = message_field(m, "delivered-to", 0), *received = message_field(m, "received", 0);
	const char *recipient = options->address;
	size_t i = 0;

	if (field != NULL && (received == NULL || field < received)) {
		recipient = field->value;
		i = 1;
	}
	if (recipient == NULL || recipient[0] == '\0')
		return false;
	for (; (field = message_field(m, "delivered-to", i)) != NULL; i++)
		if (strcasecmp(field->value, recipient) == 0)
			return true;
	return false;
}

char *
head_make(const struct head_options *options, const struct message *m)
{
	char path[ADDRESS_MAX + 32], to[ADDRESS_MAX + 32], *head;

	return_path(path, sizeof(path), options, m);
	delivered_to(to, sizeof(to), options, m);
	return asprintf(&head, "%s%s%s", path, to, options->received != NULL ? options->received : "") == -1 ? NULL : head;
}

char *
head_tag(int64_t first, const struct fingerprint *fp)
{
	char hex[FINGERPRINT_HEX], when[CLOCK_TEXT], *line;

	clock_text(when, first);
	fingerprint_hex(fp, hex);
	return asprintf(&line, "X-Dedup-Lda: duplicate; first=%s; fingerprint=%s\n", when, hex) == -1 ? NULL : line;
}
