/* The command line of the agent. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define USAGE "usage: dedup-lda [-nvV] [-c file] [-o name=value]... [-a address] [-d user] [-f sender] [-m folder] < message"

/* MTAs write the null sender as <> or as nothing. The text itself stays as it is: dedup-lda-redis is given the same command line. */
static int
take_address(char **address, const char *text, struct err *err)
{
	size_t len = strlen(text);
	bool brackets = len >= 2 && text[0] == '<' && text[len - 1] == '>';

	free(*address);
	*address = strndup(text + brackets, len - 2 * brackets);
	return *address != NULL ? 0 : err_sys(err, "read the command line", NULL);
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
			if (take_address(&options->address, optarg, err) == -1)
				return -1;
			break;
		case 'c':
			options->file = optarg;
			break;
		case 'd':
			options->user = optarg;
			break;
		case 'f':
			if (take_address(&options->sender, optarg, err) == -1)
				return -1;
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

void
options_free(struct options *options)
{
	free(options->address);
	free(options->sender);
	free(options->assignments);
}
