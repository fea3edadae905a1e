/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A memory cgroup by the number that the daemon knows it by.
 */
#ifndef CTL_CGROUP_H
#define CTL_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_PATH_BYTES 4096

struct cgroup {
	char path[CGROUP_PATH_BYTES]; /* of its directory */
	bool limited;		      /* it or one above has a limit */
	uint64_t limit_bytes;	      /* of the one that is nearest to it */
	uint64_t usage_bytes;
};

/*
 * Finds the cgroup whose directory has this inode number (the low half of it),
 * among those that are to be seen here. False when there is none.
 */
bool cgroup_find(uint32_t number, struct cgroup *cgroup);

#endif
