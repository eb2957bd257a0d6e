/*
 * lmtp: the message is handed to an LMTP server, as Dovecot's.
 *
 * stage() connects and says to whom: a server that is down, or that does not know the recipient, is found out before anything is decided.
 * publish() sends the message; the server's answer to the dot is the publication. The connection is made as late as that, so that a
 * duplicate needs none.
 *
 * After a crash in publish() the server may or may not have the message: see target.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "head.h"
#include "lmtp_client.h"
#include "target.h"

struct target_lmtp {
	struct target target;
	struct lmtp_server server;
	struct lmtp *connection;	/* NULL: not yet */
	bool greeted;			/* the envelope was accepted */
	char recipient[ADDRESS_PATH_MAX];
};

static struct target_lmtp *
lmtp_of(struct mailbox *box)
{
	return (struct target_lmtp *)box;
}

static void
notice(const struct mailbox_options *options, const char *text)
{
	char line[ERR_TEXT];

	if (options->notice == NULL)
		return;
	snprintf(line, sizeof(line), "lmtp:%.200s: %s", options->path, text);
	options->notice(options->notice_arg, line);
}

/* A folder is an extension of the address: that is how an LMTP server is told. */
static int
make_recipient(struct target_lmtp *b, struct err *err)
{
	const struct mailbox_options *o = b->target.options;
	const char *folder = o->folder != NULL ? o->folder : "";
	char *address = NULL;
	int ret;

	if (folder[0] != '\0' && o->delimiter[0] != '\0' && address_is_plain(folder, strlen(folder))) {
		address = address_with_folder(o->recipient, folder, o->delimiter);
		if (address == NULL)
			return err_sys(err, "make an address", NULL);
	} else if (folder[0] != '\0')
		notice(o, "the folder can't be part of an address: delivering into the inbox");
	ret = address_path(b->recipient, address != NULL ? address : o->recipient);
	free(address);
	return ret == 0 ? 0 : err_set(err, STATUS_TEMP, "lmtp:%.200s: the recipient's address can't be written in LMTP", o->path);
}

static void
lmtp_box_close(struct mailbox **box)
{
	struct target_lmtp *b = lmtp_of(*box);

	lmtp_close(&b->connection);
	target_release(&b->target);
	free(b);
	*box = NULL;
}

static int
lmtp_box_open(struct mailbox **box, const struct mailbox_options *options, struct err *err)
{
	struct target_lmtp *b = calloc(1, sizeof(*b));

	*box = NULL;
	if (b == NULL)
		return err_sys(err, "open mailbox", options->path);
	target_init(&b->target, &lmtp_ops, options);
	*box = &b->target.base;
	if (options->before != NULL)
		b->server = lmtp_of(options->before)->server;
	if ((options->before != NULL || lmtp_server_find(&b->server, options->path, err) == 0) && make_recipient(b, err) == 0)
		return 0;
	lmtp_box_close(box);
	return -1;
}

static unsigned int
lmtp_port(struct mailbox *box)
{
	return lmtp_of(box)->server.port;
}

static int
copy_to(void *arg, const struct sink *to, struct err *err)
{
	return target_copy(arg, to, err);
}

/* The sender as the MTA told it, or as its "From " line does; a bounce of the server's goes to nobody otherwise. */
static void
make_sender(const struct target_lmtp *b, char path[ADDRESS_PATH_MAX])
{
	const struct mailbox_options *o = b->target.options;
	char found[ADDRESS_PATH_MAX / 2];
	const char *sender = o->sender;

	if (sender == NULL)
		sender = head_envelope_sender(b->target.message, found, sizeof(found)) ? found : "";
	if (address_path(path, sender) == 0)
		return;
	notice(o, "the sender's address can't be written in LMTP: the null sender takes its place");
	memcpy(path, "<>", sizeof("<>"));
}

static int
give_envelope(struct target_lmtp *b, struct err *err)
{
	const struct mailbox_options *o = b->target.options;
	struct lmtp_transaction e = { .recipient = b->recipient };
	char sender[ADDRESS_PATH_MAX];

	if (b->connection == NULL && lmtp_connect(&b->connection, &b->server, o->path, o->deadline_ms, err) == -1)
		return -1;
	if (lmtp_wants_size(b->connection) && lmtp_size(&e.size, copy_to, &b->target, err) == -1)
		return -1;
	make_sender(b, sender);
	e.sender = sender;
	if (lmtp_begin(b->connection, &e, err) == -1)
		return -1;
	b->greeted = true;
	return 0;
}

static int
lmtp_stage(struct mailbox *box, const struct message *m, const struct fingerprint *fp, struct intent *intent, struct err *err)
{
	struct target_lmtp *b = lmtp_of(box);

	(void)fp;
	if (target_stage(&b->target, m, intent, err) == -1)
		return -1;
	return b->greeted ? 0 : give_envelope(b, err);
}

static int
lmtp_publish(struct mailbox *box, struct err *err)
{
	struct target_lmtp *b = lmtp_of(box);

	if (!b->greeted)
		return err_set(err, STATUS_TEMP, "lmtp: nothing is staged");
	b->greeted = false;
	if (lmtp_data(b->connection, err) == -1 || target_copy(&b->target, lmtp_sink(b->connection), err) == -1)
		return -1;
	return lmtp_end(b->connection, err);
}

/* The envelope goes with the connection. */
static void
lmtp_discard(struct mailbox *box)
{
	(void)box;
}

const struct mailbox_ops lmtp_ops = {
	.name = "lmtp",
	.tag = 'l',
	.durable_mark = true,
	.hands_over = true,
	.takes_envelope = true,
	.open = lmtp_box_open,
	.root = target_root,
	.port = lmtp_port,
	.spill = target_spill,
	.lock = target_lock,
	.stage = lmtp_stage,
	.publish = lmtp_publish,
	.settle = target_settle,
	.discard = lmtp_discard,
	.close = lmtp_box_close,
	.intent_path = target_intent_path,
	.look = target_look,
	.sweep = NULL
};
