/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drawing of the grid. As in a hex dump, many rows that are alike are shown as
 * the first of them and a line with a star: a file of 8 EiB has some as well.
 */
#include "ctl/grid.h"

#include <inttypes.h>
#include <string.h>

/* So many rows alike are shown as they are. */
#define GRID_SAME_SHOWN 8

static const struct {
	char cell;
	const char *color; /* SGR parameters */
} looks[] = {
	[HUGETMPFS_HOLE] = { '.', "90" },
	[HUGETMPFS_HUGE] = { '#', "32" },
	[HUGETMPFS_SWAPPED] = { '~', "31" },
	[HUGETMPFS_SMALL] = { 's', "33" },
	[HUGETMPFS_PARTIAL] = { 'p', "36" },
};

_Static_assert(sizeof(looks) / sizeof(looks[0]) == HUGETMPFS_NR_STATES,
	       "every state has a cell");

char grid_cell(unsigned state)
{
	return state < HUGETMPFS_NR_STATES ? looks[state].cell : '?';
}

/* Cells of nodes: the state of what is on none, else one of these. */
#define GRID_NODE_0	   32
#define GRID_NODE_MORE	   (GRID_NODE_0 + 36)
#define GRID_NODE_UNKNOWN  (GRID_NODE_MORE + 1)
#define GRID_NODE_WRONG	   128 /* added where pages are misplaced */

unsigned grid_node(const struct hugetmpfs_extent *extent)
{
	unsigned cell = GRID_NODE_UNKNOWN;

	if (extent->nid >= 0)
		cell = extent->nid < 36 ? GRID_NODE_0 + (unsigned) extent->nid
					: GRID_NODE_MORE;
	else if (extent->state == HUGETMPFS_HOLE ||
		 extent->state == HUGETMPFS_SWAPPED)
		return extent->state;
	return extent->misplaced_pages ? cell + GRID_NODE_WRONG : cell;
}

static char node_cell(unsigned cell)
{
	static const char cells[] = "0123456789abcdefghijklmnopqrstuvwxyz+?";

	cell &= ~(unsigned) GRID_NODE_WRONG;
	return cell < GRID_NODE_0 ? grid_cell(cell) : cells[cell - GRID_NODE_0];
}

static const char *cell_color(bool nodes, unsigned cell)
{
	if (cell < HUGETMPFS_NR_STATES)
		return looks[cell].color;
	return nodes && cell & GRID_NODE_WRONG ? "31" : "0";
}

static void put_cells(FILE *out, bool color, bool nodes,
		      const unsigned char *states, unsigned nr)
{
	const char *current = NULL;

	for (unsigned i = 0; i < nr; i++) {
		const char *wanted = cell_color(nodes, states[i]);

		if (color && wanted != current)
			fprintf(out, "\033[%sm", wanted);
		current = wanted;
		fputc(nodes ? node_cell(states[i]) : grid_cell(states[i]), out);
	}
	if (color && nr)
		fputs("\033[0m", out);
}

static void put_row(const struct grid *grid, uint64_t first,
		    const unsigned char *states, unsigned nr)
{
	fprintf(grid->out, "%10" PRIu64 "  ", first);
	put_cells(grid->out, grid->color, grid->nodes, states, nr);
	fputc('\n', grid->out);
}

/* Shows the rows that were held back because they are like the one shown. */
static void put_same(struct grid *grid)
{
	uint64_t first = grid->first - grid->nr_same * GRID_COLUMNS;

	if (grid->nr_same > GRID_SAME_SHOWN && !grid->all) {
		fprintf(grid->out, "         *  %" PRIu64 " more rows of ",
			grid->nr_same);
		put_cells(grid->out, grid->color, grid->nodes, grid->shown, 1);
		fputc('\n', grid->out);
		grid->nr_same = 0;
	}
	for (; grid->nr_same; grid->nr_same--, first += GRID_COLUMNS)
		put_row(grid, first, grid->shown, GRID_COLUMNS);
}

static bool row_is_uniform(const struct grid *grid)
{
	return !memcmp(grid->row, grid->row + 1, GRID_COLUMNS - 1);
}

/* A full row: held back when it is all of one state, like the one before. */
static void end_row(struct grid *grid)
{
	if (grid->has_shown && row_is_uniform(grid) &&
	    !memcmp(grid->row, grid->shown, GRID_COLUMNS)) {
		grid->nr_same++;
	} else {
		put_same(grid);
		put_row(grid, grid->first, grid->row, GRID_COLUMNS);
		memcpy(grid->shown, grid->row, GRID_COLUMNS);
		grid->has_shown = true;
	}
	grid->first += GRID_COLUMNS;
	grid->nr = 0;
}

void grid_add(struct grid *grid, uint64_t nr, unsigned state)
{
	while (nr) {
		/* whole rows like those held back need not be drawn */
		if (!grid->nr && grid->nr_same && grid->shown[0] == state &&
		    nr >= GRID_COLUMNS && !grid->all) {
			grid->nr_same += nr / GRID_COLUMNS;
			grid->first += nr / GRID_COLUMNS * GRID_COLUMNS;
			nr %= GRID_COLUMNS;
			continue;
		}
		grid->row[grid->nr++] = (unsigned char) state;
		nr--;
		if (grid->nr == GRID_COLUMNS)
			end_row(grid);
	}
}

void grid_end(struct grid *grid)
{
	put_same(grid);
	if (grid->nr)
		put_row(grid, grid->first, grid->row, grid->nr);
	grid->nr = 0;
}

void grid_coverage(FILE *out, const struct hugetmpfs_summary *summary)
{
	double coverage = hugetmpfs_coverage_percent(summary);

	if (coverage < 0)
		fputs("no eligible extent", out);
	else
		fprintf(out, "%.1f %% of %" PRIu64 " eligible extent%s",
			coverage, summary->nr_eligible,
			summary->nr_eligible == 1 ? "" : "s");
}

void grid_reasons(FILE *out, const struct hugetmpfs_summary *summary)
{
	bool is_first = true;

	for (unsigned i = 0; i < HUGETMPFS_NR_REASONS; i++) {
		if (i == HUGETMPFS_REASON_DONE || !summary->reasons[i])
			continue;
		if (is_first)
			fputs("why not huge:\n", out);
		is_first = false;
		fprintf(out, "  %-15s%10" PRIu64 "  %s\n",
			hugetmpfs_reason_name(i), summary->reasons[i],
			hugetmpfs_reason_meaning(i));
	}
}

void grid_summary(FILE *out, bool color,
		  const struct hugetmpfs_summary *summary)
{
	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++) {
		unsigned char state = (unsigned char) i;

		if (!summary->states[i])
			continue;
		fputs("  ", out);
		put_cells(out, color, false, &state, 1);
		fprintf(out, " %-13s%10" PRIu64 "  %s\n",
			hugetmpfs_state_name(i), summary->states[i],
			hugetmpfs_state_meaning(i));
	}
	fputs("coverage: ", out);
	grid_coverage(out, summary);
	fputc('\n', out);
	grid_reasons(out, summary);
}
