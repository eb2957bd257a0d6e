/*
 * Dates in mail, whatever their form: RFC 5322 in header fields, asctime(3) in From_ lines, with or without a zone.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970 of the date in text, or 0: there is none. What has no zone is UTC (RFC 4155). Comments are left out. */
int64_t mail_date(const char *text, size_t len);

#endif
