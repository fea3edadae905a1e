/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The works: queued by rank, then in order; at most one an extent that can be
 * joined. A better rank comes with whoever joins it: a work that was offered
 * and is asked for by name then is the caller's.
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

bool recovery_queue_has_asked_locked(struct recovery *recovery, uint64_t ino,
				     uint64_t index)
{
	const struct recovery_work *work;

	work = recovery_queue_find(recovery, ino, index);
	return work && work->asked;
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

static void recovery_queue_insert_locked(struct recovery *recovery,
					 struct recovery_work *work,
					 enum recovery_rank rank)
{
	work->rank = rank;
	TAILQ_INSERT_TAIL(&recovery->queue[rank].works, work, queue_entry);
	recovery->queue[rank].nr++;
}

static void recovery_queue_remove_locked(struct recovery *recovery,
					 struct recovery_work *work)
{
	TAILQ_REMOVE(&recovery->queue[work->rank].works, work, queue_entry);
	recovery->queue[work->rank].nr--;
}

static void recovery_queue_make_locked(struct recovery *recovery,
				       struct recovery_target *target,
				       uint64_t index,
				       struct recovery_work *work)
{
	struct recovery_work **bucket;

	*work = (struct recovery_work){
		.target = target,
		.index = index,
		.hashed = true,
	};
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
}

void recovery_queue_renew_locked(struct recovery *recovery,
				 struct recovery_work *old)
{
	struct recovery_work *work = old->waits ? malloc(sizeof(*work)) : NULL;
	struct recovery_wait *wait;

	if (!work)
		return;
	recovery_queue_unhash_locked(recovery, old);
	recovery_queue_make_locked(recovery, old->target, old->index, work);
	work->payer = old->payer;
	work->asked = old->asked;
	work->bounded = old->bounded;
	work->rank = old->rank;
	TAILQ_INSERT_HEAD(&recovery->queue[work->rank].works, work,
			  queue_entry);
	recovery->queue[work->rank].nr++;
	recovery_count(recovery, RECOVERY_COUNT_work_queued, 1);
	work->waits = old->waits;
	for (wait = work->waits; wait; wait = wait->next)
		wait->work = work;
	old->waits = NULL;
	atomic_store(&old->unwanted, true);
}

/*
 * The work that one of the rank can join. One of the background that is under
 * way is none for who asks by name: it is about to end by what holds there. It
 * is given up for a new one. So is one that max_holes holds for, when it does
 * not for who comes; who waits for that goes along.
 */
static struct recovery_work *recovery_queue_join_locked(
	struct recovery *recovery, uint64_t ino, uint64_t index,
	enum recovery_rank rank, bool bounded)
{
	struct recovery_work *work = recovery_queue_find(recovery, ino, index);

	if (work && work->taken && work->rank == rank && work->bounded &&
	    !bounded) {
		recovery_queue_renew_locked(recovery, work);
		work = recovery_queue_find(recovery, ino, index);
	}
	if (!work || work->rank <= rank)
		return work;
	if (!work->taken) {
		recovery_queue_remove_locked(recovery, work);
		recovery_queue_insert_locked(recovery, work, rank);
	} else if (rank == RECOVERY_ASKED) {
		recovery_queue_unhash_locked(recovery, work);
		atomic_store(&work->unwanted, true);
		pthread_cond_broadcast(&recovery->pause);
		return NULL;
	}
	return work;
}

/*
 * How many holes may be filled, and at whose expense, when one more waits for
 * the work: an admin among those that ask allows it, several users do not; who
 * asks for any number gets it for all. The background has no say in a work that
 * was asked for.
 */
static void recovery_work_join(struct recovery_work *work,
			       const struct recovery_request *request)
{
	bool bounded = recovery_request_is_bounded(request);

	work->bounded = work->waits ? work->bounded && bounded : bounded;
	if (request->background)
		return;
	if (work->asked && work->payer && request->payer &&
	    work->payer != request->payer)
		work->payer = UINT64_MAX;
	else if (!work->asked || !request->payer)
		work->payer = request->payer;
	work->asked = true;
}

/*
 * Queues a work for the extent, made from *spare (then *spare is NULL), or
 * joins the one there is. Returns whether one was queued.
 */
bool recovery_queue_add_locked(struct recovery *recovery,
			       struct recovery_target *target, uint64_t index,
			       struct recovery_wait *wait,
			       enum recovery_rank rank,
			       struct recovery_work **spare)
{
	struct recovery_work *work;
	bool joined;

	work = recovery_queue_join_locked(
		recovery, target->ino, index, rank,
		recovery_request_is_bounded(wait->request));
	joined = work != NULL;
	if (!joined) {
		work = *spare;
		*spare = NULL;
		recovery_queue_make_locked(recovery, target, index, work);
		recovery_queue_insert_locked(recovery, work, rank);
	}
	recovery_work_join(work, wait->request);
	wait->work = work;
	wait->next = work->waits;
	work->waits = wait;
	recovery_count(recovery,
		       joined ? RECOVERY_COUNT_work_already
			      : RECOVERY_COUNT_work_queued,
		       1);
	return !joined;
}

enum recovery_rank recovery_queue_rank_locked(const struct recovery *recovery)
{
	enum recovery_rank rank = RECOVERY_ASKED;

	while (rank < RECOVERY_NR_RANKS && !recovery->queue[rank].nr)
		rank++;
	return rank;
}

unsigned recovery_queue_nr_locked(const struct recovery *recovery)
{
	unsigned nr = 0;

	for (int rank = 0; rank < RECOVERY_NR_RANKS; rank++)
		nr += recovery->queue[rank].nr;
	return nr;
}

/*
 * Takes a batch off the head of a rank: neighbours of one target, not so many
 * that other threads stay idle. Returns their number.
 */
uint32_t recovery_queue_take_locked(struct recovery *recovery,
				    enum recovery_rank rank, uint32_t most,
				    struct recovery_item *items)
{
	struct recovery_queue *queue = &recovery->queue[rank];
	struct recovery_work *work, *first = TAILQ_FIRST(&queue->works);
	uint32_t share, nr = 0;

	share = recovery->settings.recoveries
			? queue->nr / recovery->settings.recoveries
			: queue->nr;
	/* each batch asks all mappers, so very small ones do not pay */
	if (share < RECOVERY_BATCH_LEAST)
		share = RECOVERY_BATCH_LEAST;
	if (share < most)
		most = share;
	while ((work = TAILQ_FIRST(&queue->works)) && nr < most &&
	       work->target == first->target && work->index >= first->index &&
	       work->index - first->index < RECOVERY_BATCH_EXTENTS) {
		recovery_queue_remove_locked(recovery, work);
		work->taken = true;
		items[nr++] = (struct recovery_item){.work = work};
	}
	recovery->running += nr;
	return nr;
}

/*
 * Ends a work that was taken: answers who waits and frees it. Without an
 * extent they keep what they know of it.
 */
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

void recovery_queue_refuse_locked(struct recovery *recovery,
				  struct recovery_work *work,
				  enum hugetmpfs_reason reason)
{
	struct recovery_wait *wait;

	for (wait = work->waits; wait; wait = wait->next)
		wait->request->extents[wait - wait->request->waits].reason =
			(uint8_t) reason;
	recovery_count(recovery, RECOVERY_COUNT_reasons + reason, 1);
	recovery_tally_add_locked(recovery, work->target->ino, reason, false);
	recovery_queue_finish_locked(recovery, work, NULL);
}
