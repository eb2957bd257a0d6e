/* The scenes that kill and fault play. */
#include "crew.h"
#include "scenes.h"

#define DEFER { "-o", "on-ledger-failure=defer" }
/* The other message has the target's fingerprint. Both are to be there. */
#define SEPARATE .forged = true, .options = { "-o", "duplicates=proven", "-o", "on-ledger-failure=defer" }

const struct scene scenes[] = {
	MAILDIR("new", .quick = true),
	MAILDIR("duplicate", .had = true),
	MAILDIR("first", .fresh = true),
	MAILDIR("expired", .had = true, .aged = true),
	MAILDIR("pending, committing", .target = CRASH_COMMITTING),
	MAILDIR("pending, deciding", .target = CRASH_DECIDING),
	MAILDIR("pending, decided", .quick = true, .target = CRASH_DECIDED),
	MAILDIR("pending, published", .target = CRASH_PUBLISHED),
	MAILDIR("pending, synced", .target = CRASH_SYNCED),
	MAILDIR("expired, pending", .had = true, .aged = true, .target = CRASH_DECIDED),
	MAILDIR("other pending", .other = CRASH_DECIDED),
	MAILDIR("spilled", .size = SPILL),
	MAILDIR("spilled, pending", .size = SPILL, .target = CRASH_DECIDED),
	MAILDIR("folder", .options = { "-m", "lists.new", "-o", "create-folders=yes" }),
	MAILDIR("folder, first", .fresh = true, .options = { "-m", "lists", "-o", "create-folders=yes" }),
	MAILDIR("defer", .options = DEFER),
	MAILDIR("strict", .options = { "-o", "sync=strict" }),
	MAILDIR("recover killed", .target = CRASH_DECIDED, .other = CRASH_PUBLISHED, .tool = "recover"),
	MAILDIR("prune killed", .aged = true, .target = CRASH_DECIDED, .other = CRASH_PUBLISHED, .tool = "prune"),
	MAILDIR("tools beside", .aged = true, .other = CRASH_DECIDED, .beside = BESIDE_TOOLS),
	MAILDIR("twin", .quick = true, .beside = BESIDE_TWIN, .options = DEFER),
	MAILDIR("twin, killed", .beside = BESIDE_TWIN_KILLED, .options = DEFER),
	MAILDIR("twin, first", .fresh = true, .beside = BESIDE_TWIN, .options = DEFER),
	MAILDIR("twin, pending", .target = CRASH_DECIDED, .beside = BESIDE_TWIN, .options = DEFER),
	MAILDIR("twin, expired", .had = true, .aged = true, .beside = BESIDE_TWIN, .options = DEFER),
	MAILDIR("recover meanwhile", .beside = BESIDE_RECOVER, .options = DEFER),
	MAILDIR("recover meanwhile, killed", .beside = BESIDE_RECOVER_KILLED, .options = DEFER),
	MAILDIR("separate", .quick = true, .early = true, SEPARATE),
	MAILDIR("separate, spilled", .early = true, .size = SPILL, SEPARATE),
	MAILDIR("separate, deciding", .early = true, .target = CRASH_DECIDING, SEPARATE),
	MAILDIR("separate, decided", .early = true, .target = CRASH_DECIDED, SEPARATE),
	MAILDIR("separate, published", .early = true, .target = CRASH_PUBLISHED, SEPARATE),
	MAILDIR("separate, recover killed", .early = true, .target = CRASH_DECIDED, .tool = "recover", SEPARATE),
	MAILDIR("separate, twin", .early = true, .beside = BESIDE_TWIN, SEPARATE),
	MAILDIR("other copy deciding", .other = CRASH_DECIDING, SEPARATE),
	MAILDIR("other copy decided", .quick = true, .other = CRASH_DECIDED, SEPARATE),
	MAILDIR("other copy published", .other = CRASH_PUBLISHED, SEPARATE),
	MAILDIR("other copy decided, twin", .other = CRASH_DECIDED, .beside = BESIDE_TWIN, SEPARATE),
	MBOX("empty", .first = "", .fresh = true),
	MBOX("new", .quick = true, .first = TEXT ".\n\n"),
	MBOX("no newline", .first = TEXT, .fresh = true),
	MBOX("first", .fresh = true),
	MBOX("duplicate", .first = "", .had = true),
	MBOX("expired", .first = "", .had = true, .aged = true),
	MBOX("pending, deciding", .first = "", .target = CRASH_DECIDING),
	MBOX("pending, decided", .first = "", .target = CRASH_DECIDED),
	MBOX("pending, torn", .quick = true, .first = TEXT "\n", .target = CRASH_TORN),
	MBOX("pending, published", .first = "", .target = CRASH_PUBLISHED),
	MBOX("pending, synced", .first = "", .target = CRASH_SYNCED),
	MBOX("expired, torn", .first = "", .had = true, .aged = true, .target = CRASH_TORN),
	MBOX("other decided", .first = "", .other = CRASH_DECIDED),
	MBOX("other torn", .first = "", .other = CRASH_TORN, .torn = 1),
	MBOX("other published", .first = "", .other = CRASH_PUBLISHED),
	MBOX("spilled", .first = "", .size = SPILL),
	MBOX("spilled, torn", .first = "", .size = SPILL, .target = CRASH_TORN),
	MBOX("defer", .first = "", .options = DEFER),
	MBOX("recover killed", .first = "", .other = CRASH_DECIDED, .target = CRASH_PUBLISHED, .tool = "recover"),
	MBOX("recover killed, torn", .first = "", .other = CRASH_PUBLISHED, .target = CRASH_TORN, .tool = "recover"),
	MBOX("prune killed", .first = "", .aged = true, .target = CRASH_PUBLISHED, .tool = "prune"),
	MBOX("tools beside", .first = "", .aged = true, .target = CRASH_PUBLISHED, .beside = BESIDE_TOOLS),
	MBOX("twin", .first = "", .beside = BESIDE_TWIN, .options = DEFER),
	MBOX("twin, killed", .first = "", .beside = BESIDE_TWIN_KILLED, .options = DEFER),
	MBOX("separate", .quick = true, .first = "", .early = true, SEPARATE),
	MBOX("separate, spilled", .first = "", .early = true, .size = SPILL, SEPARATE),
	MBOX("separate, decided", .first = "", .early = true, .target = CRASH_DECIDED, SEPARATE),
	MBOX("separate, torn", .first = "", .early = true, .target = CRASH_TORN, SEPARATE),
	MBOX("separate, published", .first = "", .early = true, .target = CRASH_PUBLISHED, SEPARATE),
	MBOX("separate, twin", .first = "", .early = true, .beside = BESIDE_TWIN, SEPARATE),
	MBOX("other copy decided", .first = "", .other = CRASH_DECIDED, SEPARATE),
	MBOX("other copy torn", .first = "", .other = CRASH_TORN, .torn = 1, SEPARATE),
	MBOX("other copy published", .first = "", .other = CRASH_PUBLISHED, SEPARATE),
	MBOX("recover meanwhile", .first = "", .target = CRASH_PUBLISHED, .beside = BESIDE_RECOVER, .options = DEFER),
};
const size_t scenes_len = sizeof(scenes) / sizeof(scenes[0]);

const struct scene scene_of_wrong = MAILDIR("of a wrong agent", .first = NO_FILE);

bool
scenes_play(const struct harness *h, bool (*is_played)(const struct scene *), bool (*play)(const struct scene *))
{
	size_t i, number = 0, of = 0;
	bool good = true;

	for (i = 0; i < scenes_len; i++)
		of += is_played(&scenes[i]);
	for (i = 0; i < scenes_len; i++)
		if (is_played(&scenes[i])) {
			crew_progress(h, ++number, of, scenes[i].name);
			good = play(&scenes[i]) && good;
		}
	return good;
}
