/*
 * Where privileges are in a server for users of this system: in a monitor, one for each worker, that sees no byte of a message, and of what a
 * client says only the few strings of a request.
 *
 * The worker, which reads commands and messages, is nobody in particular (lmtp-user) and can open no file but temporary ones. It asks its
 * monitor for two things: is there such a user, and deliver what is behind this descriptor to that user. For the latter the monitor forks a
 * child that becomes the user for good before it looks at the message. So whoever takes a worker over has the mail that comes to it, and can
 * have mail delivered, as any client can, with any Received field. A worker that dies takes its monitor along, once the
 * delivery that it is at has ended.
 */
#ifndef LMTPD_MONITOR_H
#define LMTPD_MONITOR_H

#include <stdbool.h>

#include "lmtpd_site.h"
#include "user.h"

#define LMTPD_RECEIVED_MAX 2048	/* bytes of a Received field, with the final NUL */

enum lmtpd_request_kind { REQUEST_FIND, REQUEST_DELIVER };

/* All strings end with a NUL. Of a worker that was taken over it is the only thing that root ever reads. */
struct lmtpd_request {
	enum lmtpd_request_kind kind;
	char user[LMTP_ADDRESS_MAX];	/* a login name; what follows is for REQUEST_DELIVER, which comes with the message's descriptor */
	char address[LMTP_ADDRESS_MAX], plain[LMTP_ADDRESS_MAX], folder[LMTP_ADDRESS_MAX], sender[LMTP_ADDRESS_MAX];
	char received[LMTPD_RECEIVED_MAX];
};

struct lmtpd_reply {
	enum status status;		/* of REQUEST_FIND; text in outcome.text */
	struct lmtpd_outcome outcome;	/* of REQUEST_DELIVER */
};

/* Is it a request, of so many bytes? */
bool lmtpd_request_is_whole(const struct lmtpd_request *request, size_t len);

/* Fork the monitor of this process, which gives up its privileges afterwards. wake: a descriptor that the monitor may not keep. Returns 0
 * or -1. */
int lmtpd_monitor_start(struct lmtpd_site *site, int wake, struct err *err);
/* Is there such a user? Returns 0, or -1: STATUS_NOUSER, or STATUS_TEMP when nobody can say. */
int lmtpd_monitor_find(struct lmtpd_site *site, const char *name, struct err *err);

/* The monitor's part of lmtpd_deliver_as_user(): a child becomes the user and delivers what is in the file `message`, which it reads from
 * its beginning. other: a descriptor that the child may not keep. */
void lmtpd_child_deliver(struct lmtpd_site *site, const struct user *user, const struct lmtpd_request *request, int message, int other,
    struct lmtpd_outcome *outcome);

#endif
