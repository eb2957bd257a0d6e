/* The kinds of ledger of a program that has no Redis client. See stores_redis.c. */
#include "store.h"

const struct store_ops *const ledger_stores[] = { &store_bdb, &store_memory, &store_absent, NULL };
