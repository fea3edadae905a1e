/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk over all files of the backing that sums up the states of their
 * extents, in small steps, so that one thread can serve others in between. It
 * sends no FUSE request, changes no access time, takes each inode once, and
 * needs memory for the depth of the tree and for files with several links only.
 */
#ifndef CONTROL_SCAN_H
#define CONTROL_SCAN_H

#include <stdint.h>

#include <hugetmpfs/types.h>

#include "base/nodeset.h"

struct recovery;
struct scan;

/*
 * What was found so far. Files that come, go or move during the walk may be
 * missing or may be seen twice; those that have no name any more are not seen.
 */
struct scan_totals {
	uint64_t nr_files;
	uint64_t nr_unreadable;	/* that could not be looked at */
	uint64_t nr_policies[HUGETMPFS_BACKGROUND_ALL + 1]; /* of their own */
	uint64_t nr_extents;
	uint64_t extents[HUGETMPFS_NR_STATES]; /* by state */
	uint64_t data_pages[HUGETMPFS_NR_STATES]; /* by state of the extent */
	uint64_t hole_pages;
	uint64_t swapped_pages;
	uint64_t node_pages[NODESET_NODES]; /* in memory, by node */
	uint64_t misplaced_pages; /* of them, not where policy says */
};

/* root_fd and recovery are borrowed. Returns 0 or a negative errno. */
int scan_create(struct scan **out, int root_fd, struct recovery *recovery);

/* NULL is allowed. */
void scan_destroy(struct scan *scan);

/*
 * Goes on for about budget_ns. Returns 1 when there is more to do, 0 when
 * everything was seen, or a negative errno.
 */
int scan_step(struct scan *scan, uint64_t budget_ns);

const struct scan_totals *scan_totals(const struct scan *scan);

#endif
