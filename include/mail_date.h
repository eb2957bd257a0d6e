/*
 * Dates in mail, whatever their form: RFC 5322 in header fields, with its obsolete zones and years, asctime(3) in From_ lines, ISO 8601.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970 of the date in text, or 0: there is none. Words that are no part of a date are passed over, comments too, but for
 * a zone that is named in a comment only. What has no zone is UTC (RFC 4155). Takes linear time. */
int64_t mail_date(const char *text, size_t len);

#endif
