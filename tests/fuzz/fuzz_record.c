/*
 * Records and intents, which are read back from a disk that anything may have written to: what decodes, encodes to the same bytes,
 * and names only what a delivery could have named.
 *
 * Input: the kind (1 byte: R a record, else what the intents' tags are), then the bytes.
 */
#include <ctype.h>

#include "fuzz.h"
#include "mailbox.h"
#include "maildir_intent.h"
#include "mbox_entry.h"
#include "record.h"
#include "target.h"

static void
check_intent_path(const struct intent *intent, const char *want)
{
	const struct mailbox_ops *ops = mailbox_of_intent(intent);
	char path[PATH_MAX], small[8];

	must(ops != NULL && ops->tag == intent->bytes[0]);
	must(ops->intent_path(intent, path, sizeof(path)) == 0 && strcmp(path, want) == 0);
	must(path[0] == '/');
	must(ops->intent_path(intent, small, sizeof(small)) == (strlen(want) < sizeof(small) ? 0 : -1));
}

/* The host goes into log lines and into other hosts' records. */
static void
check_host(const struct intent *intent, const char *want)
{
	char host[HOST_SIZE];
	const char *p;

	intent_host(intent, host);
	must(want == NULL || strcmp(host, want) == 0);
	must((host[0] != '\0') == (intent->bytes[1] == 2));
	for (p = host; *p != '\0'; p++)
		must(isalnum((unsigned char)*p) || strchr("._-", *p) != NULL);
	must(p - host <= 64);
	must(intent_is_foreign(intent, "us") == (host[0] != '\0' && strcmp(host, "us") != 0));
	must(!intent_is_foreign(intent, NULL));
}

static void
check_maildir(const struct intent *intent)
{
	struct maildir_intent in;
	struct intent again;

	if (maildir_intent_decode(&in, intent) == -1)
		return;
	must(in.path[0] == '/');
	must(in.name[0] != '\0' && in.name[0] != '.' && strchr(in.name, '/') == NULL);
	must(maildir_intent_encode(&in, &again) == 0);
	must(same_bytes(again.bytes, again.len, intent->bytes, intent->len));
	must(in.host[0] != '\0' || in.marker == 0);
	check_host(intent, in.host);
	check_intent_path(intent, in.path);
}

static void
check_mbox(const struct intent *intent)
{
	static struct mbox_entry e, f;
	struct intent again;
	struct err err = { .text = "" };

	if (entry_decode(&e, intent) == -1)
		return;
	must(e.path[0] == '/' && e.head_len > 0 && e.head_len <= sizeof(e.head) && e.len >= e.head_len);
	must(e.prefix_len <= e.s0 && e.prefix_len <= MBOX_PREFIX_MAX && e.s0 + e.len <= INT64_MAX);
	must(entry_encode(&e, &again, &err) == 0);
	must(again.len == intent->len);		/* flags that are not ours are not kept */
	must(entry_decode(&f, &again) == 0);
	must(memcmp(&e, &f, sizeof(e)) == 0);
	check_host(intent, e.host);
	check_intent_path(intent, e.path);
}

/* Of the kinds that hand over: nothing but the target. */
static void
check_target(const struct intent *intent)
{
	const struct mailbox_ops *ops = mailbox_of_intent(intent);
	struct mailbox_options options = { .head = "" };
	static struct intent again;
	struct err err = { .text = "" };
	char path[PATH_MAX], small[8], host[HOST_SIZE];
	struct target t;

	if (ops == NULL || !ops->hands_over || ops->intent_path(intent, path, sizeof(path)) == -1)
		return;
	intent_host(intent, host);
	check_host(intent, NULL);
	options.path = path;
	options.host = host;
	target_init(&t, ops, &options);
	must(path[0] != '\0' && target_stage(&t, NULL, &again, &err) == 0);
	must(same_bytes(again.bytes, again.len, intent->bytes, intent->len));
	must(ops->intent_path(intent, small, sizeof(small)) == (strlen(path) < sizeof(small) ? 0 : -1));
}

static void
check_intent(const uint8_t *p, size_t len)
{
	/* On the heap, with nothing but the intent's own bytes at its end. */
	struct intent *intent = malloc(sizeof(*intent));

	must(intent != NULL);
	memset(intent, 0xff, sizeof(*intent));
	intent->len = len < INTENT_MAX ? len : INTENT_MAX;
	if (intent->len > 0)
		memcpy(intent->bytes, p, intent->len);
	check_maildir(intent);
	check_mbox(intent);
	check_target(intent);
	free(intent);
}

static void
check_record(const uint8_t *p, size_t len)
{
	static struct record r, s;
	static unsigned char again[RECORD_MAX];
	int64_t age, first;
	int state = record_look(p, len, &first);

	if (record_decode(&r, p, len) == -1) {
		must(state == -1);
		return;
	}
	must(state == (int)r.state && first == r.first);
	must(r.state == RECORD_PENDING || r.state == RECORD_DELIVERED);
	must(r.intent.len <= INTENT_MAX && r.trace_len <= TRACE_MAX);
	must(same_bytes(again, record_encode(&r, again), p, len));
	must(record_decode(&s, again, len) == 0);
	must(s.first == r.first && s.decided == r.decided && s.flags == r.flags);
	age = record_age(&r, 1800000000);
	must(age >= 0 && (r.first < 1800000000) == (age > 0));
	check_intent(r.intent.bytes, r.intent.len);
	/* None of it without its last byte. */
	must(len == 0 || record_decode(&s, p, len - 1) == -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == 'R')
		check_record(data + 1, size - 1);
	else
		check_intent(data, size);
	return 0;
}
