/*
 * A ledger whose lock file holds any bytes: it heals, and no record is lost unless the header itself says that the environment is
 * damaged beyond repair.
 *
 * Input: how (1 byte; bit 0: the checksum is made right, bit 1: so is the magic), then the header.
 */
#include <fcntl.h>
#include <stddef.h>

#include "bdb.h"
#include "fuzz.h"

#define NOW 1800000000

static char folder[64], lock_path[80], url[80];
static struct ledger *ledger;
static struct claim claim;

static void
open_ledger(void)
{
	const struct ledger_options options = { .url = url, .window = 1000, .lock_timeout_ms = 60000, .create = true };
	struct err err = { .text = "" };

	must(ledger_open(&ledger, &options, &err) == 0);
}

static enum claim_state
ask(unsigned char key)
{
	struct fingerprint fp = { { key } };
	struct err err = { .text = "" };

	memset(&claim, 0, sizeof(claim));
	must(ledger_claim(ledger, &fp, NOW, &claim, &err) == 0);
	return claim.state;
}

/* Record a message, as a delivery does that dies before it marks it delivered, or one that does not. */
static void
record(unsigned char key, bool delivered)
{
	const struct intent intent = { .len = 6, .bytes = "intent" };
	struct err err = { .text = "" };

	if (ask(key) == CLAIM_NEW)
		must(ledger_decide(ledger, &claim, &intent, NULL, NOW, &err) == 0);
	if (delivered && claim.state != CLAIM_DUPLICATE)
		must(ledger_delivered(ledger, &claim, true, &err) == 0);
}

static void
clean(void)
{
	char command[128];

	ledger_close(&ledger);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	must(system(command) == 0);
}

static void
prepare(void)
{
	snprintf(folder, sizeof(folder), "/tmp/fuzz_ledger.XXXXXX");
	must(mkdtemp(folder) != NULL);
	snprintf(url, sizeof(url), "bdb:%s/L", folder);
	snprintf(lock_path, sizeof(lock_path), "%s/L/lock", folder);
	open_ledger();
	must(atexit(clean) == 0);
}

static uint64_t
checksum(const struct bdb_header *h)
{
	return input_checksum((const uint8_t *)h, offsetof(struct bdb_header, checksum));
}

static bool
is_valid(const struct bdb_header *h, size_t len)
{
	return len >= sizeof(*h) && memcmp(h->magic, BDB_MAGIC, sizeof(h->magic)) == 0 && h->checksum == checksum(h);
}

static int
count_visit(void *arg, struct claim *visited, struct err *err)
{
	(void)visited;
	(void)err;
	++*(int *)arg;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int how = input_byte(&in);
	struct bdb_header header = { .magic = "" };
	struct ledger_stat st = { 0 };
	struct err err = { .text = "" };
	bool lost;
	int fd, n = 0;

	if (ledger == NULL)
		prepare();
	record(1, true);
	record(2, false);
	ledger_close(&ledger);

	if (in.left > 0)
		memcpy(&header, in.p, in.left < sizeof(header) ? in.left : sizeof(header));
	if ((how & 2) != 0)
		memcpy(header.magic, BDB_MAGIC, sizeof(header.magic));
	if ((how & 1) != 0)
		header.checksum = checksum(&header);
	if ((how & 3) != 0)
		in.left = sizeof(header);
	fd = open(lock_path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	must(fd != -1 && fs_write(fd, &header, in.left < sizeof(header) ? in.left : sizeof(header), NULL, lock_path, NULL) == 0);
	close(fd);
	lost = is_valid(&header, in.left) && header.failures >= BDB_FRESH_AFTER;

	open_ledger();
	must(ledger_stat(ledger, &st, &err) == 0 && st.exists);
	must(st.dirty || is_valid(&header, in.left));
	must(ledger_recent_pending(ledger, NOW, count_visit, &n, &err) == 0);
	must(ask(1) == (lost ? CLAIM_NEW : CLAIM_DUPLICATE));
	must(ask(2) == (lost ? CLAIM_NEW : CLAIM_PENDING));
	record((unsigned char)(3 + how % 16), true);
	must(ledger_stat(ledger, &st, &err) == 0 && !st.dirty && st.failures == 0);
	return 0;
}
