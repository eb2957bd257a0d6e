/* The table of scenes. */
#ifndef SCENES_H
#define SCENES_H

#include "options.h"
#include "scene.h"

#define SPILL 300000	/* bytes: more than a message that is kept in memory */

#define MAILDIR(label, ...) { .name = "maildir " label, __VA_ARGS__ }
#define MBOX(label, ...) { .name = "mbox " label, .mbox = true, __VA_ARGS__ }
#define TEXT "From a@b Fri Nov 20 12:00:00 2026\nSubject: by hand\n\nA text"

extern const struct scene scenes[];
extern const size_t scenes_len;
/* One in which a wrong agent has to be found out. */
extern const struct scene scene_of_wrong;

/* Play the scenes of the table for which is_played(), one after the other. Returns whether all is well. */
bool scenes_play(const struct harness *h, bool (*is_played)(const struct scene *), bool (*play)(const struct scene *));

#endif
