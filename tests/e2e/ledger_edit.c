/*
 * ledger_edit FOLDER age SECONDS | damage | crowd N: give a Berkeley DB ledger what takes days, a newer version or many messages.
 *
 *	age	each record was made so many seconds earlier
 *	damage	each record becomes one of a version that nobody knows
 *	crowd	N delivered records more, whose fingerprints differ in their last digits only
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "store.h"

enum edit { AGE, DAMAGE, CROWD };

struct editing {
	struct store *store;
	enum edit edit;
	int64_t seconds;
};

static void
die(const char *what)
{
	fprintf(stderr, "ledger_edit: %s\n", what);
	exit(1);
}

static bool
never(void *arg, const void *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	return false;
}

static int
change(void *arg, const struct fingerprint *key, const struct store_value *value, struct err *err)
{
	const struct editing *e = arg;
	struct store_value other = *value, now;
	struct record record;

	if (record_decode(&record, value->bytes, value->len) == -1)
		die("a record does not decode");
	if (e->edit == DAMAGE)
		other.bytes[0]++;
	else {
		record.first -= e->seconds;
		record.decided -= e->seconds;
		other.len = record_encode(&record, other.bytes);
	}
	if (e->store->ops->put(e->store, key, value, &other, false, record.state == RECORD_PENDING, &now, err) != STORE_OK)
		die(err->text);
	return 0;
}

static void
crowd(struct store *store, long n)
{
	struct record record = { .state = RECORD_DELIVERED, .first = time(NULL), .decided = time(NULL) };
	struct fingerprint key = { { 0 } };
	struct store_value value, now;
	struct err err;

	value.len = record_encode(&record, value.bytes);
	for (; n > 0; n--) {
		key.bytes[FINGERPRINT_BYTES - 2] = (unsigned char)(n >> 8);
		key.bytes[FINGERPRINT_BYTES - 1] = (unsigned char)n;
		if (store->ops->put(store, &key, NULL, &value, false, false, &now, &err) != STORE_OK)
			die(err.text);
	}
}

int
main(int argc, char **argv)
{
	const struct ledger_options options = { .lock_timeout_ms = 10000, .create = true };
	const struct store_options how = { .path = argc > 1 ? argv[1] : "", .ledger = &options, .expired = never };
	struct editing e = { .store = NULL };
	struct fingerprint from = { { 0 } }, to;
	struct err err;

	memset(&to, 0xff, sizeof(to));
	if (argc < 3)
		die("usage: ledger_edit folder age seconds | damage | crowd n");
	e.edit = strcmp(argv[2], "age") == 0 ? AGE : strcmp(argv[2], "damage") == 0 ? DAMAGE : CROWD;
	e.seconds = argc > 3 ? atoll(argv[3]) : 0;
	if (store_bdb.open(&e.store, &how, &err) == -1)
		die(err.text);
	if (e.edit == CROWD)
		crowd(e.store, (long)e.seconds);
	else if (e.store->ops->each(e.store, &from, &to, change, &e, &err) == -1)
		die(err.text);
	e.store->ops->close(&e.store);
	return 0;
}
