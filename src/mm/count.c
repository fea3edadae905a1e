/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many pages of each extent are in memory and how many on swap.
 *
 * cachestat(2) tells without touching a page (FACTS S2). It walks what is
 * there, so one call over a hole is free however big it is, and one over an
 * area that is all in memory or all on swap answers for every extent in it;
 * only mixed areas are asked again in smaller parts. SEEK_HOLE would not do
 * in its place: pages that were allocated by fallocate and never written are
 * holes to it, though they are in memory.
 *
 * Without cachestat, data is what SEEK_DATA says and memory is what mincore
 * says, on a mapping. mincore takes pages in the swap cache for resident, so
 * an extent that was just read from swap, but not yet brought in, is shown as
 * small where it should be swapped; the collapse brings it in. Pages from
 * fallocate are data if mincore sees them, which it does once they are used.
 */
#include "mm/internal.h"

/* Into how many parts a mixed area is divided. */
#define MM_COUNT_PARTS 16

static void mm_count_fill(struct mm_count *counts, uint32_t nr,
			  uint16_t resident, uint16_t swapped)
{
	for (uint32_t i = 0; i < nr; i++) {
		counts[i].resident = resident;
		counts[i].swapped = swapped;
	}
}

static int mm_count_cachestat(int fd, uint64_t first, uint32_t nr,
			      struct mm_count *counts)
{
	uint64_t all = (uint64_t) nr * HUGETMPFS_EXTENT_PAGES;
	struct mm_sys_cachestat stat;
	uint32_t part, n;
	int ret;

	ret = mm_sys_cachestat(fd, first << HUGETMPFS_EXTENT_SHIFT,
			       (uint64_t) nr << HUGETMPFS_EXTENT_SHIFT, &stat);
	if (ret)
		return ret;
	/* pages come and go during the walk */
	if (stat.nr_cache > all)
		stat.nr_cache = all;
	if (stat.nr_evicted > all - stat.nr_cache)
		stat.nr_evicted = all - stat.nr_cache;
	if (nr == 1 || stat.nr_cache == all || stat.nr_evicted == all ||
	    stat.nr_cache + stat.nr_evicted == 0) {
		mm_count_fill(counts, nr, stat.nr_cache / nr,
			      stat.nr_evicted / nr);
		return 0;
	}
	part = nr <= MM_COUNT_PARTS ? 1 : nr / MM_COUNT_PARTS;
	for (uint32_t i = 0; i < nr; i += n) {
		n = nr - i < part ? nr - i : part;
		ret = mm_count_cachestat(fd, first + i, n, counts + i);
		if (ret)
			return ret;
	}
	return 0;
}

/* Counts the first pages of an extent by mincore and SEEK_DATA. */
static int mm_count_mincore(struct mm_window *window, uint64_t index,
			    uint16_t pages, struct mm_count *count)
{
	uint64_t start = index << HUGETMPFS_EXTENT_SHIFT;
	uint64_t end = start + pages * MM_PAGE_BYTES;
	uint64_t base = start, run_end;
	unsigned char vec[HUGETMPFS_EXTENT_PAGES];
	char *addr;
	int ret;

	count->resident = 0;
	count->swapped = 0;
	ret = mm_window_address(window, index, &addr);
	if (ret)
		return ret;
	ret = mm_sys_mincore(addr, pages * MM_PAGE_BYTES, vec);
	if (ret)
		return ret;
	for (uint16_t i = 0; i < pages; i++)
		count->resident += vec[i] & 1;
	while ((ret = mm_next_data(window->fd, &start, end, &run_end)) > 0) {
		for (; start < run_end; start += MM_PAGE_BYTES)
			count->swapped +=
				!(vec[(start - base) >> MM_PAGE_SHIFT] & 1);
	}
	return ret;
}

int mm_count_head(struct mm_window *window, uint64_t index, uint16_t pages,
		  struct mm_count *count)
{
	uint64_t bytes = pages * MM_PAGE_BYTES;
	struct mm_sys_cachestat stat;
	int ret;

	if (!mm_has(window->mm, MM_CACHESTAT))
		return mm_count_mincore(window, index, pages, count);
	ret = mm_sys_cachestat(window->fd, index << HUGETMPFS_EXTENT_SHIFT,
			       bytes, &stat);
	if (ret)
		return ret;
	if (stat.nr_cache > pages)
		stat.nr_cache = pages;
	if (stat.nr_evicted > pages - stat.nr_cache)
		stat.nr_evicted = pages - stat.nr_cache;
	count->resident = stat.nr_cache;
	count->swapped = stat.nr_evicted;
	return 0;
}

/* Those of which nothing is known. */
static int mm_count_ask(struct mm_window *window, uint64_t first, uint32_t nr,
			struct mm_count *counts)
{
	uint64_t start, end = (first + nr) << HUGETMPFS_EXTENT_SHIFT, run_end;
	uint64_t index;
	int ret;

	if (mm_has(window->mm, MM_CACHESTAT))
		return mm_count_cachestat(window->fd, first, nr, counts);
	mm_count_fill(counts, nr, 0, 0);
	start = first << HUGETMPFS_EXTENT_SHIFT;
	while ((ret = mm_next_data(window->fd, &start, end, &run_end)) > 0) {
		index = start >> HUGETMPFS_EXTENT_SHIFT;
		ret = mm_count_mincore(window, index, HUGETMPFS_EXTENT_PAGES,
				       &counts[index - first]);
		if (ret)
			return ret;
		start = (index + 1) << HUGETMPFS_EXTENT_SHIFT;
	}
	return ret;
}

int mm_count(struct mm_window *window, uint64_t first, uint32_t nr,
	     const enum mm_known *known, struct mm_count *counts)
{
	uint32_t i = 0, end;
	int ret = 0;

	while (i < nr && !ret) {
		if (known && known[i] != MM_KNOWN_NOTHING) {
			mm_count_fill(&counts[i++], 1, HUGETMPFS_EXTENT_PAGES,
				      0);
			continue;
		}
		end = i + 1;
		while (end < nr &&
		       (!known || known[end] == MM_KNOWN_NOTHING))
			end++;
		ret = mm_count_ask(window, first + i, end - i, counts + i);
		i = end;
	}
	return ret;
}

int mm_for_each_run(int fd, uint64_t index, uint32_t first, uint32_t nr,
		    enum mm_run_kind kind, mm_run_fn *fn, void *arg)
{
	struct mm_sys_cachestat stat;
	uint64_t there;
	int ret;

	ret = mm_sys_cachestat(fd,
			       (index << HUGETMPFS_EXTENT_SHIFT) +
				       first * MM_PAGE_BYTES,
			       nr * MM_PAGE_BYTES, &stat);
	if (ret)
		return ret;
	there = stat.nr_cache + (kind == MM_RUN_DATA ? stat.nr_evicted : 0);
	if (there == 0)
		return 0;
	if (there >= nr)
		return fn(arg, first, nr);
	ret = mm_for_each_run(fd, index, first, nr / 2, kind, fn, arg);
	if (ret)
		return ret;
	return mm_for_each_run(fd, index, first + nr / 2, nr - nr / 2, kind, fn,
			       arg);
}
