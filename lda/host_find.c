/* Looking up a host's name. */
#include <stdlib.h>
#include <string.h>

#include "host_find.h"
#include "nss_ask.h"

int
host_find(struct host_addresses *to, const char *name, unsigned int port, int timeout_ms, struct err *err)
{
	const char *const question[] = { "host", name, NULL };
	char *answer, *p;
	struct err why;
	size_t len;

	to->n = 0;
	if (host_add(to, name, port) == 0)
		return 0;
	if ((timeout_ms == 0 ? nss_ask(question, &answer, &len, &why) : nss_ask_within(question, timeout_ms, &answer, &len, &why)) == -1)
		return err_set(err, STATUS_TEMP, why.status == STATUS_NOUSER ? "there is no host %s" : "look up host %s: no answer", name);
	for (p = answer; p < answer + len; p += strlen(p) + 1)
		(void)host_add(to, p, port);
	free(answer);
	return to->n > 0 ? 0 : err_set(err, STATUS_TEMP, "host %s has no address", name);
}
