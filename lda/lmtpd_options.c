/* The command line of the LMTP server. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lmtpd_server.h"

#define USAGE \
	"usage: dedup-lmtpd [-FvV] [-c file] [-l address]... [-o name=value]... [-p file] [-u user] [-w workers]"

static int
set_workers(struct lmtpd_options *options, const char *text, struct err *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > LMTPD_WORKERS_MAX)
		return err_set(err, STATUS_USAGE, "-w %.40s: a number of workers, 1 to %d", text, LMTPD_WORKERS_MAX);
	options->workers = (unsigned int)n;
	return 0;
}

static int
add_address(struct lmtpd_options *options, const char *address, struct err *err)
{
	if (options->address_count == LMTPD_SOCKETS_MAX)
		return err_set(err, STATUS_USAGE, "-l: %d addresses are the most", LMTPD_SOCKETS_MAX);
	options->addresses[options->address_count++] = address;
	return 0;
}

/* The server works in the root folder, and reads its configuration there again. */
static int
set_path(const char **path, int option, const char *text, struct err *err)
{
	*path = text;
	return text[0] == '/' ? 0 : err_set(err, STATUS_USAGE, "-%c %.200s: the path must be absolute", option, text);
}

static int
parse_one(struct lmtpd_options *options, int c, size_t *assignments, struct err *err)
{
	switch (c) {
	case 'c':
		return set_path(&options->file, c, optarg, err);
	case 'F':
		options->foreground = true;
		return 0;
	case 'l':
		return add_address(options, optarg, err);
	case 'o':
		options->assignments[(*assignments)++] = optarg;
		return 0;
	case 'p':
		return set_path(&options->pid_file, c, optarg, err);
	case 'u':
		options->user = optarg;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case 'V':
		options->version = true;
		return 0;
	case 'w':
		return set_workers(options, optarg, err);
	default:
		return err_set(err, STATUS_USAGE, "%s", USAGE);
	}
}

int
lmtpd_options_parse(struct lmtpd_options *options, int argc, char **argv, struct err *err)
{
	size_t assignments = 0;
	int c;

	memset(options, 0, sizeof(*options));
	options->workers = LMTPD_WORKERS;
	options->assignments = calloc((size_t)argc + 1, sizeof(*options->assignments));
	if (options->assignments == NULL)
		return err_sys(err, "read the command line", NULL);
	opterr = 0;
	while ((c = getopt(argc, argv, "c:Fl:o:p:u:vVw:")) != -1)
		if (parse_one(options, c, &assignments, err) == -1)
			return -1;
	return optind == argc ? 0 : err_set(err, STATUS_USAGE, "%s", USAGE);
}
