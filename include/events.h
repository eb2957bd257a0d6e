/*
 * Events: what was done with messages, the newest so many, for whoever asks later why one came or did not.
 *
 * They lie beside the database, not in it: in the file `events` of a ledger's folder, a ring of slots of EVENT_SLOT bytes, so
 * that repairs, and an environment that is set aside, leave them alone. Each slot has its own number and checksum. Nothing ever
 * depends on events: they are written without a sync, and every error is forgotten.
 *
 * After a crash: events of processes that were killed are there. After a power cut the newest may be missing. A slot that is torn
 * or was damaged is skipped, and written over when its turn comes.
 *
 * Slot, integers big-endian: checksum of the rest (8), number (8), version (1), kind (1), proof (1), zero (1), time (8), first (8),
 * size (8), count (8), gap (8), fingerprint (32), length of the whole Message-ID (2), then with their lengths (2) its beginning,
 * sender, receiver, queue id, place; zeroes.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "fingerprint.h"
#include "status.h"

#define EVENT_SLOT 512		/* bytes */
#define EVENTS_MAX 65536	/* slots of a ring */
#define EVENT_ID 180		/* bytes of a Message-ID that are kept */
#define EVENT_NAME 65		/* bytes, with the final NUL; longer names are cut */
#define EVENT_QUEUE 37

enum event_kind {
	EVENT_DELIVERED = 1,
	EVENT_DUPLICATE,	/* discarded */
	EVENT_HELPED,		/* a copy finished what another delivery had decided */
	EVENT_TAGGED,		/* a duplicate, delivered with a tag */
	EVENT_FILED,		/* a duplicate, put into a folder */
	EVENT_RECOVERED,	/* finished without a copy */
	EVENT_DROPPED,		/* a pending record that could not be finished any more was deleted */
	EVENT_FORGOTTEN,	/* its record was deleted by hand */
	EVENT_IMPORTED,		/* recorded without a delivery: `count` messages of the mailbox `place` */
	EVENT_UNRECORDED,	/* delivered while the ledger could not be used: what it says of the message may be wrong */
	EVENT_RESTORED		/* taken over from an export: `count` records of the file `place` */
};

struct event {
	uint64_t number;	/* grows by one with each event of a ledger; set when it is written */
	enum event_kind kind;
	int64_t time;		/* s since 1970 */
	int64_t first;		/* s since 1970: the first copy was decided; 0: not told */
	uint64_t size;		/* bytes of the message; 0: not told */
	uint64_t count;		/* what one event stands for, if it is more than one message; else 0 */
	struct fingerprint fp;	/* zeroes: of no single message */
	size_t id_len;		/* bytes of id */
	size_t id_whole;	/* how long the Message-ID was; more than id_len: it is cut */
	unsigned char id[EVENT_ID];	/* as it came: any bytes */
	char place[EVENT_NAME];		/* folder, or mailbox; "": the inbox */

	/* of a duplicate: at which hop it was copied, as far as that is known */
	unsigned int proof;		/* how that is known, 0 to 255; 0: it is not */
	int64_t gap;			/* s between the two acceptances; valid with a proof */
	char sender[EVENT_NAME], receiver[EVENT_NAME], queue_id[EVENT_QUEUE];
};

/* All but the Message-ID and what is special to a kind. */
void event_begin(struct event *event, enum event_kind kind, const struct fingerprint *fp, int64_t now);
void event_message_id(struct event *event, const void *id, size_t len);
/* The word for it: delivered, duplicate, ... */
const char *event_name(enum event_kind kind);

void event_encode(const struct event *event, unsigned char slot[EVENT_SLOT]);
/* Returns 0, or -1 for bytes that are no whole event. */
int event_decode(struct event *event, const unsigned char slot[EVENT_SLOT]);

/* Write one into the ring of so many slots in the folder dir. *next: its number, which is then the following one's; 0: not known, the
 * file tells. One writer at a time. */
void events_write(int dir, uint32_t slots, uint64_t *next, const struct event *event);

/* A visitor returns 0 to go on, 1 to stop (no error), -1 with err filled. */
typedef int event_visit(void *arg, const struct event *event, struct err *err);

/* Every event of the ring, the oldest first (a ring whose size was changed may be out of order). Writers are not waited for. Returns
 * 0, also when there are none, or -1; `path` is what errors call the folder. */
int events_each(int dir, const char *path, event_visit *visit, void *arg, struct err *err);

#endif
