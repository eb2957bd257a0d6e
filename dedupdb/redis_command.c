/* Commands, keys, and what replies must look like. */
#include <inttypes.h>
#include <string.h>

#include "redis.h"

#define PREFIX "dedup-lda"

void
redis_arg(struct redis_command *c, const void *bytes, size_t len)
{
	c->argv[c->argc] = bytes;
	c->len[c->argc++] = len;
}

void
redis_word(struct redis_command *c, const char *word)
{
	redis_arg(c, word, strlen(word));
}

void
redis_number(struct redis_command *c, char text[24], int64_t n)
{
	snprintf(text, 24, "%" PRId64, n);
	redis_word(c, text);
}

void
redis_key(char key[REDIS_KEY_MAX], const struct fingerprint *fp)
{
	char hex[FINGERPRINT_HEX];

	fingerprint_hex(fp, hex);
	snprintf(key, REDIS_KEY_MAX, PREFIX ":{%03o}:%.*s", fp->bytes[0], 2 * REDIS_PREFIX_BYTES, hex);
}

void
redis_bucket_key(char key[REDIS_KEY_MAX], unsigned int bucket, const char *what)
{
	snprintf(key, REDIS_KEY_MAX, PREFIX ":{%03o}:%s", bucket, what);
}

bool
redis_is_string(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING;
}

const redisReply *
redis_element(const redisReply *reply, size_t i, int type)
{
	if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements || reply->element[i]->type != type)
		return NULL;
	return reply->element[i];
}

const redisReply *
redis_field(const redisReply *list, const char *name)
{
	const redisReply *one;
	size_t i;

	for (i = 0; (one = redis_element(list, i, REDIS_REPLY_STRING)) != NULL; i += 2)
		if (strcmp(one->str, name) == 0)
			return redis_element(list, i + 1, REDIS_REPLY_STRING);
	return NULL;
}
