/* Reading command lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "options.h"
#include "trace.h"

#define LETTERS 64	/* of a getopt() string */

void
options_usage(const struct command *c)
{
	const struct option *o;
	char flags[LETTERS] = "";
	size_t n = 0;

	for (o = c->options; o->letter != '\0'; o++)
		if (o->argument == NULL)
			flags[n++] = o->letter;
	fprintf(stderr, "usage: %s", c->program);
	if (n > 0)
		fprintf(stderr, " [-%s]", flags);
	for (o = c->options; o->letter != '\0'; o++)
		if (o->argument != NULL)
			fprintf(stderr, " [-%c %s]", o->letter, o->argument);
	fprintf(stderr, " %s\n", c->operands);
	exit(c->usage_code);
}

static bool
read_share(struct share *share, const char *text)
{
	char rest;

	if (sscanf(text, "%u/%u%c", &share->number, &share->of, &rest) != 2)
		return false;
	return share->number-- >= 1 && share->number < share->of;
}

static bool
take(const struct option *o, const char *text)
{
	if (o->flag != NULL)
		*o->flag = true;
	else if (o->number != NULL)
		*o->number = (unsigned int)strtoul(text, NULL, 10);
	else if (o->seed != NULL)
		*o->seed = strtoull(text, NULL, 10);
	else if (o->share != NULL)
		return read_share(o->share, text);
	else
		*o->text = text;
	return true;
}

int
options_read(const struct command *c, int argc, char **argv)
{
	char letters[LETTERS] = "+";	/* what follows the operands may be another program's */
	const struct option *o;
	size_t n = 1;
	int letter;

	for (o = c->options; o->letter != '\0' && n < LETTERS - 2; o++) {
		letters[n++] = o->letter;
		if (o->argument != NULL)
			letters[n++] = ':';
	}
	while ((letter = getopt(argc, argv, letters)) != -1) {
		for (o = c->options; o->letter != '\0' && o->letter != letter; o++)
			;
		if (o->letter == '\0' || !take(o, optarg))
			options_usage(c);
	}
	return optind;
}

void
options_places(const struct command *c, const char *operand, const char **folder, const char **build)
{
	*build = getenv("BUILD");
	if (*build == NULL)
		options_usage(c);
	*folder = realpath(operand, NULL);
	if (*folder == NULL)
		die(operand);
}

void
harness_read(struct harness *h, const struct command *c, int argc, char **argv)
{
	int at = options_read(c, argc, argv);

	if (at != argc - 1 || h->workers < 1 || h->workers > CREW_MAX)
		options_usage(c);
	h->began_ms = now_ms();
	options_places(c, argv[at], &h->folder, &h->build);
}
