/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA node an extent lies. With one node there is nothing to ask.
 *
 * Else move_pages(2) tells it for pages that are mapped (FACTS S5). A huge
 * extent is one page. Of others, those blocks that are wholly in memory are
 * mapped and asked for; blocks with swapped pages or holes are left alone,
 * because mapping them would bring in or fill what is not there.
 */
#include "mm/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MM_NODES_BLOCK 16 /* pages, as many as one fault maps around it */
#define MM_MAX_NODES   1024

void mm_nodes_probe(struct mm *mm)
{
	DIR *dir = opendir("/sys/devices/system/node");
	struct dirent *entry;
	unsigned nodes = 0;
	int node;
	char end;

	mm->node = 0;
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "node%d%c", &node, &end) != 1)
			continue;
		mm->node = (int16_t) node;
		nodes++;
	}
	if (dir)
		closedir(dir);
	/* a kernel without NUMA has no such folder, and one node */
	mm->one_node = nodes <= 1;
}

/* Gathers the addresses of the resident pages of an extent, mapped. */
static uint32_t mm_nodes_gather(struct mm_window *window, uint64_t index,
				const struct mm_extent *extent, char *addr,
				void **pages)
{
	uint64_t start = index << HUGETMPFS_EXTENT_SHIFT;
	uint64_t bytes = MM_NODES_BLOCK * MM_PAGE_BYTES;
	bool whole = extent->resident == HUGETMPFS_EXTENT_PAGES;
	struct mm_sys_cachestat stat;
	uint32_t nr = 0;

	for (uint64_t at = 0; at < HUGETMPFS_EXTENT_BYTES; at += bytes) {
		if (!whole &&
		    (!mm_has(window->mm, MM_CACHESTAT) ||
		     mm_sys_cachestat(window->fd, start + at, bytes, &stat) ||
		     stat.nr_cache != MM_NODES_BLOCK))
			continue;
		if (mm_window_touch(window, addr + at))
			continue;
		for (int i = 0; i < MM_NODES_BLOCK; i++)
			pages[nr++] = addr + at + i * MM_PAGE_BYTES;
	}
	return nr;
}

/* The node that most of the pages are on, -1 when none is known. */
static int16_t mm_nodes_majority(const int *status, uint32_t nr)
{
	uint16_t count[MM_MAX_NODES] = {0};
	int best = -1;

	for (uint32_t i = 0; i < nr; i++) {
		if (status[i] < 0 || status[i] >= MM_MAX_NODES)
			continue;
		count[status[i]]++;
		if (best < 0 || count[status[i]] > count[best])
			best = status[i];
	}
	return (int16_t) best;
}

static int16_t mm_find_node(struct mm_window *window, uint64_t index,
			    const struct mm_extent *extent)
{
	void *pages[HUGETMPFS_EXTENT_PAGES];
	int status[HUGETMPFS_EXTENT_PAGES];
	uint32_t nr = 1;
	char *addr;

	if (mm_window_address(window, index, &addr))
		return -1;
	pages[0] = addr;
	if (!extent->huge)
		nr = mm_nodes_gather(window, index, extent, addr, pages);
	memset(status, 0xff, sizeof(status));
	if (nr == 0 || mm_sys_page_nodes(nr, pages, status) < 0)
		return -1;
	return mm_nodes_majority(status, nr);
}

int mm_find_nodes(struct mm_window *window, uint64_t first, uint32_t nr,
		  struct mm_extent *extents)
{
	const struct mm *mm = window->mm;

	for (uint32_t i = 0; i < nr; i++) {
		if (extents[i].resident == 0)
			continue;
		if (mm->one_node)
			extents[i].nid = mm->node;
		else if (mm_has(mm, MM_PAGE_NODES))
			extents[i].nid =
				mm_find_node(window, first + i, &extents[i]);
	}
	return 0;
}
