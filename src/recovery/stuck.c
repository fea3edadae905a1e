/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Workers that are stuck in another process.
 *
 * Whatever wants the mmap lock of a process waits for as long as somebody holds
 * it, which may be minutes, and cannot be called back. So a worker says when it
 * goes inside another process and when it is out again, and a thread that waits
 * for work looks now and then how long that has been:
 *
 *   a second         it counts for none any more, and another one works in its
 *                    place. When it comes out there is one more for a moment.
 *   five of them     others get what it has: those that wait for its works wait
 *                    for new ones, a request is prepared once more. Nobody then
 *                    follows it into the same process: mm/ sees to that.
 *
 * It may only have been slow. So a request is that thread's which is ready
 * first, and a work whose waiters are gone ends as if they had cancelled it.
 *
 * The end of the engine does not wait for it either: it is left behind with a
 * reference to the engine, whose last one frees it.
 */
#include "recovery/internal.h"

#include <errno.h>

#include "base/clock.h"

/* The times of patience after which others get what it has. */
#define RECOVERY_HAND_OVER 5

/* Replaced ones: with them all others have a place. */
#define RECOVERY_MOST_STUCK RECOVERY_MAX_RECOVERIES

_Static_assert(RECOVERY_MAX_THREADS >=
		       RECOVERY_MAX_RECOVERIES + 1 + RECOVERY_MOST_STUCK,
	       "threads have places");

static uint64_t recovery_patience_ns(const struct recovery *recovery)
{
	return recovery->config.patience_ms * (uint64_t) CLOCK_NS_PER_MS;
}

unsigned recovery_stuck_nr_locked(const struct recovery *recovery)
{
	return recovery->stuck < RECOVERY_MOST_STUCK ? recovery->stuck
						     : RECOVERY_MOST_STUCK;
}

bool recovery_thread_is_stuck_locked(const struct recovery_thread *thread,
				     uint64_t now_ns, uint64_t *until_ns)
{
	if (!thread->inside_ns)
		return false;
	*until_ns = thread->inside_ns + recovery_patience_ns(thread->recovery);
	return now_ns >= *until_ns;
}

uint64_t recovery_stuck_next_locked(const struct recovery *recovery)
{
	uint64_t next_ns = 0, patience_ns = recovery_patience_ns(recovery), ns;
	const struct recovery_thread *thread = recovery->threads;

	if (!recovery->inside)
		return 0;
	for (unsigned i = 0; i < RECOVERY_MAX_THREADS; i++, thread++) {
		if (!thread->inside_ns ||
		    (thread->stuck && thread->handed_over))
			continue;
		ns = thread->inside_ns + patience_ns;
		if (thread->stuck)
			ns += (RECOVERY_HAND_OVER - 1) * patience_ns;
		if (!next_ns || ns < next_ns)
			next_ns = ns;
	}
	return next_ns;
}

/* While it is inside it has ended none of its works. */
static void recovery_thread_empty_locked(struct recovery_thread *thread)
{
	struct recovery *recovery = thread->recovery;
	struct recovery_batch *batch = thread->batch;

	thread->handed_over = true;
	if (thread->request && !thread->request->listed)
		recovery_request_list_locked(recovery, thread->request);
	/* the last first, each before all others: they stay in their order */
	for (uint32_t i = batch ? batch->nr : 0; i > 0; i--)
		recovery_queue_renew_locked(recovery, batch->items[i - 1].work);
	pthread_cond_broadcast(&recovery->wake);
}

void recovery_stuck_empty_locked(struct recovery *recovery)
{
	struct recovery_thread *thread = recovery->threads;

	for (unsigned i = 0; i < RECOVERY_MAX_THREADS; i++, thread++) {
		if (thread->inside_ns)
			recovery_thread_empty_locked(thread);
	}
}

void recovery_stuck_find_locked(struct recovery *recovery)
{
	struct recovery_thread *thread = recovery->threads;
	uint64_t now_ns, until_ns, patience_ns = recovery_patience_ns(recovery);

	if (!recovery->inside)
		return;
	now_ns = clock_now_ns();
	for (unsigned i = 0; i < RECOVERY_MAX_THREADS; i++, thread++) {
		if (!recovery_thread_is_stuck_locked(thread, now_ns, &until_ns))
			continue;
		if (!thread->stuck) {
			thread->stuck = true;
			recovery->stuck++;
			recovery_count(recovery, RECOVERY_COUNT_worker_stuck,
				       1);
			/* one that has rested may go on in its place */
			pthread_cond_broadcast(&recovery->place);
		}
		until_ns += (RECOVERY_HAND_OVER - 1) * patience_ns;
		if (!thread->handed_over && now_ns >= until_ns)
			recovery_thread_empty_locked(thread);
	}
}

/* Returns false when it must not go: nobody would miss it any more. */
static bool recovery_inside_enter(struct recovery_thread *thread)
{
	struct recovery *recovery = thread->recovery;
	bool may;

	pthread_mutex_lock(&recovery->lock);
	may = !recovery->stopping && recovery->settings.recoveries;
	if (may) {
		thread->inside_ns = clock_now_ns();
		recovery->inside++;
		/* one that waits is to do so for no longer than it may take */
		if (!recovery->watching)
			pthread_cond_signal(&recovery->wake);
	}
	pthread_mutex_unlock(&recovery->lock);
	return may;
}

static void recovery_inside_leave(struct recovery_thread *thread)
{
	struct recovery *recovery = thread->recovery;

	pthread_mutex_lock(&recovery->lock);
	thread->inside_ns = 0;
	recovery->inside--;
	recovery->stuck -= thread->stuck;
	thread->stuck = false;
	thread->handed_over = false;
	pthread_mutex_unlock(&recovery->lock);
}

int recovery_mappers_find(struct recovery_thread *thread, uint64_t ino,
			  struct mm_mappers *mappers)
{
	const struct mm_ops *mm = thread->recovery->mm;
	int ret;

	if (!recovery_inside_enter(thread))
		return -EINTR;
	ret = mm->mappers_find(mm->context, thread->recovery->config.dev, ino,
			       mappers);
	recovery_inside_leave(thread);
	return ret;
}

int recovery_mapper_view(struct recovery_thread *thread,
			 const struct mm_mapper *mapper, uint64_t ino,
			 uint64_t first, uint32_t nr, struct mm_view *views)
{
	const struct mm_ops *mm = thread->recovery->mm;
	int ret;

	if (!recovery_inside_enter(thread))
		return -EINTR;
	ret = mm->mapper_view(mm->context, mapper, thread->recovery->config.dev,
			      ino, first, nr, views);
	recovery_inside_leave(thread);
	return ret;
}

int recovery_mapper_collapse(struct recovery_thread *thread,
			     const struct mm_mapper *mapper, uint64_t addr,
			     uint32_t nr)
{
	const struct mm_ops *mm = thread->recovery->mm;
	int ret;

	if (!recovery_inside_enter(thread))
		return -EINTR;
	ret = mm->mapper_collapse(mm->context, mapper, addr, nr);
	recovery_inside_leave(thread);
	return ret;
}

int recovery_mapper_migrate(struct recovery_batch *batch,
			    const struct recovery_item *item,
			    uint32_t latency_us, uint16_t *there)
{
	const struct mm_ops *mm = batch->recovery->mm;
	int ret;

	*there = 0;
	if (!recovery_inside_enter(batch->thread))
		return -EINTR;
	ret = mm->mapper_migrate(mm->context, batch->window, item->team.index,
				 item->mm.mapper, item->mm.addr,
				 item->extent.pages, item->team.now.target_nid,
				 latency_us, there);
	recovery_inside_leave(batch->thread);
	return ret;
}
