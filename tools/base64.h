/*
 * Base64, RFC 4648 section 4: with padding, without line breaks.
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

#define BASE64_TEXT(len) (((len) + 2) / 3 * 4 + 1)	/* bytes, with the final NUL */

void base64_text(const unsigned char *in, size_t len, char *text);
/* Into out, at most max bytes. Returns 0, or -1: it is not what base64_text() writes, or too long. */
int base64_bytes(const char *text, unsigned char *out, size_t max, size_t *len);

#endif
