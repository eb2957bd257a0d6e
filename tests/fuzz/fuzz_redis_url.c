/*
 * URLs of ledgers in Redis: what is taken can be written down again and then means the same; whatever has a colon before its last @ is
 * refused, and what stands before that @ is not in the error. Without a colon it is a user's name, and a host may be called the same.
 */
#include <stdio.h>

#include "fuzz.h"
#include "redis_url.h"

static const char *const prefixes[] = {
	[REDIS_SINGLE] = "redis://", [REDIS_UNIX] = "redis+unix://", [REDIS_SENTINEL] = "redis+sentinel://", [REDIS_CLUSTER] = "redis+cluster://",
};

static void
write_down(const struct redis_url *u, char *text, size_t size)
{
	FILE *f = fmemopen(text, size, "w");
	unsigned int i;

	must(f != NULL);
	fprintf(f, "%s%s%s", prefixes[u->kind], u->user, u->user[0] != '\0' ? "@" : "");
	for (i = 0; i < u->n; i++)
		fprintf(f, strchr(u->hosts[i].name, ':') != NULL ? "%s[%s]:%u" : "%s%s:%u", i > 0 ? "," : "", u->hosts[i].name, u->hosts[i].port);
	if (u->kind == REDIS_UNIX)
		fprintf(f, "%s?db=%u", u->path, u->db);
	if (u->kind == REDIS_SENTINEL)
		fprintf(f, "/%s", u->name);
	if (u->kind == REDIS_SINGLE || u->kind == REDIS_SENTINEL)
		fprintf(f, "/%u", u->db);
	must(fclose(f) == 0);
}

static void
check_refused(const char *text, const struct err *err)
{
	const char *at = strrchr(text, '@'), *begin = strstr(text, "://");

	must(err->status == STATUS_CONFIG && err->text[0] != '\0');
	if (at == NULL || begin == NULL || at - (begin + 3) < 40)	/* less may be in it by chance */
		return;
	char *secret = strndup(begin + 3, (size_t)(at - begin - 3));

	must(strchr(secret, ':') == NULL || strstr(err->text, secret) == NULL);
	free(secret);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *text = input_text(&in), *rest, again[16384];
	struct redis_url u, v;
	struct err err = { .status = STATUS_OK, .text = "" };

	if (redis_url_parse(&u, text, &err) == 0) {
		must(redis_url_is(text) && u.n <= REDIS_URL_HOSTS && (u.n > 0) == (u.kind != REDIS_UNIX));
		rest = strrchr(text, '@');
		must(rest == NULL || memchr(strstr(text, "://") + 3, ':', (size_t)(rest - strstr(text, "://") - 3)) == NULL);
		write_down(&u, again, sizeof(again));
		must(redis_url_parse(&v, again, NULL) == 0 && memcmp(&u, &v, sizeof(u)) == 0);
	} else
		check_refused(text, &err);
	free(text);
	return 0;
}
