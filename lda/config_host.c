/* Which host this is to the others that use the same ledger. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_value.h"
#include "digest.h"
#include "intent.h"

#define MACHINE_ID "/etc/machine-id"
#define MACHINE_DIGITS 32
#define SALT "dedup-lda host "	/* machine-id(5): the id itself is not to be shown to others */
#define HOST_BYTES 8		/* 16 hex digits */

/* Of machine-id(5), hashed. Returns 0, or -1: there is none. */
static int
of_machine(char host[HOST_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[DIGEST_BYTES];
	char text[MACHINE_DIGITS];
	struct digest d;
	ssize_t n;
	size_t i;
	int fd = open(MACHINE_ID, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return -1;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n != (ssize_t)sizeof(text))
		return -1;
	for (i = 0; i < sizeof(text); i++)
		if (!isxdigit((unsigned char)text[i]))
			return -1;	/* "uninitialized" */
	digest_start(&d);
	digest_add(&d, SALT, strlen(SALT));
	digest_add(&d, text, sizeof(text));
	digest_end(&d, digest);
	for (i = 0; i < HOST_BYTES; i++) {
		host[2 * i] = hex[digest[i] >> 4];
		host[2 * i + 1] = hex[digest[i] & 15];
	}
	host[2 * HOST_BYTES] = '\0';
	return 0;
}

/* The name of the machine, where it has no id. Two that share a name finish each other's deliveries too soon: a copy, never a loss. */
static void
of_name(char host[HOST_SIZE])
{
	char name[256] = "";
	size_t i;

	if (gethostname(name, sizeof(name) - 1) == -1 || name[0] == '\0')
		strcpy(name, "unnamed");
	for (i = 0; i < HOST_SIZE - 1 && name[i] != '\0'; i++)
		host[i] = isalnum((unsigned char)name[i]) || name[i] == '.' || name[i] == '-' ? name[i] : '_';
	host[i] = '\0';
}

/* The id is asked for once: dedup-lmtpd resolves again for each recipient, in a sandbox. */
static const char *
machine(struct config *config)
{
	char host[HOST_SIZE];

	if (config->machine == NULL) {
		if (of_machine(host) == -1)
			of_name(host);
		config->machine = strdup(host);
	}
	return config->machine;
}

int
resolve_host(struct config *config, struct err *err)
{
	const char *host = config->host[0] != '\0' ? config->host : NULL;

	if (strcmp(config->ledger, "none") == 0)
		return 0;
	if (host == NULL && strncmp(config->ledger, "bdb:", 4) == 0)
		return 0;	/* files here, which nobody else uses */
	if (host == NULL)
		host = machine(config);
	if (host != NULL)
		config->this_host = strdup(host);
	return config->this_host == NULL ? err_sys(err, "strdup", NULL) : 0;
}
