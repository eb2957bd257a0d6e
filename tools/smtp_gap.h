/*
 * smtp-gap: how long is a mail server's gap, from the final dot of a message to its answer (RFC 1047)?
 *
 * smtp_gap_options.c reads the command line into a plan, smtp_gap_find.c finds the server, smtp_gap_line.c is the connection,
 * smtp_gap_talk.c the SMTP dialogue, smtp_gap_letter.c makes the messages, smtp_gap_report.c says what was measured. Nothing here
 * believes the server: its lines are limited in length and number, everything has a deadline, and what it said is printed escaped.
 *
 * Times are in microseconds of a clock that only grows, durations in the plan in seconds.
 */
#ifndef SMTP_GAP_H
#define SMTP_GAP_H

#include <sys/socket.h>

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAP_STEPS 8			/* sizes in one run */
#define GAP_MESSAGES 50			/* messages in one run */
#define GAP_SIZE_MIN 1024		/* bytes of a message */
#define GAP_SIZE_MAX (64U << 20)
#define GAP_TOTAL_MAX (256U << 20)	/* bytes in one run */
#define GAP_NAME 256			/* bytes of a host's name, with the final NUL */
#define GAP_PORT 6
#define GAP_FAULT 2048
#define GAP_SECOND INT64_C(1000000)	/* us */

/* Why it did not go on. */
struct fault {
	int code;		/* of sysexits; EX_OK: nothing is wrong */
	char text[GAP_FAULT];	/* may hold any byte that the server sent but NUL: print it escaped */
};

/* smtp_gap_fault.c. Fill f; returns -1. */
int fault_set(struct fault *f, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Put words before the text: "words: text". Returns -1. */
int fault_about(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum gap_tls {
	GAP_TLS_MAY,		/* when it is offered, with any certificate, as between mail servers */
	GAP_TLS_OFF,
	GAP_TLS_REQUIRE,	/* or send nothing; any certificate */
	GAP_TLS_VERIFY		/* or send nothing; the certificate must be for the server's name */
};

/* What the command line asks for. Strings without a size are borrowed from it. */
struct gap_plan {
	const char *recipient;
	const char *domain;		/* of the recipient; inside recipient */
	const char *sender;		/* "" is the null sender */
	char server[GAP_NAME];		/* "": whom the domain's MX names */
	char port[GAP_PORT];
	char helo[GAP_NAME];		/* what we call ourselves */
	char run[17];			/* random, in hexadecimal: part of each Message-ID */
	int family;			/* AF_UNSPEC, AF_INET, AF_INET6 */
	size_t sizes[GAP_STEPS];	/* bytes, as RFC 1870 counts: with CRLF, without the final dot */
	size_t steps;			/* how many of these */
	unsigned int each;		/* messages of each size */
	int64_t timeout;		/* s, for the answer to the final dot */
	enum gap_tls tls;
	bool json, yes, verbose;
};

struct gap_place {
	char host[GAP_NAME];		/* its name, or its address */
	struct sockaddr_storage addr;
	socklen_t len;
};

#define GAP_PLACES 32
struct gap_places {
	struct gap_place place[GAP_PLACES];
	size_t n;
};

/* One size of messages, and how long their gaps were. */
struct gap_step {
	size_t size;
	bool skipped;			/* larger than the server takes (RFC 1870) */
	unsigned int answered;		/* with 250 */
	int64_t us[GAP_MESSAGES];	/* the gap of each that was */
};

struct gap_result {
	struct gap_step step[GAP_STEPS];
	char host[GAP_NAME], address[GAP_NAME], port[GAP_PORT];	/* of the server; "" until it answered */
	char tls[32];			/* TLSv1.3; "": none */
	uint64_t limit;			/* bytes: the SIZE that it said; 0: it did not */
	int64_t round_trip;		/* us, the shortest that TCP saw; -1: unknown */
	bool open;			/* a final dot was sent that was never answered, */
	size_t open_size;		/* of a message of this size, */
	int64_t open_us;		/* for as long as this, at least */
	struct fault fault;
};

int64_t gap_now(void);	/* smtp_gap_fault.c */

/* smtp_gap_options.c: read and check the command line. Returns an exit code, after it has printed what is wrong or what was asked for
 * (--help), or -1: go on. */
int gap_options(struct gap_plan *plan, int argc, char **argv);
/* Print "smtp-gap: text", escaped; returns the fault's code. */
int gap_complain(const struct fault *f);

/* smtp_gap_find.c: the addresses to try, in this order: of plan->server, else of the hosts that the MX of the recipient's domain
 * names (RFC 5321 section 5.1), else of the domain itself. Returns 0 (there is at least one) or -1: no such host, it takes no mail
 * (RFC 7505), or the resolver failed. */
int gap_find(const struct gap_plan *plan, struct gap_places *places, struct fault *f);
/* As a person writes it: name [address]. */
void gap_address(const struct gap_place *place, char text[GAP_NAME]);

/* smtp_gap_letter.c: message number n of total, of exactly `size` bytes, with CRLF and without the final dot; to be freed. NULL: it is
 * too small for its own header, or there is no memory. */
char *gap_letter(const struct gap_plan *plan, unsigned int n, unsigned int total, size_t size, struct fault *f);

/* smtp_gap_report.c: what was measured, as a table or, if plan->json, as one line of JSON. */
void gap_report(const struct gap_plan *plan, const struct gap_result *result);
/* How many messages the plan sends, and of how many bytes together. */
unsigned int gap_total(const struct gap_plan *plan, uint64_t *bytes);

#endif
