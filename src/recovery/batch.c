/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A batch: neighbouring works of one file, taken through the passes by one
 * worker.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* Pauses double from one try to the next, this often. */
#define RECOVERY_PAUSE_DOUBLINGS 5

bool recovery_item_check(struct recovery_batch *batch,
			 struct recovery_item *item)
{
	struct recovery *recovery = batch->recovery;
	bool stopping, off;

	if (atomic_load(&item->work->released)) {
		if (item->team.step == TEAM_COLLAPSE && item->team.tries)
			recovery_count(recovery, RECOVERY_COUNT_huge_too_late,
				       1);
		team_give_up(&item->team, HUGETMPFS_REASON_TOO_LATE, 0);
		return false;
	}
	pthread_mutex_lock(&recovery->lock);
	stopping = recovery->stopping;
	off = !recovery->settings.recoveries;
	pthread_mutex_unlock(&recovery->lock);
	if (stopping || atomic_load(&item->work->unwanted)) {
		team_give_up(&item->team, HUGETMPFS_REASON_CANCELLED, 0);
		return false;
	}
	if (off) {
		team_give_up(&item->team, HUGETMPFS_REASON_POLICY, 0);
		return false;
	}
	return true;
}

int recovery_item_look(struct recovery_batch *batch, struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	bool by_pte = item->team.now.by_pte;
	struct mm_extent extent = {0};
	uint64_t size_bytes;
	int ret;

	ret = mm->look(mm->context, batch->window, item->team.index, 1, NULL,
		       &extent, &size_bytes);
	if (ret < 0)
		return ret;
	/* beyond the end of the file nothing was filled in: no page */
	item->extent = extent;
	recovery_facts(&batch->homes, item->team.index, &extent, &item->reach,
		       &item->team.now);
	item->team.now.by_pte = by_pte;
	return 0;
}

/*
 * Whether a pause should end: a work that is still under way was released or
 * given up, or all are. Wants the lock.
 */
static bool recovery_batch_has_news(struct recovery_batch *batch)
{
	struct recovery_item *item;

	if (batch->recovery->stopping || !batch->recovery->settings.recoveries)
		return true;
	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if (item->team.step != TEAM_END &&
		    (atomic_load(&item->work->released) ||
		     atomic_load(&item->work->unwanted)))
			return true;
	}
	return false;
}

static void recovery_batch_wait_locked(struct recovery_batch *batch,
				       uint64_t ns)
{
	struct recovery *recovery = batch->recovery;
	uint64_t until_ns = clock_now_ns() + ns;
	struct timespec until = {
		.tv_sec = (time_t) (until_ns / CLOCK_NS_PER_S),
		.tv_nsec = (long) (until_ns % CLOCK_NS_PER_S),
	};

	while (!recovery_batch_has_news(batch) &&
	       !pthread_cond_timedwait(&recovery->pause, &recovery->lock,
				       &until))
		;
}

void recovery_batch_wait(struct recovery_batch *batch, uint64_t ns)
{
	pthread_mutex_lock(&batch->recovery->lock);
	recovery_batch_wait_locked(batch, ns);
	pthread_mutex_unlock(&batch->recovery->lock);
}

/* A pinned page may stay so: meanwhile the worker's place is another's. */
static void recovery_batch_pause(struct recovery_batch *batch, unsigned tries)
{
	struct recovery *recovery = batch->recovery;
	unsigned doublings = tries ? tries - 1 : 0;

	if (doublings > RECOVERY_PAUSE_DOUBLINGS)
		doublings = RECOVERY_PAUSE_DOUBLINGS;
	pthread_mutex_lock(&recovery->lock);
	recovery_worker_rest_locked(recovery);
	recovery_batch_wait_locked(
		batch, (uint64_t) recovery->config.pause_us * 1000
			       << doublings);
	recovery_worker_resume_locked(recovery);
	pthread_mutex_unlock(&recovery->lock);
}

bool recovery_batch_again(struct recovery_batch *batch, enum team_step step)
{
	unsigned tries = 0;
	bool any = false;

	for (uint32_t i = 0; i < batch->nr; i++) {
		if (batch->items[i].team.step != step)
			continue;
		any = true;
		if (batch->items[i].team.tries > tries)
			tries = batch->items[i].team.tries;
	}
	if (any)
		recovery_batch_pause(batch, tries);
	return any;
}

/* Looks at all extents of the batch and who has them mapped. */
static int recovery_batch_survey(struct recovery_batch *batch)
{
	struct recovery *recovery = batch->recovery;
	struct recovery_survey *survey = &batch->survey;
	int ret;

	ret = recovery_survey_mappers(batch->thread, batch->target->ino,
				      &batch->target->mappers, survey);
	if (ret)
		return ret;
	return recovery_survey_look(recovery, batch->window, &batch->homes,
				    survey);
}

static struct team_policy recovery_item_policy(struct recovery_batch *batch,
					       const struct recovery_item *item)
{
	struct recovery *recovery = batch->recovery;
	bool bounded;

	pthread_mutex_lock(&recovery->lock);
	bounded = item->work->bounded;
	pthread_mutex_unlock(&recovery->lock);
	return recovery_policy(recovery, bounded);
}

/* Begins the teams, or takes those up again that are to be retried. */
static void recovery_batch_begin(struct recovery_batch *batch)
{
	struct recovery *recovery = batch->recovery;
	struct recovery_survey *survey = &batch->survey;
	struct recovery_item *item;
	struct team_policy policy;
	uint64_t i;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		i = item->work->index - survey->first;
		policy = recovery_item_policy(batch, item);
		team_begin(&item->team, item->work->index, &survey->facts[i],
			   &policy);
		item->extent = survey->extents[i];
		item->reach = (struct recovery_reach){0};
		item->stays = HUGETMPFS_REASON_MISPLACED;
		item->mm = survey->mms[i];
		item->misaligned = survey->misaligned[i];
		item->error = 0;
		item->told = HUGETMPFS_REASON_NOT_ASKED;
		if (!recovery_item_check(batch, item) ||
		    item->team.reason == HUGETMPFS_REASON_EMPTY ||
		    item->team.reason == HUGETMPFS_REASON_BEYOND_EOF) {
			/* it was wanted when it was queued */
			if (item->team.reason == HUGETMPFS_REASON_EMPTY ||
			    item->team.reason == HUGETMPFS_REASON_BEYOND_EOF)
				item->team.reason = HUGETMPFS_REASON_TOO_LATE;
			recovery_count(recovery, RECOVERY_COUNT_work_too_late,
				       1);
			continue;
		}
		pthread_mutex_lock(&recovery->lock);
		recovery_past_resume(recovery, batch->target->ino, &item->team);
		pthread_mutex_unlock(&recovery->lock);
	}
}

static void recovery_batch_passes(struct recovery_batch *batch)
{
	for (size_t i = 0; recovery_passes[i]; i++)
		recovery_passes[i]->run(batch);
}

/* The one whole retry, for those that ended as busy. */
static bool recovery_batch_retry(struct recovery_batch *batch)
{
	struct team_policy policy;
	struct recovery_item *item;
	bool any = false;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		if (item->team.reason != HUGETMPFS_REASON_NOT_ASKED ||
		    recovery_item_look(batch, item))
			continue;
		policy = recovery_item_policy(batch, item);
		if (!team_retry(&item->team, &item->team.now, &policy))
			continue;
		recovery_count(batch->recovery, RECOVERY_COUNT_recov_retried,
			       1);
		any = true;
	}
	return any;
}

static void recovery_item_count(struct recovery *recovery,
				const struct team *team)
{
	enum recovery_counter outcome[] = {
		[TEAM_COMPLETED] = RECOVERY_COUNT_recov_completed,
		[TEAM_PARTIAL] = RECOVERY_COUNT_recov_partial,
		[TEAM_FAILED] = RECOVERY_COUNT_recov_failed,
	};
	enum team_outcome ended = team_outcome(team);

	if (ended != TEAM_QUIET)
		recovery_count(recovery, outcome[ended], 1);
	if (ended == TEAM_PARTIAL || ended == TEAM_FAILED)
		recovery_count(recovery, RECOVERY_COUNT_page_unmigrated,
			       team->now.huge ? team->now.misplaced_pages
					      : team->now.resident +
							team->now.swapped);
	if (team->reason == HUGETMPFS_REASON_NO_HUGE_PAGE)
		recovery_count(recovery, RECOVERY_COUNT_huge_failed, 1);
	recovery_count(recovery, RECOVERY_COUNT_reasons + team->reason, 1);
}

/*
 * Huge it is, whoever made it so, and whatever kept us from it. Where it does
 * not belong it may be for a reason of its own.
 */
static void recovery_item_finish_huge(struct recovery_batch *batch,
				      struct recovery_item *item)
{
	struct team *team = &item->team;
	enum hugetmpfs_reason reason = item->stays;
	bool tried = team->reason == HUGETMPFS_REASON_DONE ||
		     team->reason == HUGETMPFS_REASON_NOT_ASKED;

	if (!team->now.misplaced_pages) {
		if (team->reason != HUGETMPFS_REASON_DONE)
			team_give_up(team, HUGETMPFS_REASON_DONE, 0);
		return;
	}
	if (!tried)
		return;
	if (reason == HUGETMPFS_REASON_AGAIN)
		reason = recovery_reason(batch, item);
	team_give_up(team, reason, item->error);
}

static void recovery_item_finish(struct recovery_batch *batch,
				 struct recovery_item *item)
{
	struct recovery *recovery = batch->recovery;
	struct hugetmpfs_extent extent;
	struct team *team = &item->team;

	if (team->now.huge)
		recovery_item_finish_huge(batch, item);
	if (team->reason == HUGETMPFS_REASON_NOT_ASKED)
		team_give_up(team, recovery_reason(batch, item), item->error);
	recovery_item_count(recovery, team);
	recovery_step_end(batch, item);
	team_show(team->index, &team->now, &extent);
	extent.reason = (uint8_t) team->reason;
	extent.error = team->error;
	extent.passes = team->done;
	/* any other error is of a mount without room */
	if (team->reason == HUGETMPFS_REASON_OVER_LIMIT &&
	    (!team->error || team->error == EBUSY))
		extent.group = (uint32_t) item->payer;
	pthread_mutex_lock(&recovery->lock);
	recovery_past_store(recovery, batch->target->ino, team, extent.group);
	recovery_tally_add_locked(recovery, batch->target->ino, team->reason,
				  team_outcome(team) == TEAM_COMPLETED);
	recovery_queue_finish_locked(recovery, item->work, &extent);
	pthread_mutex_unlock(&recovery->lock);
}

/* When not even a look was possible. */
static void recovery_batch_fail(struct recovery_batch *batch, int error)
{
	struct recovery_item *item;

	for (item = batch->items; item < batch->items + batch->nr; item++) {
		item->error = error;
		item->told = HUGETMPFS_REASON_NOT_ASKED;
		item->team = (struct team){.index = item->work->index};
		team_give_up(&item->team, HUGETMPFS_REASON_FAILED, error);
	}
}

void recovery_batch_unmap(struct recovery_batch *batch)
{
	const struct mm_ops *mm = batch->recovery->mm;

	mm->window_attach(mm->context, batch->window, batch->target->fd,
			  batch->survey.first, batch->survey.nr);
}

static int recovery_batch_open(struct recovery_batch *batch)
{
	uint64_t first = batch->items[0].work->index;
	uint64_t last = batch->items[batch->nr - 1].work->index;
	int ret;

	batch->window = NULL;
	ret = recovery_homes_open(batch->recovery, batch->target->fd,
				  batch->target->ino, &batch->homes);
	if (ret)
		return ret;
	ret = recovery_survey_new(&batch->survey, first,
				  (uint32_t) (last - first + 1));
	if (ret)
		return ret;
	ret = recovery_window_get(batch->recovery, &batch->window);
	if (ret)
		return ret;
	recovery_batch_unmap(batch); /* nothing is mapped yet */
	return recovery_batch_survey(batch);
}

void recovery_batch_run(struct recovery_batch *batch)
{
	struct recovery_target *target = batch->items[0].work->target;
	int ret;

	batch->target = target;
	batch->survey = (struct recovery_survey){0};
	batch->room_extents = 0;
	batch->background = batch->items[0].work->rank != RECOVERY_ASKED;
	ret = recovery_batch_open(batch);
	if (ret) {
		recovery_batch_fail(batch, ret);
	} else {
		recovery_batch_begin(batch);
		recovery_batch_find_room(batch);
		recovery_batch_find_blocks(batch);
		recovery_batch_passes(batch);
		if (recovery_batch_retry(batch))
			recovery_batch_passes(batch);
	}
	for (uint32_t i = 0; i < batch->nr; i++)
		recovery_item_finish(batch, &batch->items[i]);
	if (batch->window)
		recovery_window_put(batch->recovery, batch->window);
	recovery_survey_free(&batch->survey);
	recovery_homes_close(&batch->homes);
	for (uint32_t i = 0; i < batch->nr; i++)
		recovery_target_put(batch->recovery, target);
}
