/* Names that mail readers give to folders of their own. A name in another language is for the administrator to know. */
#include <string.h>
#include <strings.h>

#include "special_folder.h"

static bool
is_special(const char *part, size_t len)
{
	static const char *const names[] = {
		"Sent", "Sent Items", "Sent Messages", "Sent Mail", "sent-mail", "sent_mail", "Drafts", "Draft", "Templates", "Outbox",
		"Queue", "postponed", "Unsent Messages", "Trash", "Deleted", "Deleted Items", "Deleted Messages", "Bin", "Wastebasket",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], part, len) == 0)
			return true;
	return false;
}

bool
special_folder(const char *name)
{
	size_t len;

	for (;;) {
		len = strcspn(name, "./");
		if (is_special(name, len))
			return true;
		if (name[len] == '\0')
			return false;
		name += len + 1;
	}
}
