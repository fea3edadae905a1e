/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA nodes the pages of an extent lie. With one node there is
 * nothing to ask.
 *
 * Else move_pages(2) tells it for pages that are mapped (FACTS S5). A huge
 * extent is one page. Of others, what is in memory is found first and mapped
 * then, one block of pages with a touch, as a fault maps its neighbours when
 * they are there; what that leaves out is touched alone. Holes and what is on
 * swap are left alone: mapping them would fill them or bring them in.
 */
#include "mm/internal.h"

#include <stdlib.h>
#include <string.h>

#define MM_NODES_BLOCK 16 /* pages, as many as one fault maps around it */

/* An extent of which pages are gathered. */
struct mm_gather {
	struct mm_window *window;
	char *addr;
	struct mm_pages *pages;
};

static int mm_gather_run(void *arg, uint32_t from, uint32_t nr)
{
	const struct mm_gather *gather = arg;
	struct mm_pages *pages = gather->pages;
	char *addr;

	for (uint32_t i = from; i < from + nr; i++) {
		addr = gather->addr + i * MM_PAGE_BYTES;
		if (i == from || i % MM_NODES_BLOCK == 0)
			mm_window_touch(gather->window, addr);
		pages->at[pages->nr++] = addr;
	}
	return 0;
}

static void mm_gather_mincore(struct mm_gather *gather, uint32_t nr)
{
	unsigned char vec[HUGETMPFS_EXTENT_PAGES];

	if (mm_sys_mincore(gather->addr, nr * MM_PAGE_BYTES, vec))
		return;
	for (uint32_t i = 0; i < nr; i++) {
		if (vec[i] & 1)
			mm_gather_run(gather, i, 1);
	}
}

void mm_pages_ask_again(struct mm_window *window, struct mm_pages *pages)
{
	uint32_t place[HUGETMPFS_EXTENT_PAGES];
	void *at[HUGETMPFS_EXTENT_PAGES];
	int node[HUGETMPFS_EXTENT_PAGES];
	uint32_t nr = 0;

	for (uint32_t i = 0; i < pages->nr; i++) {
		if (pages->node[i] >= 0 || mm_window_touch(window, pages->at[i]))
			continue;
		place[nr] = i;
		at[nr] = pages->at[i];
		node[nr++] = -1;
	}
	if (!nr || mm_sys_page_nodes(nr, at, node) < 0)
		return;
	while (nr-- > 0)
		pages->node[place[nr]] = node[nr];
}

int mm_pages_map(struct mm_window *window, uint64_t index,
		 const struct mm_extent *extent, struct mm_pages *pages)
{
	struct mm_gather gather = {
		.window = window,
		.pages = pages,
	};
	int ret;

	pages->nr = 0;
	ret = mm_window_address(window, index, &gather.addr);
	if (ret)
		return ret;
	if (extent->huge)
		mm_gather_run(&gather, 0, 1);
	else if (extent->resident == extent->pages)
		mm_gather_run(&gather, 0, extent->pages);
	else if (mm_has(window->mm, MM_CACHESTAT))
		mm_for_each_run(window->fd, index, 0, extent->pages,
				MM_RUN_RESIDENT, mm_gather_run, &gather);
	else
		mm_gather_mincore(&gather, extent->pages);
	memset(pages->node, 0xff, sizeof(pages->node));
	return 0;
}

int mm_pages_find(struct mm_window *window, uint64_t index,
		  const struct mm_extent *extent, struct mm_pages *pages)
{
	int ret = mm_pages_map(window, index, extent, pages);

	if (ret || !pages->nr)
		return ret;
	ret = mm_sys_page_nodes(pages->nr, pages->at, pages->node);
	if (ret < 0)
		return ret;
	mm_pages_ask_again(window, pages);
	return 0;
}

/* The nodes with the most pages, those first, into the extent. */
static void mm_nodes_rank(const uint16_t *count, struct mm_extent *extent)
{
	struct mm_node_pages *nodes = extent->nodes;
	unsigned at;

	for (int nid = 0; nid < NODESET_NODES; nid++) {
		if (!count[nid])
			continue;
		at = extent->nr_nodes;
		if (at < MM_EXTENT_NODES)
			extent->nr_nodes++;
		else if (nodes[--at].pages >= count[nid])
			continue;
		for (; at > 0 && nodes[at - 1].pages < count[nid]; at--)
			nodes[at] = nodes[at - 1];
		nodes[at].nid = (int16_t) nid;
		nodes[at].pages = count[nid];
	}
	if (extent->nr_nodes)
		extent->nid = nodes[0].nid;
}

static void mm_find_node(struct mm_window *window, uint64_t index,
			 struct mm_extent *extent)
{
	uint16_t each = extent->huge ? extent->resident : 1;
	uint16_t count[NODESET_NODES] = {0};
	struct mm_pages pages;

	if (mm_pages_find(window, index, extent, &pages))
		return;
	for (uint32_t i = 0; i < pages.nr; i++) {
		if (pages.node[i] >= 0 && pages.node[i] < NODESET_NODES)
			count[pages.node[i]] += each;
	}
	mm_nodes_rank(count, extent);
}

void mm_find_nodes(struct mm_window *window, uint64_t first, uint32_t nr,
		   struct mm_extent *extents)
{
	int only = mm_only_node(window->mm);

	for (uint32_t i = 0; i < nr; i++) {
		extents[i].nid = -1;
		extents[i].nr_nodes = 0;
		if (extents[i].resident == 0)
			continue;
		if (only >= 0) {
			extents[i].nid = (int16_t) only;
			extents[i].nr_nodes = 1;
			extents[i].nodes[0] = (struct mm_node_pages){
				.nid = (int16_t) only,
				.pages = extents[i].resident,
			};
		} else if (mm_has(window->mm, MM_PAGE_NODES)) {
			mm_find_node(window, first + i, &extents[i]);
		}
	}
}
