/*
 * Which server takes mail for a domain: MX, then A and AAAA (RFC 5321 section 5.1).
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "smtp_gap.h"

#define EXCHANGES 10	/* hosts of one domain that are tried */

struct exchange {
	unsigned int preference;
	char host[GAP_NAME];
};

/* Add the addresses of a host, as many as there is room for. Returns 0, or -1: it has none, or nobody knows. */
static int
add_host(const struct gap_plan *plan, const char *host, int flags, struct gap_places *places, struct fault *f)
{
	const struct addrinfo hints = { .ai_family = plan->family, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list, *a;
	struct gap_place *place;
	int error;

	error = getaddrinfo(host, plan->port, &hints, &list);
	if (error != 0)
		return fault_set(f, error == EAI_AGAIN ? EX_TEMPFAIL : EX_NOHOST, "%s: %s", host, gai_strerror(error));
	for (a = list; a != NULL && places->n < GAP_PLACES; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(place->addr))
			continue;
		place = &places->place[places->n++];
		snprintf(place->host, sizeof(place->host), "%s", host);
		memcpy(&place->addr, a->ai_addr, a->ai_addrlen);
		place->len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return 0;
}

/* An address literal (RFC 5321 section 4.1.3): [192.0.2.1] or [IPv6:2001:db8::1]. */
static int
add_literal(const struct gap_plan *plan, struct gap_places *places, struct fault *f)
{
	static const char tag[] = "IPv6:";
	const char *start = plan->domain + 1;
	char host[GAP_NAME];
	size_t len;

	if (strncasecmp(start, tag, sizeof(tag) - 1) == 0)
		start += sizeof(tag) - 1;
	len = strcspn(start, "]");
	snprintf(host, sizeof(host), "%.*s", (int)len, start);
	return add_host(plan, host, AI_NUMERICHOST, places, f);
}

static int
by_preference(const void *a, const void *b)
{
	const struct exchange *x = a, *y = b;

	return x->preference < y->preference ? -1 : x->preference > y->preference;
}

/* The answer to a question for MX: the exchanges, the preferred ones first. Returns their number, or -1 if it can't be read. */
static int
read_answer(const unsigned char *answer, int len, struct exchange exchange[EXCHANGES])
{
	ns_msg message;
	ns_rr rr;
	int n = 0;

	if (ns_initparse(answer, len, &message) == -1)
		return -1;
	for (int i = 0; i < ns_msg_count(message, ns_s_an) && n < EXCHANGES; i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) == -1)
			return -1;
		if (ns_rr_type(rr) != ns_t_mx || ns_rr_rdlen(rr) < 3)
			continue;
		if (dn_expand(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(rr) + 2, exchange[n].host, GAP_NAME) == -1)
			return -1;
		exchange[n].preference = ns_get16(ns_rr_rdata(rr));
		n++;
	}
	qsort(exchange, (size_t)n, sizeof(*exchange), by_preference);
	return n;
}

/* Returns the number of exchanges, 0 if the domain has no MX or is unknown to the DNS, or -1. */
static int
ask(const char *domain, struct exchange exchange[EXCHANGES], struct fault *f)
{
	unsigned char *answer = malloc(NS_MAXMSG);
	int len, n;

	if (answer == NULL)
		return fault_set(f, EX_OSERR, "no memory");
	len = res_query(domain, ns_c_in, ns_t_mx, answer, NS_MAXMSG);
	if (len == -1)
		n = h_errno == NO_DATA || h_errno == HOST_NOT_FOUND ? 0 :
		    fault_set(f, EX_TEMPFAIL, "MX of %s: %s", domain, hstrerror(h_errno));
	else {
		n = read_answer(answer, len < NS_MAXMSG ? len : NS_MAXMSG, exchange);
		if (n == -1)
			fault_set(f, EX_TEMPFAIL, "MX of %s: the answer can't be read", domain);
	}
	free(answer);
	return n;
}

static int
add_exchanges(const struct gap_plan *plan, struct gap_places *places, struct fault *f)
{
	struct exchange exchange[EXCHANGES] = { { 0 } };
	int n = ask(plan->domain, exchange, f);

	if (n == -1)
		return -1;
	if (n == 0)
		return add_host(plan, plan->domain, 0, places, f);
	if (n == 1 && exchange[0].host[0] == '\0')
		return fault_set(f, EX_NOHOST, "%s takes no mail (RFC 7505)", plan->domain);
	for (int i = 0; i < n; i++)
		add_host(plan, exchange[i].host, 0, places, f);	/* others may be known */
	if (places->n == 0)
		return -1;
	f->code = EX_OK;
	return 0;
}

int
gap_find(const struct gap_plan *plan, struct gap_places *places, struct fault *f)
{
	places->n = 0;
	if (plan->server[0] != '\0')
		return add_host(plan, plan->server, 0, places, f);
	if (plan->domain[0] == '[')
		return add_literal(plan, places, f);
	return add_exchanges(plan, places, f);
}

void
gap_address(const struct gap_place *place, char text[GAP_NAME])
{
	if (getnameinfo((const struct sockaddr *)&place->addr, place->len, text, GAP_NAME, NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(text, GAP_NAME, "?");
}
