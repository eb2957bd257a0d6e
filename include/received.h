/*
 * One Received field: how one host took a message from another (RFC 5321 section 4.4), as hosts really write it.
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOP_NAME 256	/* bytes of a host's name, with the final NUL */
#define HOP_ADDRESS 46	/* of an IP address */
#define HOP_WITH 32
#define HOP_ID 128

/* What could not be found is "". Names are in lower case without a final dot; only printable ASCII comes through ('?' stands for any other
 * byte), nothing is longer than its room (what is longer is cut). */
struct hop {
	char helo[HOP_NAME];		/* from: what the sender called itself; a literal keeps its brackets */
	char name[HOP_NAME];		/* the sender's name as the receiver looked it up; "" if that "may be forged" */
	char address[HOP_ADDRESS];	/* the sender's IP address, as inet_ntop(3) writes it; IPv4 that is mapped into IPv6 as IPv4 */
	char by[HOP_NAME];		/* the receiver */
	char with[HOP_WITH];		/* the protocol, in upper case: "SMTP", "ESMTPSA", "LOCAL", "HTTP" */
	char id[HOP_ID];		/* the receiver's name for the message: its queue id; case kept. Exchange's version is none */
	int64_t time;			/* s since 1970: when the receiver accepted it; valid if timed */
	bool timed;
};

/* Parse a field's value, unfolded or not. Any bytes give a hop, perhaps an empty one. Takes linear time and no memory. */
void received_parse(struct hop *hop, const char *value, size_t len);

/* The sender's best name: looked up, else an address in brackets, else what it called itself; "" if there is none. */
const char *received_sender(const struct hop *hop, char text[HOP_NAME]);

#endif
