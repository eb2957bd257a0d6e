/*
 * Recording what a process does to a disk, and telling it lies about the machine that it runs on.
 *
 * Its reads of the boot id and its questions for the file system's type are answered with what the recording wants. So the agent
 * takes the way that it takes on that file system, whatever the test runs on, and what it writes is of another boot than that of
 * the deliveries after the power cut, which are told the truth.
 */
#ifndef RECORD_H
#define RECORD_H

#include "disk.h"
#include "scene.h"

#define RECORD_EXT4 0xEF53L	/* statfs(2), f_type */
#define RECORD_OTHER 0x52654973L	/* one of which the agent knows nothing */

struct record_how {
	char boot;		/* a hexadecimal digit: the boot id is made of it */
	long fs_type;
	enum crash crash;	/* it is killed there, */
	size_t ops;		/* or after so many operations; 0: it is not */
	const struct world *world;
};

/* Run it, traced. `disk` gets its operations; NULL: nobody wants them. Returns how it ended. A change of the folder that is not
 * understood here shows in record_is_whole(). */
int record_run(struct disk *disk, const struct record_how *how, char *const *argv, const char *input, const char *out);
/* Is the folder what start and operations say? To be called before it is changed. */
bool record_is_whole(const struct disk *disk);

#endif
