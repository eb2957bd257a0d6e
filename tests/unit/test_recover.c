/* Finishing pending publications without the message, on every store: what is settled, left, dropped, changed or swept. */
#include <sys/stat.h>

#include <fcntl.h>

#include "ledger_fixture.h"

#include "mail_fixture.h"
#include "mailbox.h"
#include "maildir_name.h"
#include "recover.h"

#define DAY (24 * 3600)
#define TEXT "Message-ID: <a@b>\n\nhi\n"

static char folder[64], path[80];
static struct mailbox_options options;
static struct message *m;

/* A Maildir that only lasts for the test, and a message. The fixture of the ledger comes from the test's own setup. */
static void
begin(void)
{
	struct err err = { .text = "" };
	struct mailbox *box = NULL;

	strcpy(folder, "/tmp/dedup-recover.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/M", folder);
	options = (struct mailbox_options){ .path = path, .head = "", .locks = { MBOX_LOCK_FCNTL }, .lock_timeout_ms = 60 };
	assert_int_equal(maildir_ops.open(&box, &options, &err), 0);
	maildir_ops.close(&box);
	m = message_text(TEXT);
}

static void
end(void)
{
	message_free(&m);
	assert_int_equal(folder_remove(folder), 0);
}

/* Stage message n, decide, and die before the rename, or the append. */
static void
decide_only(struct fixture *f, const struct mailbox_ops *ops, unsigned int n)
{
	struct err err = { .text = "" };
	struct mailbox *box = NULL;
	struct intent intent;
	struct claim claim;

	claim_as(f, n, NOW, CLAIM_NEW, &claim);
	if (ops->open(&box, &options, &err) == -1 || (ops->lock != NULL && ops->lock(box, &claim.fp, &err) == -1) ||
	    ops->stage(box, m, &claim.fp, &intent, &err) == -1 || ledger_decide(f->ledger, &claim, &intent, NULL, NOW, &err) == -1)
		fail_msg("%s", err.text);
	ops->close(&box);
	fixture_reopen(f);
}

/* Recover the one record of message n, `later` seconds after the decision. */
static int
recover(struct fixture *f, unsigned int n, int64_t later, enum recovered *result, struct err *err)
{
	struct mailbox_options base = options;
	struct claim claim;

	base.path = "";		/* the intent tells it */
	claim_as(f, n, NOW + later, CLAIM_PENDING, &claim);
	return recover_record(f->ledger, &claim, &base, NOW + later, WINDOW, result, err);
}

static void
recovers(struct fixture *f, unsigned int n, int64_t later, enum recovered wanted)
{
	struct err err = { .text = "" };
	enum recovered result;

	if (recover(f, n, later, &result, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(result, wanted);
}

static void
fails(struct fixture *f, unsigned int n, int64_t later, const char *why)
{
	struct err err = { .text = "" };
	enum recovered result = RECOVER_SETTLED;
	struct claim claim;

	assert_int_equal(recover(f, n, later, &result, &err), -1);
	assert_int_equal(result, RECOVER_LEFT);
	assert_non_null(strstr(err.text, why));
	claim_as(f, n, NOW, CLAIM_PENDING, &claim);
}

static void
test_settled(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	begin();
	decide_only(f, &maildir_ops, 1);
	recovers(f, 1, 100 * DAY, RECOVER_SETTLED);
	assert_int_equal(files(path, "new"), 1);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	end();
}

/* The record outlives the window by the day for which a missing stage proves something, and not a second more. */
static void
test_dropped_when_nothing_can_come_of_it(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	begin();
	decide_only(f, &maildir_ops, 1);
	assert_int_equal(take_files(path, "tmp"), 1);
	recovers(f, 1, DAY, RECOVER_LEFT);
	recovers(f, 1, WINDOW + DAY, RECOVER_LEFT);
	recovers(f, 1, WINDOW + DAY + 1, RECOVER_DROPPED);
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	assert_false(claim.present);
	end();
}

/* Under an mbox lock one looks again: somebody settled it while we waited. */
static void
test_changed_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct err err = { .text = "" };
	enum recovered result;
	struct claim claim, other;

	begin();
	snprintf(path, sizeof(path), "%s/box", folder);
	decide_only(f, &mbox_ops, 1);
	claim_as(f, 1, NOW, CLAIM_PENDING, &claim);
	other = claim;
	assert_int_equal(ledger_delivered(f->ledger, &other, true, NULL), 0);
	assert_int_equal(recover_record(f->ledger, &claim, &options, NOW, WINDOW, &result, &err), 0);
	assert_int_equal(result, RECOVER_CHANGED);
	claim_as(f, 1, NOW, CLAIM_DUPLICATE, &claim);
	end();
}

/* Nothing is cut without the message: a record whose entry was never appended waits for the next copy. */
static void
test_mbox_is_left(void **state)
{
	struct fixture *f = *state;

	begin();
	snprintf(path, sizeof(path), "%s/box", folder);
	decide_only(f, &mbox_ops, 1);
	recovers(f, 1, 1, RECOVER_LEFT);
	recovers(f, 1, WINDOW + DAY + 1, RECOVER_DROPPED);
	end();
}

static void
test_what_is_in_the_way(void **state)
{
	struct fixture *f = *state;
	char away[96];
	struct claim claim;
	int fd;

	begin();
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "Z of a newer version", NOW, CLAIM_WON);
	fails(f, 1, 1, "no known kind");
	claim_as(f, 2, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "M", NOW, CLAIM_WON);
	fails(f, 2, 1, "no known kind");

	decide_only(f, &maildir_ops, 3);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	fails(f, 3, 1, path);
	assert_int_equal(access(path, F_OK), -1);	/* it may be an unmounted one: nothing is made */
	assert_int_equal(rename(away, path), 0);
	recovers(f, 3, 2, RECOVER_SETTLED);

	snprintf(path, sizeof(path), "%s/box", folder);
	decide_only(f, &mbox_ops, 4);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fs_try_lock(fd, path, NULL), 1);
	fails(f, 4, 1, "lock");
	close(fd);
	end();
}

/* Two hosts: what is staged in a shared Maildir is finished by either; what can't be seen is left to the other one, and dropped by anybody
 * when nothing can come of it any more. */
static void
test_another_hosts(void **state)
{
	struct fixture *f = *state;
	struct claim claim;

	begin();
	options.host = "a";
	decide_only(f, &maildir_ops, 1);
	assert_int_equal(files(path, "tmp"), 2);
	options.host = "b";
	recovers(f, 1, 1, RECOVER_SETTLED);
	assert_int_equal(files(path, "new"), 1);
	assert_int_equal(files(path, "tmp"), 0);	/* the marker is no more needed */

	options.host = "a";
	decide_only(f, &maildir_ops, 2);
	assert_int_equal(take_files(path, "tmp"), 2);
	options.host = "b";
	recovers(f, 2, 1, RECOVER_LEFT);
	claim_as(f, 2, NOW, CLAIM_PENDING, &claim);
	recovers(f, 2, WINDOW + DAY, RECOVER_LEFT);
	recovers(f, 2, WINDOW + DAY + 1, RECOVER_DROPPED);
	end();
}

/* The mailbox is not even there on this host. */
static void
test_another_hosts_mailbox(void **state)
{
	struct fixture *f = *state;
	char away[96];

	begin();
	options.host = "a";
	decide_only(f, &maildir_ops, 1);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	fails(f, 1, 1, path);
	options.host = "b";
	recovers(f, 1, 1, RECOVER_LEFT);
	assert_int_equal(rename(away, path), 0);
	recovers(f, 1, 2, RECOVER_SETTLED);
	end();
}

static void
make_stage(const char *name)
{
	struct timespec times[2] = { { .tv_sec = NOW - 2 * DAY }, { .tv_sec = NOW - 2 * DAY } };
	char file[400];
	int fd;

	snprintf(file, sizeof(file), "%s/tmp/%s", path, name);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* Old stages: one that a pending record may name, one that a delivered one bears, one of which nobody knows. */
static void
test_sweep_asks_the_ledger(void **state)
{
	struct fixture *f = *state;
	struct err err = { .text = "" };
	struct fingerprint pending = fingerprint_of(1), delivered = fingerprint_of(2), unknown = fingerprint_of(3);
	char name[MAILDIR_NAME_MAX];
	struct mailbox *box = NULL;
	struct claim claim;

	begin();
	claim_as(f, 1, NOW, CLAIM_NEW, &claim);
	decide_as(f, &claim, "somewhere", NOW, CLAIM_WON);
	deliver_one(f, 2, NOW);
	maildir_name_make(name, &pending);
	make_stage(name);
	maildir_name_make(name, &delivered);
	make_stage(name);
	maildir_name_make(name, &unknown);
	make_stage(name);
	assert_int_equal(maildir_ops.open(&box, &options, &err), 0);
	assert_int_equal(recover_sweep(f->ledger, box, NOW, &err), 2);
	maildir_ops.close(&box);
	assert_int_equal(files(path, "tmp"), 1);
	claim_as(f, 1, NOW, CLAIM_PENDING, &claim);
	assert_int_equal(ledger_delivered(f->ledger, &claim, true, NULL), 0);
	assert_int_equal(maildir_ops.open(&box, &options, &err), 0);
	assert_int_equal(recover_sweep(f->ledger, box, NOW, &err), 1);
	maildir_ops.close(&box);

	snprintf(path, sizeof(path), "%s/box", folder);
	assert_int_equal(mbox_ops.open(&box, &options, &err), 0);
	assert_int_equal(recover_sweep(f->ledger, box, NOW, &err), 0);	/* this kind leaves none */
	mbox_ops.close(&box);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_STORE(test_settled),
		EVERY_STORE(test_dropped_when_nothing_can_come_of_it),
		EVERY_STORE(test_changed_meanwhile),
		EVERY_STORE(test_mbox_is_left),
		EVERY_STORE(test_what_is_in_the_way),
		EVERY_STORE(test_another_hosts),
		EVERY_STORE(test_another_hosts_mailbox),
		EVERY_STORE(test_sweep_asks_the_ledger),
	};

	return RUN_EVERY_STORE("recover", tests);
}
