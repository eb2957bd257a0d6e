/*
 * A password that a file holds. Private to the configuration.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "status.h"

#define SECRET_MAX 512	/* bytes */

/* One line, without its end: *secret is to be wiped with secret_free(). The file must belong to root or to this process's user; nobody else
 * may write it or its folder, and not everybody may read it. From then on this process leaves no core files. Returns 0, or -1:
 * STATUS_CONFIG. */
int secret_read(char **secret, const char *path, struct err *err);
void secret_free(char **secret);

#endif
