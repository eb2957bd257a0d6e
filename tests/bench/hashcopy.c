/* hashcopy FOLDER <file: cat, sha256 and fsync in one process: copy the input to a new file there, with its digest on the way. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TROUBLE 75

int
main(int argc, char **argv)
{
	static unsigned char buf[65536];
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char path[4096];
	ssize_t n;
	int fd;

	if (argc != 2 || ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return TROUBLE;
	snprintf(path, sizeof(path), "%s/copy.XXXXXX", argv[1]);
	fd = mkstemp(path);
	if (fd == -1)
		return TROUBLE;
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1 || write(fd, buf, (size_t)n) != n)
			return TROUBLE;
	if (n == -1 || EVP_DigestFinal_ex(ctx, digest, NULL) != 1 || fsync(fd) == -1)
		return TROUBLE;
	EVP_MD_CTX_free(ctx);
	return 0;
}
