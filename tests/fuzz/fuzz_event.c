/*
 * Slots of the history, which are read back from a disk that anything may have written to: what decodes is what the format's table in
 * events.h allows, and encodes to the same bytes.
 *
 * Input: a slot, cut or filled up with zeroes. It is tried as it is, and with the checksum that belongs to it.
 */
#include "events.h"
#include "fuzz.h"

#define REST 8		/* where the checksum ends */
#define STRINGS 94

static void
seal(unsigned char *slot)
{
	uint64_t sum = input_checksum(slot + REST, EVENT_SLOT - REST);
	size_t i;

	for (i = REST; i-- > 0; sum /= 256)
		slot[i] = (unsigned char)(sum % 256);
}

static size_t
two(const unsigned char *p)
{
	return (size_t)(p[0] * 256 + p[1]);
}

/* By the table: what is fixed, then one string after the other, then zeroes. */
static bool
is_allowed(const unsigned char *slot)
{
	static const size_t room[] = { EVENT_ID, 64, 64, 36, 64 };
	size_t at = STRINGS, i, len;

	if (slot[16] != 1 || slot[17] < EVENT_DELIVERED || slot[17] > EVENT_RESTORED || slot[19] != 0)
		return false;
	for (i = 0; i < 5; i++) {
		len = two(slot + at);
		if (len > room[i] || (i > 0 && memchr(slot + at + 2, '\0', len) != NULL))
			return false;
		at += 2 + len;
	}
	while (at < EVENT_SLOT)
		if (slot[at++] != 0)
			return false;
	return two(slot + STRINGS) <= two(slot + STRINGS - 2);
}

static void
check(const unsigned char *slot)
{
	unsigned char again[EVENT_SLOT], sealed[EVENT_SLOT];
	struct event event;
	bool whole;

	memcpy(sealed, slot, sizeof(sealed));
	seal(sealed);
	whole = memcmp(sealed, slot, REST) == 0;
	memset(&event, 0xff, sizeof(event));
	must((event_decode(&event, slot) == 0) == (whole && is_allowed(slot)));
	if (!whole || !is_allowed(slot))
		return;
	must(event_name(event.kind) != NULL);
	must(event.number % 256 == slot[15] && event.kind == slot[17] && event.proof == slot[18]);
	must(event.id_len == two(slot + STRINGS) && memcmp(event.id, slot + STRINGS + 2, event.id_len) == 0);
	must(strlen(event.sender) < EVENT_NAME && strlen(event.receiver) < EVENT_NAME && strlen(event.queue_id) < EVENT_QUEUE &&
	    strlen(event.place) < EVENT_NAME);
	event_encode(&event, again);
	must(memcmp(again, slot, sizeof(again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char slot[EVENT_SLOT] = { 0 };

	if (size > 0)
		memcpy(slot, data, size < sizeof(slot) ? size : sizeof(slot));
	check(slot);
	seal(slot);
	check(slot);
	slot[size % EVENT_SLOT] ^= 0x40;	/* the checksum sees any one byte */
	check(slot);
	return 0;
}
