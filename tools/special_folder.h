/*
 * Folders whose messages were not delivered to the mailbox, or may not have been.
 */
#ifndef SPECIAL_FOLDER_H
#define SPECIAL_FOLDER_H

#include <stdbool.h>

/* Sent, Drafts, Templates, Outbox, Trash, and what else mail readers call them, in whatever case: is a part of this name (parts are
 * separated by dots or slashes, as in INBOX.Sent or Sent.2025) one of these? */
bool special_folder(const char *name);
/* The same of Junk, Spam and the like, whose messages were delivered. */
bool unwanted_folder(const char *name);

#endif
