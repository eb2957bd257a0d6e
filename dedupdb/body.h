/*
 * The body hash of DKIM: SHA-256 over the canonical body, RFC 6376 sections 3.4.3 (simple) and 3.4.4 (relaxed).
 *
 * The body comes in pieces of any size; where they are cut does not matter. LF counts as CRLF. A CR that is not part of a line end
 * is a byte like any other. A last line without a line end gets one first, so blanks at its end are blanks at a line's end.
 */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "message.h"

#define BODY_BUFFER 16384	/* bytes; it should fit the processor's first cache */

struct body {
	enum body_form form;
	struct digest digest;
	bool any;		/* some text was put out */
	bool blank;		/* relaxed: white space was read and not yet put out */
	bool cr;		/* a CR was read: part of a line end, or text */
	uint64_t line_ends;	/* read and not yet put out: they may be the empty lines at the end */
	size_t len;
	unsigned char buf[BODY_BUFFER];
};

void body_start(struct body *b, enum body_form form);
void body_add(struct body *b, const char *p, size_t len);
void body_end(struct body *b, unsigned char bytes[BODY_DIGEST_BYTES]);

#endif
