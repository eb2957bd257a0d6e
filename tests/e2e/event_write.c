/*
 * event_write FOLDER: write events into the ledger in that folder, as its deliveries do, for what takes days or other people's servers.
 *
 * Each line of standard input that is not empty is an event: blank-separated fields
 *
 *	KIND TIME FIRST GAP PROOF SENDER RECEIVER QUEUE-ID
 *
 * KIND as in `dedupdb why`; TIME and FIRST in s since 1970 (@-S: before it), or -S for S seconds ago; GAP in s, or none if it is not
 * known; PROOF its number, 128 more if it is sure; names may have \xHH for any byte, and - is an empty one.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "trace.h"

static void
die(const char *what)
{
	fprintf(stderr, "event_write: %s\n", what);
	exit(1);
}

static enum event_kind
kind_of(const char *word)
{
	int kind;

	for (kind = EVENT_DELIVERED; kind <= EVENT_UNRECORDED; kind++)
		if (strcmp(event_name((enum event_kind)kind), word) == 0)
			return (enum event_kind)kind;
	die("no such kind");
	return EVENT_DELIVERED;
}

static int64_t
time_of(const char *word)
{
	if (word[0] == '@')
		return atoll(word + 1);
	return word[0] == '-' ? (int64_t)time(NULL) + atoll(word) : atoll(word);
}

static void
name_of(const char *word, char *name, size_t size)
{
	size_t n = 0;
	char hex[3] = "";

	if (strcmp(word, "-") == 0)
		return;
	while (*word != '\0' && n + 1 < size) {
		if (strncmp(word, "\\x", 2) == 0 && isxdigit((unsigned char)word[2]) && isxdigit((unsigned char)word[3])) {
			memcpy(hex, word + 2, 2);
			name[n++] = (char)strtol(hex, NULL, 16);
			word += 4;
		} else
			name[n++] = *word++;
	}
}

int
main(int argc, char **argv)
{
	static const char *const names[] = { "kind", "time", "first", "gap", "proof", "sender", "receiver", "queue id" };
	char line[2048], *field[8];
	struct event event;
	uint64_t next = 0;
	size_t i;
	int dir;

	if (argc != 2 || (mkdir(argv[1], 0700) == -1 && access(argv[1], F_OK) == -1))
		die("usage: event_write folder <events");
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		die(argv[1]);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (line[0] == '\n')
			continue;
		for (i = 0; i < 8; i++) {
			field[i] = strtok(i == 0 ? line : NULL, " \n");
			if (field[i] == NULL)
				die(names[i]);
		}
		memset(&event, 0, sizeof(event));
		event.kind = kind_of(field[0]);
		event.time = time_of(field[1]);
		event.first = time_of(field[2]);
		event.gap = strcmp(field[3], "none") == 0 ? GAP_UNKNOWN : atoll(field[3]);
		event.proof = (unsigned int)atoi(field[4]);
		name_of(field[5], event.sender, sizeof(event.sender));
		name_of(field[6], event.receiver, sizeof(event.receiver));
		name_of(field[7], event.queue_id, sizeof(event.queue_id));
		events_write(dir, EVENTS_MAX, &next, &event);
	}
	return next == 0;
}
