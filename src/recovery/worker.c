/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads of the engine. The first is started with the engine, each
 * further one by a thread that finds itself the last idle one and takes
 * something: so there is always one that can answer at once, and none inherits
 * the credentials of a client's request. As many as are set work at a time,
 * one more waits. When that number falls, threads end as they become idle.
 *
 * What was asked for by name is taken before all else. The background is taken
 * when the budgets allow it; until then threads wait, and hold nothing. A thread
 * that is stuck in another process (stuck.c) counts for none, and the next that
 * waits finds that out. Nor does one whose works pause, which a pinned page may
 * have them do for long; it goes on when there is a place for it again.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/memlock.h"

/* What a worker took. */
struct recovery_task {
	struct recovery_request *request; /* to prepare */
	struct recovery_batch *batch;	  /* if not; of nr works */
	bool background;
	bool left; /* nothing: the engine ended without the thread */
};

static void *recovery_worker(void *arg);

/* Workers that have something and are not stuck. */
static unsigned recovery_workers_nr_locked(const struct recovery *recovery)
{
	return recovery->busy - recovery_stuck_nr_locked(recovery);
}

/* Of those, ones that hold a place. */
static unsigned recovery_working_nr_locked(const struct recovery *recovery)
{
	return recovery_workers_nr_locked(recovery) - recovery->resting -
	       recovery->returning;
}

/* As many as may work may rest beside them. */
static bool recovery_has_place_locked(const struct recovery *recovery)
{
	unsigned nr = recovery_workers_nr_locked(recovery);
	unsigned most = recovery->settings.recoveries;

	/* one that wants to go on counts as well: it comes first */
	return nr - recovery->resting < most && nr < 2 * most;
}

static unsigned recovery_threads_wanted_locked(const struct recovery *recovery)
{
	unsigned works = recovery->settings.recoveries;
	unsigned rest = recovery->resting + recovery->returning;

	if (!works)
		return recovery->kept ? recovery_stuck_nr_locked(recovery) + 1
				      : 0;
	return works + 1 + recovery_stuck_nr_locked(recovery) +
	       (rest < works ? rest : works);
}

/* A place for a thread; one that ended gives back its place when joined. */
static struct recovery_thread *
recovery_thread_place_locked(struct recovery *recovery)
{
	struct recovery_thread *thread = recovery->threads;

	while (thread->used && !(thread->started && thread->exited))
		thread++;
	return thread;
}

static int recovery_thread_create(struct recovery_thread *thread)
{
	sigset_t all, before;
	int ret;

	/* signals are for the daemon's other threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread->id, NULL, recovery_worker, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

/* Starts one more thread. Gives the lock up in between. */
static int recovery_thread_start_locked(struct recovery *recovery)
{
	struct recovery_thread *thread = recovery_thread_place_locked(recovery);
	pthread_t ended = thread->id;
	bool join = thread->used;
	int ret;

	*thread = (struct recovery_thread){.recovery = recovery, .used = true};
	recovery->nr_threads++;
	pthread_mutex_unlock(&recovery->lock);
	if (join)
		pthread_join(ended, NULL);
	ret = recovery_thread_create(thread);
	pthread_mutex_lock(&recovery->lock);
	thread->started = !ret;
	if (ret) {
		thread->used = false;
		recovery->nr_threads--;
	}
	return ret;
}

/* Starts one more thread if it may be needed; the others do without it. */
static void recovery_worker_spare_locked(struct recovery *recovery)
{
	if (!recovery->idle && !recovery->stopping &&
	    recovery->nr_threads < recovery_threads_wanted_locked(recovery))
		recovery_thread_start_locked(recovery);
}

int recovery_workers_keep(struct recovery *recovery)
{
	int ret = 0;

	pthread_mutex_lock(&recovery->lock);
	recovery->kept++;
	if (recovery->nr_threads == recovery_stuck_nr_locked(recovery))
		ret = recovery_thread_start_locked(recovery);
	if (ret)
		recovery->kept--;
	pthread_mutex_unlock(&recovery->lock);
	return ret;
}

void recovery_workers_release(struct recovery *recovery)
{
	pthread_mutex_lock(&recovery->lock);
	recovery->kept--;
	/* one that was just started is not idle yet, but does */
	if (recovery->busy)
		recovery_worker_spare_locked(recovery);
	/* one that was kept for nothing is to end */
	pthread_cond_broadcast(&recovery->wake);
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_worker_rest_locked(struct recovery *recovery)
{
	recovery->resting++;
	recovery_worker_spare_locked(recovery);
	pthread_cond_signal(&recovery->wake);
	pthread_cond_signal(&recovery->place);
}

void recovery_worker_resume_locked(struct recovery *recovery)
{
	recovery->resting--;
	recovery->returning++;
	while (!recovery->stopping && recovery->settings.recoveries &&
	       recovery_working_nr_locked(recovery) >=
		       recovery->settings.recoveries)
		pthread_cond_wait(&recovery->place, &recovery->lock);
	recovery->returning--;
}

void recovery_works_drop(struct recovery *recovery,
			 enum hugetmpfs_reason reason)
{
	struct recovery_item items[RECOVERY_BATCH_EXTENTS];
	struct recovery_target *target;
	enum recovery_rank rank;
	uint32_t nr;

	for (;;) {
		pthread_mutex_lock(&recovery->lock);
		rank = recovery_queue_rank_locked(recovery);
		if (rank == RECOVERY_NR_RANKS)
			break;
		nr = recovery_queue_take_locked(
			recovery, rank, RECOVERY_BATCH_EXTENTS, items);
		target = items[0].work->target;
		for (uint32_t i = 0; i < nr; i++)
			recovery_queue_refuse_locked(recovery, items[i].work,
						     reason);
		pthread_mutex_unlock(&recovery->lock);
		while (nr-- > 0)
			recovery_target_put(recovery, target);
	}
	pthread_mutex_unlock(&recovery->lock);
}

/*
 * Whether there is background work that may begin; if not yet, *until_ns is
 * when it may.
 */
static bool recovery_background_may_locked(struct recovery *recovery,
					   uint64_t *until_ns)
{
	uint64_t now_ns, wait_ns;
	bool looked;

	if (STAILQ_EMPTY(&recovery->offered_ones) &&
	    recovery_queue_rank_locked(recovery) == RECOVERY_NR_RANKS)
		return false;
	now_ns = clock_now_ns();
	wait_ns = recovery_budget_wait(&recovery->budget, &recovery->settings,
				       now_ns);
	if (wait_ns)
		*until_ns = now_ns + wait_ns;
	else
		*until_ns = recovery_pressure_until_locked(recovery, &looked);
	/* the lock was given up: what was seen before may be gone */
	if (!*until_ns && looked)
		*until_ns = now_ns;
	return !*until_ns;
}

static bool recovery_worker_may_take_locked(struct recovery *recovery,
					    uint64_t *until_ns)
{
	*until_ns = 0;
	if (!recovery_has_place_locked(recovery))
		return false;
	return !STAILQ_EMPTY(&recovery->asked_for) ||
	       recovery->queue[RECOVERY_ASKED].nr ||
	       recovery_background_may_locked(recovery, until_ns);
}

/* Takes what comes first: recovery_worker_may_take_locked() said so. */
static void recovery_worker_take_locked(struct recovery *recovery,
					struct recovery_batch *batch,
					struct recovery_task *task)
{
	uint32_t most = RECOVERY_BATCH_EXTENTS;
	enum recovery_rank rank;

	*task = (struct recovery_task){.batch = batch};
	recovery->busy++;
	task->request = recovery_request_next_locked(&recovery->asked_for);
	task->background = !task->request &&
			   !recovery->queue[RECOVERY_ASKED].nr;
	/* what is offered is looked at first, so that the best is found */
	if (task->background)
		task->request = recovery_request_next_locked(
			&recovery->offered_ones);
	batch->thread->request = task->request;
	if (task->request)
		return;
	batch->thread->batch = batch;
	rank = recovery_queue_rank_locked(recovery);
	if (task->background)
		most = recovery_budget_extents(&recovery->settings, most);
	batch->nr = recovery_queue_take_locked(recovery, rank, most,
					       batch->items);
	recovery->batches++;
	if (task->background)
		recovery_budget_take_extents(&recovery->budget,
					     &recovery->settings, clock_now_ns(),
					     batch->nr);
}

static void recovery_worker_wait_locked(struct recovery *recovery,
					uint64_t until_ns)
{
	uint64_t watch_ns = recovery_stuck_next_locked(recovery);
	struct timespec until;

	if (watch_ns && (!until_ns || watch_ns < until_ns))
		until_ns = watch_ns;
	until.tv_sec = (time_t) (until_ns / CLOCK_NS_PER_S);
	until.tv_nsec = (long) (until_ns % CLOCK_NS_PER_S);
	recovery->idle++;
	recovery->watching += watch_ns != 0;
	if (until_ns)
		pthread_cond_timedwait(&recovery->wake, &recovery->lock,
				       &until);
	else
		pthread_cond_wait(&recovery->wake, &recovery->lock);
	recovery->watching -= watch_ns != 0;
	recovery->idle--;
}

/* Whether the thread is to end; then it is none of the engine's any more. */
static bool recovery_worker_end_locked(struct recovery_thread *thread)
{
	struct recovery *recovery = thread->recovery;

	if (!recovery->stopping &&
	    recovery->nr_threads <= recovery_threads_wanted_locked(recovery))
		return false;
	recovery->nr_threads--;
	thread->exited = true;
	pthread_cond_signal(&recovery->gone);
	/* a wake-up that it may have had is for another */
	pthread_cond_signal(&recovery->wake);
	return true;
}

/* Waits for something to do. Returns false when the thread is to end. */
static bool recovery_worker_next(struct recovery_thread *thread,
				 struct recovery_batch *batch,
				 struct recovery_task *task)
{
	struct recovery *recovery = thread->recovery;
	uint64_t until_ns;
	bool over;

	pthread_mutex_lock(&recovery->lock);
	for (;;) {
		over = recovery_worker_end_locked(thread);
		if (over) {
			task->left = thread->left;
			break;
		}
		recovery_stuck_find_locked(recovery);
		if (recovery_worker_may_take_locked(recovery, &until_ns)) {
			recovery_worker_take_locked(recovery, batch, task);
			recovery_worker_spare_locked(recovery);
			break;
		}
		if (recovery->completed) {
			pthread_mutex_unlock(&recovery->lock);
			recovery_requests_deliver(recovery);
			pthread_mutex_lock(&recovery->lock);
			continue;
		}
		recovery_worker_wait_locked(recovery, until_ns);
	}
	pthread_mutex_unlock(&recovery->lock);
	return !over;
}

static uint64_t recovery_thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t) used.tv_sec * 1000000000 + (uint64_t) used.tv_nsec;
}

static void recovery_worker_do(struct recovery_thread *thread,
			       const struct recovery_task *task)
{
	struct recovery *recovery = thread->recovery;
	uint64_t cpu_ns = recovery_thread_cpu_ns();

	if (task->request)
		recovery_request_prepare(recovery, task->request, thread);
	else
		recovery_batch_run(task->batch);
	cpu_ns = recovery_thread_cpu_ns() - cpu_ns;
	pthread_mutex_lock(&recovery->lock);
	recovery->busy--;
	pthread_cond_signal(&recovery->place);
	thread->batch = NULL;
	if (!task->request)
		recovery->batches--;
	if (task->background)
		recovery_budget_take_cpu(&recovery->budget, &recovery->settings,
					 clock_now_ns(), cpu_ns);
	pthread_mutex_unlock(&recovery->lock);
}

static void *recovery_worker(void *arg)
{
	struct recovery_thread *thread = arg;
	struct recovery *recovery = thread->recovery;
	struct recovery_batch batch = {.recovery = recovery, .thread = thread};
	struct recovery_task task;

	pthread_setname_np(pthread_self(), "recovery");
	memlock_stack();
	while (recovery_worker_next(thread, &batch, &task)) {
		recovery_worker_do(thread, &task);
		recovery_requests_deliver(recovery);
	}
	if (task.left)
		recovery_put(recovery);
	return NULL;
}

/* Whether a thread is to end before the engine does; *until_ns: at the latest. */
static bool recovery_thread_is_awaited_locked(const struct recovery_thread *thread,
					      uint64_t now_ns,
					      uint64_t *until_ns)
{
	*until_ns = 0;
	return thread->used && !thread->exited &&
	       !recovery_thread_is_stuck_locked(thread, now_ns, until_ns);
}

/* Waits until all have ended but those that are stuck. */
static void recovery_workers_wait_locked(struct recovery *recovery)
{
	struct recovery_thread *thread = recovery->threads;
	struct timespec until;
	uint64_t until_ns;

	while (thread < recovery->threads + RECOVERY_MAX_THREADS) {
		if (!recovery_thread_is_awaited_locked(thread, clock_now_ns(),
						       &until_ns)) {
			thread++;
			continue;
		}
		until.tv_sec = (time_t) (until_ns / CLOCK_NS_PER_S);
		until.tv_nsec = (long) (until_ns % CLOCK_NS_PER_S);
		if (until_ns)
			pthread_cond_timedwait(&recovery->gone,
					       &recovery->lock, &until);
		else
			pthread_cond_wait(&recovery->gone, &recovery->lock);
		/* one may have started another */
		thread = recovery->threads;
	}
}

unsigned recovery_workers_stop(struct recovery *recovery)
{
	struct recovery_thread *thread;
	unsigned left = 0;

	pthread_mutex_lock(&recovery->lock);
	recovery->stopping = true;
	pthread_cond_broadcast(&recovery->wake);
	pthread_cond_broadcast(&recovery->pause);
	pthread_cond_broadcast(&recovery->place);
	recovery_workers_wait_locked(recovery);
	for (unsigned i = 0; i < RECOVERY_MAX_THREADS; i++) {
		thread = &recovery->threads[i];
		if (!thread->used)
			continue;
		if (!thread->exited) {
			thread->left = true;
			recovery->refs++;
			left++;
			pthread_detach(thread->id);
			continue;
		}
		pthread_mutex_unlock(&recovery->lock);
		pthread_join(thread->id, NULL);
		pthread_mutex_lock(&recovery->lock);
		thread->used = false;
	}
	pthread_mutex_unlock(&recovery->lock);
	return left;
}
