/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pass swapin: brings the swapped pages of all extents of the batch in. All
 * are asked for at once, then each is waited for: only that makes sure that
 * the data is in memory (FACTS S8). Holes are left holes.
 */
#include "recovery/internal.h"

#include <errno.h>

/* Asks for all that is swapped, in one go. */
static void recovery_swapin_ask(struct recovery_batch *batch)
{
	const struct mm_ops *mm = batch->recovery->mm;
	uint64_t indexes[RECOVERY_BATCH_EXTENTS];
	struct recovery_item *item;
	uint32_t nr = 0;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if (item->team.step == TEAM_SWAPIN)
			indexes[nr++] = item->team.index;
	}
	if (nr)
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

static enum team_event recovery_swapin_event(struct recovery_item *item,
					     int ret)
{
	const struct team_facts *now = &item->team.now;

	if (now->huge) {
		item->team.reason = HUGETMPFS_REASON_DONE;
		return TEAM_LOST;
	}
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
	ret = mm->populate(mm->context, batch->window, item->team.index);
	if (!recovery_item_look(batch, item))
		recovery_swapin_count(recovery, &before, &item->team.now,
				      RECOVERY_COUNT_swap_read);
	if (item->team.now.huge)
		recovery_count(recovery, RECOVERY_COUNT_page_raced, 1);
	team_advance(&item->team, recovery_swapin_event(item, ret));
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
		recovery_swapin_ask(batch);
		for (item = batch->items; item < batch->items + batch->nr;
		     item++) {
			if (item->team.step == TEAM_SWAPIN &&
			    recovery_item_check(batch, item))
				recovery_swapin_one(batch, item);
		}
	} while (recovery_batch_again(batch, TEAM_SWAPIN));
}

const struct recovery_pass recovery_pass_swapin = {
	.name = "swapin",
	.step = TEAM_SWAPIN,
	.run = recovery_swapin_run,
};
