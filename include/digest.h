/*
 * SHA-256 of bytes that come in pieces. Nothing here can fail, and a digest is a plain value: to copy it keeps a state.
 */
#ifndef DIGEST_H
#define DIGEST_H

#define OPENSSL_SUPPRESS_DEPRECATED	/* dedupdb/digest.c says why */
#include <openssl/sha.h>

#include <stddef.h>

#define DIGEST_BYTES 32

struct digest {
	SHA256_CTX ctx;
};

void digest_start(struct digest *d);
void digest_add(struct digest *d, const void *buf, size_t len);
/* Nothing can be added afterwards; digest_start() begins anew. */
void digest_end(struct digest *d, unsigned char bytes[DIGEST_BYTES]);

#endif
