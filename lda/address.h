/*
 * Mail addresses: their parts, and the form in which SMTP carries them (RFC 5321, section 4.1.2).
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_PATH_MAX 1000	/* bytes of a path with its brackets and the final NUL */

/* Parts of a text that is borrowed. */
struct address {
	const char *local;		/* without the extension */
	size_t local_len;
	const char *extension;		/* without the delimiter; NULL: there is none */
	size_t extension_len;
	const char *domain;		/* "": there is none */
};

/* Take an address, or a user's name, apart. delimiter: the character that begins an extension, or "". As in Postfix, one in the first place
 * delimits nothing. */
void address_split(struct address *a, const char *text, const char *delimiter);

/* Write an address as "<address>", "" as the null path "<>"; a local part that needs quotes gets them. Returns 0, or -1: it holds what no
 * address may hold, or is too long. */
int address_path(char path[ADDRESS_PATH_MAX], const char *address);

/* Can this text stand in a local part without quotes? */
bool address_is_plain(const char *text, size_t len);

/* The address with this folder for its extension, to be freed; NULL without memory. */
char *address_with_folder(const char *address, const char *folder, const char *delimiter);

/* The address that a mailbox is known by: without its extension, in lower case; to be freed; NULL without memory. */
char *address_base(const char *address, const char *delimiter);

#endif
