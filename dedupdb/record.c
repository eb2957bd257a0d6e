/* The encoding of a record. */
#include <string.h>

#include "pack.h"
#include "record.h"

#define VERSION 1

size_t
record_encode(const struct record *record, unsigned char *buf)
{
	struct packer p = { .bytes = buf, .size = RECORD_MAX };

	pack_int(&p, VERSION, 1);
	pack_int(&p, (uint64_t)record->state, 1);
	pack_int(&p, record->flags, 2);
	pack_int(&p, (uint64_t)record->first, 8);
	pack_int(&p, (uint64_t)record->decided, 8);
	pack_string(&p, record->intent.bytes, record->intent.len);
	pack_string(&p, record->trace, record->trace_len);
	return p.len;
}

int
record_decode(struct record *record, const void *buf, size_t len)
{
	struct unpacker u = { .bytes = buf, .left = len };
	const unsigned char *intent, *trace;
	uint64_t version = unpack_int(&u, 1), state = unpack_int(&u, 1);
	size_t intent_len, trace_len;

	if (version != VERSION || (state != RECORD_PENDING && state != RECORD_DELIVERED))
		return -1;
	record->state = (enum record_state)state;
	record->flags = (uint16_t)unpack_int(&u, 2);
	record->first = (int64_t)unpack_int(&u, 8);
	record->decided = (int64_t)unpack_int(&u, 8);
	intent = unpack_string(&u, &intent_len);
	trace = unpack_string(&u, &trace_len);
	if (u.bad || u.left != 0 || intent_len > INTENT_MAX || trace_len > TRACE_MAX)
		return -1;
	record->intent.len = intent_len;
	memcpy(record->intent.bytes, intent, intent_len);
	record->trace_len = trace_len;
	memcpy(record->trace, trace, trace_len);
	return 0;
}

int64_t
record_age(const struct record *record, int64_t now)
{
	uint64_t age = (uint64_t)now - (uint64_t)record->first;

	if (now <= record->first)
		return 0;
	return age > INT64_MAX ? INT64_MAX : (int64_t)age;
}
