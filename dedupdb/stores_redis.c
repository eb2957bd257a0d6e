/* The kinds of ledger of a program with a Redis client. It is linked with this file or with stores.c. */
#include "store.h"

const struct store_ops *const ledger_stores[] = { &store_bdb, &store_memory, &store_redis, NULL };
