/*
 * The ledger in Redis. Private to store_redis.c and redis_*.c.
 *
 * hiredis formats commands and takes replies apart. Connections are our own, since each operation has one deadline for all that it does:
 * looking about, connecting, sending, and every byte of an answer.
 *
 * Keys, where BBB is the first byte of a fingerprint, and a hash tag: a bucket is in one slot of a cluster. It is octal, since a cluster's
 * checksum gives each 256th part of the slots one of the tags 000 to 377, and would give some parts none, others four of 00 to ff.
 *	dedup-lda:{BBB}:PPPPPPPPPPPPPPPP	records whose fingerprints begin with these 16 digits: frames, one after the other
 *	dedup-lda:{BBB}:pending			sorted set: fingerprints of pending records, by when they became that
 *	dedup-lda:{BBB}:events			list: the newest events
 *	dedup-lda:{BBB}:counts			hash: noted (events, ever) and duplicates
 *
 * A frame is: the other 24 bytes of the fingerprint, when it expires (4 bytes, s since 1970; 0: never), length (2), the record as in
 * every store; integers are big-endian. Nearly always there is one. Separate copies of a message share a key, so that they are found
 * together without an index.
 *
 * A user of the server's needs no more than the keys dedup-lda:* and the commands auth, select (a database other than 0), info,
 * config|get, get, set, del, eval, evalsha, zadd, zrem, zrange, rpush, ltrim, lrange, hincrby, hmget, scan; waitaof (7.2), cluster|slots and asking (a
 * cluster).
 */
#ifndef REDIS_H
#define REDIS_H

#include <hiredis/hiredis.h>

#include "fs.h"
#include "host.h"
#include "redis_url.h"
#include "store.h"

#define REDIS_BUCKETS 256
#define REDIS_KEY_MAX 64	/* bytes, with the final NUL */
#define REDIS_PREFIX_BYTES (FINGERPRINT_TAG / 2)	/* of a fingerprint: records that have them in common are in one key */
#define REDIS_ARGS_MAX 24
#define REDIS_NODES_MAX 1024
#define REDIS_INFO_MAX 64
#define REDIS_MARGIN (24 * 3600)	/* s that a record stays after its window: clocks differ */

/* One connection. */
struct redis_link {
	int fd;			/* -1: none */
	redisReader *reader;
	redisReplyObjectFunctions functions;	/* the reader's */
};

struct redis_node {
	struct redis_host host;
	char name[REDIS_HOST_MAX + 16];	/* what errors call it */
	struct host_addresses addresses;	/* none: not looked up yet */
	struct redis_link link;
	int64_t checked_ms;	/* when its settings were; 0: not on this connection */
	int64_t heard_ms;	/* when it last answered, or was connected */
	bool waits;		/* it answers before what it was told is on disk: WAITAOF */
	bool unsynced;		/* records were read or written that may not be on disk */
};

struct redis {
	struct store base;
	struct redis_url url;
	char *password;		/* NULL: none */
	int timeout_ms;		/* of one operation */
	int64_t window;		/* s */
	uint32_t history;	/* events in all */
	host_lookup *lookup;	/* NULL: addresses only */
	store_expired *expired;
	void *expired_arg;
	struct redis_node **nodes;
	size_t n_nodes;
	uint16_t owner[REDIS_BUCKETS];	/* which node serves it */
	bool mapped;		/* and that is known */
	bool looked_about;	/* sentinels were asked for replicas */
	bool failed;		/* the last operation: nothing that may wait is tried */
	struct redis_node *last;	/* who answered last */
	unsigned int ports[LEDGER_PORTS_MAX];	/* where nodes listen, or may after a failover */
	size_t n_ports;
	int64_t deadline_ms;	/* of this operation */
};

struct redis_command {
	int argc;
	const char *argv[REDIS_ARGS_MAX];
	size_t len[REDIS_ARGS_MAX];
};

static inline struct redis *
redis_of(struct store *store)
{
	return (struct redis *)store;
}

/* redis_command.c: commands and keys */
void redis_arg(struct redis_command *c, const void *bytes, size_t len);
void redis_word(struct redis_command *c, const char *word);
/* A number; text (24 bytes) has to live as long as the command. */
void redis_number(struct redis_command *c, char text[24], int64_t n);
void redis_key(char key[REDIS_KEY_MAX], const struct fingerprint *fp);
/* "dedup-lda:{BBB}:what" */
void redis_bucket_key(char key[REDIS_KEY_MAX], unsigned int bucket, const char *what);
bool redis_is_string(const redisReply *reply);
/* The i-th of an array, or NULL: there is none, or it is of another type. */
const redisReply *redis_element(const redisReply *reply, size_t i, int type);
/* The string behind a name, in a list of both; or NULL. */
const redisReply *redis_field(const redisReply *list, const char *name);

/* redis_link.c. All return 0 or -1; after -1 the link is closed. */
int redis_link_open(struct redis_link *l, const struct host_addresses *to, int64_t until, const char *name, struct err *err);
void redis_link_close(struct redis_link *l);
/* Has nobody closed it while it was not used, nor said anything that was not asked for? */
bool redis_link_is_idle(const struct redis_link *l);
/* *whole: the command was sent to its last byte, so it may be carried out. */
int redis_link_send(struct redis_link *l, const struct redis_command *c, int64_t until, bool *whole, const char *name, struct err *err);
/* The reply is the caller's, for freeReplyObject(). It may be one that says an error. */
int redis_link_receive(struct redis_link *l, int64_t until, redisReply **reply, const char *name, struct err *err);
/* Both, for what may be asked twice. */
int redis_link_ask(struct redis_link *l, const struct redis_command *c, int64_t until, redisReply **reply, const char *name,
    struct err *err);
/* What a server says, as an error may show it. */
int redis_said(const char *name, const redisReply *reply, struct err *err);

/* redis_node.c */
/* The node at this place, made if it is new. NULL with err filled. */
struct redis_node *redis_node_at(struct redis *r, const struct redis_host *host, size_t *index, struct err *err);
void redis_node_free(struct redis_node *node);
/* Connected, and logged in if `login`. Returns 0 or -1. */
int redis_node_open(struct redis *r, struct redis_node *node, bool login, struct err *err);
int redis_node_log_in(struct redis *r, struct redis_node *node, struct err *err);
/* And its settings are those of a server that keeps a ledger. Returns 0 or -1; *again: another one, or the same later, may do. */
int redis_node_ready(struct redis *r, struct redis_node *node, bool *again, struct err *err);
int redis_node_ask(struct redis *r, struct redis_node *node, const struct redis_command *c, redisReply **reply, struct err *err);
void redis_add_port(struct redis *r, unsigned int port);
/* When to give up waiting for a node: earlier where another server, or another connection, is to be tried after it. */
int64_t redis_until(const struct redis *r, const struct redis_node *node);
/* Can another server take over from one that fails? */
bool redis_has_others(const struct redis *r);

/* redis_check.c: is this server fit to keep a ledger? Returns 0 or -1; *again as above. */
/* One value of what INFO says, or "". */
void redis_info(const redisReply *reply, const char *name, char value[REDIS_INFO_MAX]);
int redis_check(struct redis *r, struct redis_node *node, bool *again, struct err *err);

/* redis_sentinel.c, redis_cluster.c: who serves what. Return 0 or -1. */
int redis_sentinel_map(struct redis *r, struct err *err);
int redis_cluster_map(struct redis *r, struct err *err);
/* The node that "MOVED 1234 host:port" or "ASK 1234 host:port" names. NULL with err filled. */
struct redis_node *redis_cluster_named(struct redis *r, const struct redis_node *by, const char *text, size_t *index, struct err *err);

/* redis_call.c */
enum redis_result {
	REDIS_DONE,	/* there is a reply, and it is no error */
	REDIS_NOTHING,	/* nothing was changed */
	REDIS_LOST	/* the command was sent, and what became of it is not known */
};
/* Begins an operation: from here on its time runs. */
void redis_begin(struct redis *r);
/* A node that is ready to serve a bucket. Waits for a failover, to the deadline. NULL with err filled. */
struct redis_node *redis_reach(struct redis *r, unsigned int bucket, struct err *err);
/* Find out who serves what, and connect to a server that all records are on; of a cluster each message needs but one, and others may be
 * down. Waits as redis_reach(). Returns 0 or -1. */
int redis_find(struct redis *r, struct err *err);
/* Who serves what is known. Returns 0 or -1. */
int redis_map(struct redis *r, struct err *err);
/* A command, and others for the same bucket that go with it in one parcel: hints, and what is written for people to read. Each concerns
 * one key: a cluster that moves a slot carries out no other kind meanwhile. */
#define REDIS_ALSO_MAX 4
struct redis_request {
	struct redis_command main;
	bool twice;		/* it does no harm to carry it out again */
	int n_also;
	struct redis_command also[REDIS_ALSO_MAX];
	bool done[REDIS_ALSO_MAX];	/* set by redis_send() */
};
/* Carry it out on the node that serves the bucket. Errors of the others are nobody's concern. */
enum redis_result redis_send(struct redis *r, unsigned int bucket, struct redis_request *q, redisReply **reply, struct err *err);
/* One command. */
enum redis_result redis_call(struct redis *r, unsigned int bucket, const struct redis_command *c, bool twice, redisReply **reply,
    struct err *err);
/* What this connection, or what anybody wrote on this node is on disk. For nodes that wait. Return 0 or -1. */
int redis_node_wait(struct redis *r, struct redis_node *node, struct err *err);
int redis_node_sync(struct redis *r, size_t index, struct err *err);

/* redis_script.c */
#define REDIS_SCRIPT_NAME 64	/* bytes */
/* Begins the command that compares and swaps; the server may not know the script. name has to live as long as the command. */
void redis_script_begin(struct redis_command *c, char name[REDIS_SCRIPT_NAME]);
/* redis_send() of such a command, with the script where that is necessary. */
enum redis_result redis_script_send(struct redis *r, unsigned int bucket, struct redis_request *q, redisReply **reply, struct err *err);

/* redis_frame.c */
/* Is there a frame of this key among all? What follows something that is none is lost. */
bool redis_frame_find(const void *all, size_t len, const struct fingerprint *key, struct store_value *value);
/* Visit them all; the first bytes of their keys are prefix's. What is no frame is visited as an empty record, under the prefix alone.
 * Returns what the visitor does. */
int redis_frames_each(const void *all, size_t len, const struct fingerprint *prefix, store_visit *visit, void *arg, struct err *err);
/* When a record is to go by itself; 0: never. */
uint32_t redis_expiry(const struct redis *r, const struct store_value *value, bool pending, int64_t now);

/* redis_walk.c, redis_fill.c, redis_events.c */
/* Does this bucket's node serve one before it? What is asked of each node is asked for its first. */
bool redis_repeats(const uint16_t owner[REDIS_BUCKETS], unsigned int bucket);
int redis_each(struct store *store, const struct fingerprint *from, const struct fingerprint *to, store_visit *visit, void *arg,
    struct err *err);
int redis_recent_pending(struct store *store, store_visit *visit, void *arg, struct err *err);
int redis_all_pending(struct store *store, store_visit *visit, void *arg, struct err *err);
int redis_prune(struct store *store, store_expired *expired, void *arg, uint64_t *deleted, struct err *err);
int redis_count(struct store *store, struct counters *counters, store_tick *tick, void *arg, struct err *err);
int redis_fill(struct store *store, size_t n, store_item *item, void *arg, uint64_t *added, struct err *err);
void redis_note(struct store *store, const struct event *event);
int redis_each_event(struct store *store, event_visit *visit, void *arg, struct err *err);
int redis_stat(struct store *store, struct ledger_stat *stat, struct err *err);
/* Whether a record is pending, for those who look for such. */
struct redis_hint {
	char key[REDIS_KEY_MAX], now[24];
	struct redis_command c;
};
void redis_hint_make(struct redis_hint *hint, const struct fingerprint *key, bool pending, int64_t now);
void redis_hint(struct redis *r, const struct fingerprint *key, bool pending);
/* The commands that write an event, and what they borrow. */
#define REDIS_EVENT_COMMANDS 3
struct redis_event_text {
	char events[REDIS_KEY_MAX], counts[REDIS_KEY_MAX], kept[24];
	unsigned char slot[EVENT_SLOT];
};
/* Returns how many commands there are. */
int redis_event_make(const struct redis *r, struct redis_event_text *text, const struct event *event,
    struct redis_command c[REDIS_EVENT_COMMANDS]);

/* store_redis.c */
/* A put, and what its commands borrow. */
struct redis_put {
	struct redis_request q;
	char script[REDIS_SCRIPT_NAME], key[REDIS_KEY_MAX], expiry[24], now[24];
	struct redis_hint hint;
	struct redis_event_text event;
};
/* value NULL: remove. redis_script.c says what the arguments mean. */
void redis_put_make(struct redis_put *p, const struct redis *r, const struct fingerprint *key, const struct store_value *expected,
    const struct store_value *value, bool pending);
/* STORE_UNDECIDED: the answer is none. */
enum store_result redis_put_read(const struct redis_node *node, const redisReply *reply, struct store_value *now, struct err *err);
enum store_result redis_get(struct store *store, const struct fingerprint *key, struct store_value *value, struct err *err);
enum store_result redis_put(struct store *store, const struct fingerprint *key, const struct store_value *expected,
    const struct store_value *value, bool durable, bool pending, struct store_value *now, struct err *err);
enum store_result redis_remove(struct store *store, const struct fingerprint *key, const struct store_value *expected, struct err *err);

#endif
