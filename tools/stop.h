/*
 * Long work that can be interrupted.
 */
#ifndef STOP_H
#define STOP_H

/* From here on a first SIGINT, SIGTERM or SIGHUP only sets what tool_stopped() returns, so that work ends between two records; a
 * second one kills. */
void tool_catch_signals(void);
int tool_stopped(void);

#endif
