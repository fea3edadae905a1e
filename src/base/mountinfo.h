/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc/self/mountinfo says about a mount, without touching the mount
 * itself: nothing here waits for a file system that does not answer.
 */
#ifndef BASE_MOUNTINFO_H
#define BASE_MOUNTINFO_H

#include <sys/types.h>

struct mountinfo {
	int id;			/* of the mount; new at each mount(2) */
	dev_t dev;		/* as /proc/PID/maps shows it */
	unsigned long flags;	/* MS_*, of the mount and its file system */
	char *mountpoint;	/* not escaped */
	char *fstype;		/* "fuse.hugetmpfs" */
	char *source;		/* not escaped */
};

/*
 * The topmost mount exactly at an absolute path without symbolic links.
 * Returns 0, -ENOENT when nothing is mounted there, or another negative errno.
 */
int mountinfo_at(const char *path, struct mountinfo *out);

/* The mount with an id. Returns as above. */
int mountinfo_by_id(int id, struct mountinfo *out);

void mountinfo_free(struct mountinfo *info);

#endif
