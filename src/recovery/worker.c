/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads of the engine. The first is started with the engine, each
 * further one by a thread that finds itself the last idle one and takes
 * something: so there is always one that can answer at once, up to the limit,
 * and none inherits the credentials of a client's request.
 */
#include "recovery/internal.h"

#include <signal.h>

static void *recovery_worker(void *arg);

/* Starts one more thread if it may be needed. The lock is held on entry. */
static void recovery_worker_spare_locked(struct recovery *recovery)
{
	struct recovery_thread *thread;
	bool started;

	if (recovery->idle || recovery->stopping ||
	    recovery->nr_threads >= recovery->config.recoveries)
		return;
	thread = &recovery->threads[recovery->nr_threads++];
	pthread_mutex_unlock(&recovery->lock);
	started = pthread_create(&thread->id, NULL, recovery_worker,
				 recovery) == 0;
	pthread_mutex_lock(&recovery->lock);
	/* without it the others do the work; its place stays empty */
	thread->started = started;
}

void recovery_works_drop(struct recovery *recovery,
			 const struct recovery_item *items, uint32_t nr)
{
	struct recovery_target *target;
	struct hugetmpfs_extent extent = {0};

	for (uint32_t i = 0; i < nr; i++) {
		target = items[i].work->target;
		pthread_mutex_lock(&recovery->lock);
		recovery_queue_finish_locked(recovery, items[i].work, &extent);
		pthread_mutex_unlock(&recovery->lock);
		recovery_target_put(recovery, target);
	}
}

static void recovery_worker_batch(struct recovery *recovery,
				  struct recovery_batch *batch)
{
	pthread_mutex_lock(&recovery->lock);
	batch->nr = recovery_queue_take_locked(recovery, batch->items);
	if (!batch->nr) {
		pthread_mutex_unlock(&recovery->lock);
		return;
	}
	recovery->batches++;
	recovery_worker_spare_locked(recovery);
	pthread_mutex_unlock(&recovery->lock);
	recovery_batch_run(batch);
	pthread_mutex_lock(&recovery->lock);
	recovery->batches--;
	pthread_mutex_unlock(&recovery->lock);
}

/* Takes the oldest request that waits to be prepared, if there is one. */
static struct recovery_request *recovery_worker_take(struct recovery *recovery)
{
	struct recovery_request *request;

	pthread_mutex_lock(&recovery->lock);
	request = recovery->prepare;
	if (request) {
		recovery->prepare = request->prepare_next;
		if (!recovery->prepare)
			recovery->prepare_tail = &recovery->prepare;
		recovery_worker_spare_locked(recovery);
	}
	pthread_mutex_unlock(&recovery->lock);
	return request;
}

/* Waits for something to do. Returns false when the engine stops. */
static bool recovery_worker_wait(struct recovery *recovery)
{
	bool stopping;

	pthread_mutex_lock(&recovery->lock);
	while (!recovery->stopping && !recovery->prepare && !recovery->queue &&
	       !recovery->completed) {
		recovery->idle++;
		pthread_cond_wait(&recovery->wake, &recovery->lock);
		recovery->idle--;
	}
	stopping = recovery->stopping;
	pthread_mutex_unlock(&recovery->lock);
	return !stopping;
}

static void *recovery_worker(void *arg)
{
	struct recovery *recovery = arg;
	struct recovery_request *request;
	struct recovery_batch batch = {.recovery = recovery};

	pthread_setname_np(pthread_self(), "recovery");
	while (recovery_worker_wait(recovery)) {
		recovery_requests_deliver(recovery);
		request = recovery_worker_take(recovery);
		if (request)
			recovery_request_prepare(recovery, request);
		else
			recovery_worker_batch(recovery, &batch);
		recovery_requests_deliver(recovery);
	}
	return NULL;
}

int recovery_workers_start(struct recovery *recovery)
{
	sigset_t all, before;
	int ret;

	if (!recovery->config.recoveries)
		return 0;
	/* signals are for the daemon's other threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&recovery->threads[0].id, NULL, recovery_worker,
			     recovery);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret)
		return -ret;
	pthread_mutex_lock(&recovery->lock);
	recovery->threads[0].started = true;
	recovery->nr_threads = 1;
	pthread_mutex_unlock(&recovery->lock);
	return 0;
}

void recovery_workers_stop(struct recovery *recovery)
{
	struct recovery_thread thread;
	unsigned i = 0;

	pthread_mutex_lock(&recovery->lock);
	recovery->stopping = true;
	pthread_cond_broadcast(&recovery->wake);
	pthread_cond_broadcast(&recovery->pause);
	/* a thread is started by one before it, which has been joined */
	while (i < recovery->nr_threads) {
		thread = recovery->threads[i++];
		pthread_mutex_unlock(&recovery->lock);
		if (thread.started)
			pthread_join(thread.id, NULL);
		pthread_mutex_lock(&recovery->lock);
	}
	pthread_mutex_unlock(&recovery->lock);
}
