/*
 * One command line of LMTP (RFC 2033, RFC 5321 section 4.1), without the session around it: a pure function of its bytes.
 *
 * More is taken than the RFCs allow where a meaning is plain (a blank behind "FROM:", dots in a row, a local part of more than 64
 * bytes), since the MTA has accepted the message already. What could be two things is refused.
 */
#ifndef LMTP_COMMAND_H
#define LMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LMTP_LINE_MAX 2048	/* bytes of a command line, without its end; RFC 5321 section 4.5.3.1.4 asks for 512 and what extensions add */
#define LMTP_ADDRESS_MAX 512	/* bytes of an address, with the final NUL; section 4.5.3.1.3 asks for 256 */
#define LMTP_NAME_MAX 256	/* bytes of the client's name, with the final NUL */

enum lmtp_verb {
	LMTP_UNKNOWN,
	LMTP_LHLO,
	LMTP_MAIL,
	LMTP_RCPT,
	LMTP_DATA,
	LMTP_BDAT,
	LMTP_RSET,
	LMTP_NOOP,
	LMTP_VRFY,
	LMTP_HELP,
	LMTP_QUIT
};

struct lmtp_address {
	/* As a header field holds it, with a quoted local part only where it must be quoted; "" is the null sender. Printable ASCII
	 * and UTF-8. */
	char text[LMTP_ADDRESS_MAX];
	/* The same without any quotes; the domain follows the last @. */
	char plain[LMTP_ADDRESS_MAX];
};

struct lmtp_command {
	enum lmtp_verb verb;
	const char *refusal;		/* the reply to a command that is wrong by itself, or NULL */
	struct lmtp_address address;	/* MAIL, RCPT */
	char name[LMTP_NAME_MAX];	/* LHLO: who the client says it is */
	uint64_t size;			/* MAIL: SIZE, or 0; BDAT: bytes of the chunk */
	bool last;			/* BDAT LAST */
};

/* line has len bytes, without its end. Fills all of c; what is wrong is in c->refusal. */
void lmtp_command_parse(struct lmtp_command *c, const char *line, size_t len);

#endif
