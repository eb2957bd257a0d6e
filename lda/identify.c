/* From bytes to a fingerprint, as one configuration says. */
#include <stdlib.h>
#include <string.h>

#include "identify.h"

static int
swallow(void *arg, const void *buf, size_t len, struct err *err)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)err;
	return 0;
}

const struct sink sink_nowhere = { .write = swallow };

static struct fingerprint_options
fingerprint_options(const struct config *config)
{
	return (struct fingerprint_options){ .scope = config->scope, .headers = (const char *const *)config->fingerprint_headers,
		.body = config->body };
}

int
identify_read(const struct identify *how, const struct source *from, struct message **m, struct err *err)
{
	const struct config *config = how->config;
	struct fingerprint_options options = fingerprint_options(config);
	struct message_options mo = { .body = config->body, .spill = how->spill };
	const char **fields = fingerprint_fields(&options, how->also);
	int ret;

	*m = NULL;
	if (fields == NULL)
		return err_sys(err, "read message", NULL);
	mo.fields = fields;
	ret = message_read_from(m, from, &mo, err);
	free(fields);
	return ret;
}

int
identify_from(const struct identify *how, const struct source *from, struct message **m, struct fingerprint *fp, struct err *err)
{
	struct fingerprint_options options = fingerprint_options(how->config);

	if (identify_read(how, from, m, err) == -1)
		return -1;
	return fingerprint_make(fp, *m, &options, how->explain, how->explain_arg) ? 1 : 0;
}

int
identify(const struct identify *how, int fd, struct message **m, struct fingerprint *fp, struct err *err)
{
	const struct source from = message_source(&fd);

	return identify_from(how, &from, m, fp, err);
}

int
identify_message(const struct config *config, const struct message *m, struct fingerprint *fp)
{
	struct fingerprint_options options = fingerprint_options(config);

	return fingerprint_make(fp, m, &options, NULL, NULL) ? 1 : 0;
}
