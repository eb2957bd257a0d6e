/* The encoding of a record. */
#include <stdbool.h>
#include <string.h>

#include "record.h"

#define VERSION 1
#define HEAD 20		/* bytes before the intent's length */

static unsigned char *
put_number(unsigned char *p, uint64_t number, size_t bytes)
{
	size_t i;

	for (i = bytes; i-- > 0; number >>= 8)
		p[i] = (unsigned char)(number & 0xff);
	return p + bytes;
}

static uint64_t
get_number(const unsigned char *p, size_t bytes)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		number = number << 8 | p[i];
	return number;
}

size_t
record_encode(const struct record *record, unsigned char *buf)
{
	unsigned char *p = buf;

	p = put_number(p, VERSION, 1);
	p = put_number(p, (uint64_t)record->state, 1);
	p = put_number(p, record->flags, 2);
	p = put_number(p, (uint64_t)record->first, 8);
	p = put_number(p, (uint64_t)record->decided, 8);
	p = put_number(p, record->intent.len, 2);
	memcpy(p, record->intent.bytes, record->intent.len);
	p += record->intent.len;
	p = put_number(p, record->trace_len, 2);
	memcpy(p, record->trace, record->trace_len);
	p += record->trace_len;
	return (size_t)(p - buf);
}

/* Find the bytes at *p that their length stands before, and go past them. */
static bool
get_bytes(const unsigned char **p, size_t *left, size_t max, const unsigned char **bytes, size_t *len)
{
	if (*left < 2)
		return false;
	*len = (size_t)get_number(*p, 2);
	if (*len > max || *len > *left - 2)
		return false;
	*bytes = *p + 2;
	*p += 2 + *len;
	*left -= 2 + *len;
	return true;
}

int
record_decode(struct record *record, const void *buf, size_t len)
{
	const unsigned char *head = buf, *p, *intent, *trace;
	size_t left, intent_len, trace_len;

	if (len < HEAD || head[0] != VERSION || (head[1] != RECORD_PENDING && head[1] != RECORD_DELIVERED))
		return -1;
	p = head + HEAD;
	left = len - HEAD;
	if (!get_bytes(&p, &left, INTENT_MAX, &intent, &intent_len) || !get_bytes(&p, &left, TRACE_MAX, &trace, &trace_len) || left != 0)
		return -1;
	record->state = (enum record_state)head[1];
	record->flags = (uint16_t)get_number(head + 2, 2);
	record->first = (int64_t)get_number(head + 4, 8);
	record->decided = (int64_t)get_number(head + 12, 8);
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
