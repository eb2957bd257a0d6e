/*
 * The header of a message in a file, for showing how copies of it differ.
 */
#ifndef MAIL_HEAD_H
#define MAIL_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAIL_HEAD_MAX 65536	/* bytes that are looked at */

/* One field, as it stands: value may hold line ends and ends before its last one. Both point into the head. */
struct mail_field {
	const char *name, *value;
	size_t name_len, value_len;
};

struct mail_head {
	char *bytes;
	struct mail_field *fields;	/* by name, and those of one name in their order */
	size_t count;
};

/* Read the header that begins at that offset, behind a From_ line if there is one. A file that can't be read has no fields. Returns 0, or
 * -1 without memory. */
int mail_head_read(struct mail_head *h, int fd, uint64_t offset);
/* The value of the first such field, cut at size - 1 bytes; false if there is none. */
bool mail_head_value(const struct mail_head *h, const char *name, char *value, size_t size);
/* Call see for each name, in lower case, whose fields in a and b are not the same but for white space. */
void mail_head_differences(const struct mail_head *a, const struct mail_head *b, void (*see)(void *arg, const char *name), void *arg);
void mail_head_free(struct mail_head *h);

#endif
