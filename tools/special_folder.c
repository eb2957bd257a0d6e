/* Names that mail readers give to folders of their own. A name in another language is for the administrator to know. */
#include <string.h>
#include <strings.h>

#include "special_folder.h"

static const char *const not_delivered[] = {
	"Sent", "Sent Items", "Sent Messages", "Sent Mail", "sent-mail", "sent_mail", "Drafts", "Draft", "Templates", "Outbox", "Queue",
	"postponed", "Unsent Messages", "Trash", "Deleted", "Deleted Items", "Deleted Messages", "Bin", "Wastebasket", NULL,
};
static const char *const unwanted[] = { "Junk", "Junk E-mail", "Junk Email", "Spam", NULL };

static bool
is_one_of(const char *const *names, const char *part, size_t len)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == len && strncasecmp(*names, part, len) == 0)
			return true;
	return false;
}

static bool
has_part(const char *const *names, const char *name)
{
	size_t len;

	for (;;) {
		len = strcspn(name, "./");
		if (is_one_of(names, name, len))
			return true;
		if (name[len] == '\0')
			return false;
		name += len + 1;
	}
}

bool
special_folder(const char *name)
{
	return has_part(not_delivered, name);
}

bool
unwanted_folder(const char *name)
{
	return has_part(unwanted, name);
}
