/* From an address to a recipient. */
#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "expand.h"
#include "fs.h"
#include "lmtpd_monitor.h"

void
lmtpd_recipient_free(struct lmtpd_recipient **r)
{
	if (*r == NULL)
		return;
	free((*r)->user);
	free((*r)->folder);
	free(*r);
	*r = NULL;
}

struct identity
lmtpd_identity(const struct lmtpd_recipient *r)
{
	return (struct identity){ .user = r->user, .address = r->address.plain };
}

/* joe+work@example.org: user joe@example.org or, of this system, joe; folder work. */
static int
split(struct lmtpd_recipient *r, const char *delimiter, bool system)
{
	struct address a;

	address_split(&a, r->address.plain, delimiter);
	if (a.extension != NULL && (r->folder = strndup(a.extension, a.extension_len)) == NULL)
		return -1;
	r->user = system ? strndup(a.local, a.local_len) : address_base(r->address.plain, delimiter);
	if (r->user == NULL)
		return -1;
	ascii_lower(r->user);
	return 0;
}

static bool
refuse_unknown(const struct lmtpd_site *site, char reply[LMTP_REPLY_MAX])
{
	strlcpy(reply, site->config->reject_unknown ? "550 5.1.1 no such user here" : "450 4.1.1 no such user here", LMTP_REPLY_MAX);
	return false;
}

static bool
refuse_for_now(struct lmtpd_site *site, const char *what, const struct err *err, char reply[LMTP_REPLY_MAX])
{
	char text[ERR_TEXT + 64];

	snprintf(text, sizeof(text), "RCPT: %s: %s", what, err->text);
	log_notice(site->log, text);
	snprintf(reply, LMTP_REPLY_MAX, "451 4.3.0 %s: try again later", what);
	return false;
}

/* A user of this system, whom the monitor looks up. */
static bool
check_system(struct lmtpd_site *site, struct lmtpd_recipient *r, char reply[LMTP_REPLY_MAX])
{
	struct err err;

	if (r->user[0] == '\0' || r->user[0] == '-')
		return refuse_unknown(site, reply);
	if (lmtpd_monitor_find(site, r->user, &err) == -1)
		return err.status == STATUS_NOUSER ? refuse_unknown(site, reply) : refuse_for_now(site, "the user could not be looked up",
		    &err, reply);
	return true;
}

/* Known to be missing: the folder that it would be in is there and ours, so no file system is. */
static bool
is_missing(const char *path)
{
	const char *base;
	struct stat st;
	int parent = fs_open_parent(path, &base, NULL);
	bool missing;

	if (parent == -1)
		return false;
	missing = fstat(parent, &st) == 0 && st.st_uid == geteuid() && fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT;
	close(parent);
	return missing;
}

/* An address that can be no part of a path is nobody's. A mailbox that is missing is made by the first delivery, unless unknown users
 * are to be rejected: then it is what says who is known. */
static bool
check_virtual(struct lmtpd_site *site, const struct lmtpd_recipient *r, char reply[LMTP_REPLY_MAX])
{
	struct identity who = lmtpd_identity(r);
	struct err err;

	if (config_resolve(site->config, &who, &err) == -1)
		return err.status == STATUS_CONFIG ? refuse_unknown(site, reply) : refuse_for_now(site, "the mailbox has no place", &err,
		    reply);
	if (site->config->reject_unknown && site->config->mailbox_path != NULL && !site->config->mailbox_ops->hands_over &&
	    is_missing(site->config->mailbox_path))
		return refuse_unknown(site, reply);
	return true;
}

struct lmtpd_recipient *
lmtpd_recipient_new(struct lmtpd_site *site, const struct lmtp_address *to, char reply[LMTP_REPLY_MAX])
{
	struct lmtpd_recipient *r = calloc(1, sizeof(*r));
	bool good;

	strlcpy(reply, "451 4.3.0 out of memory", LMTP_REPLY_MAX);
	if (r == NULL)
		return NULL;
	r->address = *to;
	good = split(r, site->config->recipient_delimiter, site->system) == 0 &&
	    (site->system ? check_system(site, r, reply) : check_virtual(site, r, reply));
	if (good)
		strlcpy(reply, "250 2.1.5 recipient ok", LMTP_REPLY_MAX);
	else
		lmtpd_recipient_free(&r);
	return r;
}
