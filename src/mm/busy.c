/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why the kernel refuses an extent as busy.
 *
 * No interface shows the references on a page. But a refusal has few causes,
 * and all of them except a reference too many can be seen in kpageflags: a
 * page that is locked, under write-back, in the swap cache or off the LRU
 * lists. When the kernel has refused again and again and none of this shows,
 * somebody holds a reference: a pin for I/O or by a device (FACTS H7).
 */
#include "mm/internal.h"

#include <stdlib.h>

static bool mm_busy_is_transient(uint64_t flags)
{
	uint64_t any =
		KPF_LOCKED | KPF_WRITEBACK | KPF_SWAPCACHE;
	uint64_t lru = KPF_LRU | KPF_UNEVICTABLE;

	/* a tail says nothing of its own; its head is looked at too */
	if (flags & KPF_TAIL)
		return false;
	return flags & any || !(flags & lru);
}

enum mm_busy mm_busy(void *context, struct mm_window *window, uint64_t index)
{
	uint64_t entries[HUGETMPFS_EXTENT_PAGES], flags;
	struct mm *mm = context;
	unsigned seen = 0;
	off_t at;
	char *addr;

	if (!mm_has(mm, MM_KPAGEFLAGS) ||
	    mm_window_address(window, index, &addr) ||
	    mm_populate(context, window, index))
		return MM_BUSY_UNKNOWN;
	at = (off_t) ((uintptr_t) addr >> MM_PAGE_SHIFT);
	if (mm_sys_pread(mm->pagemap_fd, entries, sizeof(entries),
			 at * (off_t) sizeof(entries[0])))
		return MM_BUSY_UNKNOWN;
	for (int i = 0; i < HUGETMPFS_EXTENT_PAGES; i++) {
		uint64_t pfn = entries[i] & PAGEMAP_ENTRY_PFN;

		if (!(entries[i] & PAGEMAP_ENTRY_PRESENT) || pfn == 0)
			continue;
		if (mm_sys_pread(mm->kpageflags_fd, &flags, sizeof(flags),
				 (off_t) (pfn * sizeof(flags))))
			return MM_BUSY_UNKNOWN;
		if (mm_busy_is_transient(flags))
			return MM_BUSY_TRANSIENT;
		seen++;
	}
	return seen ? MM_BUSY_PINNED : MM_BUSY_UNKNOWN;
}
