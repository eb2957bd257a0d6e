/* bodyhash relaxed|simple FILE...: print each message's body hash as in bh= of a DKIM signature, and the file's name. */
#include <openssl/evp.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message.h"

static int
print_hash(const char *path, enum body_form form)
{
	struct message_options options = { .body = form };
	unsigned char text[4 * BODY_DIGEST_BYTES / 3 + 4];
	struct message *m;
	struct err err;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		perror(path);
		return -1;
	}
	ret = message_read(&m, fd, &options, &err);
	close(fd);
	if (ret == -1) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		return -1;
	}
	EVP_EncodeBlock(text, message_body_digest(m), BODY_DIGEST_BYTES);
	printf("%s %s\n", (char *)text, path);
	message_free(&m);
	return 0;
}

int
main(int argc, char **argv)
{
	int i, ret = 0;

	if (argc < 2 || (strcmp(argv[1], "relaxed") != 0 && strcmp(argv[1], "simple") != 0)) {
		fprintf(stderr, "usage: bodyhash relaxed|simple file ...\n");
		return 64;
	}
	for (i = 2; i < argc; i++)
		if (print_hash(argv[i], argv[1][0] == 'r' ? BODY_RELAXED : BODY_SIMPLE) == -1)
			ret = 1;
	return ret;
}
