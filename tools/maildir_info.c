/* The flags of Maildir file names: https://cr.yp.to/proto/maildir.html, section "What can I put in info?". */
#include <string.h>

#include "maildir_info.h"

#define FLAG(letter) ((info_flags)1 << ((letter) - 'A'))
#define KEYWORD_FIRST 26
#define KEYWORDS (((info_flags)1 << 52) - ((info_flags)1 << KEYWORD_FIRST))
#define TAKEN_FROM_ANY (FLAG('S') | FLAG('R') | FLAG('F') | FLAG('P'))
#define ONLY_IF_ALL (FLAG('D') | FLAG('T'))

size_t
info_base_len(const char *name)
{
	return strcspn(name, ":");
}

bool
info_parse(const char *name, info_flags *flags)
{
	const char *p = name + info_base_len(name);

	*flags = 0;
	if (*p == '\0')
		return true;
	if (strncmp(p, ":2,", 3) != 0)
		return false;
	for (p += 3; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*flags |= FLAG(*p);
		else if (*p >= 'a' && *p <= 'z')
			*flags |= (info_flags)1 << (KEYWORD_FIRST + *p - 'a');
		else
			return false;
	}
	return true;
}

void
info_text(info_flags flags, char text[INFO_TEXT])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t i, n = 3;

	memcpy(text, ":2,", n);
	for (i = 0; letters[i] != '\0'; i++)
		if ((flags >> i & 1) != 0)
			text[n++] = letters[i];
	text[n] = '\0';
}

info_flags
info_merge(info_flags stays, info_flags any, info_flags all, bool keywords)
{
	info_flags more = TAKEN_FROM_ANY | (keywords ? KEYWORDS : 0);

	return ((stays | (any & more)) & ~ONLY_IF_ALL) | (all & ONLY_IF_ALL);
}
