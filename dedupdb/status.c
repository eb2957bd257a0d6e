/* Filling a struct err. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "status.h"

int
err_set(struct err *err, enum status status, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	err->status = status;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *err, const char *op, const char *path)
{
	enum status status = errno == EDQUOT ? STATUS_QUOTA : STATUS_TEMP;
	const char *reason = strerror(errno);

	if (path == NULL)
		return err_set(err, status, "%s: %s", op, reason);
	return err_set(err, status, "%s %s: %s", op, path, reason);
}

void
err_retry(struct err *err)
{
	if (err != NULL && (err->status == STATUS_QUOTA || err->status == STATUS_NOUSER || err->status == STATUS_REFUSED))
		err->status = STATUS_TEMP;
}
