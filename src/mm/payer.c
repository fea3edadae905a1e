/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who pays for an extent, and how much more can be charged to whom.
 *
 * A huge page is charged to the memory cgroup in whose name it is made (FACTS
 * H4), so whoever makes one chooses who pays. The right one is the group that
 * pays for most of the extent already: /proc/kpagecgroup tells for each page
 * (S8). A few pages stand for all; when they disagree, more are asked.
 */
#include "mm/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MM_OWNER_SAMPLES 16
#define MM_OWNER_FEW	 3

/* The group of the page that is mapped at addr; 0 when it is not known. */
static uint64_t mm_page_group(const struct mm *mm, const char *addr)
{
	off_t at = (off_t) ((uintptr_t) addr >> MM_PAGE_SHIFT);
	uint64_t entry, group = 0;

	if (mm_sys_pread(mm->pagemap_fd, &entry, sizeof(entry),
			 at * (off_t) sizeof(entry)) ||
	    !(entry & PAGEMAP_ENTRY_PRESENT))
		return 0;
	entry &= PAGEMAP_ENTRY_PFN;
	if (!entry || mm_sys_pread(mm->kpagecgroup_fd, &group, sizeof(group),
				   (off_t) (entry * sizeof(group))))
		return 0;
	return group;
}

/* The value that most of the others are, if there is one. */
static uint64_t mm_majority(const uint64_t *values, unsigned nr)
{
	uint64_t candidate = 0;
	unsigned lead = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (!values[i])
			continue;
		if (!lead)
			candidate = values[i];
		lead = values[i] == candidate ? lead + 1 : lead - 1;
	}
	return candidate;
}

/* Maps a page to be asked for; what is a hole must stay one. */
static bool mm_owner_touch(struct mm_window *window, uint64_t index,
			   uint64_t offset, char *page, bool whole)
{
	struct mm_sys_cachestat stat;

	if (!whole && !mm_has(window->mm, MM_CACHESTAT))
		return true; /* mapped with all that has data */
	if (!whole &&
	    (mm_sys_cachestat(window->fd,
			      (index << HUGETMPFS_EXTENT_SHIFT) + offset,
			      MM_PAGE_BYTES, &stat) ||
	     !stat.nr_cache))
		return false;
	return !mm_window_touch(window, page);
}

/*
 * Asks for pages that are evenly spread, one in each part of the extent. Some
 * that agree are enough. Returns the number of answers.
 */
static unsigned mm_owner_ask(struct mm_window *window, uint64_t index,
			     char *addr, bool whole, unsigned parts,
			     uint64_t *groups)
{
	uint64_t offset, group;
	unsigned nr = 0;

	for (unsigned i = 0; i < parts && nr < MM_OWNER_SAMPLES; i++) {
		/* first, middle and so on: far apart also when there are few */
		offset = (i * 7 % parts) * (HUGETMPFS_EXTENT_BYTES / parts);
		if (!mm_owner_touch(window, index, offset, addr + offset,
				    whole))
			continue;
		group = mm_page_group(window->mm, addr + offset);
		if (!group)
			continue;
		groups[nr++] = group;
		if (nr == MM_OWNER_FEW && groups[0] == groups[1] &&
		    groups[0] == groups[2])
			break;
	}
	return nr;
}

uint64_t mm_owner(void *context, struct mm_window *window, uint64_t index,
		  bool whole)
{
	uint64_t groups[MM_OWNER_SAMPLES];
	struct mm *mm = context;
	unsigned nr;
	char *addr;

	if (!mm_charge(mm) || !mm_has(mm, MM_KPAGECGROUP) ||
	    mm_window_address(window, index, &addr))
		return 0;
	if (!whole && !mm_has(mm, MM_CACHESTAT) &&
	    mm_populate(context, window, index))
		return 0;
	nr = mm_owner_ask(window, index, addr, whole, MM_OWNER_SAMPLES, groups);
	/* of an extent that is almost empty, each page */
	if (!nr && !whole)
		nr = mm_owner_ask(window, index, addr, whole,
				  HUGETMPFS_EXTENT_PAGES, groups);
	return mm_majority(groups, nr);
}

uint64_t mm_mapper_group(void *context, const struct mm_mapper *mapper)
{
	struct mm *mm = context;
	uint64_t ino = 0;

	if (mm_charge(mm) && charge_ino_of(mm->charge, mapper->pid, &ino))
		return 0;
	return ino;
}

static uint64_t mm_room_machine(void)
{
	uint64_t kib = UINT64_MAX / 1024;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

uint64_t mm_room(void *context, uint64_t group)
{
	uint64_t machine = mm_room_machine(), room = UINT64_MAX;
	struct mm *mm = context;
	int fd;

	if (!mm_charge(mm) || !group)
		return machine;
	fd = charge_group_by_ino(mm->charge, group);
	if (fd < 0)
		return machine;
	if (charge_room(mm->charge, fd, &room))
		room = UINT64_MAX;
	close(fd);
	return room < machine ? room : machine;
}

/* This process's own group, asked for once for each use of a window. */
static uint64_t mm_own_group(struct mm_window *window)
{
	if (!window->own_group &&
	    charge_ino_of(window->mm->charge, getpid(), &window->own_group))
		window->own_group = UINT64_MAX;
	return window->own_group;
}

/*
 * Up to 6.12 at least, what is made huge through an address below which there
 * is no page table yet, as in a process that has just begun, is not mapped, and
 * the answer is -EINVAL all the same. Then a touch maps it, and the same
 * question has the true answer. What has no page must not be touched: that
 * would be one.
 */
static int mm_collapse_at(char *addr)
{
	int ret = mm_sys_madvise(addr, HUGETMPFS_EXTENT_BYTES, MADV_COLLAPSE);
	unsigned char there = 0;

	if (ret != -EINVAL || mm_sys_mincore(addr, MM_PAGE_BYTES, &there) ||
	    !(there & 1) ||
	    mm_sys_madvise(addr, MM_PAGE_BYTES, MADV_POPULATE_READ))
		return ret;
	return mm_sys_madvise(addr, HUGETMPFS_EXTENT_BYTES, MADV_COLLAPSE);
}

struct mm_run {
	char *addr;
	uint32_t nr;
};

static int mm_collapse_run(void *arg)
{
	const struct mm_run *run = arg;
	size_t bytes = run->nr * HUGETMPFS_EXTENT_BYTES;
	int ret, error;

	if (run->nr == 1)
		return mm_collapse_at(run->addr);
	ret = mm_sys_madvise(run->addr, bytes, MADV_COLLAPSE);
	if (ret != -EINVAL)
		return ret;
	ret = 0;
	for (size_t at = 0; at < bytes; at += HUGETMPFS_EXTENT_BYTES) {
		error = mm_collapse_at(run->addr + at);
		ret = error ? error : ret;
	}
	return ret;
}

/*
 * In the window, whose mapping a process that is started in the group has as
 * well, at the same address.
 */
int mm_collapse(void *context, struct mm_window *window, uint64_t index,
		uint32_t nr, uint64_t group)
{
	struct mm_run run = {.nr = nr};
	struct mm *mm = context;
	int fd = -ENOENT, ret;

	ret = mm_window_address(window, index, &run.addr);
	if (ret)
		return ret;
	if (mm_charge(mm) && group && group != mm_own_group(window))
		fd = charge_group_by_ino(mm->charge, group);
	/* a group that is gone has left its pages to the one above it */
	if (fd < 0) {
		ret = mm_collapse_run(&run);
	} else {
		ret = charge_run(mm->charge, fd, -1, mm_collapse_run, &run);
		close(fd);
	}
	/* so that the next look is a page fault: it clears what is not clear */
	mm_sys_madvise(run.addr, nr * HUGETMPFS_EXTENT_BYTES, MADV_DONTNEED);
	return ret;
}
