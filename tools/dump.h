/*
 * The file of `dedupdb export`: JSON lines. The first one says what the file is, the last one how many records there were, so that a
 * file that was cut off is noticed. Between them is one record in each line.
 *
 *	{"format":"dedup-lda ledger","version":1,"program":"0.1.0","created":"2026-11-20T12:00:00Z","ledger":"bdb:/home/joe/.dedup-lda",
 *	 "scope":"maildir:/home/joe/Maildir","window":604800}
 *	{"fingerprint":"64 hex digits","state":"delivered","first":1795348800,"decided":1795348800,"flags":0}
 *	{"records":1}
 *
 * A pending record also has its "intent", one with a trace its "trace": base64. A record that does not decode is there as it is, with
 * "state":"damaged" and "raw" instead of all else. Times are seconds since 1970. Further members are for newer programs to add, and a
 * reader of version 1 ignores them; what it must not ignore comes with another version.
 */
#ifndef DUMP_H
#define DUMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tool.h"

#define DUMP_LINE_MAX 32768	/* bytes; the longest line that export writes has less than half of that */

void dump_head(const struct tool *t);
void dump_record(const struct claim *claim);
void dump_end(uint64_t records);

enum dump_kind { DUMP_HEAD, DUMP_RECORD, DUMP_DAMAGED, DUMP_END };

struct dump_line {
	enum dump_kind kind;
	char *scope;		/* of a head; owned, or NULL */
	uint64_t records;	/* of an end */
	struct fingerprint fp;	/* of a record */
	struct record record;
};

/* Reads a file line by line, in bounded memory. Trusts nothing. */
struct dump_reader {
	FILE *file;
	const char *name;	/* what errors call it; borrowed */
	uint64_t number;	/* of the line that was read last */
	size_t len;
	char text[DUMP_LINE_MAX];
};

enum dump_read {
	DUMP_OK,
	DUMP_WRONG,		/* err says what is wrong with this line; the next one can be read */
	DUMP_EOF,
	DUMP_FAILED		/* the file can't be read */
};
/* After DUMP_OK free line->scope. */
enum dump_read dump_next(struct dump_reader *r, struct dump_line *line, struct err *err);

#endif
