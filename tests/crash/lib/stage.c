/* Building stages. */
#include <sys/stat.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

static void
add_part(struct stage *s, const char *name, enum part part)
{
	struct place *p = &s->places[s->parts++];
	char *path, *old, *aside;

	if (s->parts > PARTS_MAX || asprintf(&path, "%s%s%s", s->w.ledger, name[0] != '\0' ? "/" : "", name) == -1 ||
	    asprintf(&old, "%s%s%s", s->older, name[0] != '\0' ? "/" : "", name) == -1 ||
	    asprintf(&aside, "%s/aside.%zu", s->w.folder, s->parts) == -1)
		die("the ledger's parts");
	*p = (struct place){ .path = path, .older = old, .aside = aside, .part = part, .dice = &s->dice };
}

static void
find_parts(struct stage *s)
{
	char path[PATH_MAX];
	struct dirent **names;
	int i, n;

	if (s->w.wrong != NULL) {
		add_part(s, "", PART_DATA);
		return;
	}
	add_part(s, "", PART_TOP);
	add_part(s, "lock", PART_LOCK);
	add_part(s, "events", PART_EVENTS);
	add_part(s, "env", PART_ENV);
	snprintf(path, sizeof(path), "%s/env", s->w.ledger);
	n = scandir(path, &names, NULL, alphasort);
	if (n == -1)
		die(path);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "env/%s", names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			add_part(s, path, strncmp(names[i]->d_name, "__db.", 5) == 0 ? PART_REGION : PART_DATA);
		free(names[i]);
	}
	free(names);
}

static void
make_mails(struct stage *s)
{
	static char names[MESSAGES][16];
	unsigned int i;

	memcpy(s->mails, s->w.mails, sizeof(s->w.mails));
	for (i = MAILS; i < MESSAGES; i++) {
		snprintf(names[i], sizeof(names[i]), i < KNOWN ? "early%u" : "new%u", i < KNOWN ? i - MAILS : i - KNOWN);
		mail_make(&s->mails[i], s->w.folder, names[i], 300);
	}
}

/* The scene, an older copy of its ledger, and then more records. */
void
stage_make(struct stage *s, const char *folder, const char *build, const char *wrong, unsigned int records)
{
	char lock_timeout[32], keep[PATH_MAX];
	const char *more[] = { lock_timeout, s->play->defer ? "on-ledger-failure=defer" : NULL, NULL };
	unsigned int i;

	snprintf(lock_timeout, sizeof(lock_timeout), "lock-timeout=%ds", STAGE_LOCK_TIMEOUT_S);
	world_make(&s->w, s->play->scene, folder, build, wrong, more);
	if (wrong != NULL && asprintf(&s->w.ledger, "%s/records", s->w.root) == -1)
		die("records");
	make_mails(s);
	snprintf(keep, sizeof(keep), "%s/keep", folder);
	if (asprintf(&s->older, "%s/older", folder) == -1)
		die(folder);
	if (wrong == NULL)
		world_grow(&s->w, 0, records);
	copy_tree(s->w.ledger, s->older);
	for (i = MAILS; i < KNOWN; i++)
		if (world_deliver(&s->w, &s->mails[i]) != 0)
			die("preparing");
	if (wrong == NULL)
		world_grow(&s->w, records, records);
	snapshot_free(&s->w.snapshot);
	s->w.snapshot = snapshot_take(s->w.root, keep);
	find_parts(s);
}

void
stage_free(struct stage *s)
{
	unsigned int i;

	for (i = MAILS; i < MESSAGES; i++)
		mail_free(&s->mails[i]);
	for (i = 0; i < s->parts; i++) {
		free(s->places[i].path);
		free(s->places[i].older);
		free(s->places[i].aside);
	}
	free(s->older);
	(void)take_away(s->w.folder);	/* with what the hurts have shut in it */
	world_free(&s->w);
}
