/*
 * The command lines of the harnesses: options, their usage line, and what all of them need to know.
 *
 * A table has one row for each option, which says where its value goes. What does not fit the table prints the usage line and
 * exits.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of `of` equal parts of the work, from 0 on. */
struct share {
	unsigned int number, of;
};

struct option {
	char letter;
	const char *argument;	/* its name in the usage line; NULL: there is none, but a flag */
	bool *flag;		/* of these one is set */
	unsigned int *number;
	uint64_t *seed;
	const char **text;
	struct share *share;	/* as k/n, with k from 1 on */
};

struct command {
	const char *program, *operands;	/* for the usage line */
	const struct option *options;	/* letter 0 at the end */
	int usage_code;			/* the exit code of a wrong command line */
};

/* What kill, fault, power and damage have in common. */
struct harness {
	bool all;		/* go on after many failures */
	bool quick;		/* a part of it */
	bool verbose;
	unsigned int workers;	/* processes */
	struct share share;
	const char *only;	/* what has this in its name */
	const char *wrong;	/* a wrong agent of this kind, which must be found out */
	const char *folder, *build;
	long began_ms;
};

#define HARNESS_DEFAULTS .workers = 2, .share = { .number = 0, .of = 1 }
#define HARNESS_OPTIONS(h) \
	{ 'q', .flag = &(h)->quick }, { 'v', .flag = &(h)->verbose }, { 'j', "workers", .number = &(h)->workers }, \
	    { 'S', "k/n", .share = &(h)->share }

/* Returns where in argv the operands begin. */
int options_read(const struct command *c, int argc, char **argv);
void options_usage(const struct command *c) __attribute__((noreturn));
/* The environment's BUILD, and the operand that is a harness's scratch folder, as an absolute path. */
void options_places(const struct command *c, const char *operand, const char **folder, const char **build);
/* Options and the one operand of a harness. */
void harness_read(struct harness *h, const struct command *c, int argc, char **argv);

#endif
