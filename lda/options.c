/* The command line of the agent. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define USAGE "usage: dedup-lda [-nvV] [-c file] [-o name=value]... [-a address] [-d user] [-f sender] [-m folder] < message"

/* MTAs write the null sender as <> or as nothing. */
static const char *
bare_address(char *text)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
		text[len - 1] = '\0';
		text++;
	}
	return text;
}

int
options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	size_t n = 0;
	int c;

	memset(options, 0, sizeof(*options));
	options->assignments = calloc((size_t)argc + 1, sizeof(*options->assignments));
	if (options->assignments == NULL)
		return err_sys(err, "read the command line", NULL);
	opterr = 0;
	while ((c = getopt(argc, argv, "a:c:d:f:m:no:vV")) != -1) {
		switch (c) {
		case 'a':
			options->address = bare_address(optarg);
			break;
		case 'c':
			options->file = optarg;
			break;
		case 'd':
			options->user = optarg;
			break;
		case 'f':
			options->sender = bare_address(optarg);
			break;
		case 'm':
			options->folder = optarg;
			break;
		case 'n':
			options->dry_run = true;
			break;
		case 'o':
			options->assignments[n++] = optarg;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			options->version = true;
			break;
		default:
			return err_set(err, STATUS_USAGE, "%s", USAGE);
		}
	}
	if (optind != argc)
		return err_set(err, STATUS_USAGE, "%s", USAGE);
	return 0;
}
