/* Mail addresses. */
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "expand.h"

void
address_split(struct address *a, const char *text, const char *delimiter)
{
	const char *at = strrchr(text, '@');

	a->local = text;
	a->local_len = at != NULL ? (size_t)(at - text) : strlen(text);
	a->domain = at != NULL ? at + 1 : "";
	a->extension = NULL;
	a->extension_len = 0;
	if (*delimiter == '\0' || a->local_len < 2)
		return;
	a->extension = memchr(text + 1, *delimiter, a->local_len - 1);
	if (a->extension == NULL)
		return;
	a->extension++;
	a->extension_len = a->local_len - (size_t)(a->extension - text);
	a->local_len -= a->extension_len + 1;
}

/* atext of RFC 5322, and anything beyond ASCII (RFC 6531). */
static bool
is_atext(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool
address_is_plain(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_atext(text[i]) && (text[i] != '.' || i == 0 || i == len - 1 || text[i + 1] == '.'))
			return false;
	return len > 0;
}

/* Has it the quotes that it needs? */
static bool
is_quoted(const char *text, size_t len)
{
	size_t i;

	if (len < 2 || text[0] != '"' || text[len - 1] != '"')
		return false;
	for (i = 1; i < len - 1; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			return false;
	}
	return i == len - 1;
}

static size_t
quote(char *to, const char *text, size_t len)
{
	size_t i, n = 0;

	to[n++] = '"';
	for (i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			to[n++] = '\\';
		to[n++] = text[i];
	}
	to[n++] = '"';
	return n;
}

static bool
is_writable(const char *text, const char *also_not)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || strchr(also_not, *text) != NULL)
			return false;
	return true;
}

int
address_path(char path[ADDRESS_PATH_MAX], const char *address)
{
	struct address a;
	size_t len = strlen(address), n = 0;

	address_split(&a, address, "");
	if (len > ADDRESS_PATH_MAX / 2 - 4 || !is_writable(address, "") || !is_writable(a.domain, " <>\"\\"))
		return -1;
	path[n++] = '<';
	if (len > 0 && !address_is_plain(a.local, a.local_len) && !is_quoted(a.local, a.local_len))
		n += quote(path + n, a.local, a.local_len);
	else {
		memcpy(path + n, a.local, a.local_len);
		n += a.local_len;
	}
	memcpy(path + n, address + a.local_len, len - a.local_len);
	n += len - a.local_len;
	memcpy(path + n, ">", 2);
	return 0;
}

static const char *
at_sign(const struct address *a)
{
	return a->domain[0] != '\0' ? "@" : "";
}

char *
address_with_folder(const char *address, const char *folder, const char *delimiter)
{
	struct address a;
	char *text;

	address_split(&a, address, delimiter);
	if (asprintf(&text, "%.*s%s%s%s%s", (int)a.local_len, a.local, delimiter, folder, at_sign(&a), a.domain) == -1)
		return NULL;
	return text;
}

char *
address_base(const char *address, const char *delimiter)
{
	struct address a;
	char *text;

	address_split(&a, address, delimiter);
	if (asprintf(&text, "%.*s%s%s", (int)a.local_len, a.local, at_sign(&a), a.domain) == -1)
		return NULL;
	ascii_lower(text);
	return text;
}
