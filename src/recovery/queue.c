/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The works: queued in order, at most one an extent that can be joined.
 *
 * A work that was released, or that nobody waits for any more, leaves the hash
 * at once, so that a new request makes a new work and is not answered by one
 * that is about to end. It stays in the queue or with its worker and ends
 * there; two works on one extent are only a waste, never a danger.
 */
#include "recovery/internal.h"

#include <stdlib.h>

static struct recovery_work **recovery_bucket(struct recovery *recovery,
					      uint64_t ino, uint64_t index)
{
	uint64_t hash = (ino * 0x9e3779b97f4a7c15u) >> 32;

	return &recovery->hash[(hash + index) % RECOVERY_HASH_BUCKETS];
}

static struct recovery_work *recovery_queue_find(struct recovery *recovery,
						 uint64_t ino, uint64_t index)
{
	struct recovery_work *work = *recovery_bucket(recovery, ino, index);

	while (work && (work->index != index || work->target->ino != ino))
		work = work->hash_next;
	return work;
}

void recovery_queue_unhash_locked(struct recovery *recovery,
				  struct recovery_work *work)
{
	struct recovery_work **at;

	if (!work->hashed)
		return;
	at = recovery_bucket(recovery, work->target->ino, work->index);
	while (*at != work)
		at = &(*at)->hash_next;
	*at = work->hash_next;
	work->hashed = false;
}

/*
 * Queues a work for the extent, made from *spare (then *spare is NULL), or
 * joins the one there is. Returns whether one was queued.
 */
bool recovery_queue_add_locked(struct recovery *recovery,
			       struct recovery_target *target, uint64_t index,
			       struct recovery_wait *wait,
			       struct recovery_work **spare)
{
	struct recovery_work *work, **bucket;
	bool joined;

	work = recovery_queue_find(recovery, target->ino, index);
	joined = work != NULL;
	if (!joined) {
		work = *spare;
		*spare = NULL;
		work->target = target;
		work->index = index;
		work->waits = NULL;
		work->payer = wait->request->payer;
		work->hashed = true;
		atomic_init(&work->released, false);
		atomic_init(&work->unwanted, false);
		target->refs++;
		work->target_next = target->works;
		work->target_at = &target->works;
		if (target->works)
			target->works->target_at = &work->target_next;
		target->works = work;
		bucket = recovery_bucket(recovery, target->ino, index);
		work->hash_next = *bucket;
		*bucket = work;
		work->queue_next = NULL;
		*recovery->queue_tail = work;
		recovery->queue_tail = &work->queue_next;
		recovery->queued++;
	}
	/* an admin among those that wait allows it; several users do not */
	if (!wait->request->payer)
		work->payer = 0;
	else if (work->payer && work->payer != wait->request->payer)
		work->payer = UINT64_MAX;
	wait->work = work;
	wait->next = work->waits;
	work->waits = wait;
	recovery_count(recovery,
		       joined ? RECOVERY_COUNT_work_already
			      : RECOVERY_COUNT_work_queued,
		       1);
	return !joined;
}

/*
 * Takes a batch off the head of the queue: neighbours of one target, not so
 * many that other threads stay idle. Returns their number.
 */
uint32_t recovery_queue_take_locked(struct recovery *recovery,
				    struct recovery_item *items)
{
	struct recovery_work *work = recovery->queue, *first = work;
	uint32_t share = recovery->queued / recovery->config.recoveries;
	uint32_t most = RECOVERY_BATCH_EXTENTS, nr = 0;

	/* each batch asks all mappers, so very small ones do not pay */
	if (share < most)
		most = share < RECOVERY_BATCH_LEAST ? RECOVERY_BATCH_LEAST
						    : share;
	while (work && nr < most && work->target == first->target &&
	       work->index >= first->index &&
	       work->index - first->index < RECOVERY_BATCH_EXTENTS) {
		items[nr++] = (struct recovery_item){.work = work};
		work = work->queue_next;
	}
	recovery->queue = work;
	if (!work)
		recovery->queue_tail = &recovery->queue;
	recovery->queued -= nr;
	recovery->running += nr;
	return nr;
}

/* Ends a work that was taken: answers who waits and frees it. */
void recovery_queue_finish_locked(struct recovery *recovery,
				  struct recovery_work *work,
				  const struct hugetmpfs_extent *extent)
{
	struct recovery_wait *wait;

	recovery_queue_unhash_locked(recovery, work);
	*work->target_at = work->target_next;
	if (work->target_next)
		work->target_next->target_at = work->target_at;
	while ((wait = work->waits)) {
		work->waits = wait->next;
		wait->work = NULL;
		recovery_request_answer_locked(recovery, wait, extent);
	}
	recovery->running--;
	free(work);
}
