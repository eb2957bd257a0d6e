/* Making messages and counting them. */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail.h"
#include "snapshot.h"
#include "trace.h"

char *
mail_text(const char *name, size_t size, size_t *len)
{
	char *text;
	FILE *f = open_memstream(&text, len);
	unsigned int i;

	if (f == NULL)
		die("make a message");
	fprintf(f, "Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <%s@crash.example.org>\nSubject: %s\n\n", name, name);
	for (i = 0; (size_t)ftell(f) < size; i++)
		fprintf(f, "line %u of the message %s\n", i, name);
	fprintf(f, "The end of the message %s.\n", name);
	if (fclose(f) == EOF)
		die("make a message");
	return text;
}

/* With its text; the file is made. */
static void
write_mail(struct mail *m, const char *folder, const char *name)
{
	FILE *file;

	if (asprintf(&m->path, "%s/%s", folder, name) == -1)
		die("make a message");
	file = fopen(m->path, "we");
	if (file == NULL || fwrite(m->bytes, 1, m->len, file) != m->len || fclose(file) == EOF)
		die(m->path);
	m->name = name;
	m->want = m->seen = 0;
}

void
mail_make(struct mail *m, const char *folder, const char *name, size_t size)
{
	m->bytes = mail_text(name, size, &m->len);
	write_mail(m, folder, name);
}

void
mail_forge(struct mail *m, const struct mail *of, const char *folder, const char *name, const char *line)
{
	int len = asprintf(&m->bytes, "%s\n%s", line, of->bytes);

	if (len == -1)
		die("make a message");
	m->len = (size_t)len;
	write_mail(m, folder, name);
}

void
mail_free(struct mail *m)
{
	free(m->path);
	free(m->bytes);
	memset(m, 0, sizeof(*m));
}

static void
forget(struct mail *mails, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		mails[i].seen = 0;
}

static unsigned int
count_file(const char *path, struct mail *mails, size_t n)
{
	size_t i, len;
	char *bytes = read_whole(path, &len);

	if (bytes == NULL)
		die(path);
	for (i = 0; i < n; i++)
		if (mails[i].len == len && memcmp(mails[i].bytes, bytes, len) == 0)
			break;
	free(bytes);
	if (i == n)
		return 1;
	mails[i].seen++;
	return 0;
}

static unsigned int
count_folder(const char *folder, const char *sub, struct mail *mails, size_t n)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned int torn = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", folder, sub);
	d = opendir(path);
	if (d == NULL) {
		if (errno != ENOENT)
			die(path);
		return 0;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder, sub, entry->d_name);
		torn += count_file(path, mails, n);
	}
	closedir(d);
	return torn;
}

unsigned int
count_maildir(const char *path, struct mail *mails, size_t n)
{
	char folder[PATH_MAX];
	struct dirent *entry;
	unsigned int torn;
	DIR *d;

	forget(mails, n);
	torn = count_folder(path, "new", mails, n) + count_folder(path, "cur", mails, n);
	d = opendir(path);
	if (d == NULL)
		return torn;
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", path, entry->d_name);
		torn += count_folder(folder, "new", mails, n) + count_folder(folder, "cur", mails, n);
	}
	closedir(d);
	return torn;
}

/* Where the message of an entry begins: after the From_ line, and our id. NULL: it is no entry. */
static const char *
entry_message(const char *p, size_t len, bool ours)
{
	static const char id[] = "X-Dedup-Id: ";
	const char *lf = memchr(p, '\n', len);

	if (lf == NULL || strncmp(p, "From ", 5) != 0)
		return NULL;
	if (!ours)
		return lf + 1;
	if (strncmp(lf + 1, id, sizeof(id) - 1) != 0)
		return NULL;
	lf = strchr(lf + 1, '\n');
	return lf == NULL ? NULL : lf + 1;
}

/* An entry ends in an empty line. Returns its length, or 0. */
static size_t
count_entry(const char *p, size_t len, bool ours, struct mail *mails, size_t n)
{
	const char *body = entry_message(p, len, ours), *end;
	size_t i, left;

	if (body == NULL)
		return 0;
	left = len - (size_t)(body - p);
	for (i = 0; i < n; i++)
		if (left > mails[i].len && memcmp(body, mails[i].bytes, mails[i].len) == 0 && body[mails[i].len] == '\n') {
			mails[i].seen++;
			end = body + mails[i].len + 1;
			while (!ours && end < p + len && *end == '\n')
				end++;
			return (size_t)(end - p);
		}
	return 0;
}

/* Entries from p on, and the beginnings of entries that were not finished. */
static unsigned int
count_entries(const char *p, const char *end, bool ours, struct mail *mails, size_t n)
{
	unsigned int torn = 0;
	size_t len;

	while (p < end) {
		len = count_entry(p, (size_t)(end - p), ours, mails, n);
		if (len == 0) {
			torn++;
			p = memmem(p, (size_t)(end - p), "\n\nFrom ", 7);
			if (p == NULL)
				break;
			len = 2;
		}
		p += len;
	}
	return torn;
}

unsigned int
count_mbox(const char *path, const char *first, bool ours, struct mail *mails, size_t n)
{
	size_t len, skip = strlen(first);
	char *bytes = read_whole(path, &len), *p = bytes;
	unsigned int torn = 1;

	forget(mails, n);
	if (bytes == NULL)
		return first[0] != '\0';
	if (len >= skip && memcmp(bytes, first, skip) == 0) {
		p += skip;	/* a text that does not end in an empty line gets one */
		if (skip > 0 && first[skip - 1] != '\n' && *p == '\n')
			p++;
		if (skip > 1 && (first[skip - 1] != '\n' || first[skip - 2] != '\n') && *p == '\n')
			p++;
		torn = count_entries(p, bytes + len, ours, mails, n);
	}
	free(bytes);
	return torn;
}
