/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On which nodes pages are, as the engine sees it and moves them. */
#include "engine.h"
#include "mm/internal.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Each page that is in memory is asked for, and no other one is touched. */
static void nodes_look(struct mm *mm, struct mm_window *window,
		       struct file *file, int node)
{
	const struct mm_ops *ops = mm_real_ops(mm);
	struct mm_extent extents[4], *one = extents;
	uint64_t kib = file_kib(file), size;

	ops->window_attach(mm, window, file->fd, 0, 4);
	check_equal(ops->look(mm, window, 0, 4, NULL, extents, &size), 4);
	for (; one < extents + 4; one++) {
		check_equal(one->nr_nodes, one->resident != 0);
		check_equal(one->nid, one->resident ? node : -1);
		if (one->resident)
			check_equal(one->nodes[0].pages, one->resident);
	}
	check(extents[1].huge && extents[2].resident < 512);
	check_equal(file_kib(file), kib);
}

/* What is there already is not moved, and to no node that there is not. */
static void nodes_migrate(struct mm *mm, struct mm_window *window, int node)
{
	const struct mm_ops *ops = mm_real_ops(mm);
	const struct nodeset nowhere = {0};
	struct mm_migrated migrated;
	struct mm_extent extent;
	uint64_t size;

	for (uint64_t index = 0; index < 4; index++) {
		check_equal(ops->look(mm, window, index, 1, NULL,
				      &extent, &size), 1);
		check_equal(ops->migrate(mm, window, index, &extent, node,
					 &nowhere, 0, &migrated), 0);
		for (int i = 0; i < MM_NR_MOVED; i++)
			check_equal(migrated.pages[i], 0);
		check_equal(ops->migrate(mm, window, index, &extent, 999,
					 &nowhere, 100, &migrated),
			    extent.resident ? -ENODEV : 0);
		check_equal(migrated.pages[MM_MOVED_THERE], 0);
	}
}

static void nodes_topology(struct mm *mm, int node)
{
	const struct mm_ops *ops = mm_real_ops(mm);
	struct nodeset allowed;
	uint64_t bytes;
	int distance[4];

	check(!ops->nodes_several(mm));
	check_equal(ops->nodes_allowed(mm, 0, &allowed), 0);
	check_equal(nodeset_count(&allowed), 1);
	check(nodeset_has(&allowed, node));
	check_equal(ops->node_room(mm, node, &bytes), 0);
	check(bytes > EXTENT);
	check_equal(ops->node_room(mm, 999, &bytes), -ENODEV);
	check_equal(ops->node_distances(mm, node, distance, 4), 0);
	check_equal(distance[node], 10);
	check(ops->node_distances(mm, 999, distance, 4) < 0);
}

/* On a machine with one node, asked as if there were more. */
void engine_look_nodes(void)
{
	struct mm_window *window;
	struct file file;
	struct mm *mm;
	int node;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 4 * EXTENT);
	file_fill(&file, 0, 3 * EXTENT, 1 << 16);
	for (int i = 0; i < 40; i++)
		file_punch(&file, 2 * EXTENT + i * 11 * PAGE, (1 + i % 5) * PAGE);
	file_collapse(&file, 1);
	for (unsigned without = 0; without < 2; without++) {
		check_equal(mm_open(&mm, without * (WITHOUT(CACHESTAT) |
						    WITHOUT(POPULATE_READ))),
			    0);
		check_equal(mm_real_ops(mm)->window_open(mm, 4, &window), 0);
		node = mm_only_node(mm);
		if (node >= 0) {
			nodes_topology(mm, node);
			mm->only_node = -1;
			mm->nodes_fresh_ns = UINT64_MAX;
			nodes_look(mm, window, &file, node);
			nodes_migrate(mm, window, node);
		}
		mm_real_ops(mm)->window_close(mm, window);
		mm_close(mm);
	}
	file_end(&file);
	tmpfs_umount();
}
