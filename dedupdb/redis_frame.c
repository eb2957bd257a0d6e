/* Frames: the records whose fingerprints begin alike, as one value. See redis.h. */
#include <string.h>

#include "pack.h"
#include "redis.h"

#define REST_BYTES (FINGERPRINT_BYTES - REDIS_PREFIX_BYTES)

struct frame {
	unsigned char rest[REST_BYTES];
	const unsigned char *record;	/* borrowed */
	size_t len;
};

/* Returns 1, 0 at the end, -1: this is no frame. */
static int
next(struct unpacker *u, struct frame *frame)
{
	if (u->left == 0)
		return 0;
	unpack_bytes(u, frame->rest, sizeof(frame->rest));
	(void)unpack_int(u, 4);
	frame->record = unpack_string(u, &frame->len);
	return u->bad ? -1 : 1;
}

/* What is longer than a record is none: then it does not matter how it goes on. */
static void
copy(struct store_value *value, const struct frame *frame)
{
	value->len = frame->len < RECORD_MAX ? frame->len : RECORD_MAX;
	memcpy(value->bytes, frame->record, value->len);
}

bool
redis_frame_find(const void *all, size_t len, const struct fingerprint *key, struct store_value *value)
{
	struct unpacker u = { .bytes = all, .left = len };
	struct frame frame;

	while (next(&u, &frame) == 1)
		if (memcmp(frame.rest, key->bytes + REDIS_PREFIX_BYTES, REST_BYTES) == 0) {
			copy(value, &frame);
			return true;
		}
	return false;
}

int
redis_frames_each(const void *all, size_t len, const struct fingerprint *prefix, store_visit *visit, void *arg, struct err *err)
{
	struct unpacker u = { .bytes = all, .left = len };
	struct fingerprint key = *prefix;
	struct store_value value;
	struct frame frame;
	int ret;

	while ((ret = next(&u, &frame)) == 1) {
		memcpy(key.bytes + REDIS_PREFIX_BYTES, frame.rest, REST_BYTES);
		copy(&value, &frame);
		ret = visit(arg, &key, &value, err);
		if (ret != 0)
			return ret;
	}
	if (ret == 0)
		return 0;
	value.len = 0;
	return visit(arg, prefix, &value, err);
}

/* The window counts from the first delivery. What is old already, or has no time, stays for a while, too. */
uint32_t
redis_expiry(const struct redis *r, const struct store_value *value, bool pending, int64_t now)
{
	int64_t first, until;

	if (pending)
		return 0;
	if (record_look(value->bytes, value->len, &first) == -1 || first > now)
		first = now;
	until = (first + r->window > now ? first + r->window : now) + REDIS_MARGIN;
	return until > UINT32_MAX ? UINT32_MAX : (uint32_t)until;
}
