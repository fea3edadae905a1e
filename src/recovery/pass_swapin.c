/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pass swapin: brings the swapped pages of the batch's extents in, some
 * extents at a time. These are asked for at once, then each is waited for:
 * only that makes sure that the data is in memory (FACTS S8). Holes are left
 * holes.
 *
 * Only as many are taken as there is room for, in the memory cgroup of the
 * mapper and in the machine; the kernel would make room by swapping out what
 * was brought in before. No room is like busy: it may come.
 */
#include "recovery/internal.h"

#include <errno.h>

/* Extents that are read at the same time. */
#define RECOVERY_SWAPIN_EXTENTS 8

/*
 * How many extents fit into the room that is left. Each may need all of its
 * pages, and a huge page to move them into before they are given back; other
 * workers have their share.
 */
static uint32_t recovery_swapin_fit(struct recovery_batch *batch,
				    const struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	struct recovery *recovery = batch->recovery;
	uint64_t extents;

	extents = mm->room(mm->context, item->mm.group) /
		  HUGETMPFS_EXTENT_BYTES;
	pthread_mutex_lock(&recovery->lock);
	extents /= recovery->batches;
	pthread_mutex_unlock(&recovery->lock);
	extents = extents ? extents - 1 : 0;
	return extents < RECOVERY_SWAPIN_EXTENTS ? (uint32_t) extents
						 : RECOVERY_SWAPIN_EXTENTS;
}

/* Asks for all that is swapped in the items, in one go. */
static void recovery_swapin_ask(struct recovery_batch *batch,
				struct recovery_item *const *items, uint32_t nr)
{
	const struct mm_ops *mm = batch->recovery->mm;
	uint64_t indexes[RECOVERY_SWAPIN_EXTENTS];

	for (uint32_t i = 0; i < nr; i++)
		indexes[i] = items[i]->team.index;
	mm->willneed(mm->context, batch->window, indexes, nr);
}

/* Where pages went that were on swap before and are not now. */
static void recovery_swapin_count(struct recovery *recovery,
				  const struct team_facts *before,
				  const struct team_facts *after,
				  enum recovery_counter in)
{
	uint32_t left = 0, gone = 0;
	uint32_t had = before->resident + before->swapped;
	uint32_t has = after->resident + after->swapped;

	if (before->swapped > after->swapped)
		left = before->swapped - after->swapped;
	if (had > has)
		gone = had - has < left ? had - has : left;
	recovery_count(recovery, in, left - gone);
	recovery_count(recovery, RECOVERY_COUNT_swap_gone, gone);
}

/*
 * The kernel swaps a huge page as one, if it can, and may have found it whole
 * again. The recovery mm is to have it mapped as after a collapse.
 */
static enum team_event recovery_swapin_raced(struct recovery_item *item)
{
	if (item->mm.addr) {
		item->mm.by_pte = true;
		item->team.todo |= HUGETMPFS_PASS_REMAP;
	}
	return TEAM_RACED;
}

static enum team_event recovery_swapin_event(struct recovery_item *item,
					     int ret)
{
	const struct team_facts *now = &item->team.now;

	if (now->huge)
		return recovery_swapin_raced(item);
	if (now->resident + now->swapped == 0) {
		item->team.reason = HUGETMPFS_REASON_TOO_LATE;
		return TEAM_LOST;
	}
	if (now->swapped == 0)
		return TEAM_DID;
	item->error = ret;
	/* a page that was in went out again: busy like EAGAIN */
	if (ret == 0 || ret == -EAGAIN || ret == -EINTR || ret == -EBUSY)
		return TEAM_BUSY;
	team_give_up(&item->team, HUGETMPFS_REASON_SWAP_FAILED, ret);
	return TEAM_ERROR;
}

static void recovery_swapin_one(struct recovery_batch *batch,
				struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	struct recovery *recovery = batch->recovery;
	struct team_facts before = item->team.now;
	int ret;

	if (!recovery_item_look(batch, item))
		recovery_swapin_count(recovery, &before, &item->team.now,
				      RECOVERY_COUNT_swap_cached);
	before = item->team.now;
	recovery_read_begin(recovery);
	ret = mm->populate(mm->context, batch->window, item->team.index);
	recovery_read_end(recovery);
	if (!recovery_item_look(batch, item))
		recovery_swapin_count(recovery, &before, &item->team.now,
				      RECOVERY_COUNT_swap_read);
	if (item->team.now.huge)
		recovery_count(recovery, RECOVERY_COUNT_page_raced, 1);
	team_advance(&item->team, recovery_swapin_event(item, ret));
}

/* Takes items that are at the step, from *next on: as many as fit, or one. */
static uint32_t recovery_swapin_take(struct recovery_batch *batch,
				     uint32_t *next,
				     struct recovery_item **items,
				     uint32_t *fit)
{
	struct recovery_item *item;
	uint32_t nr = 0;

	for (; *next < batch->nr; (*next)++) {
		item = &batch->items[*next];
		if (item->team.step != TEAM_SWAPIN ||
		    !recovery_item_check(batch, item))
			continue;
		if (nr == 0)
			*fit = recovery_swapin_fit(batch, item);
		else if (nr >= *fit)
			break;
		items[nr++] = item;
	}
	return nr;
}

static void recovery_swapin_round(struct recovery_batch *batch)
{
	struct recovery_item *items[RECOVERY_SWAPIN_EXTENTS];
	uint32_t nr, fit = 0, next = 0;

	while ((nr = recovery_swapin_take(batch, &next, items, &fit)) > 0) {
		if (fit == 0) {
			items[0]->error = -EBUSY;
			team_advance(&items[0]->team, TEAM_BUSY);
			continue;
		}
		recovery_swapin_ask(batch, items, nr);
		for (uint32_t i = 0; i < nr; i++) {
			if (recovery_item_check(batch, items[i]))
				recovery_step_run(batch, items[i],
						  recovery_swapin_one);
		}
	}
}

static void recovery_swapin_run(struct recovery_batch *batch)
{
	struct recovery_item *item;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if (item->team.step == TEAM_SWAPIN && !item->team.retried)
			recovery_count(batch->recovery,
				       RECOVERY_COUNT_swap_entry,
				       item->team.now.swapped);
	}
	do {
		recovery_swapin_round(batch);
	} while (recovery_batch_again(batch, TEAM_SWAPIN));
}

const struct recovery_pass recovery_pass_swapin = {
	.name = "swapin",
	.step = TEAM_SWAPIN,
	.run = recovery_swapin_run,
};
