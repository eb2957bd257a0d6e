/* The messages of a storm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenes.h"
#include "storm.h"

#define LARGE_EVERY 24
#define SMALL 300		/* bytes */
#define SHOWN 20

void
pause_us(long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

void
storm_say(struct storm *t, const char *what, unsigned int number, int value)
{
	if (atomic_fetch_add(&t->s->shown, 1) >= SHOWN)
		return;
	printf("# %s: message %u, %d\n", what, number, value);
	fflush(stdout);
}

static char *
text_of(unsigned int number, size_t *len)
{
	char name[32];

	snprintf(name, sizeof(name), "storm%u", number);
	return mail_text(name, number % LARGE_EVERY == LARGE_EVERY - 1 ? SPILL : SMALL, len);
}

void
storm_put_message(const struct storm *t, unsigned int number)
{
	size_t len;
	char *text = text_of(number, &len);
	FILE *f = fopen(t->input, "we");

	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) == EOF)
		die(t->input);
	free(text);
}

uint32_t
storm_which(const char *bytes, size_t left, size_t *len)
{
	static const char id[] = "\nMessage-ID: <storm";
	const char *p = memmem(bytes, left < 200 ? left : 200, id, sizeof(id) - 1);
	unsigned long number;
	char *text;
	bool same;

	if (p == NULL)
		return NO_MESSAGE;
	number = strtoul(p + sizeof(id) - 1, NULL, 10);
	if (number >= MESSAGES_MAX)
		return NO_MESSAGE;
	text = text_of((unsigned int)number, len);
	same = left >= *len && memcmp(bytes, text, *len) == 0;
	free(text);
	return same ? (uint32_t)number : NO_MESSAGE;
}

void
storm_note_deleted(struct storm *t, uint32_t number)
{
	struct fate *fate = &t->s->fate[number];

	if (!atomic_load(&fate->acked))
		atomic_store(&fate->early, true);
	atomic_fetch_add(&fate->deleted, 1);
}
