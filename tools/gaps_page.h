/*
 * The parts of the page of dedupdb gaps.
 */
#ifndef GAPS_PAGE_H
#define GAPS_PAGE_H

#include <stdio.h>

#include "gaps.h"

/* What does not depend on the report: the style sheet, and paragraphs of HTML. */
extern const char gaps_style[], gaps_explanation[], gaps_advice[];

/* Bytes that others chose, as text of HTML or as a value in quotes: what is not printable ASCII comes as \xHH. */
void html_text(FILE *f, const char *text);

/* The histogram, drawn. */
void gaps_svg(const struct gaps_report *r, FILE *f);

#endif
