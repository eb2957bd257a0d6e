/* A password that a file holds. */
#include <sys/resource.h>

#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "config_secret.h"

void
secret_free(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

/* Only the delivery agents make sure of that from the start. */
static void
leave_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}

int
secret_read(char **secret, const char *path, struct err *err)
{
	size_t len, end;
	int ret;

	leave_no_core();
	ret = config_file_read(path, -1, true, secret, &len, err);
	if (ret <= 0)
		return ret == -1 ? -1 : err_set(err, STATUS_CONFIG, "%s: there is no such file", path);
	end = strcspn(*secret, "\r\n");
	if (end == 0 || end > SECRET_MAX || strlen(*secret) != len || (*secret)[end + strspn(*secret + end, "\r\n")] != '\0') {
		secret_free(secret);
		return err_set(err, STATUS_CONFIG, "%s: a password is one line of %d bytes at most", path, SECRET_MAX);
	}
	(*secret)[end] = '\0';
	return 0;
}
