/*
 * dedupdb dedupe: the copies that a mailbox already holds. Only looks, unless told to move them aside; then all it does are the renames
 * of aside.h, so it is safe beside mail readers and deliveries, and to interrupt.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dedupe.h"
#include "digest.h"
#include "fs.h"
#include "mailbox_reader.h"
#include "special_folder.h"

/* --- what a message is --- */

uint64_t
dedupe_place(const char *name, uint64_t inode)
{
	unsigned char bytes[DIGEST_BYTES];
	struct digest digest;
	uint64_t place;

	digest_start(&digest);
	digest_add(&digest, &inode, sizeof(inode));
	digest_add(&digest, name, info_base_len(name));
	digest_end(&digest, bytes);
	memcpy(&place, bytes, sizeof(place));
	return place;
}

/* With alias-copies = each every recipient has a copy of his own, so the recipient that the message was delivered to counts. */
static int
count_recipient(const struct dedupe *d, const struct message *m, struct fingerprint *fp, struct err *err)
{
	const struct config *config = d->t->config;
	const struct field *to = message_field(m, "delivered-to", 0);
	struct fingerprint_options options = { .headers = (const char *const *)config->fingerprint_headers, .body = config->body };
	char *scope, *p;

	if (to == NULL || to->len == 0)
		return 1;
	if (asprintf(&scope, "%s %s", config->scope, to->value) == -1)
		return err_sys(err, "read message", NULL);
	for (p = scope + strlen(config->scope); *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	options.scope = scope;
	(void)fingerprint_make(fp, m, &options, NULL, NULL);
	free(scope);
	return 1;
}

int
dedupe_identify(const struct dedupe *d, int fd, const struct source *from, struct fingerprint *fp, struct err *err)
{
	static const char *const also[] = { "delivered-to", NULL };
	const struct identify how = { .config = d->t->config, .spill = &sink_nowhere, .also = also };
	struct message *m;
	int got = from != NULL ? identify_from(&how, from, &m, fp, err) : identify(&how, fd, &m, fp, err);

	if (got == 1 && d->t->config->each_alias)
		got = count_recipient(d, m, fp, err);
	message_free(&m);
	return got;
}

/* --- reading the mailbox --- */

struct reading {
	struct dedupe *d;
	struct mailbox_reader *reader;
	struct progress progress;
	int root;
};

/* It may be the same folder under another name, in which every message is a copy of itself; or another mailbox's. */
static bool
is_link(int root, const char *folder)
{
	char name[NAME_MAX + 2];
	struct stat st;

	snprintf(name, sizeof(name), ".%s", folder);
	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || S_ISLNK(st.st_mode);
}

static bool
wanted(void *arg, const char *folder)
{
	const struct reading *r = arg;

	if (*folder == '\0')
		return true;
	if (strcmp(folder, ASIDE_FOLDER) == 0 || r->d->folders == FOLDERS_INBOX || is_link(r->root, folder))
		return false;
	/* What lies there is no copy of what is elsewhere: it was sent, is being written, or was thrown away on purpose. */
	return r->d->folders == FOLDERS_EACH || (!special_folder(folder) && !unwanted_folder(folder));
}

/* The folder's number; they come one after the other. */
static int
folder_number(struct dedupe *d, const char *folder, uint32_t *number, struct err *err)
{
	char **grown;

	if (d->name_count == 0 || strcmp(d->names[d->name_count - 1], folder) != 0) {
		grown = reallocarray(d->names, d->name_count + 1, sizeof(*grown));
		if (grown == NULL)
			return err_sys(err, "dedupe", d->path);
		d->names = grown;
		grown[d->name_count] = strdup(folder);
		if (grown[d->name_count] == NULL)
			return err_sys(err, "dedupe", d->path);
		d->name_count++;
	}
	*number = (uint32_t)(d->name_count - 1);
	return 0;
}

static int
visit(void *arg, struct mail *mail, struct err *err)
{
	struct reading *r = arg;
	struct dedupe *d = r->d;
	struct copy copy = { .place = mail->offset, .date = mail->date, .size = mail->size };
	struct stat st;
	struct err why;
	int got;

	if (tool_stopped())
		return 1;
	d->messages++;
	progress_at(&r->progress, d->messages, mail->done);
	copy.number = (uint32_t)(d->messages + mailbox_reader_left_out(r->reader)->old);
	got = dedupe_identify(d, -1, mail_bytes(r->reader, MBOX_RD), &copy.fp, &why);
	if (got == -1) {
		d->unread++;
		tool_note("%s: %s", mail->path, why.text);
		return 0;
	}
	if (got == 0) {
		d->unknown++;
		return 0;
	}
	if (!d->mbox) {
		if (stat(mail->path, &st) == -1)
			return 0;	/* renamed just now: perhaps next time */
		copy.place = dedupe_place(mail->name, (uint64_t)st.st_ino);
	}
	if (folder_number(d, mail->folder, &copy.folder, err) == -1)
		return -1;
	return copies_add(&d->copies, &copy, err);
}

/* Returns an exit code. */
static int
read_mailbox(struct dedupe *d, int64_t since)
{
	struct reading r = { .d = d, .root = -1 };
	struct reader_options options = { .path = d->path, .since = since, .now = d->t->now, .wanted = wanted, .arg = &r };
	struct err err = { .text = "" };
	enum reader_end end = READER_FAILED;
	int failed = EX_NOINPUT;

	options.lock_timeout_ms = config_ms(d->t->config->lock_timeout);
	r.root = open(d->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (r.root == -1)
		err_sys(&err, "open mailbox", d->path);
	else if (mailbox_reader_open(&r.reader, &options, &err) == 0) {
		failed = EX_TEMPFAIL;
		d->mbox = mailbox_reader_kind(r.reader) == READER_MBOX;
		progress_begin(&r.progress, "dedupe", "messages", mailbox_reader_total(r.reader));
		end = mailbox_reader_each(r.reader, visit, &r, &err);
		d->unread += mailbox_reader_left_out(r.reader)->unreadable;
		mailbox_reader_close(&r.reader);
	}
	if (r.root != -1)
		close(r.root);
	progress_end();
	d->copies.across = d->folders == FOLDERS_ACROSS;
	if (end == READER_DONE && copies_sort(&d->copies, &err) == 0)
		return EX_OK;
	return end == READER_STOPPED ? EX_TEMPFAIL : tool_err(&err, failed);
}

/* --- an mbox --- */

/* The oldest stays; of two of one age the one that stands first. */
static int
compare_age(const void *left, const void *right)
{
	const struct copy *a = ((const struct found *)left)->copy, *b = ((const struct found *)right)->copy;

	if (a->date != b->date)
		return a->date < b->date ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

int
dedupe_mbox(struct dedupe *d)
{
	struct found *all = NULL, *grown;
	size_t from, i, n;
	int fd = open(d->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), ret = EX_OK;

	for (from = 0; !tool_stopped() && (n = copies_group(&d->copies, &from)) > 0; from += n) {
		struct group g = { .count = n };

		grown = reallocarray(all, n, sizeof(*all));
		if (grown == NULL) {
			ret = tool_fail(EX_TEMPFAIL, "no memory");
			break;
		}
		g.all = all = grown;
		for (i = 0; i < n; i++)
			all[i] = (struct found){ .copy = copies_at(&d->copies, from + i) };
		qsort(all, n, sizeof(*all), compare_age);
		for (i = 1; i < n; i++)
			d->bytes += all[i].copy->size;
		d->groups++;
		d->found += n - 1;
		dedupe_print_group(d, &g, fd);
	}
	free(all);
	if (fd != -1)
		close(fd);
	return ret;
}

/* --- the command --- */

static int
parse_folders(struct tool *t, const char *word, enum dedupe_folders *folders)
{
	static const char *const words[] = { [FOLDERS_EACH] = "each", [FOLDERS_ACROSS] = "across", [FOLDERS_INBOX] = "inbox" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*folders = (enum dedupe_folders)i;
			return -1;
		}
	return tool_usage(t, "--folders is each, across or inbox, not '%s'", word);
}

/* A folder of a Maildir has no folders: the copies would go where no mail reader looks. */
static int
check_mailbox(const struct dedupe *d)
{
	const char *base = strrchr(d->path, '/') + 1;
	struct stat st;

	if (stat(d->path, &st) == -1)
		return tool_fail(EX_NOINPUT, "%s: %s", d->path, strerror(errno));
	if (S_ISREG(st.st_mode) && d->apply)
		return tool_fail(EX_USAGE, "%s is an mbox: a message can't be moved out of it in one step that a crash leaves whole; delete the "
		    "copies that dedupe without --apply shows with a mail reader", d->path);
	if (S_ISDIR(st.st_mode) && base[0] == '.' && d->apply)
		return tool_fail(EX_USAGE, "%s is a folder of a Maildir: name the Maildir, all of its folders are looked into", d->path);
	return EX_OK;
}

static int
run_dedupe(struct dedupe *d, int64_t since)
{
	int rc = check_mailbox(d);

	if (rc == EX_OK)
		rc = read_mailbox(d, since);
	if (rc != EX_OK)
		return rc;
	rc = d->mbox ? dedupe_mbox(d) : dedupe_maildir(d);
	progress_end();
	dedupe_print_totals(d);
	return rc == EX_OK && d->unread > 0 ? EX_TEMPFAIL : rc;
}

static int
dedupe(struct dedupe *d, const char *mailbox, int64_t since)
{
	char *path = NULL;
	int rc = tool_load(d->t);
	size_t i;

	if (rc != EX_OK)
		return rc;
	path = realpath(mailbox, NULL);
	if (path == NULL)
		return tool_fail(EX_NOINPUT, "%s: %s", mailbox, strerror(errno));
	d->path = path;
	rc = run_dedupe(d, since);
	copies_free(&d->copies);
	for (i = 0; i < d->name_count; i++)
		free(d->names[i]);
	free(d->names);
	free(path);
	return rc;
}

enum { OPTION_APPLY = OPTION_FIRST, OPTION_FOLDERS, OPTION_SINCE };

static int
run(struct tool *t, int argc, char **argv)
{
	static const struct option table[] = { { "apply", no_argument, NULL, OPTION_APPLY },
		{ "folders", required_argument, NULL, OPTION_FOLDERS }, { "since", required_argument, NULL, OPTION_SINCE },
		{ "verbose", no_argument, NULL, 'v' }, TOOL_OPTIONS };
	struct dedupe d = { .t = t };
	int64_t since = INT64_MIN;
	int c, rc, wrong = -1;

	while (wrong == -1 && (c = tool_getopt(t, argc, argv, ":v", table, &rc)) != -1) {
		if (c == OPTION_APPLY)
			d.apply = true;
		else if (c == OPTION_FOLDERS)
			wrong = parse_folders(t, optarg, &d.folders);
		else if (c == OPTION_SINCE)
			wrong = tool_time(t, optarg, &since) == EX_OK ? -1 : EX_USAGE;
		else if (c == 'v')
			d.verbose = true;
	}
	if (wrong != -1 || rc != -1)
		return wrong != -1 ? wrong : rc;
	if (optind + 1 != argc)
		return tool_usage(t, "dedupe takes one mailbox, a Maildir or an mbox");
	tool_catch_signals();
	return dedupe(&d, argv[optind], since);
}

const struct command cmd_dedupe = {
	.name = "dedupe",
	.synopsis = "[--apply] [--folders=each|across|inbox] [--since=TIME] [-v] [--json] MAILBOX",
	.line = "Find copies already in a mailbox; moves them aside only with --apply",
	.options =
	    "      --apply             move all copies but the oldest to the folder ." ASIDE_FOLDER "; Maildir only\n"
	    "      --folders=each      compare within each folder (the default)\n"
	    "      --folders=across    also between folders, but not with those for sent, deleted, unwanted and unfinished\n"
	    "                          messages\n"
	    "      --folders=inbox     look into the inbox only\n"
	    "      --since=TIME        only messages delivered at that time or later: a date, or an age as 7d\n"
	    "  -v, --verbose           say which header fields of a copy differ from those of the one that stays\n",
	.details = "Nothing is ever deleted, and without --apply nothing is changed.\n",
	.exits = "  66  there is no such mailbox, or it can't be opened\n",
	.examples =
	    "  dedupdb -d joe dedupe -v /home/joe/Maildir     only look\n"
	    "  dedupdb -d joe dedupe --apply /home/joe/Maildir\n",
	.flags = COMMAND_MAILBOX,
	.run = run,
};
