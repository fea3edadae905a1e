/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sums by node, and what is misplaced.
 */
#include "ctl/nodes.h"

#include <inttypes.h>

#include "ctl/message.h"

#define PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

static void nodes_add_misplaced(struct nodes_sum *sum,
				const struct hugetmpfs_extent *extent)
{
	struct nodes_run *last = NULL;

	sum->misplaced_extents++;
	sum->misplaced_pages += extent->misplaced_pages;
	if (sum->nr_runs && sum->nr_runs <= NODES_RUNS)
		last = &sum->runs[sum->nr_runs - 1];
	if (last && last->last + 1 == extent->index &&
	    last->nid == extent->nid &&
	    last->target_nid == extent->target_nid) {
		last->last++;
		return;
	}
	if (sum->nr_runs < NODES_RUNS)
		sum->runs[sum->nr_runs] = (struct nodes_run){
			.first = extent->index,
			.last = extent->index,
			.nid = extent->nid,
			.target_nid = extent->target_nid,
		};
	sum->nr_runs++;
}

void nodes_add(struct nodes_sum *sum, const struct hugetmpfs_extent *extents,
	       uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct hugetmpfs_extent *extent = &extents[i];

		if (extent->nid >= 0 && extent->nid < NODESET_NODES) {
			sum->extents[extent->nid]++;
			sum->pages[extent->nid] +=
				extent->data_pages - extent->swapped_pages;
		}
		if (extent->misplaced_pages)
			nodes_add_misplaced(sum, extent);
	}
}

static void print_run(FILE *out, const struct nodes_run *run)
{
	if (run->first == run->last)
		fprintf(out, "  extent %" PRIu64, run->first);
	else
		fprintf(out, "  extents %" PRIu64 "-%" PRIu64, run->first,
			run->last);
	if (run->nid >= 0)
		fprintf(out, ": most of it on node %d", run->nid);
	if (run->target_nid >= 0)
		fprintf(out, "%s belongs on node %d", run->nid >= 0 ? "," : ":",
			run->target_nid);
	fputc('\n', out);
}

void nodes_print(FILE *out, const struct nodes_sum *sum)
{
	char size[SHOW_SIZE_BYTES];

	for (int nid = 0; nid < NODESET_NODES; nid++) {
		if (sum->extents[nid])
			fprintf(out, "  node %-5d%16" PRIu64 " extents%14s\n",
				nid, sum->extents[nid],
				show_size((double) (PAGE_BYTES *
						    sum->pages[nid]),
					  size));
	}
	if (!sum->misplaced_extents) {
		fputs("misplaced: nothing\n", out);
		return;
	}
	fprintf(out, "misplaced: %s in %" PRIu64 " extent%s\n",
		show_size((double) (PAGE_BYTES * sum->misplaced_pages), size),
		sum->misplaced_extents, sum->misplaced_extents == 1 ? "" : "s");
	for (uint64_t i = 0; i < sum->nr_runs && i < NODES_RUNS; i++)
		print_run(out, &sum->runs[i]);
	if (sum->nr_runs > NODES_RUNS)
		fputs("  and others; --json has all\n", out);
}
