/* SHA-256, by OpenSSL. */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "digest.h"

static int
digest_error(struct err *err)
{
	return err_set(err, STATUS_TEMP, "SHA-256: OpenSSL failed");
}

int
digest_start(struct digest *d, struct err *err)
{
	/* OpenSSL's configuration file could load code, and reading it takes longer than hashing a message. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	d->failed = false;
	d->ctx = EVP_MD_CTX_new();
	if (d->ctx == NULL)
		return digest_error(err);
	if (EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1) {
		digest_drop(d);
		return digest_error(err);
	}
	return 0;
}

void
digest_add(struct digest *d, const void *buf, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(d->ctx, buf, len) != 1)
		d->failed = true;
}

int
digest_end(struct digest *d, unsigned char bytes[DIGEST_BYTES], struct err *err)
{
	if (EVP_DigestFinal_ex(d->ctx, bytes, NULL) != 1 || d->failed)
		return digest_error(err);
	return 0;
}

void
digest_drop(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}
