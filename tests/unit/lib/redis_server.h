/*
 * Real Redis servers for tests: one on a socket, or three masters of a cluster on loopback. They are started when a test first asks for
 * them, emptied for each test, and gone when the test program is.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define REDIS_SERVER_URL 128	/* bytes */

/* Can there be any? Otherwise the tests of Redis are left out. */
bool redis_server_is_there(void);
/* Fill in the URL of an empty ledger. Return 0, or -1: it could not be started. */
int redis_server_single(char url[REDIS_SERVER_URL]);
int redis_server_cluster(char url[REDIS_SERVER_URL]);
/* Say a command, as one line, to the single server, and read its answer. Returns 0 or -1. */
int redis_server_say(const char *line, char *answer, size_t size);

#endif
