/*
 * SHA-256, by OpenSSL's own functions for it and not by EVP: that one sets up the whole library first, with its providers and
 * its tables of names, which costs a short-lived process more than hashing an ordinary message. Both run the same code on the bytes.
 */
#include "digest.h"

void
digest_start(struct digest *d)
{
	SHA256_Init(&d->ctx);
}

void
digest_add(struct digest *d, const void *buf, size_t len)
{
	SHA256_Update(&d->ctx, buf, len);
}

void
digest_end(struct digest *d, unsigned char bytes[DIGEST_BYTES])
{
	SHA256_Final(bytes, &d->ctx);
}
