/*
 * wrong_agent KIND MAILDIR RECORDS: agents that are wrong on purpose, for harnesses to find out.
 *
 *	publish-first	publishes, then records: killed in between, it delivers a second copy
 *	record-first	records, then publishes, and trusts the record: killed in between, it loses the message
 *	careless	right, but for errors of write and fsync, which it does not look at
 *	stubborn	takes no mail while its records are damaged
 *	trusting	takes damaged records for proof that the message is known: it loses the message
 *	forgetful	records nothing any more once its records were damaged
 *
 * All are durable at every other step. What can't see what is wrong with them finds nothing in another agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../wrong.h"

#define TEMPORARY 75
#define MESSAGE_MAX (1 << 20)	/* bytes */
#define PATH_BYTES 4096

static char message[MESSAGE_MAX];
static bool careless, forgetful;

struct place {
	const char *records;
	char tmp[PATH_BYTES], new[PATH_BYTES], folder[PATH_BYTES];
};

/* Write all of it, durably, to the end of a file. */
static int
append(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd == -1)
		return -1;
	if ((write(fd, bytes, len) != (ssize_t)len || fsync(fd) == -1) && !careless)
		return -1;
	return close(fd);
}

/* Is there something else than what we append? */
static bool
is_damaged(const char *path)
{
	char had[1024];
	FILE *f = fopen(path, "r");
	bool damaged = f == NULL && errno != ENOENT;

	while (f != NULL && !damaged && fgets(had, sizeof(had), f) != NULL)
		damaged = strncmp(had, "Message-ID: ", 12) != 0 || strchr(had, '\n') == NULL;
	if (f != NULL)
		fclose(f);
	return damaged;
}

static int
publish(const struct place *p, size_t len)
{
	return append(p->tmp, message, len) == -1 || rename(p->tmp, p->new) == -1 ? -1 : sync_folder(p->folder);
}

static int
deliver(const struct place *p, size_t len, const char *id, size_t id_len, bool record_first)
{
	if (is_recorded(p->records, id))
		return 0;
	if (record_first)
		return append(p->records, id, id_len) == -1 ? -1 : publish(p, len);
	return publish(p, len) == -1 ? -1 : forgetful ? 0 : append(p->records, id, id_len);
}

/* The second line is the Message-ID in our harnesses' messages. */
static size_t
find_id(const char *text, char *id, size_t size)
{
	const char *line = strchr(text, '\n');
	size_t len = line == NULL ? 0 : strcspn(line + 1, "\n") + 1;

	if (len == 0 || len >= size || line[len] != '\n')
		return 0;
	memcpy(id, line + 1, len);
	id[len] = '\0';
	return len;
}

int
main(int argc, char **argv)
{
	static struct place p;
	char id[1024];
	size_t len, id_len;

	if (argc < 4)
		return TEMPORARY;
	len = fread(message, 1, sizeof(message) - 1, stdin);
	id_len = find_id(message, id, sizeof(id));
	if (ferror(stdin) || id_len == 0)
		return TEMPORARY;
	careless = strcmp(argv[1], "careless") == 0;
	if (is_damaged(argv[3])) {
		if (strcmp(argv[1], "stubborn") == 0)
			return TEMPORARY;
		if (strcmp(argv[1], "trusting") == 0)
			return 0;
		forgetful = strcmp(argv[1], "forgetful") == 0;
	}
	p.records = argv[3];
	snprintf(p.folder, sizeof(p.folder), "%s/new", argv[2]);
	snprintf(p.tmp, sizeof(p.tmp), "%s/tmp/%ld", argv[2], (long)getpid());
	snprintf(p.new, sizeof(p.new), "%s/new/%ld", argv[2], (long)getpid());
	return deliver(&p, len, id, id_len, strcmp(argv[1], "record-first") == 0) == -1 ? TEMPORARY : 0;
}
