/*
 * The SMTP dialogue of smtp-gap: one connection, one message after the other, and a QUIT.
 */
#ifndef SMTP_GAP_TALK_H
#define SMTP_GAP_TALK_H

#include "smtp_gap.h"

struct talk;

/* Connect to the first of the places that answers, greet, and start TLS as the plan says. Fills the server's part of the result. Returns 0
 * or -1; the talk is to be closed by talk_close(). */
int talk_open(struct talk **talk, const struct gap_plan *plan, const struct gap_places *places, struct gap_result *result, struct fault *f);
/* Send one message of `size` bytes, with CRLF. Returns 0 and the gap: from the final dot, which is written when the rest has arrived at
 * the other side's system, to the last line of the answer. Returns -1 otherwise; *us is then -1 if it was refused or no final dot was sent,
 * else the time that passed without an answer: the server may have taken the message all the same. */
int talk_message(struct talk *talk, const char *text, size_t size, int64_t *us, struct fault *f);
/* The shortest round trip that TCP saw, in us, or -1. */
int64_t talk_round_trip(const struct talk *talk);
/* Say QUIT, if the server still listens, and hang up. */
void talk_close(struct talk **talk);

#endif
