/*
 * What the commands print: aligned lines for people, JSON for programs, both from the same calls.
 *
 * No byte that came from a message, a path or a record reaches the terminal unescaped.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AGE_TEXT 32	/* bytes for an age, a size or a time, with the final NUL */

/* One object. As text it is printed line by line as it comes; as JSON it is collected until out_end. */
struct out {
	json_t *object;		/* NULL as text */
	int indent;
};

/* Without memory these end the process with 75: nothing is locked while a command prints. */
void out_begin(struct out *o, bool json);
void out_end(struct out *o);

/* A text of any bytes, as the next element of a JSON array. */
void out_append(json_t *array, const char *text);

/* key: the JSON name, and the label of the text. */
void out_text(struct out *o, const char *key, const char *text);	/* NULL: null, "none" */
void out_bytes(struct out *o, const char *key, const void *bytes, size_t len);	/* any bytes; text escapes, JSON adds key_base64 */
void out_digest(struct out *o, const char *key, const unsigned char *bytes, size_t len);	/* base64 and hex */
void out_count(struct out *o, const char *key, uint64_t n);
void out_flag(struct out *o, const char *key, bool yes);
void out_size(struct out *o, const char *key, uint64_t bytes);
void out_span(struct out *o, const char *key, int64_t seconds);
void out_seconds(struct out *o, const char *key, int64_t us);	/* a number with a fraction; null, "none" if it is negative */
void out_time(struct out *o, const char *key, int64_t t, int64_t now);
/* An object inside o, or one more in an array, borrowed from o: no out_end. */
void out_nest(struct out *inner, struct out *o, const char *key);
void out_item(struct out *inner, struct out *o, const char *key);
/* An array, empty until out_item adds to it; nothing as text. */
void out_array(struct out *o, const char *key);

/* Bytes outside of printable ASCII as \xHH, backslashes doubled. */
void escaped(FILE *to, const void *bytes, size_t len);
void escaped_text(FILE *to, const char *text);

/* 2d 3h: the two largest units. */
void age_text(int64_t seconds, char text[AGE_TEXT]);
/* 1.5 MiB */
void size_text(uint64_t bytes, char text[AGE_TEXT]);
/* ISO 8601: in UTC, or as the local time with its offset. */
void time_text(int64_t t, bool utc, char text[AGE_TEXT]);
/* An ISO 8601 date or time, @SECONDS, or an age as 2h: that long before now. Returns 0 or -1. */
int time_parse(const char *text, int64_t now, int64_t *t);

#endif
