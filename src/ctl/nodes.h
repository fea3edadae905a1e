/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extents by the NUMA node they are on, and runs of those that belong elsewhere.
 */
#ifndef CTL_NODES_H
#define CTL_NODES_H

#include <stdio.h>

#include <hugetmpfs/hugetmpfs.h>

#include "base/nodeset.h"

/* So many runs are named. */
#define NODES_RUNS 16

/* Extents in a row with the same node and target, pages of them misplaced. */
struct nodes_run {
	uint64_t first;
	uint64_t last;
	int16_t nid;
	int16_t target_nid;
};

/* Begins as all zero. */
struct nodes_sum {
	uint64_t extents[NODESET_NODES]; /* most of whose pages are there */
	uint64_t pages[NODESET_NODES];	 /* in memory, of these extents */
	uint64_t misplaced_extents;
	uint64_t misplaced_pages;
	uint64_t nr_runs; /* also of those that are not kept */
	struct nodes_run runs[NODES_RUNS];
};

/* Adds nr extents, by ascending index. */
void nodes_add(struct nodes_sum *sum, const struct hugetmpfs_extent *extents,
	       uint32_t nr);

void nodes_print(FILE *out, const struct nodes_sum *sum);

#endif
