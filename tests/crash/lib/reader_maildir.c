/* A mail reader on a Maildir: moves messages from new/ to cur/, flags and deletes them. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storm.h"

static uint32_t
which_file(struct storm *t, const char *path)
{
	size_t left, len = 0;
	char *bytes = read_whole(path, &left);
	uint32_t number;

	if (bytes == NULL)
		die(path);
	number = storm_which(bytes, left, &len);
	free(bytes);
	if (number == NO_MESSAGE || len != left) {
		atomic_fetch_add(&t->s->torn, 1);
		storm_say(t, path, 0, (int)left);
		return NO_MESSAGE;
	}
	return number;
}

static void
rename_to(const char *from, const char *folder, const char *name, const char *flags)
{
	char to[PATH_MAX];
	int base = (int)strcspn(name, ":");

	snprintf(to, sizeof(to), "%s/cur/%.*s:2,%s", folder, base, name, flags);
	if (rename(from, to) == -1)
		die(from);
}

static void
read_file(struct storm *t, const char *path, const char *name, bool is_new)
{
	uint32_t number = which_file(t, path);

	switch (number == NO_MESSAGE ? 8 : dice_roll(&t->dice, 8)) {
	case 0:
		if (unlink(path) == -1)
			die(path);
		storm_note_deleted(t, number);
		break;
	case 1:
	case 2:
		rename_to(path, t->w.mailbox, name, "FS");
		atomic_fetch_add(&t->s->flagged, 1);
		break;
	default:
		if (is_new) {
			rename_to(path, t->w.mailbox, name, "S");
			atomic_fetch_add(&t->s->moved, 1);
		}
		break;
	}
}

static void
read_folder(struct storm *t, const char *sub, unsigned int one_in)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", t->w.mailbox, sub);
	d = opendir(path);
	if (d == NULL && errno == ENOENT)
		return;
	if (d == NULL)
		die(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || dice_roll(&t->dice, one_in) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", t->w.mailbox, sub, entry->d_name);
		if (access(path, F_OK) == 0)	/* readdir may show what we have renamed since */
			read_file(t, path, entry->d_name, strcmp(sub, "new") == 0);
	}
	closedir(d);
}

static void
count_folder(struct storm *t, const char *sub)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint32_t number;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", t->w.mailbox, sub);
	d = opendir(path);
	if (d == NULL)
		die(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", t->w.mailbox, sub, entry->d_name);
		number = which_file(t, path);
		if (number != NO_MESSAGE)
			t->s->fate[number].present++;
	}
	closedir(d);
}

void
read_storm_maildir(struct storm *t)
{
	read_folder(t, "new", 2);
	read_folder(t, "cur", 16);
}

void
count_storm_maildir(struct storm *t)
{
	count_folder(t, "new");
	count_folder(t, "cur");
}
