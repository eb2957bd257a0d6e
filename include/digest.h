/*
 * SHA-256 of bytes that come in pieces. Errors are remembered and told once, at the end.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define DIGEST_BYTES 32

struct digest {
	EVP_MD_CTX *ctx;
	bool failed;
};

/* Returns 0 or -1. A zeroed struct digest may be dropped. */
int digest_start(struct digest *d, struct err *err);
void digest_add(struct digest *d, const void *buf, size_t len);
/* Returns 0 or -1; nothing can be added afterwards. */
int digest_end(struct digest *d, unsigned char bytes[DIGEST_BYTES], struct err *err);
void digest_drop(struct digest *d);

#endif
