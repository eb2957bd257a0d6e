/*
 * What went wrong, said once, where it was found.
 *
 * A function that can fail takes a struct err, returns 0 or -1 (or a verdict of its own), and fills the struct at the place where
 * the fault was detected, with the operation and the path. Callers pass it up unchanged. lda/exit.c turns a status into an exit
 * code; nothing else does.
 */
#ifndef STATUS_H
#define STATUS_H

#define ERR_TEXT 512	/* bytes, with the final NUL; longer texts are cut */

enum status {
	STATUS_OK = 0,
	STATUS_TEMP,		/* local trouble that may pass: full disk, missing folder, no memory */
	STATUS_CONFIG,		/* a configuration file, key or value is wrong */
	STATUS_USAGE,		/* the command line is wrong */
	STATUS_NOUSER,		/* the recipient does not exist */
	STATUS_QUOTA,		/* the recipient is over quota */
	STATUS_REFUSED,		/* who the message was handed to refuses it for good */
	STATUS_CORRUPT		/* stored data is damaged: only the ledger says this */
};

struct err {
	enum status status;
	char text[ERR_TEXT];	/* one line, NUL-terminated; bytes of a message are never in it unescaped */
};

/* Fill err; returns -1, so that `return err_set(...)` reads well. A NULL err is allowed everywhere and takes nothing. */
int err_set(struct err *err, enum status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with "op path: strerror(errno)". EDQUOT becomes STATUS_QUOTA, all else STATUS_TEMP. path may be NULL. */
int err_sys(struct err *err, const char *op, const char *path);

/* The message may have been accepted all the same: what an administrator can turn into a bounce (STATUS_QUOTA, STATUS_NOUSER,
 * STATUS_REFUSED) becomes STATUS_TEMP. */
void err_retry(struct err *err);

#endif
