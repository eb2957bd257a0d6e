/*
 * What the server tells systemd (sd_notify(3)). Nothing happens where nobody listens.
 */
#ifndef LMTPD_NOTIFY_H
#define LMTPD_NOTIFY_H

/* Remember where to (NOTIFY_SOCKET), before the environment is cleaned. */
void lmtpd_notify_start(void);
/* Lines such as "READY=1\nSTATUS=...". */
void lmtpd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
