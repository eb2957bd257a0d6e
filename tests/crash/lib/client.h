/*
 * An LMTP client: one session, one message at a time.
 *
 * Nothing here is trouble of the test's own but a socket that can't be made: whatever the server does is an answer.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stdio.h>

#define CLIENT_REPLY 512

struct client {
	FILE *in;		/* NULL: no session */
	int out;
	char reply[CLIENT_REPLY];	/* the last one, without its line end; "" when the connection broke instead, or took too long */
};

/* Connect to the Unix socket and say LHLO. False: not greeted. */
bool client_open(struct client *c, const char *socket);
/* MAIL, RCPT and DATA. False: the last reply says why not. */
bool client_begin(struct client *c, const char *to);
/* Text with newlines, which become CRLF; no line may begin with a dot. Last: and the final dot. All of it is sent at once. */
void client_text(struct client *c, const char *text, size_t len, bool last);
/* What comes after the final dot. True: 250. */
bool client_answer(struct client *c);
/* QUIT, if there is a session, and wait for the server to close. */
void client_close(struct client *c);

/* All of it, with a message. True: 250. */
bool client_deliver(struct client *c, const char *socket, const char *to, const char *text, size_t len);

#endif
