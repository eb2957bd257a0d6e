/* Messages for the measurements: each with a Message-ID of its own, all of one size with the same body. */
#ifndef LETTER_H
#define LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LETTER_HEADER_MAX 4096

/* The header of message `number`, with the empty line behind it, into buf (LETTER_HEADER_MAX bytes). Returns its length, which is the
 * same for every number. */
size_t letter_header(char *buf, uint64_t number, bool crlf);

/* The body that makes a message of `size` bytes (with line ends of one byte), in a file without a name below the current folder. Returns
 * its descriptor or -1, and the length in *len. */
int letter_body(size_t size, bool crlf, size_t *len);

#endif
