/* A duplicate that is delivered all the same: tagged, or filed in a folder. */
#include <stdio.h>
#include <stdlib.h>

#include "work.h"

/* A command waits in the box that is open for the one message that it is to get, and a sandbox lets no other be opened. */
static bool
copies_in_place(const struct work *w)
{
	return w->ops->hands_over && w->d->config->on_duplicate == DUPLICATE_TAG;
}

static int
put_copy(struct work *w, struct mailbox *box, struct err *err)
{
	struct intent intent;

	if ((w->ops->lock != NULL && w->ops->lock(box, &w->fp, err) == -1) || w->ops->stage(box, w->message, &w->fp, &intent, err) == -1)
		return -1;
	return w->ops->publish(box, err);
}

int
work_extra_copy(struct work *w, struct err *err)
{
	const struct config *config = w->d->config;
	struct mailbox_options options = w->options;
	struct mailbox *box = NULL;
	char *tag = NULL, *head = NULL;
	int ret = -1;

	options.before = w->box;
	if (config->on_duplicate == DUPLICATE_FOLDER) {
		options.folder = config->duplicate_folder;
		options.create_folder = true;
	} else {
		tag = head_tag(w->judged.claim.record.first, &w->fp);
		if (tag == NULL || asprintf(&head, "%s%s", tag, w->head) == -1) {
			head = NULL;
			err_sys(err, "add header lines", NULL);
			goto done;
		}
		options.head = head;
	}
	if (copies_in_place(w)) {
		w->options.head = head;
		ret = put_copy(w, w->box, err);
		w->options.head = w->head;
	} else if (w->ops->open(&box, &options, err) == 0) {
		if (w->locked)
			w->ops->close(&w->box);		/* the copy takes the lock itself */
		ret = put_copy(w, box, err);
	}
	if (ret == 0)
		ledger_note(w->d->ledger, work_act(w, config->on_duplicate == DUPLICATE_FOLDER ? EVENT_FILED : EVENT_TAGGED));
done:
	if (box != NULL && ret == -1)
		w->ops->discard(box);	/* no record names it */
	if (box != NULL)
		w->ops->close(&box);
	free(tag);
	free(head);
	return ret;
}
