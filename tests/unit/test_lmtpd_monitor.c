/* What root reads of a worker that may have been taken over, and what the worker reads of its monitor. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lmtpd_monitor.h"

static const int none[] = { -1 };

static struct lmtpd_site
make_site(void)
{
	struct lmtpd_site site = { .foreign = none, .monitor = -1, .shared = -1, .system = true };
	struct err err;
	int wake[2];

	assert_int_equal(pipe(wake), 0);
	assert_int_equal(lmtpd_monitor_start(&site, wake[0], &err), 0);
	close(wake[0]);
	close(wake[1]);
	return site;
}

static void
strings_end(void **state)
{
	struct lmtpd_request q = { .kind = REQUEST_DELIVER };
	char *const strings[] = { q.user, q.address, q.plain, q.folder, q.sender };
	size_t i;

	(void)state;
	assert_true(lmtpd_request_is_whole(&q, sizeof(q)));
	assert_false(lmtpd_request_is_whole(&q, sizeof(q) - 1));
	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		memset(strings[i], 'x', LMTP_ADDRESS_MAX);
		assert_false(lmtpd_request_is_whole(&q, sizeof(q)));
		strings[i][LMTP_ADDRESS_MAX - 1] = '\0';
		assert_true(lmtpd_request_is_whole(&q, sizeof(q)));
	}
	memset(q.received, 'x', sizeof(q.received));
	assert_false(lmtpd_request_is_whole(&q, sizeof(q)));
	q.received[0] = '\0';
	q.kind = (enum lmtpd_request_kind)7;
	assert_false(lmtpd_request_is_whole(&q, sizeof(q)));
}

/* A request is answered, and without a message nothing is delivered. tests/root/lmtpd.t has users. */
static void
no_message_came(void **state)
{
	struct lmtpd_site site = make_site();
	struct lmtpd_request q = { .kind = REQUEST_DELIVER, .user = "root" };
	struct lmtpd_reply reply;

	(void)state;
	assert_int_equal(send(site.monitor, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(recv(site.monitor, &reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(reply.outcome.result, RESULT_DEFERRED);
	assert_true(strlen(reply.outcome.text) > 0);
	close(site.monitor);
}

/* Who does not keep to this is not talked to any longer. */
static void
nonsense_ends_it(void **state)
{
	struct lmtpd_site site = make_site();
	struct lmtpd_request q;
	struct err err;
	char byte;

	(void)state;
	memset(&q, 'x', sizeof(q));
	assert_int_equal(send(site.monitor, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(recv(site.monitor, &byte, 1, 0), 0);
	assert_int_equal(lmtpd_monitor_find(&site, "root", &err), -1);
	assert_int_equal(err.status, STATUS_TEMP);
	assert_true(site.trouble);
	close(site.monitor);
}

/* Two descriptors at once, of which only one could be closed: then they would pile up, in each child that becomes a user as well. */
static void
more_descriptors_are_not_kept(void **state)
{
	struct lmtpd_site site = make_site();
	struct lmtpd_request q = { .kind = REQUEST_FIND, .user = "root" };
	struct lmtpd_reply reply;
	union { struct cmsghdr align; char room[CMSG_SPACE(2 * sizeof(int))]; } passed;
	struct iovec iov = { &q, sizeof(q) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof(passed) };
	struct pollfd end;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	memset(&passed, 0, sizeof(passed));
	CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), (const int[]){ ends[1], ends[1] }, 2 * sizeof(int));
	assert_int_equal(sendmsg(site.monitor, &msg, 0), sizeof(q));
	close(ends[1]);
	assert_int_equal(recv(site.monitor, &reply, sizeof(reply), 0), sizeof(reply));
	q.user[0] = '\0';		/* once more: it closes what came with a request after it has answered */
	assert_int_equal(send(site.monitor, &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(recv(site.monitor, &reply, sizeof(reply), 0), sizeof(reply));
	end = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	assert_int_equal(poll(&end, 1, 0), 1);
	close(ends[0]);
	close(site.monitor);
}

/* The master counts by it: in memory that workers can write to, it would have root read, write and signal beyond the list of pids. */
static void
workers_have_no_say_in_the_size(void **state)
{
	struct lmtpd_board *board = lmtpd_board_new(2);
	int status = -1;
	pid_t pid;

	(void)state;
	assert_non_null(board);
	pid = fork();
	if (pid == 0) {
		atomic_store(&board->places[1].state, PLACE_BUSY);
		board->size = 1000000;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(board->size, 2);
	assert_int_equal(lmtpd_board_in(board, PLACE_BUSY), 1);
	lmtpd_board_free(&board);
	assert_null(board);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_end),
		cmocka_unit_test(no_message_came),
		cmocka_unit_test(nonsense_ends_it),
		cmocka_unit_test(more_descriptors_are_not_kept),
		cmocka_unit_test(workers_have_no_say_in_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
