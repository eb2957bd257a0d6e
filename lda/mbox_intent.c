/* The encoding of an mbox intent. */
#include <string.h>

#include "mbox_entry.h"
#include "pack.h"

#define FLAG_DROP_RETURN_PATH 1u

int
entry_encode(const struct mbox_entry *e, struct intent *intent, struct err *err)
{
	struct packer p = { .bytes = intent->bytes, .size = sizeof(intent->bytes) };

	intent_begin(&p, MBOX_TAG, e->host);
	pack_int(&p, e->drop_return_path ? FLAG_DROP_RETURN_PATH : 0, 1);
	pack_string(&p, e->path, strlen(e->path));
	pack_bytes(&p, e->id, sizeof(e->id));
	pack_int(&p, e->dev, 8);
	pack_int(&p, e->ino, 8);
	pack_int(&p, e->s0, 8);
	pack_int(&p, e->prefix_len, 2);
	pack_bytes(&p, e->prefix, sizeof(e->prefix));
	pack_string(&p, e->head, e->head_len);
	pack_int(&p, e->len, 8);
	pack_bytes(&p, e->digest, sizeof(e->digest));
	pack_bytes(&p, e->witness.head, sizeof(e->witness.head));
	pack_bytes(&p, e->witness.body, sizeof(e->witness.body));
	if (p.full)
		return err_set(err, STATUS_TEMP, "deliver to %s: path and header lines are too long for a record", e->path);
	intent->len = p.len;
	return 0;
}

/* Could entry_make() have made this? */
static bool
is_sane(const struct mbox_entry *e)
{
	return e->path[0] == '/' && e->s0 <= INT64_MAX && e->len <= INT64_MAX - e->s0 && e->len >= e->head_len &&
	    e->head_len > 0 && e->prefix_len <= MBOX_PREFIX_MAX && e->prefix_len <= e->s0;
}

int
entry_decode(struct mbox_entry *e, const struct intent *intent)
{
	struct unpacker u = { .bytes = intent->bytes, .left = intent->len };
	const unsigned char *head;

	memset(e, 0, sizeof(*e));
	if (intent->len > sizeof(intent->bytes) || intent_enter(&u, MBOX_TAG, e->host) == -1)
		return -1;
	e->drop_return_path = (unpack_int(&u, 1) & FLAG_DROP_RETURN_PATH) != 0;
	unpack_text(&u, e->path, sizeof(e->path));
	unpack_bytes(&u, e->id, sizeof(e->id));
	e->dev = unpack_int(&u, 8);
	e->ino = unpack_int(&u, 8);
	e->s0 = unpack_int(&u, 8);
	e->prefix_len = unpack_int(&u, 2);
	unpack_bytes(&u, e->prefix, sizeof(e->prefix));
	head = unpack_string(&u, &e->head_len);
	if (head == NULL || e->head_len > sizeof(e->head))
		return -1;
	memcpy(e->head, head, e->head_len);
	e->len = unpack_int(&u, 8);
	unpack_bytes(&u, e->digest, sizeof(e->digest));
	unpack_bytes(&u, e->witness.head, sizeof(e->witness.head));
	unpack_bytes(&u, e->witness.body, sizeof(e->witness.body));
	return u.bad || u.left != 0 || !is_sane(e) ? -1 : 0;
}
