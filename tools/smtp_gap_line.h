/*
 * A connection to a mail server: lines in, bytes out, each with a deadline, in the clear or with TLS.
 *
 * Functions that return -1 have said in the fault what was wrong with the connection, but not what it was wanted for: the caller adds
 * that with fault_about(). A signal that asks for an end (stop.h) ends every wait.
 */
#ifndef SMTP_GAP_LINE_H
#define SMTP_GAP_LINE_H

#include "smtp_gap.h"

#define LINE_ROOM 4096	/* bytes: a longer line is a fault. RFC 5321 4.5.3.1.5 allows 512 */

struct line;

/* Returns 0 or -1. The line is to be closed by line_close(). */
int line_connect(struct line **line, const struct gap_place *place, int64_t deadline, struct fault *f);
/* Shake hands. What the server said in advance is a fault: somebody else may have put it there. host is the name that the certificate
 * must be for, if verify; it is told to the server in any case. Returns 0 or -1. */
int line_starttls(struct line *line, const char *host, bool verify, int64_t deadline, struct fault *f);
/* TLSv1.3, or "" in the clear; lives as long as the line. */
const char *line_tls(const struct line *line);

/* Returns 0 when the system has taken all bytes, or -1. */
int line_write(struct line *line, const void *bytes, size_t len, int64_t deadline, struct fault *f);
/* Wait until the other side's system has acknowledged all that was written, or says something. Returns 0 or -1. */
int line_drain(struct line *line, int64_t deadline, struct fault *f);
/* Has the server said something, or hung up? Does not wait. */
bool line_heard(struct line *line);
/* One line without its end; text is not terminated. Returns its length, or -1: no line in time, no end in LINE_ROOM, or hung up. */
int line_read(struct line *line, char text[LINE_ROOM], int64_t deadline, struct fault *f);
/* The shortest round trip that TCP saw, in us, or -1: an average would have delayed acknowledgements in it. */
int64_t line_round_trip(const struct line *line);
void line_close(struct line **line);

#endif
