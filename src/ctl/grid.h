/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The picture of a file: one cell an extent, 64 a row, and what the cells say
 * in numbers.
 */
#ifndef CTL_GRID_H
#define CTL_GRID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <hugetmpfs/hugetmpfs.h>

#define GRID_COLUMNS 64

/* Set out, color and all; the rest is the grid's own and begins as zero. */
struct grid {
	FILE *out;
	bool color;
	bool all;	/* show rows that are like the one before, too */
	bool nodes;	/* cells are grid_node()s, not states */
	uint64_t first;	/* index of the row's first extent */
	unsigned nr;	/* cells in row */
	uint64_t nr_same; /* rows after the last shown that are like it */
	bool has_shown;
	unsigned char row[GRID_COLUMNS]; /* enum hugetmpfs_state, or nodes */
	unsigned char shown[GRID_COLUMNS];
};

/* What to add for the node that an extent is on. */
unsigned grid_node(const struct hugetmpfs_extent *extent);

/* The next nr extents, all with this state. */
void grid_add(struct grid *grid, uint64_t nr, unsigned state);

/* Shows what is left. */
void grid_end(struct grid *grid);

/* The cell of a state: one character. */
char grid_cell(unsigned state);

/*
 * Shows a summary: extents by state, which is the legend too, the coverage,
 * and the reasons of the extents that are not huge.
 */
void grid_summary(FILE *out, bool color,
		  const struct hugetmpfs_summary *summary);

/* The reasons but for done: how often and what they mean. */
void grid_reasons(FILE *out, const struct hugetmpfs_summary *summary);

/* "87.5 % of 64 eligible extents", or that there are none. */
void grid_coverage(FILE *out, const struct hugetmpfs_summary *summary);

#endif
