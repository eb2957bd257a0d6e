/*
 * Is every page of the database what the others take it for?
 *
 * Berkeley DB's own verification never ends on some damaged files (5.3.28, __db_vrfy_dbinfo_destroy), and a look-up never ends that
 * comes to a page of zeroes. Here every page is looked at once, so it ends. Each read checks the page's sum; what a sum can't show
 * is a page that is missing, or an older one of itself.
 *
 * A page begins with {lsn 8, page 4, previous 4, next 4, entries 2, free 2, level 1, type 1, unused 2, sum 4} and the places of its
 * entries, 2 each. An entry of an internal page is {length 2, type 1, unused 1, page 4, ...}. Leaves have level 1. All in the order of
 * this machine, into which Berkeley DB turns a page as it is read.
 */
#include "bdb.h"

#define ROOT 1U
#define LEAF_LEVEL 1
#define ENTRIES_AT 32
#define ENTRY_HEAD 8
#define KEY_BYTES 64	/* longer than any of ours */

enum { TYPE_INTERNAL = 3, TYPE_LEAF = 5 };	/* P_IBTREE, P_LBTREE */

struct page {
	uint32_t number, next;
	uint16_t entries;
	uint8_t level, type;
};

static void
read_head(struct page *page, const unsigned char *bytes)
{
	memcpy(&page->number, bytes + 8, sizeof(page->number));
	memcpy(&page->next, bytes + 16, sizeof(page->next));
	memcpy(&page->entries, bytes + 20, sizeof(page->entries));
	page->level = bytes[24];
	page->type = bytes[25];
}

/* Is this a page of the tree, at that level? Returns 0, DB_VERIFY_BAD or an error. */
static int
check_level(DB_MPOOLFILE *file, db_pgno_t number, uint8_t level)
{
	struct page page;
	void *bytes;
	int ret = file->get(file, &number, NULL, 0, &bytes);

	if (ret != 0)
		return ret == DB_PAGE_NOTFOUND ? DB_VERIFY_BAD : ret;
	read_head(&page, bytes);
	ret = file->put(file, bytes, DB_PRIORITY_VERY_LOW, 0);
	if (ret == 0 && (page.number != number || page.level != level || page.type != (level == LEAF_LEVEL ? TYPE_LEAF : TYPE_INTERNAL)))
		ret = DB_VERIFY_BAD;
	return ret;
}

/* What an internal page says of the pages below it, which makes a look-up end. */
static int
check_children(DB_MPOOLFILE *file, const struct page *page, const unsigned char *bytes, size_t size)
{
	uint16_t place, i;
	db_pgno_t child;
	int ret = page->level > LEAF_LEVEL && page->entries > 0 ? 0 : DB_VERIFY_BAD;

	for (i = 0; ret == 0 && i < page->entries; i++) {
		if (ENTRIES_AT + 2U * i + 2 > size)
			return DB_VERIFY_BAD;
		memcpy(&place, bytes + ENTRIES_AT + 2U * i, sizeof(place));
		if (place + (size_t)ENTRY_HEAD > size)
			return DB_VERIFY_BAD;
		memcpy(&child, bytes + place + 4, sizeof(child));
		ret = check_level(file, child, (uint8_t)(page->level - 1));
	}
	return ret;
}

static int
check_page(DB_MPOOLFILE *file, db_pgno_t number, size_t size)
{
	struct page page;
	void *bytes;
	int r, ret = file->get(file, &number, NULL, 0, &bytes);

	if (ret != 0)
		return ret;
	read_head(&page, bytes);
	if (page.type != TYPE_INTERNAL && page.type != TYPE_LEAF)
		ret = number == ROOT ? DB_VERIFY_BAD : 0;
	else if (page.number != number)
		ret = DB_VERIFY_BAD;
	else if (page.type == TYPE_INTERNAL)
		ret = check_children(file, &page, bytes, size);
	else if (page.next != 0)
		ret = check_level(file, page.next, LEAF_LEVEL);
	r = file->put(file, bytes, DB_PRIORITY_VERY_LOW, 0);
	return ret != 0 ? ret : r;
}

static int
check_pages(DB *db)
{
	DB_MPOOLFILE *file = db->get_mpf(db);
	db_pgno_t number, last;
	u_int32_t size;
	int ret = db->get_pagesize(db, &size);

	if (ret == 0)
		ret = file->get_last_pgno(file, &last);
	for (number = 0; ret == 0 && number <= last; number++)
		ret = check_page(file, number, size);
	return ret;
}

static int
compare_keys(const DBT *one, const DBT *other)
{
	int order = memcmp(one->data, other->data, one->size < other->size ? one->size : other->size);

	return order != 0 ? order : (one->size > other->size) - (one->size < other->size);
}

/* Do the keys ascend from the first leaf to the last? A way that leads back to a page does not. */
static int
check_order(DB *db)
{
	unsigned char bytes[2][KEY_BYTES];
	DBT keys[2] = { dbt_out(bytes[0], KEY_BYTES), dbt_out(bytes[1], KEY_BYTES) };
	DBT nothing = { .flags = DB_DBT_PARTIAL | DB_DBT_USERMEM };
	DBC *cursor;
	size_t n = 0;
	int r, ret = db->cursor(db, NULL, &cursor, 0);

	if (ret != 0)
		return ret;
	while ((ret = cursor->get(cursor, &keys[n % 2], &nothing, DB_NEXT)) == 0) {
		if (n > 0 && compare_keys(&keys[n % 2], &keys[(n + 1) % 2]) <= 0) {
			ret = DB_VERIFY_BAD;
			break;
		}
		n++;
	}
	r = cursor->close(cursor);
	return ret == DB_NOTFOUND ? r : ret;
}

int
bdb_verify(struct bdb *b, struct err *err)
{
	int ret = check_pages(b->db);

	if (ret == 0)
		ret = check_order(b->db);
	return ret == 0 ? 0 : (bdb_fail(b, "verify", ret, err), -1);
}
