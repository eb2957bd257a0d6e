/*
 * A section: the only time at which a process uses the Berkeley DB environment of a ledger.
 *
 * Folder of a ledger: `lock` (the lock file with the header below), `env/` (the environment: ledger.db, log.*, the region files
 * __db.*), `env.bad.<time>` (damaged environments that were set aside; the newest two), `events` (what was done: events.h).
 *
 * A section takes the exclusive lock, marks the header dirty, opens the environment unless this process has it open, works, marks the
 * header clean and unlocks. A process that dies in a section leaves it dirty (kill -9 frees the lock), and the next section starts with a recovery.
 * So Berkeley DB's own shared locks and mutexes are never left held for anybody, which is what hangs or loses records in its other
 * modes when processes are killed.
 *
 * At rest the files are sealed: the header knows the inodes, sizes and times of the region files, the database and the log files. If
 * one is not exactly as we left it (deleted, restored from a backup, overwritten), the section starts with a recovery: damage is found
 * before anything is recorded on top of it. A region file is never mapped then, since Berkeley DB crashes on damaged ones; it is made
 * again. After a recovery no page of the database may be from after the log's end. If one is, the log has been cut or replaced: new
 * records in it would look older than that page, and a later recovery would skip them.
 */
#ifndef BDB_H
#define BDB_H

#include <string.h>

#include "berkeley_db.h"
#include "counters.h"
#include "fs.h"
#include "store.h"

#define BDB_MAGIC "DDLEDG6\n"	/* its digit grows with each change of the header */
#define BDB_FRESH_AFTER 2	/* failures after which recovering again is no use */
#define BDB_HINTS 8
#define BDB_HANDLES_MAX 2000	/* shared memory has room for 4,900, and a recovery for those of two such times */
#define BDB_REGIONS 8		/* of an environment; Berkeley DB makes three of them */
#define BDB_CHECKPOINT_KB 512	/* of log, after which a checkpoint is made */
#define BDB_SECTION_MS 5	/* how long a section of long work works before it lets deliveries in */
#define BDB_GIVE_WAY_MS 8	/* and how long it then stays away: who waits for the lock asks for it every 4 ms at the latest */
#define BDB_GIVE_WAY_MAX_MS 50	/* as long as the section took, up to this: a slow disk makes all of them long */

struct bdb_header {
	char magic[8];
	uint32_t dirty;
	uint32_t failures;		/* repairs and sections that damage made fail, since the last success */
	unsigned char boot[BOOT_ID_BYTES];	/* regions of another boot are rubbish */
	uint64_t seal;			/* of the files at rest */
	uint64_t generation;		/* another number with every repair: handles opened before one are worthless. 0: there was none */
	uint64_t duplicates;
	uint32_t regions;		/* how many region files there are */
	uint16_t changes;		/* since the last checkpoint was asked for */
	uint16_t handles;		/* on the shared memory, as it was made last: of processes at work, and of ones that died */
	uint32_t log;			/* number of the last log file */
	uint32_t events;		/* the next event's number; 0: not known */
	unsigned char hand[FINGERPRINT_BYTES];	/* the clock hand: tidying goes on from this key */
	unsigned char hints[BDB_HINTS][FINGERPRINT_BYTES];	/* recently pending keys; zero: free */
	uint64_t checksum;		/* of all bytes before */
};

struct bdb {
	struct store base;
	char *path, *env_path;
	int dir, lock;			/* descriptors, -1 before the first section */
	dev_t lock_dev;			/* which file `lock` is */
	ino_t lock_ino;
	int timeout_ms;
	bool strict, create, many, bulk;
	uint32_t history;		/* events that are kept */
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
	store_expired *expired;
	void *expired_arg;
	bool sync_entries;		/* fsync folders after a durable put */
	bool distrust;			/* the log could not be made durable: recover before it is believed */
	int64_t held_ms;		/* how long we had the lock since we stayed away from it */
	uint32_t unwritten;		/* changes since bdb_write_out() */
	bool boot_asked, boot_known;
	unsigned char boot[BOOT_ID_BYTES];

	/* open from the first section that needs them to the one that is told to close; used inside sections only */
	DB_ENV *env;
	DB *db;
	uint64_t generation;		/* the header's when they were opened */
	struct bdb_region {
		void *at;
		size_t size;
	} regions[BDB_REGIONS];		/* shared memory that is mapped; at NULL: free */

	/* inside a section */
	struct bdb_header header;
	struct bdb_header blame;	/* what bdb_crashed() writes */
	volatile bool working;
	bool closing;			/* set by the work: close the environment with this section */
	int log;			/* descriptor of the log file that the work wrote to last; -1: nothing is to be synced */
	bool recovering;		/* all shared memory is made anew */
	bool transient;			/* the database complained of a full disk or the like: not of damage */
	char complaint[160];		/* the first thing it said */
};

/* Runs inside a section. STORE_FAILED and STORE_UNDECIDED with err->status STATUS_CORRUPT mean damage. */
typedef enum store_result bdb_work(struct bdb *b, void *arg, struct err *err);

/* Open, and perhaps make, the ledger's folder, and ask all that a sandbox may not allow to ask later; a process that keeps its ledger open
 * leaves a folder that is not at its path any more. Not in a section. Returns 1, 0 when there is no ledger and none is to be made, or -1. */
int bdb_folder(struct bdb *b, struct err *err);
/* Was the folder that is open moved, removed or replaced? */
bool bdb_is_moved(const struct bdb *b);

/* Run work in a section; after damage repair and run it again. STORE_ABSENT when there is no ledger and none is to be made. */
enum store_result bdb_section(struct bdb *b, bdb_work *work, void *arg, struct err *err);
/* The same with the header alone, without opening the environment. */
enum store_result bdb_header_section(struct bdb *b, int timeout_ms, bdb_work *work, void *arg, struct err *err);
/* Inside a section: write the header as it is now; 0 or -1. */
int bdb_header_write(struct bdb *b, struct err *err);

/* Why the environment may not be used as it is; NULL: it may. Inside a section. */
const char *bdb_why_repair(struct bdb *b);

/* Fill err from a return value of Berkeley DB (or an errno); returns STORE_FAILED. */
enum store_result bdb_fail(struct bdb *b, const char *op, int ret, struct err *err);

/* Has the disk on which this file is too little room for a recovery? A quota is not seen. Async-signal-safe: one system call. */
bool bdb_is_full(int fd);

/* All but the first recover, create what is missing, and then look for damage: the less is known of the files, the more carefully. */
enum bdb_opening {
	BDB_AS_IT_IS,
	BDB_RECOVER_KILLED,	/* a process died at work, which harms no page that was sound: do database and log belong together? */
	BDB_RECOVER_POWER,	/* on another boot: is each page whole as well? */
	BDB_RECOVER_VERIFY	/* somebody changed the files, or there was damage: does the tree hang together as well? */
};

/* Tell Berkeley DB, for this process, which functions it uses instead of the system's: dedupdb/bdb_os.c. Returns what it does. */
int bdb_os_prepare(bool recover);

bool bdb_is_log(const char *name);
/* Is this file of env/ what the records are in: the database, or a piece of its log? */
bool bdb_is_data(const char *name);
/* Open the environment and the database; 0 or -1. */
int bdb_env_open(struct bdb *b, enum bdb_opening how, struct err *err);

#define BDB_FILE "ledger.db"
#define BDB_PAGE_BYTES 4096
#define BDB_PAGE_NUMBER_AT 8	/* in a page, after its place in the log */
#define BDB_PAGE_SUM_AT 28	/* in a page of a B-tree with DB_CHKSUM */

enum bdb_pages {
	BDB_PAGES_SOUND,
	BDB_PAGES_LATER,	/* one was changed after the log's end, so the log was cut or replaced */
	BDB_PAGES_STRANGE	/* one is not what it should be, and bdb_verify() has to say what that means */
};
/* Look at every page of the database, at its head or at the whole page; 0 or -1. */
int bdb_pages_look(const struct bdb *b, const DB_LSN *end, bool whole, enum bdb_pages *found, struct err *err);
/* Has this page of a B-tree its number and its sum? Of the first page, which is another kind, that is not known. */
bool bdb_page_is_whole(unsigned char *page, uint32_t number);

/* How the tree of the open database hangs together. Takes about 0.1 s for 100,000 records. 0, or -1: it is damaged. */
int bdb_verify(struct bdb *b, struct err *err);

/* Close both; 0, or -1 when the environment is not fit to be used again without recovery. */
int bdb_env_close(struct bdb *b);
/* Forget both without touching the shared memory, which is damaged, or not the current one any more. */
void bdb_env_abandon(struct bdb *b);
/* What is set aside is called so, with the seconds since 1970. */
#define BDB_BAD "env.bad."
static inline bool
bdb_is_bad(const char *name)
{
	return strncmp(name, BDB_BAD, strlen(BDB_BAD)) == 0;
}
/* Move a damaged environment out of the way; keeps the newest two. */
int bdb_env_set_aside(struct bdb *b, struct err *err);
/* What the first *count region files, or with *count == 0 all there are, which are then counted, the database and the log files look like
 * now; 0 when one is not there. */
uint64_t bdb_seal(const struct bdb *b, uint32_t *count);
/* Note in the header which the last log file is, for the seal. */
void bdb_seal_note_log(struct bdb *b);
/* Where the next record of the log will be; returns what Berkeley DB does. */
int bdb_log_end(DB_ENV *env, DB_LSN *end);

/* The counters, read in a transaction and perhaps changed. Functions return what Berkeley DB does. */
struct bdb_counters {
	struct {
		uint32_t magic;
		unsigned char upto[FINGERPRINT_BYTES];	/* keys up to this one are counted; ff...: all */
		struct counters counters;
	} kept;
	bool known;	/* false: nothing is counted yet, since a version without counters has filled the ledger */
	bool changed;
};
/* begin: an empty ledger begins to be counted with this transaction. */
int bdb_counters_read(struct bdb *b, DB_TXN *txn, struct bdb_counters *c, bool begin);
void bdb_counters_add(struct bdb_counters *c, const unsigned char *key, const void *value, size_t len);
void bdb_counters_remove(struct bdb_counters *c, const unsigned char *key, const void *value, size_t len);
int bdb_counters_write(struct bdb *b, DB_TXN *txn, const struct bdb_counters *c);

/* Inside a section, after a commit: remember what has to be synced. Berkeley DB syncs a log file before it begins the next one, so the last
 * one is enough. */
enum store_result bdb_log_note(struct bdb *b, struct err *err);
/* After the section: sync it, if something was noted. The lock is free, so that parallel deliveries wait for the disk together and not one
 * after the other. Returns 0 or -1. */
int bdb_log_sync(struct bdb *b, struct err *err);
/* store_ops: sync. */
int bdb_sync(struct store *store, struct err *err);

/* Between two sections of long work: stay away from the lock for a while if we had it for long. */
void bdb_give_way(struct bdb *b);
/* A portion of long work that changes pages: a section, and then bdb_write_out(). */
enum store_result bdb_portion(struct bdb *b, bdb_work *work, void *arg, struct err *err);
/* Inside that section: has it changed as many pages as a portion may? */
bool bdb_portion_done(struct bdb *b);
/* Let what was committed, and the pages that it changed, reach the disk, mostly without the lock; a checkpoint is then short. In the end
 * gives way. Returns 0, or -1: the next section recovers. */
int bdb_write_out(struct bdb *b, struct err *err);

/* store_ops: stat, count, each, prune. Values are counted, copied, or deleted, some hundred in a section. */
int bdb_stat(struct store *store, struct ledger_stat *stat, struct err *err);
int bdb_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err);
int bdb_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg,
    struct err *err);
/* store_ops: copy. */
int bdb_copy(struct store *store, const char *folder, struct ledger_copy *copy, struct err *err);
int bdb_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err);

/* store_ops: fill. */
int bdb_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err);

/* Inside a section: write an event down; NULL: there is none. */
void bdb_event(struct bdb *b, const struct event *event);
/* store_ops: note, each_event. */
void bdb_note(struct store *store, const struct event *event);
int bdb_each_event(struct store *store, event_visit *visit, void *arg, struct err *err);

static inline struct bdb *
bdb_of(struct store *store)
{
	return (struct bdb *)store;
}

static inline DBT
dbt_in(const void *data, size_t len)
{
	DBT dbt;

	memset(&dbt, 0, sizeof(dbt));
	memcpy(&dbt.data, &data, sizeof(data));		/* the library only reads it, but does not say const */
	dbt.size = (u_int32_t)len;
	return dbt;
}

/* Points into the library's memory until the handle or cursor is used again. A value of the largest size would take three pages of stack. */
static inline DBT
dbt_borrowed(void)
{
	return dbt_in(NULL, 0);
}

static inline DBT
dbt_out(void *data, size_t size)
{
	DBT dbt = dbt_in(data, 0);

	dbt.ulen = (u_int32_t)size;
	dbt.flags = DB_DBT_USERMEM;
	return dbt;
}

#endif
