/*
 * The ledger's policy: what a record means for a message that has just come. How records are kept is the store's business.
 */
#include <stdlib.h>
#include <string.h>

#include "dedupdb.h"
#include "fs.h"
#include "pack.h"
#include "store.h"
#include "trace.h"

struct ledger {
	const struct store_ops *ops;
	struct store *store;
	int64_t window;
};

struct visit {
	struct ledger *ledger;
	int64_t now;
	ledger_visit *visit;
	void *arg;
};

/* Values that do not decode are kept: they are evidence, and the next copy replaces them. */
static bool
is_expired(void *arg, const void *value, size_t len)
{
	const int64_t *oldest = arg;
	int64_t first;

	return record_look(value, len, &first) == RECORD_DELIVERED && first < *oldest;
}

static bool
expired_now(void *arg, const void *value, size_t len)
{
	const struct ledger *ledger = arg;
	int64_t oldest = clock_now() - ledger->window;

	return is_expired(&oldest, value, len);
}

static const struct store_ops *
find_store(const char *url)
{
	size_t i, n = strcspn(url, "+:");

	for (i = 0; ledger_stores[i] != NULL; i++)
		if (strlen(ledger_stores[i]->name) == n && strncmp(url, ledger_stores[i]->name, n) == 0 && strchr(url, ':') != NULL)
			break;
	return ledger_stores[i];
}

bool
ledger_has(const char *url)
{
	const struct store_ops *ops = find_store(url);

	return ops != NULL && ops != &store_absent;
}

int
ledger_open(struct ledger **out, const struct ledger_options *options, struct err *err)
{
	struct store_options so = { .ledger = options, .expired = expired_now };
	struct ledger *ledger;

	*out = NULL;
	ledger = calloc(1, sizeof(*ledger));
	if (ledger == NULL)
		return err_sys(err, "open ledger", options->url);
	ledger->window = options->window;
	so.expired_arg = ledger;
	ledger->ops = find_store(options->url);
	if (ledger->ops == NULL) {
		err_set(err, STATUS_CONFIG, "ledger %s: no such kind of ledger", options->url);
		goto fail;
	}
	so.path = options->url + strcspn(options->url, ":") + 1;
	if (ledger->ops->open(&ledger->store, &so, err) == -1)
		goto fail;
	*out = ledger;
	return 0;
fail:
	free(ledger);
	return -1;
}

void
ledger_close(struct ledger **ledger)
{
	if (*ledger == NULL)
		return;
	(*ledger)->ops->close(&(*ledger)->store);
	free(*ledger);
	*ledger = NULL;
}

int
ledger_prepare(struct ledger *ledger, struct ledger_needs *needs, struct err *err)
{
	*needs = (struct ledger_needs){ .folder = -1 };
	return ledger->ops->prepare(ledger->store, needs, err);
}

/* What the next change writes down: once, whatever becomes of it. */
static void
hand_over(struct ledger *ledger, const struct event **event)
{
	ledger->store->event = event == NULL ? NULL : *event;
	if (event != NULL)
		*event = NULL;
}

static void
claim_absent(struct claim *claim)
{
	claim->present = false;
	claim->raw.len = 0;
	claim->state = CLAIM_NEW;
}

/* What is in claim->raw has been read. */
static void
claim_read(struct claim *claim, const struct ledger *ledger, int64_t now)
{
	struct record *record = &claim->record;

	claim->present = true;
	claim->state = CLAIM_NEW;
	record_begin(record, 0, 0, 0);	/* and so it stays if it is not ours to understand: deliver, and replace it */
	if (record_decode(record, claim->raw.bytes, claim->raw.len) == -1)
		return;
	if (record->state == RECORD_PENDING)
		claim->state = CLAIM_PENDING;
	else if (record_age(record, now) <= ledger->window)
		claim->state = CLAIM_DUPLICATE;
}

static void
claim_value(struct claim *claim, const struct ledger *ledger, const struct store_value *value, int64_t now)
{
	claim->raw.len = value->len;
	memcpy(claim->raw.bytes, value->bytes, value->len);
	claim_read(claim, ledger, now);
}

int
ledger_claim(struct ledger *ledger, const struct fingerprint *fp, int64_t now, struct claim *claim, struct err *err)
{
	enum store_result result;

	claim->fp = *fp;
	claim->event = NULL;
	result = ledger->ops->get(ledger->store, fp, &claim->raw, err);
	if (result != STORE_OK) {
		claim_absent(claim);
		return result == STORE_ABSENT ? 0 : -1;
	}
	claim_read(claim, ledger, now);
	/* Whoever decided may still wait for the disk, and nobody may publish before it is durable (I1). */
	return claim->state == CLAIM_PENDING ? ledger->ops->sync(ledger->store, err) : 0;
}

/* A commit failed half-way. Only the store can say what became of it. */
static int
read_again(struct ledger *ledger, struct claim *claim, const struct store_value *ours, int64_t now, struct err *err)
{
	switch (ledger->ops->get(ledger->store, &claim->fp, &claim->raw, NULL)) {
	case STORE_OK:
		claim_read(claim, ledger, now);
		if (claim->raw.len != ours->len || memcmp(claim->raw.bytes, ours->bytes, ours->len) != 0)
			return 0;
		if (ledger->ops->sync(ledger->store, err) == 0) {	/* it may have been the sync that failed (I1) */
			claim->state = CLAIM_WON;
			return 0;
		}
		break;
	case STORE_ABSENT:
		claim_absent(claim);
		return 0;
	default:
		claim_absent(claim);
		break;
	}
	claim->state = CLAIM_UNDECIDED;
	return -1;
}

/* Put ours in the place of what the claim holds. The claim then holds what is there instead, if that is another. */
static enum store_result
replace(struct ledger *ledger, struct claim *claim, const struct store_value *ours, bool durable, bool pending, int64_t now, struct err *err)
{
	const struct store_value *expected = claim->present ? &claim->raw : NULL;
	enum store_result result = ledger->ops->put(ledger->store, &claim->fp, expected, ours, durable, pending, &claim->raw, err);

	if (result == STORE_CONFLICT)
		claim_read(claim, ledger, now);
	else if (result == STORE_ABSENT)
		claim_absent(claim);
	return result;
}

int
ledger_decide(struct ledger *ledger, struct claim *claim, const struct intent *intent, const struct trace *trace, int64_t now,
    struct err *err)
{
	struct record *record = &claim->record;
	struct store_value ours;

	/* the window counts from the first decision */
	record_begin(record, RECORD_PENDING, claim->present && claim->state == CLAIM_PENDING ? record->first : now, now);
	record->intent.len = intent->len;
	memcpy(record->intent.bytes, intent->bytes, intent->len);
	if (trace != NULL)
		record->trace_len = trace_encode(trace, record->trace);
	ours.len = record_encode(record, ours.bytes);
	switch (replace(ledger, claim, &ours, true, true, now, err)) {
	case STORE_OK:
		claim_value(claim, ledger, &ours, now);
		claim->state = CLAIM_WON;
		return 0;
	case STORE_CONFLICT:
	case STORE_ABSENT:
		return 0;
	case STORE_UNDECIDED:
		claim->attempted = true;
		return read_again(ledger, claim, &ours, now, err);
	default:
		return -1;
	}
}

int
ledger_delivered(struct ledger *ledger, struct claim *claim, bool durable, struct err *err)
{
	struct store_value ours;
	enum store_result result;

	claim->record.state = RECORD_DELIVERED;
	claim->record.intent.len = 0;	/* nobody needs it any more, and it tells paths */
	ours.len = record_encode(&claim->record, ours.bytes);
	hand_over(ledger, &claim->event);
	result = ledger->ops->put(ledger->store, &claim->fp, &claim->raw, &ours, durable, false, NULL, err);
	hand_over(ledger, NULL);
	switch (result) {
	case STORE_OK:
	case STORE_CONFLICT:	/* another process settled it as well, or decided again: its own mark will follow */
	case STORE_ABSENT:	/* wiped or pruned meanwhile: costs a duplicate at the worst */
		return 0;
	default:
		return -1;
	}
}

void
ledger_note(struct ledger *ledger, const struct event *event)
{
	ledger->ops->note(ledger->store, event);
}

int
ledger_each_event(struct ledger *ledger, event_visit *visit, void *arg, struct err *err)
{
	return ledger->ops->each_event(ledger->store, visit, arg, err);
}

static int
visit_value(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	struct visit *v = arg;
	struct claim claim;

	claim.fp = *key;
	claim.event = NULL;
	claim_value(&claim, v->ledger, value, v->now);
	return v->visit(v->arg, &claim, err);
}

static int
visit_range(struct ledger *ledger, const struct fingerprint *from, const struct fingerprint *to, struct visit *v, struct err *err)
{
	return ledger->ops->each(ledger->store, from, to, visit_value, v, err) == -1 ? -1 : 0;
}

int
ledger_each(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err)
{
	struct visit v = { .ledger = ledger, .now = now, .visit = visit, .arg = arg };
	struct fingerprint from = { { 0 } }, to;

	memset(&to, 0xff, sizeof(to));
	return visit_range(ledger, &from, &to, &v, err);
}

int
ledger_recent_pending(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err)
{
	struct visit v = { .ledger = ledger, .now = now, .visit = visit, .arg = arg };

	return ledger->ops->recent_pending(ledger->store, visit_value, &v, err) == -1 ? -1 : 0;
}

int
ledger_each_pending(struct ledger *ledger, int64_t now, ledger_visit *visit, void *arg, struct err *err)
{
	struct visit v = { .ledger = ledger, .now = now, .visit = visit, .arg = arg };

	if (ledger->ops->all_pending == NULL)
		return ledger_each(ledger, now, visit, arg, err);
	return ledger->ops->all_pending(ledger->store, visit_value, &v, err) == -1 ? -1 : 0;
}

int
ledger_each_prefix(struct ledger *ledger, const char *digits, int64_t now, ledger_visit *visit, void *arg, struct err *err)
{
	struct visit v = { .ledger = ledger, .now = now, .visit = visit, .arg = arg };
	struct fingerprint from = { { 0 } }, to;
	size_t i, len = strlen(digits);
	int digit, shift;

	if (len < LEDGER_PREFIX_DIGITS || len > 2 * FINGERPRINT_BYTES)
		return err_set(err, STATUS_USAGE, "a fingerprint has %d to %d hex digits", LEDGER_PREFIX_DIGITS,
		    2 * FINGERPRINT_BYTES);
	memset(&to, 0xff, sizeof(to));
	for (i = 0; i < len; i++) {
		digit = pack_hex_digit(digits[i]);
		if (digit == -1)
			return err_set(err, STATUS_USAGE, "a fingerprint has hex digits only");
		shift = i % 2 == 0 ? 4 : 0;
		from.bytes[i / 2] |= (unsigned char)(digit << shift);
		to.bytes[i / 2] &= (unsigned char)~((15 - digit) << shift);
	}
	return visit_range(ledger, &from, &to, &v, err);
}

/* 1: it was done; 0: the record was another one by then; -1 */
static int
was_in_time(enum store_result result)
{
	if (result == STORE_OK)
		return 1;
	return result == STORE_CONFLICT || result == STORE_ABSENT ? 0 : -1;
}

int
ledger_forget(struct ledger *ledger, struct claim *claim, struct err *err)
{
	enum store_result result;

	hand_over(ledger, &claim->event);
	result = ledger->ops->remove(ledger->store, &claim->fp, &claim->raw, err);
	hand_over(ledger, NULL);
	return was_in_time(result);
}

int
ledger_prune(struct ledger *ledger, int64_t now, int64_t max_age, uint64_t *deleted, struct err *err)
{
	int64_t oldest = now - max_age;

	*deleted = 0;
	return ledger->ops->prune(ledger->store, is_expired, &oldest, deleted, err);
}

struct import {
	const struct imported *items;
	int64_t now;
};

static void
import_item(void *arg, size_t i, struct fingerprint *key, struct store_value *value)
{
	const struct import *import = arg;
	struct record record;

	record_begin(&record, RECORD_DELIVERED, import->items[i].first, import->now);
	record.flags = RECORD_IMPORTED;
	*key = import->items[i].fp;
	value->len = record_encode(&record, value->bytes);
}

int
ledger_import(struct ledger *ledger, const struct imported *items, size_t n, int64_t now, uint64_t *added, struct err *err)
{
	struct import import = { items, now };

	*added = 0;
	return ledger->ops->fill(ledger->store, n, import_item, &import, added, err);
}

int
ledger_sync(struct ledger *ledger, struct err *err)
{
	return ledger->ops->sync(ledger->store, err);
}

int
ledger_restore(struct ledger *ledger, struct claim *claim, const struct record *record, int64_t now, struct err *err)
{
	struct store_value ours;

	ours.len = record_encode(record, ours.bytes);
	return was_in_time(replace(ledger, claim, &ours, false, record->state == RECORD_PENDING, now, err));
}

struct kept {
	ledger_kept *kept;
	void *arg;
};

static void
kept_item(void *arg, size_t i, struct fingerprint *key, struct store_value *value)
{
	const struct kept *k = arg;
	struct record record;

	k->kept(k->arg, i, key, &record);
	value->len = record_encode(&record, value->bytes);
}

int
ledger_restore_many(struct ledger *ledger, size_t n, ledger_kept *kept, void *arg, uint64_t *taken, struct err *err)
{
	struct kept k = { kept, arg };

	*taken = 0;
	return ledger->ops->fill(ledger->store, n, kept_item, &k, taken, err);
}

bool
ledger_has_files(const struct ledger *ledger)
{
	return ledger->ops->copy != NULL;
}

int
ledger_copy(struct ledger *ledger, const char *folder, struct ledger_copy *copy, struct err *err)
{
	memset(copy, 0, sizeof(*copy));
	if (ledger->ops->copy == NULL)
		return err_set(err, STATUS_TEMP, "a ledger of kind %s has no files to copy", ledger->ops->name);
	return ledger->ops->copy(ledger->store, folder, copy, err);
}

int
ledger_stat(struct ledger *ledger, struct ledger_stat *stat, struct err *err)
{
	memset(stat, 0, sizeof(*stat));
	return ledger->ops->stat(ledger->store, stat, err);
}

int
ledger_count(struct ledger *ledger, struct counters *counters, ledger_tick *tick, void *arg, struct err *err)
{
	return ledger->ops->count(ledger->store, counters, tick, arg, err);
}

void
ledger_crashed(const struct ledger *ledger)
{
	ledger->ops->crashed(ledger->store);
}
