/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pass remap: maps the huge page by PMD in the mappers that used the extent by
 * small entries. A collapse of what is huge already does just that, in a
 * microsecond (FACTS H5). Whatever fails here costs the mapper a page fault.
 */
#include "recovery/internal.h"

static bool recovery_remap_mapper(struct recovery_batch *batch,
				  const struct recovery_mm *other)
{
	bool did = recovery_mapper_collapse(batch->thread, other->mapper,
					    other->addr, 1) == 0;

	recovery_count(batch->recovery,
		       did ? RECOVERY_COUNT_remap_another
			   : RECOVERY_COUNT_remap_untried,
		       1);
	return did;
}

/* The recovery mm, unless it has it from a collapse. */
static const struct recovery_mm *
recovery_remap_first(const struct recovery_item *item)
{
	bool wants = item->mm.addr && item->mm.by_pte &&
		     !(item->team.done & HUGETMPFS_PASS_COLLAPSE);

	return wants ? &item->mm : NULL;
}

/* The next of the others, from *i on; NULL when there is none. */
static const struct recovery_mm *
recovery_remap_next(const struct recovery_survey *survey,
		    const struct recovery_item *item, size_t *i)
{
	const struct recovery_remap *remap;

	while (*i < survey->nr_remaps) {
		remap = &survey->remaps[(*i)++];
		if (remap->index == item->team.index && remap->mm.addr)
			return &remap->mm;
	}
	return NULL;
}

static bool recovery_remap_all(struct recovery_batch *batch,
			       const struct recovery_item *item)
{
	const struct recovery_mm *mm = recovery_remap_first(item);
	bool did = mm && recovery_remap_mapper(batch, mm);
	size_t i = 0;

	while ((mm = recovery_remap_next(&batch->survey, item, &i)))
		did |= recovery_remap_mapper(batch, mm);
	return did;
}

static void recovery_remap_one(struct recovery_batch *batch,
			       struct recovery_item *item)
{
	bool did = false;
	size_t i = 0;

	if (recovery_remap_first(item) ||
	    recovery_remap_next(&batch->survey, item, &i)) {
		if (atomic_load(&item->work->released) ||
		    atomic_load(&item->work->unwanted) ||
		    recovery_item_look(batch, item)) {
			team_advance(&item->team, TEAM_LOST);
			return;
		}
		/* on anything else the call would collapse, and fill holes */
		if (!item->team.now.huge) {
			team_give_up(&item->team, HUGETMPFS_REASON_TOO_LATE, 0);
			return;
		}
		did = recovery_remap_all(batch, item);
	}
	recovery_count(batch->recovery, RECOVERY_COUNT_remap_untried,
		       item->misaligned);
	team_advance(&item->team, did ? TEAM_DID : TEAM_LOST);
}

static void recovery_remap_run(struct recovery_batch *batch)
{
	struct recovery_item *item;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if (item->team.step == TEAM_REMAP)
			recovery_step_run(batch, item, recovery_remap_one);
	}
}

const struct recovery_pass recovery_pass_remap = {
	.name = "remap",
	.step = TEAM_REMAP,
	.run = recovery_remap_run,
};
