/*
 * Replies of an LMTP server (RFC 5321 section 4.2, RFC 2033): bytes from another machine, which may be any.
 */
#ifndef LMTP_REPLY_H
#define LMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define LMTP_REPLY_LINE_MAX 2048	/* bytes of a line, of which RFC 5321 section 4.5.3.1.5 allows 512 */
#define LMTP_LINES_MAX 100	/* of one reply */
#define LMTP_TEXT_MAX 4096	/* bytes of all lines that are kept */

struct lmtp_reply {
	int code;		/* 200 to 599; 0: no line yet */
	size_t lines, len;
	char text[LMTP_TEXT_MAX];	/* of each line what follows the code, and a newline; printable ASCII, anything else is '?' */
};

void lmtp_reply_begin(struct lmtp_reply *r);
/* Take one line, without its line end. Returns 1: the reply is whole; 0: more lines follow; -1: that is no reply. */
int lmtp_reply_line(struct lmtp_reply *r, const char *line, size_t len);

/* Does an answer to LHLO offer this extension? Its first line offers none. *value, if not NULL: what follows the word, up to a newline. */
bool lmtp_reply_offers(const struct lmtp_reply *r, const char *extension, const char **value);
/* What a refusal (400 and above) means. to_recipient: it answers RCPT, or a message for one recipient. */
enum status lmtp_reply_status(const struct lmtp_reply *r, bool to_recipient);
/* Code and first line, for an error. */
void lmtp_reply_show(const struct lmtp_reply *r, char *buf, size_t size);

#endif
