/* How every intent begins. */
#include <string.h>

#include "intent.h"

#define ALONE 1		/* versions: without a host, and with one */
#define WITH_HOST 2

bool
intent_host_is_valid(const char *host)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(host);

	return len > 0 && len < HOST_SIZE && strspn(host, allowed) == len;
}

void
intent_begin(struct packer *p, unsigned char tag, const char *host)
{
	bool named = host != NULL && host[0] != '\0';

	pack_int(p, tag, 1);
	pack_int(p, named ? WITH_HOST : ALONE, 1);
	if (named)
		pack_string(p, host, strlen(host));
}

int
intent_enter(struct unpacker *u, unsigned char tag, char host[HOST_SIZE])
{
	uint64_t version;

	host[0] = '\0';
	if (unpack_int(u, 1) != tag)
		return -1;
	version = unpack_int(u, 1);
	if (version == WITH_HOST)
		unpack_text(u, host, HOST_SIZE);
	else if (version != ALONE)
		return -1;
	if (!u->bad && (version == ALONE || intent_host_is_valid(host)))
		return 0;
	host[0] = '\0';
	return -1;
}

void
intent_host(const struct intent *intent, char host[HOST_SIZE])
{
	struct unpacker u = { .bytes = intent->bytes, .left = intent->len < sizeof(intent->bytes) ? intent->len : 0 };

	(void)intent_enter(&u, intent->bytes[0], host);
}

bool
intent_is_foreign(const struct intent *intent, const char *us)
{
	char host[HOST_SIZE];

	intent_host(intent, host);
	return us != NULL && host[0] != '\0' && strcmp(host, us) != 0;
}
