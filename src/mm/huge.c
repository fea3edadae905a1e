/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which extents are one huge page.
 *
 * Aligned and contiguous frames prove nothing, nor does the flag THP: tmpfs
 * builds large folios of every order (FACTS S4). There are two proofs. A fresh
 * mapping at an aligned address maps a huge page by one PMD as soon as one
 * byte of it is touched, and PAGEMAP_SCAN reports it for a whole range in one
 * call. Or /proc/kpageflags shows one head at the first page and 511 tails.
 * The first is some twenty times cheaper. The second is for what the first
 * misses, because this process may not map huge pages (prctl, sysfs). Both say
 * no when the extent changes under the look, never yes when it is not so.
 */
#include "mm/internal.h"

#define MM_HUGE_REGIONS 32

/* Marks the extents of the window that are mapped by PMD. */
static int mm_huge_by_scan(struct mm_window *window, uint64_t first,
			   uint32_t nr, bool *huge)
{
	struct pagemap_region regions[MM_HUGE_REGIONS];
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.vec = (uintptr_t) regions,
		.vec_len = MM_HUGE_REGIONS,
		.category_mask = PAGEMAP_HUGE,
		.return_mask = PAGEMAP_HUGE,
	};
	uint64_t from, to;
	char *addr;
	int ret;

	ret = mm_window_address(window, first, &addr);
	if (ret)
		return ret;
	arg.start = (uintptr_t) addr;
	arg.end = arg.start + nr * HUGETMPFS_EXTENT_BYTES;
	while (arg.start < arg.end) {
		ret = mm_sys_ioctl(window->mm->pagemap_fd, PAGEMAP_SCAN_IOC,
				   &arg);
		if (ret < 0)
			return ret;
		for (int i = 0; i < ret; i++) {
			from = regions[i].start - (uintptr_t) addr;
			to = regions[i].end - (uintptr_t) addr;
			from += HUGETMPFS_EXTENT_BYTES - 1;
			from >>= HUGETMPFS_EXTENT_SHIFT;
			to >>= HUGETMPFS_EXTENT_SHIFT;
			for (; from < to; from++)
				huge[from] = true;
		}
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

/* Tells by kpageflags about the extent whose first page is mapped at addr. */
static int mm_huge_by_flags(const struct mm *mm, const char *addr, bool *huge)
{
	uint64_t flags[HUGETMPFS_EXTENT_PAGES], entry;
	off_t at = (off_t) ((uintptr_t) addr >> MM_PAGE_SHIFT);
	uint64_t pfn;
	int ret;

	ret = mm_sys_pread(mm->pagemap_fd, &entry, sizeof(entry),
			   at * (off_t) sizeof(entry));
	if (ret || !(entry & PAGEMAP_ENTRY_PRESENT))
		return ret;
	pfn = entry & PAGEMAP_ENTRY_PFN;
	if (pfn == 0 || pfn % HUGETMPFS_EXTENT_PAGES)
		return 0;
	ret = mm_sys_pread(mm->kpageflags_fd, flags, sizeof(flags),
			   (off_t) (pfn * sizeof(flags[0])));
	if (ret || !(flags[0] & KPF_HEAD))
		return ret;
	for (int i = 1; i < HUGETMPFS_EXTENT_PAGES; i++) {
		if (flags[i] & KPF_HEAD || !(flags[i] & KPF_TAIL))
			return 0;
	}
	*huge = true;
	return 0;
}

/*
 * Takes over what is known, and brings the first page of each candidate in.
 * Returns whether there is one.
 */
static int mm_huge_touch(struct mm_window *window, uint64_t first, uint32_t nr,
			 const enum mm_known *known,
			 const struct mm_count *counts, bool *huge)
{
	char *addr;
	int ret, any = 0;

	for (uint32_t i = 0; i < nr; i++) {
		huge[i] = known && known[i] == MM_KNOWN_HUGE;
		if (huge[i] || counts[i].resident != HUGETMPFS_EXTENT_PAGES)
			continue;
		ret = mm_window_address(window, first + i, &addr);
		if (ret)
			return ret;
		/* it may be gone since it was counted: then it is not huge */
		mm_window_touch(window, addr);
		any = 1;
	}
	return any;
}

int mm_find_huge(struct mm_window *window, uint64_t first, uint32_t nr,
		 const enum mm_known *known, const struct mm_count *counts,
		 bool *huge)
{
	char *addr;
	int ret;

	ret = mm_huge_touch(window, first, nr, known, counts, huge);
	if (ret <= 0)
		return ret;
	if (mm_has(window->mm, MM_PAGEMAP_SCAN)) {
		ret = mm_huge_by_scan(window, first, nr, huge);
		if (ret)
			return ret;
	}
	if (!mm_has(window->mm, MM_KPAGEFLAGS))
		return 0;
	for (uint32_t i = 0; i < nr; i++) {
		if (huge[i] || counts[i].resident != HUGETMPFS_EXTENT_PAGES)
			continue;
		ret = mm_window_address(window, first + i, &addr);
		if (!ret)
			ret = mm_huge_by_flags(window->mm, addr, &huge[i]);
		if (ret)
			return ret;
	}
	return 0;
}
