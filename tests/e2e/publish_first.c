/*
 * publish_first MAILDIR RECORDS: an agent that is wrong on purpose: it publishes first and records afterwards.
 *
 * Durable at every step, and yet a kill between the rename and the record makes a second copy. A test that can't find that here finds
 * nothing elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../wrong.h"

#define TEMPORARY 75
#define GAP_US 5000	/* between publishing and recording: some kill of a hundred must hit it, on a busy machine as well */
#define MESSAGE_MAX (1 << 20)	/* bytes */

static char message[MESSAGE_MAX];

/* Write all of it, durably, to the end of a file. */
static int
append(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd == -1 || write(fd, bytes, len) != (ssize_t)len || fsync(fd) == -1)
		return -1;
	return close(fd);
}

int
main(int argc, char **argv)
{
	char id[1024], tmp[4096], new[4096], folder[4096];
	size_t len, line;

	if (argc != 3)
		return TEMPORARY;
	len = fread(message, 1, sizeof(message), stdin);
	line = strcspn(message, "\n") + 1;
	if (line >= sizeof(id) || line > len)
		return TEMPORARY;
	memcpy(id, message, line);
	id[line] = '\0';
	if (is_recorded(argv[2], id))
		return 0;
	snprintf(tmp, sizeof(tmp), "%s/tmp/%ld", argv[1], (long)getpid());
	snprintf(new, sizeof(new), "%s/new/%ld", argv[1], (long)getpid());
	snprintf(folder, sizeof(folder), "%s/new", argv[1]);
	if (append(tmp, message, len) == -1 || rename(tmp, new) == -1 || sync_folder(folder) == -1)
		return TEMPORARY;
	usleep(GAP_US);
	return append(argv[2], id, line) == -1 ? TEMPORARY : 0;
}
