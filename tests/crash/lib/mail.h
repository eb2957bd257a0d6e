/*
 * Messages, and how many copies of each a mailbox has.
 *
 * Only whole copies count, byte by byte. Whatever else is where messages are (a part of one, or nobody's bytes) is torn.
 */
#ifndef MAIL_H
#define MAIL_H

#include <stdbool.h>
#include <stddef.h>

struct mail {
	const char *name;
	char *path;		/* a file with its bytes */
	char *bytes;
	size_t len;
	unsigned int want;	/* copies that there must be */
	unsigned int seen;
};

/* The text of a message of `size` bytes at least, to be freed; a NUL follows. */
char *mail_text(const char *name, size_t size, size_t *len);
/* Of `size` bytes at least; the file is made in that folder. */
void mail_make(struct mail *m, const char *folder, const char *name, size_t size);
/* Another message with the same identity and body: `of` with a header line in front. */
void mail_forge(struct mail *m, const struct mail *of, const char *folder, const char *name, const char *line);
void mail_free(struct mail *m);

/* Set `seen` of each mail; returns how many torn things there are. */
unsigned int count_maildir(const char *path, struct mail *mails, size_t n);
/*
 * The file must begin with these `first` bytes. Ours: the first field of each entry is our id; other agents' entries have none, and
 * may end in more empty lines.
 */
unsigned int count_mbox(const char *path, const char *first, bool ours, struct mail *mails, size_t n);

#endif
