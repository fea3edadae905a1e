/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves pages of a process to a NUMA node and finds out what came of each.
 */
#ifndef MM_MIGRATE_H
#define MM_MIGRATE_H

#include <stdint.h>
#include <sys/types.h>

#include "mm/mm.h"

/* At most this many pages by one call: the process may have to wait for it. */
#define MM_MIGRATE_PAGES 512

/* move_pages(2), or a model of it: a negative errno for -1. */
struct mm_mover {
	long (*move_pages)(void *arg, pid_t pid, unsigned long nr, void **pages,
			   const int *nodes, int *status, int flags);
	void *arg;
};

/*
 * Moves the pages, at most MM_MIGRATE_PAGES, to the node; of a huge page one
 * address is given. All of a page's mappers see it moved, where the caller may
 * do that to them (CAP_SYS_NICE). Blocks for as long as the pages take. Returns
 * 0 when moved says for each what came of it, which need not be good; or a
 * negative errno that is about the call as a whole (-ESRCH, -EPERM, -ENODEV:
 * no such node, -EACCES: not in the cpuset), and moved says so all the same.
 */
int mm_migrate_by(const struct mm_mover *mover, pid_t pid, void *const *pages,
		  uint32_t nr, int nid, enum mm_moved *moved);

/* The same by the kernel's own. */
int mm_migrate(pid_t pid, void *const *pages, uint32_t nr, int nid,
	       enum mm_moved *moved);

#endif
