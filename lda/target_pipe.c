/*
 * pipe: the message is handed to a command on its standard input, as a mailbox would hold it.
 *
 * The command waits, not yet run, from before the sandbox is entered: it is not confined, the agent that reads the message is. stage()
 * writes the whole message into a file without a name, which a crash takes away; publish() lets the command run on it, and its exit with 0
 * is the publication.
 *
 * After a crash in publish() the command may or may not have done its work: see target.h.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "child.h"
#include "command.h"
#include "fs.h"
#include "string_list.h"
#include "target.h"

#define VARIABLES_MAX 16

struct target_pipe {
	struct target target;
	struct child *child;
	int file;				/* the stage, or -1 */
	char fingerprint[FINGERPRINT_HEX];	/* "": there is none */
};

static struct target_pipe *
pipe_of(struct mailbox *box)
{
	return (struct target_pipe *)box;
}

/* The unnamed file goes with its descriptor. */
static void
stage_drop(struct target_pipe *b)
{
	if (b->file != -1)
		close(b->file);
	b->file = -1;
}

static bool
has_controls(const char *text, size_t len)
{
	for (; len > 0; len--, text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* Add a variable. What holds control characters is left out: a command would not expect it. */
static int
add(char **list, const char *name, const char *value, size_t len)
{
	size_t n;

	if (has_controls(value, len))
		return 0;
	for (n = 0; list[n] != NULL; n++)
		;
	if (n < VARIABLES_MAX && asprintf(&list[n], "%s=%.*s", name, (int)len, value) != -1)
		return 0;
	list[n] = NULL;
	return -1;
}

static char **
make_environment(const struct mailbox_options *o)
{
	const struct { const char *name, *value; } whole[] = { { "PATH", COMMAND_PATH }, { "HOME", o->home != NULL ? o->home : "/" },
		{ "SHELL", "/bin/sh" }, { "USER", o->user }, { "LOGNAME", o->user }, { "SENDER", o->sender },
		{ "RECIPIENT", o->recipient } };
	char **list = calloc(VARIABLES_MAX + 1, sizeof(*list));
	struct address a;
	int ret = 0;
	size_t i;

	if (list == NULL)
		return NULL;
	for (i = 0; i < sizeof(whole) / sizeof(whole[0]) && ret == 0; i++)
		if (whole[i].value != NULL)
			ret = add(list, whole[i].name, whole[i].value, strlen(whole[i].value));
	address_split(&a, o->recipient, o->delimiter);
	if (o->folder != NULL && o->folder[0] != '\0') {
		a.extension = o->folder;
		a.extension_len = strlen(o->folder);
	}
	if (ret == -1 || add(list, "LOCAL", a.local, a.local_len) == -1 || add(list, "DOMAIN", a.domain, strlen(a.domain)) == -1 ||
	    add(list, "EXTENSION", a.extension != NULL ? a.extension : "", a.extension_len) == -1)
		strings_free(&list);
	return list;
}

static void
pipe_close(struct mailbox **box)
{
	struct target_pipe *b = pipe_of(*box);

	child_free(&b->child);
	stage_drop(b);
	target_release(&b->target);
	free(b);
	*box = NULL;
}

static int
prepare(struct target_pipe *b, struct err *err)
{
	const struct mailbox_options *o = b->target.options;
	char *program = command_program(o->command[0], err), **environment = make_environment(o);
	struct child_command command = { .program = program, .argv = o->command, .environment = environment, .folder = o->home };
	int ret = -1;

	if (program != NULL && environment == NULL)
		err_sys(err, "pipe", NULL);
	else if (program != NULL)
		ret = child_start(&b->child, &command, err);
	strings_free(&environment);
	free(program);
	return ret;
}

static int
pipe_open(struct mailbox **box, const struct mailbox_options *options, struct err *err)
{
	struct target_pipe *b = calloc(1, sizeof(*b));

	*box = NULL;
	if (b == NULL)
		return err_sys(err, "open mailbox", options->path);
	b->file = -1;
	target_init(&b->target, &pipe_ops, options);
	*box = &b->target.base;
	if (prepare(b, err) == 0)
		return 0;
	pipe_close(box);
	return -1;
}

static int
write_file(void *arg, const void *buf, size_t len, struct err *err)
{
	const struct target_pipe *b = arg;

	return fs_write(b->file, buf, len, NULL, "the command's input", err);
}

/* In memory or on disk, as the message itself. */
static int
open_file(uint64_t size, struct err *err)
{
	int fd = size <= MESSAGE_MEMORY ? memfd_create("message", MFD_CLOEXEC) : -1;

	return fd != -1 ? fd : fs_temporary(err);
}

static int
pipe_stage(struct mailbox *box, const struct message *m, const struct fingerprint *fp, struct intent *intent, struct err *err)
{
	struct target_pipe *b = pipe_of(box);
	const struct sink sink = { write_file, b };

	if (fp != NULL)
		fingerprint_hex(fp, b->fingerprint);
	stage_drop(b);
	b->file = open_file(message_size(m), err);
	if (b->file != -1 && target_stage(&b->target, m, intent, err) == 0 && target_copy(&b->target, &sink, err) == 0) {
		if (lseek(b->file, 0, SEEK_SET) == 0)
			return 0;
		err_sys(err, "rewind the command's input", NULL);
	}
	err_retry(err);		/* a quota there is not the recipient's mailbox's */
	return -1;
}

/* What an exit code means (sysexits(3), and those of this agent): only codes that name the message or the recipient are refusals. */
static enum status
status_of(int code)
{
	switch (code) {
	case EX_NOUSER:
		return STATUS_NOUSER;
	case EX_NOPERM:		/* over quota: dedup-lda, maildrop */
		return STATUS_QUOTA;
	case EX_DATAERR:
	case EX_UNAVAILABLE:
		return STATUS_REFUSED;
	default:
		return STATUS_TEMP;
	}
}

static int
judge(const struct target_pipe *b, const struct child_end *end, struct err *err)
{
	const struct mailbox_options *o = b->target.options;
	const char *colon = end->said[0] == '\0' ? "" : ": ";
	int code = WIFEXITED(end->status) ? WEXITSTATUS(end->status) : -1;
	char text[ERR_TEXT];

	if (code == 0) {
		snprintf(text, sizeof(text), "the command says: %s", end->said);
		if (end->said[0] != '\0' && o->notice != NULL)
			o->notice(o->notice_arg, text);
		return 0;
	}
	if (code > 0)
		return err_set(err, status_of(code), "pipe:%.150s: exit %d%s%s", o->path, code, colon, end->said);
	return err_set(err, STATUS_TEMP, "pipe:%.150s: killed by signal %d%s%s", o->path, WTERMSIG(end->status), colon, end->said);
}

static int
pipe_publish(struct mailbox *box, struct err *err)
{
	struct target_pipe *b = pipe_of(box);
	const struct mailbox_options *o = b->target.options;
	struct child_news news = { .retried = b->target.retried };
	struct child_end end;
	int ret = -1;

	if (b->child == NULL || b->file == -1)
		return err_set(err, STATUS_TEMP, "pipe: nothing is staged");
	memcpy(news.fingerprint, b->fingerprint, sizeof(news.fingerprint));
	if (child_go(b->child, &news, b->file, err) == 0 && child_finish(b->child, o->deadline_ms, &end, err) == 0)
		ret = judge(b, &end, err);
	child_free(&b->child);
	return ret;
}

static void
pipe_discard(struct mailbox *box)
{
	stage_drop(pipe_of(box));	/* the command was not run */
}

const struct mailbox_ops pipe_ops = {
	.name = "pipe",
	.tag = 'p',
	.durable_mark = true,
	.hands_over = true,
	.open = pipe_open,
	.root = target_root,
	.spill = target_spill,
	.lock = target_lock,
	.stage = pipe_stage,
	.publish = pipe_publish,
	.settle = target_settle,
	.discard = pipe_discard,
	.close = pipe_close,
	.intent_path = target_intent_path,
	.look = target_look,
	.sweep = NULL
};
