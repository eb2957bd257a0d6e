/* The encoding of a record. */
#include <string.h>

#include "pack.h"
#include "record.h"

#define VERSION 1

/* The bytes of intent and trace are not touched: most of them never will be. */
void
record_begin(struct record *record, enum record_state state, int64_t first, int64_t decided)
{
	record->state = state;
	record->flags = 0;
	record->first = first;
	record->decided = decided;
	record->trace_len = record->intent.len = 0;
}

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

/* An encoded record, whose intent and trace stay where they are. */
struct parts {
	uint64_t state, flags, first, decided;
	const unsigned char *intent, *trace;
	size_t intent_len, trace_len;
};

static int
take_apart(struct parts *p, const void *buf, size_t len)
{
	struct unpacker u = { .bytes = buf, .left = len };

	if (unpack_int(&u, 1) != VERSION)
		return -1;
	p->state = unpack_int(&u, 1);
	p->flags = unpack_int(&u, 2);
	p->first = unpack_int(&u, 8);
	p->decided = unpack_int(&u, 8);
	p->intent = unpack_string(&u, &p->intent_len);
	p->trace = unpack_string(&u, &p->trace_len);
	if (u.bad || u.left != 0 || (p->state != RECORD_PENDING && p->state != RECORD_DELIVERED))
		return -1;
	return p->intent_len > INTENT_MAX || p->trace_len > TRACE_MAX ? -1 : 0;
}

int
record_decode(struct record *record, const void *buf, size_t len)
{
	struct parts p;

	if (take_apart(&p, buf, len) == -1)
		return -1;
	record->state = (enum record_state)p.state;
	record->flags = (uint16_t)p.flags;
	record->first = (int64_t)p.first;
	record->decided = (int64_t)p.decided;
	record->intent.len = p.intent_len;
	memcpy(record->intent.bytes, p.intent, p.intent_len);
	record->trace_len = p.trace_len;
	memcpy(record->trace, p.trace, p.trace_len);
	return 0;
}

int
record_look(const void *buf, size_t len, int64_t *first)
{
	struct parts p;

	if (take_apart(&p, buf, len) == -1)
		return -1;
	*first = (int64_t)p.first;
	return (int)p.state;
}

int64_t
record_age(const struct record *record, int64_t now)
{
	uint64_t age = (uint64_t)now - (uint64_t)record->first;

	if (now <= record->first)
		return 0;
	return age > INT64_MAX ? INT64_MAX : (int64_t)age;
}
