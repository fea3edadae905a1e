/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a process has the extents of a file mapped: where, and by small or huge
 * entries. Its page tables show what it uses now (FACTS S3): present and not
 * huge is the best evidence that an extent is worth recovering.
 *
 * Without PAGEMAP_SCAN small and huge entries look the same; then whatever is
 * present counts as small, and the worst that comes of it is a superfluous
 * call of a microsecond to map what is mapped huge already.
 */
#include "mm/internal.h"

#include <stdio.h>

#define MM_VIEW_REGIONS 64

struct mm_view_walk {
	struct mm *mm;
	int pagemap_fd;
	uint64_t first;
	uint32_t nr;
	struct mm_view *views;
};

/* Whether this mapping of the extent is the one that counts. */
static bool mm_view_is_at(const struct mm_view_walk *walk, uint64_t i,
			  uint64_t addr_of_first)
{
	return i < walk->nr && walk->views[i].addr ==
			addr_of_first + (i << HUGETMPFS_EXTENT_SHIFT);
}

/* Marks what the page tables have in [start, end), mapped at offset start. */
static void mm_view_mark(struct mm_view_walk *walk, uint64_t addr_of_first,
			 const struct pagemap_region *region)
{
	uint64_t from = region->start - addr_of_first, next;
	uint64_t to = region->end - addr_of_first;
	struct mm_view *view;

	for (; from < to; from = next) {
		next = (from | (HUGETMPFS_EXTENT_BYTES - 1)) + 1;
		if (next > to)
			next = to;
		if (!mm_view_is_at(walk, from >> HUGETMPFS_EXTENT_SHIFT,
				   addr_of_first))
			continue;
		view = &walk->views[from >> HUGETMPFS_EXTENT_SHIFT];
		if (region->categories & PAGEMAP_HUGE)
			view->by_pmd = true;
		else
			view->small +=
				(uint16_t) ((next - from) >> MM_PAGE_SHIFT);
	}
}

static int mm_view_by_scan(struct mm_view_walk *walk, uint64_t addr_of_first,
			   uint64_t start, uint64_t end)
{
	struct pagemap_region regions[MM_VIEW_REGIONS];
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t) regions,
		.vec_len = MM_VIEW_REGIONS,
		.category_mask = PAGEMAP_PRESENT,
		.return_mask = PAGEMAP_PRESENT | PAGEMAP_HUGE,
	};
	int ret;

	while (arg.start < end) {
		ret = mm_sys_ioctl(walk->pagemap_fd, PAGEMAP_SCAN_IOC, &arg);
		if (ret < 0)
			return ret;
		for (int i = 0; i < ret; i++)
			mm_view_mark(walk, addr_of_first, &regions[i]);
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

static int mm_view_by_pagemap(struct mm_view_walk *walk, uint64_t addr_of_first,
			      uint64_t start, uint64_t end)
{
	uint64_t entries[HUGETMPFS_EXTENT_PAGES];
	uint64_t index = (start - addr_of_first) >> HUGETMPFS_EXTENT_SHIFT;
	struct mm_view *view;
	int ret;

	for (; start < end; start += HUGETMPFS_EXTENT_BYTES, index++) {
		off_t at = (off_t) ((start >> MM_PAGE_SHIFT) * 8);

		if (!mm_view_is_at(walk, index, addr_of_first))
			continue;
		view = &walk->views[index];
		ret = mm_sys_pread(walk->pagemap_fd, entries, sizeof(entries),
				   at);
		if (ret)
			return ret;
		for (int i = 0; i < HUGETMPFS_EXTENT_PAGES; i++)
			view->small +=
				(entries[i] & PAGEMAP_ENTRY_PRESENT) != 0;
	}
	return 0;
}

/* Takes in one mapping: which extents it covers, and how. */
static int mm_view_add(void *arg, const struct mm_vma *vma)
{
	struct mm_view_walk *walk = arg;
	uint64_t bytes = vma->end - vma->start;
	uint64_t from = vma->offset >> HUGETMPFS_EXTENT_SHIFT;
	uint64_t to = (vma->offset + bytes + HUGETMPFS_EXTENT_BYTES - 1) >>
		      HUGETMPFS_EXTENT_SHIFT;
	uint64_t shift = vma->start - vma->offset; /* address of offset 0 */
	uint64_t start = 0, end = 0, addr;
	bool aligned = shift % HUGETMPFS_EXTENT_BYTES == 0;
	struct mm_view *view;

	if (from < walk->first)
		from = walk->first;
	if (to > walk->first + walk->nr)
		to = walk->first + walk->nr;
	for (; from < to; from++) {
		view = &walk->views[from - walk->first];
		addr = shift + (from << HUGETMPFS_EXTENT_SHIFT);
		if (!aligned || addr < vma->start ||
		    addr + HUGETMPFS_EXTENT_BYTES > vma->end) {
			view->misaligned = view->addr == 0;
			continue;
		}
		if (view->addr) /* mapped twice: the first will do */
			continue;
		view->addr = addr;
		view->misaligned = false;
		start = start ? start : addr;
		end = addr + HUGETMPFS_EXTENT_BYTES;
	}
	if (start == end)
		return 0;
	addr = shift + (walk->first << HUGETMPFS_EXTENT_SHIFT);
	if (mm_has(walk->mm, MM_PAGEMAP_SCAN))
		return mm_view_by_scan(walk, addr, start, end);
	return mm_view_by_pagemap(walk, addr, start, end);
}

int mm_mapper_view(void *context, const struct mm_mapper *mapper, dev_t dev,
		   uint64_t ino, uint64_t first, uint32_t nr,
		   struct mm_view *views)
{
	struct mm_view_walk walk = {
		.mm = context,
		.first = first,
		.nr = nr,
		.views = views,
	};
	struct mm *mm = context;
	struct mm_inside inside;
	char path[64];
	int ret;

	for (uint32_t i = 0; i < nr; i++)
		views[i] = (struct mm_view){0};
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int) mapper->pid);
	walk.pagemap_fd = mm_sys_open(path, O_RDONLY);
	if (walk.pagemap_fd < 0)
		return walk.pagemap_fd == -ENOENT ? -ESRCH : walk.pagemap_fd;
	ret = mm_guard_enter(&mm->guard, &inside, mapper->pid, true);
	if (!ret) {
		ret = mm_for_each_vma(mm, mapper->pid, dev, ino, mm_view_add,
				      &walk);
		mm_guard_leave(&mm->guard, &inside);
	}
	close(walk.pagemap_fd);
	/* if it lives, what was opened by its number was its own */
	if (mm_sys_pidfd_alive(mapper->pidfd))
		ret = -ESRCH;
	return ret;
}
