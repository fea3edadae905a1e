/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pass migrate: pages go to the node where they belong. It has two steps. One
 * is before the collapse, for what the extent is then, small pages or huge;
 * pass place is the other, for the huge page that has come of it.
 *
 * A node is asked for room before anything is moved there, and before the
 * pages on swap are brought in. Where it has none, the next that the policy
 * allows is the target; when none is left, bind and interleave are given up
 * for want of a node, and prefer stays where it is.
 *
 * Huge pages that follow each other are moved ahead by one call: each call has
 * the kernel empty the lists of pages of all CPUs, and wait for them, which is
 * a good part of what one huge page takes. Those that stay behind are tried
 * alone.
 *
 * A huge page for which the node has memory but no block arrives in pieces:
 * then it is collapsed there, or left to a later work. Small pages that stay
 * behind, busy or shared, do not keep the others from being collapsed: the
 * huge page is made where most are. What counts in the end is where the look
 * after each try has seen the pages.
 */
#include "recovery/internal.h"

#include <errno.h>

#include "base/clock.h"

/* The facts anew, from the same look. Returns whether there is a target. */
static bool recovery_migrate_facts(struct recovery_batch *batch,
				   struct recovery_item *item)
{
	bool by_pte = item->team.now.by_pte, has_target;

	has_target = recovery_facts(&batch->homes, item->team.index,
				    &item->extent, &item->reach,
				    &item->team.now);
	item->team.now.by_pte = by_pte;
	return has_target;
}

/* Finds a target that has room for pages; false when there is none. */
static bool recovery_migrate_target(struct recovery_batch *batch,
				    struct recovery_item *item, bool swapped)
{
	const struct team_facts *now = &item->team.now;
	bool has_target;
	uint32_t pages;

	for (;;) {
		has_target = recovery_migrate_facts(batch, item);
		pages = now->misplaced_pages;
		if (pages && now->huge)
			pages = HUGETMPFS_EXTENT_PAGES;
		if (swapped)
			pages += now->swapped;
		if (!pages || now->target_nid < 0)
			return !now->no_node;
		if (!has_target)
			return false;
		if (recovery_homes_have_room(&batch->homes, now->target_nid,
					     pages))
			return true;
		nodeset_add(&item->reach.full, now->target_nid);
	}
}

/* Nothing of it is moved any more: it stays as it is, or is given up. */
static void recovery_migrate_stay(struct recovery_item *item,
				  enum hugetmpfs_reason reason, int error)
{
	item->stays = reason;
	item->error = error;
	if (item->team.now.huge)
		team_advance(&item->team, TEAM_LEFT);
	else
		team_give_up(&item->team, reason, error);
}

static void recovery_migrate_no_target(struct recovery_item *item, int error)
{
	recovery_migrate_stay(item,
			      item->team.now.no_node
				      ? HUGETMPFS_REASON_NO_NODE
				      : HUGETMPFS_REASON_NODE_FULL,
			      error);
}

void recovery_batch_find_room(struct recovery_batch *batch)
{
	struct recovery_item *item;

	if (!batch->homes.policy)
		return;
	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if ((item->team.step == TEAM_SWAPIN ||
		     item->team.step == TEAM_MIGRATE) &&
		    !recovery_migrate_target(batch, item, true))
			recovery_migrate_no_target(item, 0);
	}
}

static void recovery_migrate_count(struct recovery *recovery,
				   const struct mm_migrated *migrated)
{
	const uint16_t *pages = migrated->pages;
	uint32_t kept = pages[MM_MOVED_NO_MEMORY] + pages[MM_MOVED_BUSY];

	recovery_count(recovery, RECOVERY_COUNT_page_migrate,
		       pages[MM_MOVED_THERE] + kept);
	recovery_count(recovery, RECOVERY_COUNT_page_unmigrated, kept);
	recovery_count(recovery, RECOVERY_COUNT_page_off_lru,
		       pages[MM_MOVED_OFF_LRU] + pages[MM_MOVED_SHARED]);
}

/* An answer about the node, or about this process. */
static void recovery_migrate_refused(struct recovery_batch *batch,
				     struct recovery_item *item, int ret)
{
	item->error = ret;
	switch (-ret) {
	case ENODEV:
	case EACCES:
		/* it has gone since it was looked for */
		recovery_homes_refresh(&batch->homes);
		item->stays = HUGETMPFS_REASON_NO_NODE;
		if (recovery_migrate_facts(batch, item))
			team_advance(&item->team, TEAM_BUSY);
		else
			recovery_migrate_no_target(item, ret);
		break;
	case EPERM:
	case ENOSYS:
		recovery_migrate_stay(item, HUGETMPFS_REASON_DENIED, ret);
		break;
	case EAGAIN:
	case EINTR:
	case ENOMEM:
		/* for the call itself, not for the pages */
		item->stays = HUGETMPFS_REASON_AGAIN;
		team_advance(&item->team, TEAM_BUSY);
		break;
	default:
		recovery_migrate_stay(item, HUGETMPFS_REASON_FAILED, ret);
		break;
	}
}

/* Some pages are elsewhere still. */
static void recovery_migrate_missed(struct recovery_batch *batch,
				    struct recovery_item *item,
				    const struct mm_migrated *migrated)
{
	const uint16_t *pages = migrated->pages;

	if (pages[MM_MOVED_NO_MEMORY]) {
		item->error = -ENOMEM;
		item->stays = HUGETMPFS_REASON_NODE_FULL;
		nodeset_add(&item->reach.full, item->team.now.target_nid);
		if (!recovery_migrate_facts(batch, item))
			recovery_migrate_no_target(item, -ENOMEM);
		else if (item->team.now.misplaced_pages)
			team_advance(&item->team, TEAM_BUSY);
		else
			team_advance(&item->team, TEAM_LEFT);
		return;
	}
	/* others have them mapped too: only the collapse can take them away */
	if (pages[MM_MOVED_SHARED] >= item->team.now.misplaced_pages) {
		item->error = -EACCES;
		item->stays = HUGETMPFS_REASON_DENIED;
		team_advance(&item->team, TEAM_LEFT);
		return;
	}
	item->error = -EAGAIN;
	item->stays = HUGETMPFS_REASON_AGAIN;
	team_advance(&item->team, TEAM_BUSY);
}

/* What the look after a try says. */
static void recovery_migrate_seen(struct recovery_batch *batch,
				  struct recovery_item *item, int ret,
				  const struct mm_migrated *migrated)
{
	const struct team_facts *now = &item->team.now;
	bool moved = migrated->pages[MM_MOVED_THERE];

	if (now->resident + now->swapped == 0) {
		team_give_up(&item->team, HUGETMPFS_REASON_TOO_LATE, 0);
		return;
	}
	if (moved)
		item->team.done |= HUGETMPFS_PASS_MIGRATE;
	if (ret) {
		recovery_migrate_refused(batch, item, ret);
	} else if (now->misplaced_pages) {
		recovery_migrate_missed(batch, item, migrated);
	} else if (item->team.step == TEAM_PLACE && !now->huge) {
		/* there was no block for it on the node */
		team_give_up(&item->team, HUGETMPFS_REASON_NO_HUGE_PAGE,
			     ENOMEM);
	} else {
		team_advance(&item->team, moved ? TEAM_DID : TEAM_LEFT);
	}
}

/*
 * Moves them in the eyes of a mapper, which is cheaper, where all are to go and
 * it may have all of them mapped. Returns how many are on the target then. What
 * came of the others the other way will tell, also when the process is gone or
 * may not have them there.
 */
static uint16_t recovery_migrate_by_mapper(struct recovery_batch *batch,
					   const struct recovery_item *item,
					   uint32_t latency_us)
{
	const struct mm_extent *extent = &item->extent;
	uint16_t there;

	if (!item->mm.by_pte || extent->huge ||
	    extent->resident != extent->pages ||
	    item->team.now.misplaced_pages != extent->resident)
		return 0;
	recovery_mapper_migrate(batch, item, latency_us, &there);
	return there;
}

/* Moves what is elsewhere. */
static int recovery_migrate_move(struct recovery_batch *batch,
				 struct recovery_item *item,
				 struct mm_migrated *migrated)
{
	const struct mm_ops *mm = batch->recovery->mm;
	struct mm_extent extent = item->extent;
	struct recovery_settings settings;
	uint32_t latency_us = 0;
	uint16_t there;
	int ret = 0;

	if (item->moved) {
		item->moved = false;
		migrated->pages[MM_MOVED_THERE] = extent.resident;
		return 0;
	}
	recovery_settings_get(batch->recovery, &settings);
	if (batch->background)
		latency_us = settings.latency_us;
	there = recovery_migrate_by_mapper(batch, item, latency_us);
	if (there < extent.resident) {
		/* where they are is not as it was */
		if (there)
			extent.nr_nodes = 0;
		ret = mm->migrate(mm->context, batch->window, item->team.index,
				  &extent, item->team.now.target_nid,
				  &item->reach.home, latency_us, migrated);
	}
	migrated->pages[MM_MOVED_THERE] += there;
	return ret;
}

/*
 * Whether all small pages went to the target, by the kernel's word on each: the
 * next look, after the collapse, is soon enough then. A huge page may have got
 * there in pieces.
 */
static bool recovery_migrate_is_clear(const struct recovery_item *item,
				      const struct mm_migrated *migrated)
{
	return !item->extent.huge &&
	       migrated->pages[MM_MOVED_THERE] == item->extent.resident;
}

/* The facts after a try, by a look where it has left something to be seen. */
static int recovery_migrate_look(struct recovery_batch *batch,
				 struct recovery_item *item, int ret,
				 const struct mm_migrated *migrated)
{
	struct mm_extent *extent = &item->extent;

	if (ret || !recovery_migrate_is_clear(item, migrated))
		return recovery_item_look(batch, item);
	extent->nid = item->team.now.target_nid;
	extent->nr_nodes = 1;
	extent->nodes[0] = (struct mm_node_pages){
		.nid = extent->nid,
		.pages = extent->resident,
	};
	recovery_migrate_facts(batch, item);
	return 0;
}

static void recovery_migrate_one(struct recovery_batch *batch,
				 struct recovery_item *item)
{
	struct mm_migrated migrated = {0};
	int ret, looked;

	ret = recovery_migrate_move(batch, item, &migrated);
	recovery_migrate_count(batch->recovery, &migrated);
	looked = recovery_migrate_look(batch, item, ret, &migrated);
	if (looked)
		recovery_migrate_stay(item, HUGETMPFS_REASON_FAILED, looked);
	else
		recovery_migrate_seen(batch, item, ret, &migrated);
}

/* Whether it can be moved together with the first, to the same node. */
static bool recovery_migrate_fits(struct recovery_batch *batch,
				  const struct recovery_item *first,
				  struct recovery_item *item)
{
	return item->team.step == first->team.step && item->team.now.huge &&
	       !item->move_tried && recovery_item_check(batch, item) &&
	       recovery_migrate_target(batch, item, false) &&
	       item->team.now.misplaced_pages &&
	       item->team.now.target_nid == first->team.now.target_nid;
}

/* Moves the first together with those that follow it, if there are some. */
static void recovery_migrate_ahead(struct recovery_batch *batch,
				   struct recovery_item *first)
{
	const struct recovery_item *end = batch->items + batch->nr;
	const struct mm_ops *mm = batch->recovery->mm;
	uint32_t nr = 1, most = recovery_batch_ahead(batch);
	uint64_t indexes[RECOVERY_BATCH_EXTENTS];
	bool there[RECOVERY_BATCH_EXTENTS];
	uint64_t begun_ns = clock_now_ns();

	if (!first->team.now.huge || first->move_tried)
		return;
	while (nr < most && first + nr < end &&
	       recovery_migrate_fits(batch, first, first + nr))
		nr++;
	if (nr < 2)
		return;
	for (uint32_t i = 0; i < nr; i++)
		indexes[i] = first[i].team.index;
	mm->migrate_ahead(mm->context, batch->window, indexes, nr,
			  first->team.now.target_nid, there);
	for (uint32_t i = 0; i < nr; i++) {
		first[i].moved = there[i];
		first[i].move_tried = true;
		first[i].ahead_ns = (clock_now_ns() - begun_ns) / nr;
	}
}

static void recovery_migrate_step(struct recovery_batch *batch,
				  struct recovery_item *item)
{
	item->stays = HUGETMPFS_REASON_MISPLACED;
	/* the node may have no room for more than what has gone there */
	if (item->moved) {
		recovery_step_run(batch, item, recovery_migrate_one);
	} else if (!recovery_migrate_target(batch, item, false)) {
		recovery_migrate_no_target(item, 0);
	} else if (!item->team.now.misplaced_pages) {
		team_advance(&item->team, TEAM_LEFT);
	} else {
		recovery_migrate_ahead(batch, item);
		recovery_step_run(batch, item, recovery_migrate_one);
	}
}

static void recovery_migrate_run_at(struct recovery_batch *batch,
				    enum team_step step)
{
	struct recovery_item *item;

	do {
		for (item = batch->items; item < batch->items + batch->nr;
		     item++) {
			if (item->team.step == step &&
			    recovery_item_check(batch, item))
				recovery_migrate_step(batch, item);
		}
	} while (recovery_batch_again(batch, step));
}

static void recovery_migrate_run(struct recovery_batch *batch)
{
	recovery_migrate_run_at(batch, TEAM_MIGRATE);
}

static void recovery_place_run(struct recovery_batch *batch)
{
	recovery_migrate_run_at(batch, TEAM_PLACE);
}

const struct recovery_pass recovery_pass_migrate = {
	.name = "migrate",
	.step = TEAM_MIGRATE,
	.run = recovery_migrate_run,
};

const struct recovery_pass recovery_pass_place = {
	.name = "migrate",
	.step = TEAM_PLACE,
	.run = recovery_place_run,
};
