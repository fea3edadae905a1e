/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pass collapse: small pages become one huge page.
 *
 * Through a mapper when there is one: then its cgroup pays and it has the huge
 * page mapped at once (FACTS H4). When the mapper cannot (it is gone, it has
 * unmapped the file, its mapping must not be huge), the next that uses the
 * extent is tried, and in the end the daemon's own mapping. But a mapper whose
 * cgroup is at its limit, or for which no huge page is free, is the answer: to
 * go around it would let it escape its limit.
 *
 * Before that it is asked who pays for most of the extent: that cgroup goes on
 * to pay. The mapper is one of its processes if there is one; else the work is
 * done inside it without a mapper. Its limit is looked at first, and holes are
 * filled at its expense only if it asked itself, or an admin did.
 *
 * Neighbours are tried ahead together: each call has the kernel empty the lists
 * of pages of all CPUs, and wait for them; and without a mapper it may take a
 * process in the cgroup that pays. When one of them fails, each is tried alone,
 * so that the reason is its own.
 */
#include "recovery/internal.h"

#include <errno.h>

#include "base/clock.h"

/* Whether the kernel's answer is about the extent, not about the mapper. */
static bool recovery_collapse_final(struct recovery_batch *batch,
				    struct recovery_item *item, int ret)
{
	struct mm_view view;

	if (ret == 0 || ret == -EAGAIN || ret == -EBUSY || ret == -EINTR)
		return true;
	if (ret != -ENOMEM)
		return false;
	/* no huge page; or nothing is mapped at the address any more */
	return !recovery_mapper_view(batch->thread, item->mm.mapper,
				     batch->target->ino, item->team.index, 1,
				     &view) &&
	       view.addr == item->mm.addr;
}

/*
 * Puts another mapper that uses the extent in the place of a bad one, which may
 * take the huge page when there is one.
 */
static void recovery_collapse_next_mm(struct recovery_batch *batch,
				      struct recovery_item *item)
{
	struct recovery_survey *survey = &batch->survey;
	struct recovery_mm bad = item->mm;
	struct recovery_remap *remap;

	bad.tried = true;
	item->mm = (struct recovery_mm){0};
	for (size_t i = 0; i < survey->nr_remaps; i++) {
		remap = &survey->remaps[i];
		if (remap->index != item->team.index || !remap->mm.addr ||
		    remap->mm.tried)
			continue;
		item->mm = remap->mm;
		remap->mm.addr = 0;
		break;
	}
	/* without memory to remember it, it costs that mapper a page fault */
	if (bad.by_pte)
		recovery_survey_add_remap(survey, item->team.index, &bad);
}

/* Puts a mapper of the cgroup that pays in the place of another one. */
static void recovery_collapse_choose_mm(struct recovery_batch *batch,
					struct recovery_item *item)
{
	struct recovery_survey *survey = &batch->survey;
	struct recovery_mm other = item->mm;

	if (!other.addr || other.group == item->payer)
		return;
	item->mm = (struct recovery_mm){0};
	for (size_t i = 0; i < survey->nr_remaps; i++) {
		struct recovery_remap *remap = &survey->remaps[i];

		if (remap->index == item->team.index && remap->mm.addr &&
		    remap->mm.group == item->payer) {
			item->mm = remap->mm;
			remap->mm = other;
			return;
		}
	}
	/* without memory to remember it, it costs that mapper a page fault */
	if (other.by_pte)
		recovery_survey_add_remap(survey, item->team.index, &other);
}

/*
 * Asking is dear: the answer does for some extents of one cgroup, but for no
 * more than the other workers leave room for, who go by the same answer.
 */
#define RECOVERY_ROOM_SHARE 8

static bool recovery_collapse_has_room(struct recovery_batch *batch,
				       uint64_t group)
{
	const struct mm_ops *mm = batch->recovery->mm;
	uint64_t extents;

	if (batch->room_extents && batch->room_group == group) {
		batch->room_extents--;
		return true;
	}
	extents = mm->room(mm->context, group) / HUGETMPFS_EXTENT_BYTES;
	batch->room_group = group;
	batch->room_extents = RECOVERY_BATCH_EXTENTS;
	if (extents / RECOVERY_ROOM_SHARE < RECOVERY_BATCH_EXTENTS)
		batch->room_extents = (uint32_t) extents / RECOVERY_ROOM_SHARE;
	return extents;
}

/* Settles who pays for the huge page, or gives the team up: nobody is to. */
static void recovery_collapse_settle(struct recovery_batch *batch,
				     struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	const struct team_facts *now = &item->team.now;
	uint64_t owner, asked_by;

	owner = mm->owner(mm->context, batch->window, item->team.index,
			  now->resident == HUGETMPFS_EXTENT_PAGES);
	item->payer = owner ? owner : item->mm.group;
	if (!owner)
		return;
	pthread_mutex_lock(&batch->recovery->lock);
	asked_by = item->work->payer;
	pthread_mutex_unlock(&batch->recovery->lock);
	if (team_holes(now) && asked_by && asked_by != owner) {
		team_give_up(&item->team, HUGETMPFS_REASON_TOO_MANY_HOLES, 0);
		return;
	}
	if (!recovery_collapse_has_room(batch, owner)) {
		team_give_up(&item->team, HUGETMPFS_REASON_OVER_LIMIT, 0);
		return;
	}
	recovery_collapse_choose_mm(batch, item);
}

static int recovery_collapse_try(struct recovery_batch *batch,
				 struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	int ret;

	if (item->ahead_did) {
		item->ahead_did = false;
		return 0;
	}
	while (item->mm.addr) {
		ret = recovery_mapper_collapse(batch->thread, item->mm.mapper,
					       item->mm.addr, 1);
		if (recovery_collapse_final(batch, item, ret))
			return ret;
		recovery_collapse_next_mm(batch, item);
	}
	return mm->collapse(mm->context, batch->window, item->team.index, 1,
			    item->payer);
}

static uint32_t recovery_ahead_most(struct recovery_batch *batch,
				    const struct recovery_item *item)
{
	return item->mm.addr ? recovery_batch_ahead(batch)
			     : RECOVERY_BATCH_EXTENTS;
}

/*
 * Whether it follows the first, which is nr places before it, in all, and
 * should go on. The first is to be stepped: it is not given up here.
 */
static bool recovery_ahead_fits(struct recovery_batch *batch,
				const struct recovery_item *first,
				struct recovery_item *item, uint32_t nr)
{
	uint64_t addr = first->mm.addr;

	if (addr)
		addr += nr * HUGETMPFS_EXTENT_BYTES;
	return item->team.step == TEAM_COLLAPSE && !item->ahead &&
	       item->work->index == first->work->index + nr &&
	       item->payer == first->payer &&
	       item->mm.mapper == first->mm.mapper && item->mm.addr == addr &&
	       (item == first || recovery_item_check(batch, item));
}

/* Tries the first together with those that follow it, if there are some. */
static void recovery_collapse_ahead(struct recovery_batch *batch,
				    struct recovery_item *first)
{
	uint32_t nr = 0, most = recovery_ahead_most(batch, first);
	const struct recovery_item *end = batch->items + batch->nr;
	const struct mm_ops *mm = batch->recovery->mm;
	uint64_t begun_ns = clock_now_ns();
	int ret;

	while (nr < most && first + nr < end &&
	       recovery_ahead_fits(batch, first, first + nr, nr))
		nr++;
	if (nr < 2)
		return;
	if (first->mm.addr)
		ret = recovery_mapper_collapse(batch->thread, first->mm.mapper,
					       first->mm.addr, nr);
	else
		ret = mm->collapse(mm->context, batch->window,
				   first->team.index, nr, first->payer);
	for (uint32_t i = 0; i < nr; i++) {
		first[i].ahead = true;
		first[i].ahead_did = !ret;
		first[i].ahead_ns = (clock_now_ns() - begun_ns) / nr;
	}
}

static void recovery_collapse_count(struct recovery *recovery,
				    const struct recovery_item *item,
				    const struct team_facts *before)
{
	recovery_count(recovery, RECOVERY_COUNT_huge_alloced, 1);
	recovery_count(recovery, RECOVERY_COUNT_page_created,
		       team_holes(before));
	recovery_count(recovery, RECOVERY_COUNT_page_migrate,
		       before->resident + before->swapped);
	recovery_count(recovery, RECOVERY_COUNT_page_teamed,
		       HUGETMPFS_EXTENT_PAGES);
	recovery_count(recovery, RECOVERY_COUNT_remap_faulter,
		       item->mm.addr != 0);
}

/* What the look after a try that did not make it huge says. */
static enum team_event recovery_collapse_missed(struct recovery_batch *batch,
						struct recovery_item *item,
						int ret)
{
	const struct team_facts *now = &item->team.now;

	if (now->resident + now->swapped == 0) {
		recovery_count(batch->recovery, RECOVERY_COUNT_huge_too_late,
			       1);
		team_give_up(&item->team, HUGETMPFS_REASON_TOO_LATE, 0);
		return TEAM_LOST;
	}
	/* done, and undone before the look: as good as busy */
	if (ret == 0)
		ret = -EAGAIN;
	item->error = ret;
	if (ret == -EAGAIN || ret == -EBUSY || ret == -EINTR) {
		recovery_count(batch->recovery, RECOVERY_COUNT_page_off_lru, 1);
		return TEAM_BUSY;
	}
	team_give_up(&item->team, recovery_reason(batch, item), ret);
	return TEAM_ERROR;
}

static void recovery_collapse_one(struct recovery_batch *batch,
				  struct recovery_item *item)
{
	struct recovery *recovery = batch->recovery;
	struct team_facts before = item->team.now;
	enum team_event event = TEAM_DID;
	int ret, looked;

	ret = recovery_collapse_try(batch, item);
	looked = recovery_item_look(batch, item);
	if (looked) {
		item->error = looked;
		team_give_up(&item->team, HUGETMPFS_REASON_FAILED, looked);
		return;
	}
	if (item->team.now.huge && ret == 0) {
		recovery_collapse_count(recovery, item, &before);
	} else if (item->team.now.huge) {
		recovery_count(recovery, RECOVERY_COUNT_page_raced, 1);
		event = TEAM_RACED;
	} else {
		event = recovery_collapse_missed(batch, item, ret);
	}
	team_advance(&item->team, event);
}

static void recovery_collapse_run(struct recovery_batch *batch)
{
	struct recovery_item *item;

	do {
		/* who pays is seen in pages that are mapped: for all first */
		for (item = batch->items; item < batch->items + batch->nr;
		     item++) {
			if (item->team.step == TEAM_COLLAPSE &&
			    recovery_item_check(batch, item))
				recovery_collapse_settle(batch, item);
		}
		recovery_batch_unmap(batch);
		for (item = batch->items; item < batch->items + batch->nr;
		     item++) {
			if (item->team.step == TEAM_COLLAPSE &&
			    recovery_item_check(batch, item)) {
				recovery_collapse_ahead(batch, item);
				recovery_step_run(batch, item,
						  recovery_collapse_one);
			}
		}
	} while (recovery_batch_again(batch, TEAM_COLLAPSE));
}

const struct recovery_pass recovery_pass_collapse = {
	.name = "collapse",
	.step = TEAM_COLLAPSE,
	.run = recovery_collapse_run,
};
