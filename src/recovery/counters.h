/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the engine counts. The first 26 have the names that the 2016 kernel
 * series gave them, and the meaning nearest to it that user space allows.
 */
#ifndef RECOVERY_COUNTERS_H
#define RECOVERY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include <hugetmpfs/types.h>

/* X(name, what one count means) */
#define RECOVERY_COUNTERS(X)                                                   \
	X(huge_alloced, "extents that a collapse made huge")                   \
	X(huge_failed, "extents given up because no huge page was free")       \
	X(huge_too_late, "extents whose pages were released during a collapse") \
	X(page_created, "holes filled by collapses")                           \
	X(page_migrate, "pages taken to be moved into huge pages, or to their NUMA nodes") \
	X(page_off_lru, "collapses refused because a page was busy, and pages that could not be taken to be moved") \
	X(page_raced, "extents that somebody else made huge during a recovery") \
	X(page_teamed, "pages in the extents that were completed")             \
	X(page_unmigrated, "pages taken and not moved, or left small or misplaced in extents that were given up") \
	X(recov_completed, "recoveries that made their extent huge, or moved a huge one to its NUMA node") \
	X(recov_failed, "recoveries that gained nothing, or met an error")     \
	X(recov_partial, "recoveries that brought an extent nearer, no more")  \
	X(recov_retried, "recoveries tried a second time as a whole")          \
	X(remap_another, "extents mapped huge in other mappers")               \
	X(remap_faulter, "extents mapped huge in the recovery mm by its collapse") \
	X(remap_untried, "extents left to small entries in a mapper that cannot have them huge, or is gone") \
	X(resume_tagged, "recoveries of an extent left partial, that has changed since") \
	X(resume_teamed, "recoveries that went on where one had left off")     \
	X(swap_cached, "swapped pages that were in when the pass came to them") \
	X(swap_entry, "pages found on swap by recoveries")                     \
	X(swap_gone, "swapped pages that were released before they were read") \
	X(swap_read, "pages that recoveries brought in from swap")             \
	X(work_already, "works asked for while the same extent was queued or under way") \
	X(work_queued, "works queued")                                         \
	X(work_too_late, "works found useless before they began")              \
	X(work_too_many, "extents asked for that were not taken because the queue was full") \
	X(scan_looks, "looks at all processes for extents used by small pages") \
	X(scan_processes, "processes that those looks found")                  \
	X(scan_mappers, "of those processes, ones that had a file of the mount mapped") \
	X(scan_stuck, "of those processes, ones that could not be looked at because their address space was locked") \
	X(scan_evidence, "extents that looks found in use by small pages")     \
	X(worker_stuck, "workers that were replaced because the locked address space of a process kept them") \
	X(scan_swept, "extents looked at for whether they are on the NUMA node that their policy names") \
	X(scan_misplaced, "of those extents, ones that were not")

enum recovery_counter {
#define X(name, meaning) RECOVERY_COUNT_##name,
	RECOVERY_COUNTERS(X)
#undef X
	/*
	 * One for each reason a work can end with, in their order. Their place
	 * stays where it is when a counter is added: tables are handed on.
	 */
	RECOVERY_COUNT_reasons = 64,
	RECOVERY_NR_COUNTERS = RECOVERY_COUNT_reasons + HUGETMPFS_NR_REASONS
};

/* May lie in shared memory and outlive the engine. */
struct recovery_counters {
	_Atomic uint64_t count[RECOVERY_NR_COUNTERS];
};

/*
 * Indexed as count[]; the last ones are "ended_" and the reason's name. NULL
 * for a word that is not in use.
 */
extern const char *const recovery_counter_names[RECOVERY_NR_COUNTERS];
extern const char *const recovery_counter_meanings[RECOVERY_NR_COUNTERS];

static inline void recovery_count_add(struct recovery_counters *counters,
				      enum recovery_counter which, uint64_t n)
{
	atomic_fetch_add_explicit(&counters->count[which], n,
				  memory_order_relaxed);
}

#endif
