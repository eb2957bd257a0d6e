/*
 * A server that says what a test wants: for each command the answer of the first rule whose word is in it.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stddef.h>

struct fake_rule {
	const char *word;	/* in upper or lower case, as it is sent; "1 GET": the first time only; NULL ends the rules: the rest gets "+OK" */
	const char *answer;	/* bytes; NULL: none, ever; "": the connection is closed */
};

struct fake_server {
	int pid;
	unsigned int port;
};

/* On a port of 127.0.0.1. Ends with the test program. */
void fake_server_start(struct fake_server *s, const struct fake_rule *rules);
void fake_server_stop(struct fake_server *s);

/* The answer to INFO of a master of this version with these lines, in a buffer that the next call uses again. */
const char *fake_server_info(const char *version, const char *lines);

#endif
