/*
 * A section: the only time at which a process uses the Berkeley DB environment of a ledger.
 *
 * Folder of a ledger: `lock` (the lock file with the header below), `env/` (the environment: ledger.db, log.*, the region files
 * __db.*), `env.bad.<time>` (damaged environments that were set aside; the newest two).
 *
 * A section takes the exclusive lock, marks the header dirty, opens the environment, works, closes it, marks the header clean and
 * unlocks. A process that dies in a section leaves it dirty (kill -9 frees the lock), and the next section starts with a recovery.
 * So Berkeley DB's own shared locks and mutexes are never left held for anybody, which is what hangs or loses records in its other
 * modes when processes are killed.
 *
 * At rest the region files are sealed: the header knows their inodes, sizes and times. A region file that is not exactly as we left
 * it (deleted, restored from a backup, overwritten) is never mapped, since Berkeley DB crashes on damaged ones; it is made again.
 */
#ifndef BDB_H
#define BDB_H

#include <db.h>

#include "fs.h"
#include "store.h"

#define BDB_HINTS 8

struct bdb_header {
	char magic[8];
	uint32_t dirty;
	uint32_t failures;		/* repairs and sections that damage made fail, since the last success */
	unsigned char boot[BOOT_ID_BYTES];	/* regions of another boot are rubbish */
	uint64_t seal;
	uint64_t duplicates;
	unsigned char hand[FINGERPRINT_BYTES];	/* the clock hand: tidying goes on from this key */
	unsigned char hints[BDB_HINTS][FINGERPRINT_BYTES];	/* recently pending keys; zero: free */
	uint64_t checksum;		/* of all bytes before */
};

struct bdb {
	struct store base;
	char *path, *env_path;
	int dir, lock;			/* descriptors, -1 before the first section */
	int timeout_ms;
	bool strict, create;
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
	store_expired *expired;
	void *expired_arg;
	bool sync_entries;		/* fsync folders after a durable put */

	/* inside a section */
	struct bdb_header header;
	struct bdb_header blame;	/* what bdb_crashed() writes */
	volatile bool working;
	DB_ENV *env;
	DB *db;
	bool transient;			/* the database complained of a full disk or the like: not of damage */
	char complaint[160];		/* the first thing it said */
};

/* Runs inside a section. STORE_FAILED and STORE_UNDECIDED with err->status STATUS_CORRUPT mean damage. */
typedef enum store_result bdb_work(struct bdb *b, void *arg, struct err *err);

/* Run work in a section; after damage repair and run it again. STORE_ABSENT when there is no ledger and none is to be made. */
enum store_result bdb_section(struct bdb *b, bdb_work *work, void *arg, struct err *err);
/* The same with the header alone, without opening the environment. */
enum store_result bdb_header_section(struct bdb *b, int timeout_ms, bdb_work *work, void *arg, struct err *err);

/* Fill err from a return value of Berkeley DB (or an errno); returns STORE_FAILED. */
enum store_result bdb_fail(struct bdb *b, const char *op, int ret, struct err *err);

/* Open the environment and the database, recovering first or not; 0 or -1. Creates what is missing when recovering. */
int bdb_env_open(struct bdb *b, bool recover, struct err *err);
/* Close both; 0, or -1 when the environment is not fit to be used again without recovery. */
int bdb_env_close(struct bdb *b);
/* Move a damaged environment out of the way; keeps the newest two. */
int bdb_env_set_aside(struct bdb *b, struct err *err);
/* What the region files look like now; 0 when there are none. */
uint64_t bdb_env_seal(const struct bdb *b);

#endif
