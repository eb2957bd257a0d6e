/* What dedupe found, for people and as JSON. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dedupe.h"
#include "mail_head.h"
#include "output.h"

#define VALUE_SHOWN 256	/* bytes of a Message-ID that are shown */

static const char *const states[] = {
	[FOUND_HERE] = "here", [FOUND_MOVED] = "moved", [FOUND_GONE] = "gone", [FOUND_FAILED] = "failed",
};

/* The header of a message, empty if it can't be read any more. */
static void
read_head(const struct dedupe *d, const struct found *f, int root, struct mail_head *h)
{
	struct letter l = f->letter;
	struct err err;
	bool gone;
	int fd;

	memset(h, 0, sizeof(*h));
	if (d->mbox)
		fd = dup(root);
	else {
		l.path = strdup(f->letter.path);
		fd = l.path == NULL ? -1 : letter_open(root, &l, &gone, &err);
		free(l.path);
	}
	if (fd == -1)
		return;
	if (mail_head_read(h, fd, d->mbox ? f->copy->place : 0) == -1)
		tool_note("no memory to compare headers");
	close(fd);
}

static const char *
folder_name(const struct dedupe *d, const struct found *f)
{
	const char *name = d->names[f->copy->folder];

	return *name == '\0' ? "INBOX" : name;
}

/* The flags without ":2,"; a name without info has none. */
static void
flag_letters(info_flags flags, char text[INFO_TEXT])
{
	char info[INFO_TEXT];

	info_text(flags, info);
	snprintf(text, INFO_TEXT, "%s", info + strlen(":2,"));
}

struct differences {
	json_t *array;	/* NULL as text */
	unsigned int count;
};

static void
print_difference(void *arg, const char *name)
{
	struct differences *diff = arg;

	if (diff->array != NULL) {
		out_append(diff->array, name);
		return;
	}
	fputs(diff->count++ == 0 ? "         differs: " : ", ", stdout);
	escaped_text(stdout, name);
}

static void
compare_heads(const struct dedupe *d, const struct mail_head *stays, const struct found *f, int root, json_t *array)
{
	struct differences diff = { .array = array };
	struct mail_head h;

	read_head(d, f, root, &h);
	mail_head_differences(stays, &h, print_difference, &diff);
	mail_head_free(&h);
	if (diff.count > 0)
		putchar('\n');
}

/* --- text --- */

static void
print_line(const struct dedupe *d, const char *what, const struct found *f)
{
	char when[AGE_TEXT], size[AGE_TEXT];

	time_text(f->copy->date, false, when);
	size_text(f->copy->size, size);
	printf("  %-6s %s %10s  ", what, when, size);
	if (d->mbox)
		printf("message %u", f->copy->number);
	else {
		escaped_text(stdout, folder_name(d, f));
		fputs("  ", stdout);
		escaped_text(stdout, f->was);
	}
	putchar('\n');
}

static void
print_text(const struct dedupe *d, const struct group *g, const struct mail_head *stays, const char *id, int root)
{
	/* moved is what the last line says, when it is durable */
	static const char *const said[] = {
		[FOUND_HERE] = "moves", [FOUND_MOVED] = "moves", [FOUND_GONE] = "gone", [FOUND_FAILED] = "left",
	};
	char hex[FINGERPRINT_HEX], before[INFO_TEXT], after[INFO_TEXT];
	size_t i;

	fingerprint_hex(&g->all[0].copy->fp, hex);
	printf("%.*s  ", FINGERPRINT_TAG, hex);
	escaped_text(stdout, id == NULL ? "no Message-ID" : id);
	putchar('\n');
	print_line(d, g->all[0].state == FOUND_GONE ? "gone" : "stays", &g->all[0]);
	if (g->flags != g->all[0].flags) {
		flag_letters(g->all[0].flags, before);
		flag_letters(g->flags, after);
		printf("         flags become %s, were %s\n", after[0] == '\0' ? "none" : after, before[0] == '\0' ? "none" : before);
	}
	for (i = 1; i < g->count; i++) {
		print_line(d, d->mbox ? "copy" : g->all[i].state == FOUND_HERE && d->apply ? "left" : said[g->all[i].state], &g->all[i]);
		if (d->verbose)
			compare_heads(d, stays, &g->all[i], root, NULL);
	}
}

/* --- JSON --- */

static void
out_found(const struct dedupe *d, struct out *o, const struct found *f)
{
	char flags[INFO_TEXT];

	if (d->mbox) {
		out_count(o, "number", f->copy->number);
		out_count(o, "offset", f->copy->place);
	} else {
		out_text(o, "folder", folder_name(d, f));
		out_text(o, "path", f->was);
		flag_letters(f->flags, flags);
		out_text(o, "flags", flags);
	}
	out_time(o, "date", f->copy->date, d->t->now);
	out_size(o, "size", f->copy->size);
	out_text(o, "state", states[f->state]);
}

static void
print_json(const struct dedupe *d, const struct group *g, const struct mail_head *stays, const char *id, int root)
{
	char hex[FINGERPRINT_HEX], flags[INFO_TEXT];
	struct out o, item;
	size_t i;

	out_begin(&o, true);
	fingerprint_hex(&g->all[0].copy->fp, hex);
	out_text(&o, "fingerprint", hex);
	out_text(&o, "message_id", id);
	out_nest(&item, &o, "stays");
	out_found(d, &item, &g->all[0]);
	if (!d->mbox) {
		flag_letters(g->flags, flags);
		out_text(&item, "new_flags", flags);
	}
	for (i = 1; i < g->count; i++) {
		out_item(&item, &o, "copies");
		out_found(d, &item, &g->all[i]);
		if (g->all[i].state == FOUND_MOVED)
			out_text(&item, "moved_to", g->all[i].letter.path);
		if (d->verbose) {
			out_array(&item, "differs");
			compare_heads(d, stays, &g->all[i], root, json_object_get(item.object, "differs"));
		}
	}
	out_end(&o);
}

void
dedupe_print_group(const struct dedupe *d, const struct group *g, int root)
{
	char value[VALUE_SHOWN];
	struct mail_head stays;
	const char *id;

	progress_end();
	read_head(d, &g->all[0], root, &stays);
	id = mail_head_value(&stays, "message-id", value, sizeof(value)) ? value : NULL;
	if (d->t->json)
		print_json(d, g, &stays, id, root);
	else
		print_text(d, g, &stays, id, root);
	mail_head_free(&stays);
}

static void
print_sentence(const struct dedupe *d)
{
	unsigned long long trouble = d->failed + d->unread;
	char size[AGE_TEXT];

	size_text(d->bytes, size);
	printf("%llu %s read, ", (unsigned long long)d->messages, d->messages == 1 ? "message" : "messages");
	if (d->groups == 0)
		printf("no copies");
	else
		printf("among them %llu %s of %llu %s, %s", (unsigned long long)d->found, d->found == 1 ? "copy" : "copies",
		    (unsigned long long)d->groups, d->groups == 1 ? "message" : "messages", size);
	if (d->apply)
		printf("; %llu moved to ." ASIDE_FOLDER, (unsigned long long)d->moved);
	if (d->gone > 0)
		printf("; %llu changed by somebody else meanwhile", (unsigned long long)d->gone);
	if (trouble > 0)
		printf("; %llu with trouble", trouble);
	putchar('\n');
	if (!d->apply && !d->mbox && d->groups > 0)
		puts("Nothing was changed. With --apply the copies move to the folder ." ASIDE_FOLDER ".");
}

void
dedupe_print_totals(const struct dedupe *d)
{
	struct out o, total;

	if (!d->t->json) {
		print_sentence(d);
		return;
	}
	out_begin(&o, true);
	out_nest(&total, &o, "total");
	out_count(&total, "messages", d->messages);
	out_count(&total, "unknown", d->unknown);
	out_count(&total, "unread", d->unread);
	out_count(&total, "groups", d->groups);
	out_count(&total, "copies", d->found);
	out_size(&total, "size", d->bytes);
	out_count(&total, "moved", d->moved);
	out_count(&total, "gone", d->gone);
	out_count(&total, "failed", d->failed);
	out_end(&o);
}
