/*
 * The copies of a Maildir: finding their files again, choosing the one that stays, moving the others aside.
 *
 * A table of all names would be larger than everything else, so names are read again for some groups at a time. In a group nothing is
 * taken from the first reading: each file is opened and read again, and what is not a copy any more is left alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dedupe.h"
#include "fs.h"

#define BATCH 65536	/* messages whose names are in memory; a single larger group is taken whole */

struct batch {
	struct dedupe *d;
	struct aside aside;
	int root;
	struct found *all;	/* group after group */
	struct found **by_place;
	size_t count, room;
};

static int
no_memory(const struct batch *b, struct err *err)
{
	return err_sys(err, "dedupe", b->d->path);
}

/* --- names --- */

static int
compare_places(const struct copy *a, const struct copy *b)
{
	if (a->folder != b->folder)
		return a->folder < b->folder ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return 0;
}

static int
compare_found(const void *left, const void *right)
{
	struct found *const *a = left, *const *b = right;

	return compare_places((*a)->copy, (*b)->copy);
}

/* Note the file's path if it is one of the batch. It may come twice, from new/ and then from cur/: the last one is newer. */
static int
note_name(struct batch *b, uint32_t folder, const char *dir, const struct dirent *entry, struct err *err)
{
	const struct copy copy = { .folder = folder, .place = dedupe_place(entry->d_name, (uint64_t)entry->d_ino) };
	struct found key = { .copy = &copy }, *wanted = &key, **hit;

	hit = bsearch(&wanted, b->by_place, b->count, sizeof(struct found *), compare_found);
	if (hit == NULL)
		return 0;
	free((*hit)->letter.path);
	if (asprintf(&(*hit)->letter.path, "%s/%s", dir, entry->d_name) == -1) {
		(*hit)->letter.path = NULL;
		return no_memory(b, err);
	}
	(*hit)->letter.st.st_ino = entry->d_ino;
	return 0;
}

static int
read_names(struct batch *b, uint32_t folder, const char *part, struct err *err)
{
	const char *name = b->d->names[folder];
	struct dirent *entry;
	char *dir;
	int fd, ret = 0;
	DIR *d;

	if (asprintf(&dir, "%s%s%s%s", *name == '\0' ? "" : ".", name, *name == '\0' ? "" : "/", part) == -1)
		return no_memory(b, err);
	fd = openat(b->root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		if (errno != ENOENT)	/* a folder that was deleted has no messages */
			ret = err_sys(err, "open folder", dir);
		if (fd != -1)
			close(fd);
		free(dir);
		return ret;
	}
	while (ret == 0 && (entry = readdir(d)) != NULL)
		ret = note_name(b, folder, dir, entry, err);
	closedir(d);
	free(dir);
	return ret;
}

/* Of every folder that the batch has messages in. */
static int
read_all_names(struct batch *b, struct err *err)
{
	uint32_t folder;
	size_t i;

	b->by_place = reallocarray(NULL, b->count, sizeof(struct found *));
	if (b->by_place == NULL)
		return no_memory(b, err);
	for (i = 0; i < b->count; i++)
		b->by_place[i] = &b->all[i];
	qsort(b->by_place, b->count, sizeof(struct found *), compare_found);
	for (i = 0; i < b->count; i++) {
		folder = b->by_place[i]->copy->folder;
		if (i > 0 && folder == b->by_place[i - 1]->copy->folder)
			continue;
		if (read_names(b, folder, "new", err) == -1 || read_names(b, folder, "cur", err) == -1)
			return -1;
	}
	return 0;
}

/* --- a group --- */

/* The file is not what it was when the mailbox was read: nothing is done with it. */
static void
leave(const struct batch *b, struct found *f, enum found_state state, const char *why)
{
	f->state = state;
	tool_note("%s/%s: left where it is: %s", b->d->path, f->letter.path, why);
}

/* Is it there, and still a copy? */
static void
look(const struct batch *b, struct found *f)
{
	struct fingerprint fp;
	struct err err;
	bool gone = true;
	int fd, got;

	fd = f->letter.path == NULL ? -1 : letter_open(b->root, &f->letter, &gone, &err);
	if (fd == -1 && gone)
		f->state = FOUND_GONE;
	if (fd == -1) {
		if (!gone)
			leave(b, f, FOUND_FAILED, err.text);
		return;
	}
	got = dedupe_identify(b->d, fd, NULL, &fp, &err);
	close(fd);
	f->plain = info_parse(letter_name(&f->letter), &f->flags);
	if (got == -1)
		leave(b, f, FOUND_FAILED, err.text);
	else if (got == 0 || memcmp(fp.bytes, f->copy->fp.bytes, sizeof(fp.bytes)) != 0)
		leave(b, f, FOUND_GONE, "it was changed meanwhile");
	else if ((f->was = strdup(f->letter.path)) == NULL)
		leave(b, f, FOUND_FAILED, "no memory");
}

/* The oldest stays. Of two of one age rather one that somebody has filed, then the one that was named first. */
static int
compare_age(const struct dedupe *d, const struct found *a, const struct found *b)
{
	bool a_inbox = *d->names[a->copy->folder] == '\0', b_inbox = *d->names[b->copy->folder] == '\0';

	if ((a->was == NULL) != (b->was == NULL))
		return a->was == NULL ? 1 : -1;
	if (a->was == NULL)
		return 0;
	if (a->copy->date != b->copy->date)
		return a->copy->date < b->copy->date ? -1 : 1;
	if (a_inbox != b_inbox)
		return a_inbox ? 1 : -1;
	return strcmp(letter_name(&a->letter), letter_name(&b->letter));
}

static int
compare_in_group(const void *left, const void *right, void *arg)
{
	return compare_age(arg, left, right);
}

/* What the flags of the first one become. */
static info_flags
merged_flags(const struct group *g)
{
	const struct found *stays = &g->all[0];
	info_flags any = 0, all = ~(info_flags)0;
	bool one_folder = true;
	size_t i;

	for (i = 0; i < g->count; i++) {
		any |= g->all[i].flags;
		all &= g->all[i].flags;
		one_folder = one_folder && g->all[i].copy->folder == stays->copy->folder;
	}
	return stays->plain ? info_merge(stays->flags, any, all, one_folder) : stays->flags;
}

/* Give the first one its flags. */
static enum aside_result
set_flags(struct batch *b, struct group *g, struct err *err)
{
	struct found *stays = &g->all[0];

	return g->flags == stays->flags ? ASIDE_DONE :
	    aside_flags(&b->aside, &stays->letter, g->flags & ~stays->flags, stays->flags & ~g->flags, err);
}

static void
move_copy(struct batch *b, struct found *f)
{
	struct err err;

	switch (aside_move(&b->aside, &f->letter, &err)) {
	case ASIDE_DONE:
		f->state = FOUND_MOVED;
		break;
	case ASIDE_GONE:
		f->state = FOUND_GONE;
		break;
	case ASIDE_TAKEN:
		err_set(&err, STATUS_TEMP, "move %s: every name that it could have is taken", f->letter.path);
		/* FALLTHROUGH */
	case ASIDE_FAILED:
		f->state = FOUND_FAILED;
		tool_note("%s: left where it is: %s", b->d->path, err.text);
		break;
	}
}

/* The flags first: they prove that the one that stays is there, and a crash then leaves copies that the next run moves. A copy of the
 * same base name may have the very name that the first one is to get: then they come last. */
static void
change(struct batch *b, struct group *g)
{
	struct err err;
	enum aside_result flagged;
	bool gone = false;
	size_t i;
	int fd;

	flagged = set_flags(b, g, &err);
	fd = flagged == ASIDE_GONE || flagged == ASIDE_FAILED ? -1 : letter_open(b->root, &g->all[0].letter, &gone, &err);
	if (fd == -1) {
		g->all[0].state = flagged == ASIDE_GONE || gone ? FOUND_GONE : FOUND_FAILED;
		if (g->all[0].state == FOUND_FAILED)
			tool_note("%s: left its copies where they are: %s", b->d->path, err.text);
		return;
	}
	close(fd);
	for (i = 1; i < g->count; i++)
		move_copy(b, &g->all[i]);
	if (flagged == ASIDE_TAKEN && (flagged = set_flags(b, g, &err)) != ASIDE_DONE) {
		g->all[0].state = flagged == ASIDE_GONE ? FOUND_GONE : FOUND_FAILED;
		if (flagged == ASIDE_TAKEN)
			err_set(&err, STATUS_TEMP, "another file has the name that it would get");
		if (flagged != ASIDE_GONE)
			tool_note("%s/%s: the flags of its copies are lost: %s", b->d->path, g->all[0].letter.path, err.text);
	}
}

static void
count(struct dedupe *d, const struct group *g)
{
	size_t i;

	d->groups++;
	for (i = 0; i < g->count; i++) {
		d->gone += g->all[i].state == FOUND_GONE;
		d->failed += g->all[i].state == FOUND_FAILED;
		if (i > 0) {
			d->found++;
			d->bytes += (uint64_t)g->all[i].letter.st.st_size;
		}
	}
}

static void
do_group(struct batch *b, struct found *all, size_t members)
{
	struct group g = { .all = all };
	size_t i;

	for (i = 0; i < members; i++)
		look(b, &all[i]);
	qsort_r(all, members, sizeof(*all), compare_in_group, b->d);
	while (g.count < members && all[g.count].was != NULL)
		g.count++;
	for (i = g.count; i < members; i++) {
		b->d->gone += all[i].state == FOUND_GONE;
		b->d->failed += all[i].state == FOUND_FAILED;
	}
	if (g.count < 2)
		return;
	g.flags = merged_flags(&g);
	if (b->d->apply)
		change(b, &g);
	count(b->d, &g);
	dedupe_print_group(b->d, &g, b->root);
}

/* --- all --- */

static bool
is_same_group(const struct dedupe *d, const struct copy *a, const struct copy *b)
{
	return (d->copies.across || a->folder == b->folder) && memcmp(a->fp.bytes, b->fp.bytes, sizeof(a->fp.bytes)) == 0;
}

static void
batch_clear(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->count; i++) {
		free(b->all[i].letter.path);
		free(b->all[i].was);
	}
	b->count = 0;
	free(b->by_place);
	b->by_place = NULL;
}

/* Moved is what survives a power cut, so it is counted here. */
static int
sync_batch(struct batch *b, struct err *err)
{
	size_t i;

	if (b->aside.waiting > 0 && aside_sync(&b->aside, err) == -1)
		return -1;
	for (i = 0; i < b->count; i++)
		b->d->moved += b->all[i].state == FOUND_MOVED;
	return 0;
}

static int
batch_do(struct batch *b, struct err *err)
{
	size_t i, n;
	int ret = 0;

	if (b->count == 0 || tool_stopped())
		return 0;
	if (read_all_names(b, err) == -1)
		ret = -1;
	for (i = 0; ret == 0 && i < b->count && !tool_stopped(); i += n) {
		n = 1;
		while (i + n < b->count && is_same_group(b->d, b->all[i].copy, b->all[i + n].copy))
			n++;
		do_group(b, &b->all[i], n);
	}
	if (sync_batch(b, err) == -1)
		ret = -1;
	batch_clear(b);
	return ret;
}

static int
batch_add(struct batch *b, size_t from, size_t members, struct err *err)
{
	struct found *all;
	size_t i, room;

	if (b->count > 0 && b->count + members > BATCH && batch_do(b, err) == -1)
		return -1;
	room = b->count + members > BATCH ? b->count + members : BATCH;
	if (b->all == NULL || room > b->room) {
		all = reallocarray(b->all, room, sizeof(*all));
		if (all == NULL)
			return no_memory(b, err);
		b->all = all;
		b->room = room;
	}
	for (i = 0; i < members; i++)
		b->all[b->count++] = (struct found){ .copy = copies_at(&b->d->copies, from + i) };
	return 0;
}

int
dedupe_maildir(struct dedupe *d)
{
	struct batch b = { .d = d };
	struct mailbox_options options;
	size_t from, n;
	struct err err;
	int ret = 0;

	config_mailbox_options(d->t->config, &options);
	options.path = d->path;
	options.notice = tool_notice;
	b.root = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b.root == -1)
		return err_sys(&err, "open folder", d->path), tool_err(&err, EX_TEMPFAIL);
	b.aside.options = &options;
	b.aside.root = b.root;
	for (from = 0; ret == 0 && !tool_stopped() && (n = copies_group(&d->copies, &from)) > 0; from += n)
		ret = batch_add(&b, from, n, &err);
	if (ret == 0)
		ret = batch_do(&b, &err);
	if (ret == -1)
		tool_err(&err, EX_TEMPFAIL);
	batch_clear(&b);
	free(b.all);
	aside_close(&b.aside);
	close(b.root);
	return ret == -1 || d->failed > 0 ? EX_TEMPFAIL : EX_OK;
}
