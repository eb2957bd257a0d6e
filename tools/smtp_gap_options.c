/*
 * The command line of smtp-gap, and what it must not be: too much, or to whom nobody said.
 */
#include <sys/random.h>

#include <ctype.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "output.h"
#include "smtp_gap.h"
#include "version.h"

#define EACH 3		/* messages of each size, by default */
#define PATH_MAX_SMTP 254	/* bytes of an address: RFC 5321 4.5.3.1.3, without the angle brackets */
#define LOCAL_MAX 64

enum { OPTION_HELO = 256, OPTION_JSON, OPTION_TIMEOUT, OPTION_TLS };

static const struct option table[] = {
	{ "ipv4", no_argument, NULL, '4' }, { "ipv6", no_argument, NULL, '6' }, { "count", required_argument, NULL, 'n' },
	{ "from", required_argument, NULL, 'f' }, { "helo", required_argument, NULL, OPTION_HELO }, { "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, OPTION_JSON }, { "server", required_argument, NULL, 's' },
	{ "sizes", required_argument, NULL, 'S' }, { "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "tls", required_argument, NULL, OPTION_TLS }, { "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' }, { "yes", no_argument, NULL, 'y' }, { NULL, 0, NULL, 0 }
};

static void
help(void)
{
	printf("usage: smtp-gap [-46vy] [-f sender] [-n count] [-s host[:port]] [-S size,...] recipient\n\n"
	    "Send test messages, and measure how long the mail server takes from the final dot to its 250.\n\n"
	    "Options:\n"
	    "  -f, --from=ADDRESS        envelope sender; the null sender by default\n"
	    "  -n, --count=N             messages of each size: %d by default, at most %d together\n"
	    "  -s, --server=HOST[:PORT]  this server, and not the MX of the recipient's domain\n"
	    "  -S, --sizes=SIZE,...      1K,10K,100K,1M by default\n"
	    "  -y, --yes                 do not ask\n"
	    "  -4, --ipv4                only addresses of IPv4\n"
	    "  -6, --ipv6                only addresses of IPv6\n"
	    "      --helo=NAME           what to call this host\n"
	    "      --tls=may             TLS when it is offered, with any certificate (the default)\n"
	    "      --tls=off             never\n"
	    "      --tls=require         or send nothing; with any certificate\n"
	    "      --tls=verify          or send nothing; the certificate must be for the server's name\n"
	    "      --timeout=T           wait so long for each answer to a final dot: 15m by default\n"
	    "      --json                print JSON\n"
	    "  -v, --verbose             show the dialogue\n"
	    "  -h, --help                this text\n"
	    "  -V, --version             print the version\n", EACH, GAP_MESSAGES);
}

int
gap_complain(const struct fault *f)
{
	fputs("smtp-gap: ", stderr);
	escaped_text(stderr, f->text);
	putc('\n', stderr);
	return f->code;
}

static int __attribute__((format(printf, 1, 2)))
usage(const char *fmt, ...)
{
	struct fault f = { .code = EX_USAGE };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	gap_complain(&f);
	fputs("'smtp-gap --help' says how\n", stderr);
	return EX_USAGE;
}

/* Printable ASCII, but for blanks and brackets: what can stand in a command and in a header as it is. */
static bool
plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text) || *text == '<' || *text == '>')
			return false;
	return true;
}

/* An address; *domain is inside it. */
static bool
is_address(const char *text, const char **domain)
{
	const char *at = strrchr(text, '@');

	if (at == NULL || at == text || at - text > LOCAL_MAX || at[1] == '\0' || strlen(text) > PATH_MAX_SMTP || !plain(text))
		return false;
	*domain = at + 1;
	return at[1] != '[' || at[strlen(at) - 1] == ']';
}

static int
parse_port(struct gap_plan *plan, const char *text)
{
	long port = strtol(text, NULL, 10);

	if (text[strspn(text, "0123456789")] != '\0' || port < 1 || port > 65535)
		return usage("-s: '%s' is no port", text);
	snprintf(plan->port, sizeof(plan->port), "%ld", port);
	return -1;
}

/* host, host:port, [address]:port, or an IPv6 address */
static int
parse_server(struct gap_plan *plan, const char *text)
{
	bool bracket = text[0] == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	const char *port;

	if (bracket && end == NULL)
		return usage("-s %s: there is no ']'", text);
	if (!bracket && (end == NULL || strchr(end + 1, ':') != NULL))
		end = text + strlen(text);
	port = bracket ? end + 1 : end;
	text += bracket;
	if (end == text || end - text >= GAP_NAME || !plain(text) || (*port != '\0' && *port != ':'))
		return usage("-s %s: no host[:port]", text);
	snprintf(plan->server, sizeof(plan->server), "%.*s", (int)(end - text), text);
	return *port == '\0' ? -1 : parse_port(plan, port + 1);
}

/* 10K, 1M, or bytes; *end is behind it. 0: it is none. */
static size_t
parse_size(const char *text, const char **end)
{
	char *after;
	unsigned long long n;

	*end = text;
	if (!isdigit((unsigned char)*text))
		return 0;
	n = strtoull(text, &after, 10);
	if (n > GAP_SIZE_MAX)
		return 0;
	if (*after == 'K' || *after == 'k')
		n <<= 10;
	else if (*after == 'M' || *after == 'm')
		n <<= 20;
	*end = after + (isalpha((unsigned char)*after) ? 1 : 0);
	return n < GAP_SIZE_MIN || n > GAP_SIZE_MAX ? 0 : (size_t)n;
}

static int
parse_sizes(struct gap_plan *plan, const char *text)
{
	const char *p = text;

	plan->steps = 0;
	for (;;) {
		if (plan->steps == GAP_STEPS)
			return usage("-S %s: more than %d sizes", text, GAP_STEPS);
		plan->sizes[plan->steps] = parse_size(p, &p);
		if (plan->sizes[plan->steps] == 0 || (*p != ',' && *p != '\0'))
			return usage("-S %s: sizes from 1K to %uM, with commas between", text, GAP_SIZE_MAX >> 20);
		plan->steps++;
		if (*p++ == '\0')
			return -1;
	}
}

static int
parse_tls(struct gap_plan *plan, const char *text)
{
	static const char *const words[] = { "may", "off", "require", "verify" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		plan->tls = (enum gap_tls)i;
		return -1;
	}
	return usage("--tls=%s: may, off, require or verify", text);
}

static int
parse_count(struct gap_plan *plan, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end != '\0' || n < 1 || n > GAP_MESSAGES)
		return usage("-n %s: from 1 to %d", text, GAP_MESSAGES);
	plan->each = (unsigned int)n;
	return -1;
}

static int
parse_sender(struct gap_plan *plan, const char *text)
{
	const char *domain;

	plan->sender = strcmp(text, "<>") == 0 ? "" : text;
	return plan->sender[0] == '\0' || is_address(text, &domain) ? -1 : usage("-f %s: no address", text);
}

static int
parse_helo(struct gap_plan *plan, const char *text)
{
	if (text[0] == '\0' || !plain(text) || strlen(text) >= sizeof(plan->helo))
		return usage("--helo=%s: no name", text);
	snprintf(plan->helo, sizeof(plan->helo), "%s", text);
	return -1;
}

static int
version(void)
{
	printf("smtp-gap (dedup-lda) %s, %s, jansson %s\n", DEDUP_LDA_VERSION, OpenSSL_version(OPENSSL_VERSION), jansson_version_str());
	return EX_OK;
}

/* Returns an exit code, or -1: go on. */
static int
option(struct gap_plan *plan, int c, char **argv)
{
	switch (c) {
	case '4':
	case '6':
		plan->family = c == '4' ? AF_INET : AF_INET6;
		return -1;
	case 'f':
		return parse_sender(plan, optarg);
	case 'n':
		return parse_count(plan, optarg);
	case 's':
		return parse_server(plan, optarg);
	case 'S':
		return parse_sizes(plan, optarg);
	case OPTION_HELO:
		return parse_helo(plan, optarg);
	case OPTION_TLS:
		return parse_tls(plan, optarg);
	case OPTION_TIMEOUT:
		if (duration_parse(optarg, &plan->timeout) == 0 && plan->timeout > 0 && plan->timeout <= 86400)
			return -1;
		return usage("--timeout=%s: from 1s to 1d", optarg);
	case OPTION_JSON:
		plan->json = true;
		return -1;
	case 'v':
		plan->verbose = true;
		return -1;
	case 'y':
		plan->yes = true;
		return -1;
	case 'h':
		help();
		return EX_OK;
	case 'V':
		return version();
	case ':':
		return usage("option '%s' needs a value", argv[optind - 1]);
	default:
		return usage("unknown option '%s'", argv[optind - 1]);
	}
}

/* This host's full name, if it has one. */
static void
own_name(char name[GAP_NAME])
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;

	if (gethostname(name, GAP_NAME) == -1 || name[0] == '\0' || !plain(name))
		snprintf(name, GAP_NAME, "localhost");
	name[GAP_NAME - 1] = '\0';
	if (strchr(name, '.') != NULL || getaddrinfo(name, NULL, &hints, &list) != 0)
		return;
	if (list->ai_canonname != NULL && plain(list->ai_canonname) && strlen(list->ai_canonname) < GAP_NAME)
		snprintf(name, GAP_NAME, "%s", list->ai_canonname);
	freeaddrinfo(list);
}

static int
check_amount(const struct gap_plan *plan)
{
	uint64_t bytes;
	unsigned int total = gap_total(plan, &bytes);

	if (total > GAP_MESSAGES)
		return usage("%u messages: no more than %d in one run", total, GAP_MESSAGES);
	if (bytes > GAP_TOTAL_MAX)
		return usage("%llu MiB: no more than %u in one run", (unsigned long long)bytes >> 20, GAP_TOTAL_MAX >> 20);
	return -1;
}

static int
finish(struct gap_plan *plan, int argc, char **argv)
{
	unsigned char random[8];

	if (optind == argc)
		return usage("to whom? There is no default");
	if (optind + 1 < argc)
		return usage("one recipient, not %d", argc - optind);
	plan->recipient = argv[optind];
	if (!is_address(plan->recipient, &plan->domain))
		return usage("'%s' is no address that it can send to", plan->recipient);
	if (plan->helo[0] == '\0')
		own_name(plan->helo);
	if (getentropy(random, sizeof(random)) == -1)
		memcpy(random, &(pid_t){ getpid() }, sizeof(pid_t));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(plan->run + 2 * i, 3, "%02x", random[i]);
	return check_amount(plan);
}

int
gap_options(struct gap_plan *plan, int argc, char **argv)
{
	static const struct gap_plan defaults = {
		.sender = "", .port = "25", .family = AF_UNSPEC, .sizes = { 1 << 10, 10 << 10, 100 << 10, 1 << 20 }, .steps = 4,
		.each = EACH, .timeout = 900, .tls = GAP_TLS_MAY
	};
	int c, rc;

	*plan = defaults;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":46f:hn:s:S:vVy", table, NULL)) != -1) {
		rc = option(plan, c, argv);
		if (rc != -1)
			return rc;
	}
	return finish(plan, argc, argv);
}
