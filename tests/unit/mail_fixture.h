/*
 * Messages made of strings; and scratch folders: which files are in them, and away with them.
 */
#ifndef MAIL_FIXTURE_H
#define MAIL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <dirent.h>

#include "../../include/fs.h"
#include "../../include/message.h"

static inline struct message *
message_of(const char *bytes, size_t len)
{
	struct message_options how = { 0 };
	struct err err = { .text = "" };
	struct message *m = NULL;
	int fd = fs_unnamed("/tmp", &err);

	if (fd == -1 || fs_write(fd, bytes, len, NULL, "message", &err) == -1 || lseek(fd, 0, SEEK_SET) == -1 ||
	    message_read(&m, fd, &how, &err) == -1)
		fail_msg("message: %s", err.text);
	close(fd);
	return m;
}

static inline struct message *
message_text(const char *text)
{
	return message_of(text, strlen(text));
}

/* How many files are in a subfolder. `removed` takes them away; the name of the last one goes to `name` (NAME_MAX + 1 bytes) if there is one. */
static inline int
folder_look(const char *folder, const char *sub, bool removed, char *name)
{
	struct dirent *entry;
	char path[128];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", folder, sub);
	d = opendir(path);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (removed)
			assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
		if (name != NULL)
			strcpy(name, entry->d_name);
	}
	closedir(d);
	return n;
}

static inline int
files(const char *folder, const char *sub)
{
	return folder_look(folder, sub, false, NULL);
}

/* A reader takes them. */
static inline int
take_files(const char *folder, const char *sub)
{
	return folder_look(folder, sub, true, NULL);
}

static inline int
folder_remove(const char *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

#endif
