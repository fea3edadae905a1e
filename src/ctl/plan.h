/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a dry run found: runs of neighbouring extents for which the same would
 * be done, and each pass's verdict on them.
 */
#ifndef CTL_PLAN_H
#define CTL_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <hugetmpfs/hugetmpfs.h>
#include <jansson.h>

struct plan_group {
	uint64_t first;
	uint64_t nr;
	uint8_t state;
	uint8_t reason;
	uint8_t passes;
};

/* All zero is the empty plan. */
struct plan {
	struct plan_group *groups;
	size_t nr;
	size_t capacity;
};

/* The next nr extents, all like this one. Returns 0 or -ENOMEM. */
int plan_add(struct plan *plan, const struct hugetmpfs_extent *extent,
	     uint64_t nr);

/* Writes the table to standard output. */
void plan_print(const struct plan *plan);

/* An array with an object a group. */
json_t *plan_json(const struct plan *plan);

/* Makes it empty and frees its memory. */
void plan_clear(struct plan *plan);

#endif
