/* A copy of the database's file that is made while others write to it. */
#ifndef BDB_COPY_H
#define BDB_COPY_H

#include "bdb.h"

struct page_copy;

/* Without the lock: begin a copy, in folder under the name of BDB_FILE. Where there is no such file of the ledger nothing is made. Returns
 * 0 or -1; *copy is to be ended in any case. */
int bdb_page_copy_begin(struct page_copy **copy, const struct bdb *b, int folder, struct err *err);
/* With the lock: is it, still, the file in that env/ that was copied? */
bool bdb_page_copy_is_of(const struct page_copy *copy, int env);
/* With the lock: make the copy what the file is now. Returns 0 or -1. */
int bdb_page_copy_finish(struct page_copy *copy, struct err *err);
void bdb_page_copy_end(struct page_copy **copy);

#endif
