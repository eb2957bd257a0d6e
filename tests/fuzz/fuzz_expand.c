/*
 * Paths with variables: what comes from an address or a name is one entry of a folder, and can't leave it.
 *
 * Input, each with a NUL behind it: path, user, home, address, delimiter.
 */
#include "expand.h"
#include "fuzz.h"

static size_t
components(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* One spelling of an absolute path. */
static void
check_path(const char *path)
{
	size_t len;

	must(path[0] == '/' && path[1] != '\0' && strlen(path) < EXPAND_MAX);
	for (const char *p = path; *p != '\0'; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	for (const char *p = path; *p != '\0'; p += len) {
		p++;
		len = strcspn(p, "/");
		must(len > 0 && !(len == 1 && p[0] == '.') && !(len == 2 && p[0] == '.' && p[1] == '.'));
	}
}

/* An expanded path with its % doubled expands to itself. */
static void
check_again(const char *path, const struct identity *who)
{
	struct bytes text = { 0 };
	struct err err = { .text = "" };
	char *again;

	for (const char *p = path; *p != '\0'; p++)
		bytes_add(&text, "%%", *p == '%' ? 2 : 0), bytes_add(&text, p, *p != '%');
	bytes_add(&text, "", 1);
	if (expand_path(&again, text.p, who, "", &err) == 0)
		must(strcmp(again, path) == 0);
	else
		must(text.len > EXPAND_MAX);
	free(again);
	bytes_free(&text);
}

static void
check_error(const struct err *err)
{
	must(err->status == STATUS_CONFIG || err->status == STATUS_TEMP);
	must(err->text[0] != '\0');
	for (const char *p = err->text; *p != '\0'; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void
check_expand(const char *text, const struct identity *who, const char *delimiter)
{
	const struct identity plain = { .user = "u", .home = who->home, .address = "n@d" };
	struct err err = { .text = "" };
	char *path, *other;

	if (expand_path(&path, text, who, delimiter, &err) != 0) {
		must(path == NULL);
		check_error(&err);
		return;
	}
	must(expand_check(text, &err) == 0);
	check_path(path);
	check_again(path, who);
	/* Whoever it is, the path leads to the same depth. */
	must(expand_path(&other, text, &plain, delimiter, &err) == 0);
	must(components(path) == components(other));
	free(path);
	free(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const values[] = { "/mail/%u/box", "/mail/%n/box", "/mail/%d/box" };
	struct input in = { data, size };
	char *text = input_text(&in), *user = input_text(&in), *home = input_text(&in), *address = input_text(&in),
	    *delimiter = input_text(&in);
	const struct identity who = { .user = user, .home = home[0] == '\0' ? NULL : home, .address = address };
	struct err err = { .text = "" };
	char *path;

	check_expand(text, &who, delimiter);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		check_expand(values[i], &who, delimiter);
		if (expand_path(&path, values[i], &who, delimiter, &err) != 0)
			continue;
		must(strncmp(path, "/mail/", 6) == 0 && components(path) == 3 && path[6] != '.' && path[6] != '/');
		must(strcmp(strrchr(path, '/'), "/box") == 0);
		free(path);
	}
	free(text);
	free(user);
	free(home);
	free(address);
	free(delimiter);
	return 0;
}
