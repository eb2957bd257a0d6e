/*
 * One line per delivery, for people and for programs.
 *
 * A line is key=value pairs, or one JSON object. Every value is escaped: what came with a message can neither end a line nor forge a
 * pair. Lines for standard error are kept until log_close, since an MTA reads the first line of our output as the status.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define LOG_PAIRS_MAX 24
#define LOG_VALUE_MAX 256	/* bytes of a value that are logged; more is cut and marked with "..." */

struct log;

/* A line under construction. */
struct log_line {
	size_t len;	/* set it to 0; all else need not be set */
	struct {
		const char *key;	/* borrowed */
		char value[LOG_VALUE_MAX + 4];
		bool number;
	} pairs[LOG_PAIRS_MAX];
};

/* Open what the configuration names; verbose: standard error as well. Returns 0, or -1: the file can't be opened. */
int log_open(struct log **log, const struct config *config, bool verbose, struct err *err);
/* The same for a program of another name, which syslog shows; borrowed until log_close. */
int log_open_as(struct log **log, const char *program, const struct config *config, bool verbose, struct err *err);
/* Write out what waits for standard error. */
void log_flush(struct log *log);
/* Flushes, too. */
void log_close(struct log **log);

void log_add(struct log_line *line, const char *key, const char *value);
void log_add_bytes(struct log_line *line, const char *key, const void *value, size_t len);
void log_add_number(struct log_line *line, const char *key, long long value);
/* Write the line; warning: something is wrong on this machine. Errors are not reported, mail goes on without a log. */
void log_write(struct log *log, const struct log_line *line, bool warning);
/* A line with one pair, notice=text. log is a struct log: fits the notice of ledgers and mailboxes. */
void log_notice(void *log, const char *text);
/* The same for those who watch: to standard error with -v, and nowhere else. */
void log_detail(struct log *log, const char *text);

#endif
