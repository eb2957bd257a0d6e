/* Encoding, after what intent.h says: device (8), inode (8), size (8), path, name (each with a length of 2); with a host also the marker's
 * inode (8). */
#include <string.h>

#include "maildir_intent.h"
#include "pack.h"

int
maildir_intent_encode(const struct maildir_intent *in, struct intent *intent)
{
	struct packer p = { .bytes = intent->bytes, .size = sizeof(intent->bytes) };

	intent_begin(&p, MAILDIR_TAG, in->host);
	pack_int(&p, in->device, 8);
	pack_int(&p, in->inode, 8);
	pack_int(&p, in->size, 8);
	pack_string(&p, in->path, strlen(in->path));
	pack_string(&p, in->name, strlen(in->name));
	if (in->host[0] != '\0')
		pack_int(&p, in->marker, 8);
	intent->len = p.len;
	return p.full ? -1 : 0;
}

int
maildir_intent_decode(struct maildir_intent *in, const struct intent *intent)
{
	struct unpacker u = { .bytes = intent->bytes, .left = intent->len };

	if (intent_enter(&u, MAILDIR_TAG, in->host) == -1)
		return -1;
	in->device = unpack_int(&u, 8);
	in->inode = unpack_int(&u, 8);
	in->size = unpack_int(&u, 8);
	unpack_text(&u, in->path, sizeof(in->path));
	unpack_text(&u, in->name, sizeof(in->name));
	in->marker = in->host[0] != '\0' ? unpack_int(&u, 8) : 0;
	if (u.bad || u.left != 0)
		return -1;
	return in->path[0] == '/' && in->name[0] != '\0' && in->name[0] != '.' && strchr(in->name, '/') == NULL ? 0 : -1;
}
