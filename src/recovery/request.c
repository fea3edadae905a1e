/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests: what callers wait for, from their preparation to their answer.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void recovery_request_free(struct recovery *recovery,
			   struct recovery_request *request)
{
	if (request->target)
		recovery_target_put(recovery, request->target);
	free(request->extents);
	free(request->waits);
	free(request);
}

static int recovery_target_new(struct recovery *recovery,
			       const struct recovery_file *file,
			       struct recovery_target **out)
{
	struct recovery_target *target = calloc(1, sizeof(*target));
	int ret;

	if (!target)
		return -ENOMEM;
	target->refs = 1;
	target->ino = file->ino;
	target->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (target->fd < 0) {
		ret = -errno;
		free(target);
		return ret;
	}
	pthread_mutex_lock(&recovery->lock);
	target->next = recovery->targets;
	recovery->targets = target;
	pthread_mutex_unlock(&recovery->lock);
	*out = target;
	return 0;
}

void recovery_target_put(struct recovery *recovery,
			 struct recovery_target *target)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_target **at = &recovery->targets;
	bool last;

	pthread_mutex_lock(&recovery->lock);
	last = --target->refs == 0;
	if (last) {
		while (*at != target)
			at = &(*at)->next;
		*at = target->next;
	}
	pthread_mutex_unlock(&recovery->lock);
	if (!last)
		return;
	mm->mappers_free(mm->context, &target->mappers);
	close(target->fd);
	free(target);
}

int recovery_request_new(struct recovery *recovery,
			 const struct recovery_file *file, uint64_t first,
			 uint32_t nr, struct recovery_request **out)
{
	struct recovery_request *request = calloc(1, sizeof(*request));
	int ret = -ENOMEM;

	if (!request)
		return -ENOMEM;
	request->first = first;
	request->nr = nr;
	request->payer = file->payer;
	request->preparing = true;
	request->extents = calloc(nr, sizeof(*request->extents));
	request->waits = calloc(nr, sizeof(*request->waits));
	if (request->extents && request->waits)
		ret = recovery_target_new(recovery, file, &request->target);
	if (ret) {
		recovery_request_free(recovery, request);
		return ret;
	}
	for (uint32_t i = 0; i < nr; i++)
		request->waits[i].request = request;
	*out = request;
	return 0;
}

static void recovery_request_complete_locked(struct recovery *recovery,
					     struct recovery_request *request,
					     int error)
{
	struct recovery_request **at = &recovery->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	*(request->background ? &recovery->offered : &recovery->asked) -=
		request->nr;
	if (request->flags & HUGETMPFS_RECOVER_NO_WAIT)
		recovery->no_wait--;
	request->error = error;
	request->next = recovery->completed;
	recovery->completed = request;
}

void recovery_requests_deliver(struct recovery *recovery)
{
	struct recovery_request *request, *next;
	struct recovery_result result;

	pthread_mutex_lock(&recovery->lock);
	request = recovery->completed;
	recovery->completed = NULL;
	pthread_mutex_unlock(&recovery->lock);
	for (; request; request = next) {
		next = request->next;
		result = (struct recovery_result){
			.error = request->error,
			.nr = request->filled,
			.size_bytes = request->size_bytes,
			.extents = request->extents,
		};
		if (request->done)
			request->done(request->arg, &result);
		recovery_request_free(recovery, request);
	}
}

void recovery_request_answer_locked(struct recovery *recovery,
				    struct recovery_wait *wait,
				    const struct hugetmpfs_extent *extent)
{
	struct recovery_request *request = wait->request;

	if (extent)
		request->extents[wait - request->waits] = *extent;
	if (--request->pending == 0)
		recovery_request_complete_locked(recovery, request, 0);
}

/* Takes a wait off its work. The last one that leaves makes it unwanted. */
static void recovery_wait_leave_locked(struct recovery *recovery,
				       struct recovery_wait *wait)
{
	struct recovery_work *work = wait->work;
	struct recovery_wait **at = &work->waits;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	wait->work = NULL;
	if (!work->waits) {
		recovery_queue_unhash_locked(recovery, work);
		atomic_store(&work->unwanted, true);
	}
}

uint32_t recovery_request_cancel_locked(struct recovery *recovery,
					struct recovery_request *request,
					int error)
{
	uint32_t waited = 0;

	request->cancelled = true;
	if (request->preparing) /* whoever prepares it will see */
		return 0;
	for (uint32_t i = 0; i < request->filled; i++) {
		if (!request->waits[i].work)
			continue;
		recovery_wait_leave_locked(recovery, &request->waits[i]);
		request->extents[i].reason = HUGETMPFS_REASON_CANCELLED;
		waited++;
	}
	recovery_request_complete_locked(recovery, request, error);
	pthread_cond_signal(&recovery->wake);
	pthread_cond_broadcast(&recovery->pause);
	return waited;
}

void recovery_request_list_locked(struct recovery *recovery,
				  struct recovery_request *request)
{
	struct recovery_prepare *prepare = request->background
						   ? &recovery->offered_ones
						   : &recovery->asked_for;

	STAILQ_INSERT_TAIL(prepare, request, prepare_entry);
	request->listed = true;
}

struct recovery_request *
recovery_request_next_locked(struct recovery_prepare *prepare)
{
	struct recovery_request *request = STAILQ_FIRST(prepare);

	if (request) {
		STAILQ_REMOVE_HEAD(prepare, prepare_entry);
		request->listed = false;
	}
	return request;
}

bool recovery_request_claim_locked(struct recovery *recovery,
				   struct recovery_request *request,
				   const struct recovery_thread *thread)
{
	struct recovery_prepare *prepare;

	if (thread && thread->request != request)
		return false;
	for (unsigned i = 0; i < RECOVERY_MAX_THREADS; i++) {
		if (recovery->threads[i].request == request)
			recovery->threads[i].request = NULL;
	}
	if (request->listed) {
		prepare = request->background ? &recovery->offered_ones
					      : &recovery->asked_for;
		STAILQ_REMOVE(prepare, request, recovery_request,
			      prepare_entry);
		request->listed = false;
	}
	return true;
}

/* Whether who maps a file matters if there is something of it. */
static bool recovery_request_wants_mappers(struct recovery *recovery,
					   const struct recovery_thread *thread)
{
	struct team_policy policy = recovery_policy(recovery, false);
	const struct mm_ops *mm = recovery->mm;

	return thread && policy.recoverable && policy.enabled &&
	       mm->has(mm->context, MM_PROCESS_COLLAPSE);
}

static bool recovery_survey_has_pages(const struct recovery_survey *survey)
{
	for (uint32_t i = 0; i < survey->found; i++) {
		if (survey->facts[i].resident || survey->facts[i].swapped)
			return true;
	}
	return false;
}

/* Without mappers there is still the daemon's own mapping. */
static int recovery_request_find_mappers(struct recovery_thread *thread,
					 const struct recovery_target *target,
					 struct recovery_survey *survey,
					 struct mm_mappers *mappers)
{
	if (recovery_mappers_find(thread, target->ino, mappers))
		return 0;
	return recovery_survey_mappers(thread, target->ino, mappers, survey);
}

/* Looks at a file for a request that may become another thread's meanwhile. */
static int recovery_request_survey(struct recovery *recovery,
				   struct recovery_thread *thread,
				   const struct recovery_target *target,
				   struct recovery_survey *survey,
				   struct mm_mappers *mappers)
{
	bool wants = recovery_request_wants_mappers(recovery, thread), has;
	const struct mm_ops *mm = recovery->mm;
	struct recovery_homes homes;
	struct mm_window *window;
	int ret;

	ret = recovery_homes_open(recovery, target->fd, target->ino, &homes);
	if (ret)
		return ret;
	ret = recovery_survey_new(survey, survey->first, survey->nr);
	if (!ret)
		ret = recovery_window_get(recovery, &window);
	if (ret)
		goto err_homes_close;
	mm->window_attach(mm->context, window, target->fd, survey->first,
			  survey->nr);
	has = mm->has_data(mm->context, window, survey->first, survey->nr);
	if (wants && has)
		ret = recovery_request_find_mappers(thread, target, survey,
						    mappers);
	if (!ret)
		ret = recovery_survey_look(recovery, window, &homes, survey);
	/* it was allocated, but never written */
	if (!ret && wants && !has && recovery_survey_has_pages(survey)) {
		ret = recovery_request_find_mappers(thread, target, survey,
						    mappers);
		if (!ret)
			ret = recovery_survey_look(recovery, window, &homes,
						   survey);
	}
	recovery_window_put(recovery, window);
err_homes_close:
	recovery_homes_close(&homes);
	return ret;
}

/*
 * The survey of a request. The thread may be stuck in it for minutes, so it
 * holds nothing of the request's but the target. Returns false when another
 * thread was first: then the request may be gone, at any time without the lock.
 */
static bool recovery_request_look(struct recovery *recovery,
				  struct recovery_request *request,
				  struct recovery_thread *thread,
				  struct recovery_survey *survey, int *error)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_target *target;
	struct mm_mappers mappers = {0};
	bool claimed;

	pthread_mutex_lock(&recovery->lock);
	if (thread && thread->request != request) {
		pthread_mutex_unlock(&recovery->lock);
		return false;
	}
	survey->first = request->first;
	survey->nr = request->nr;
	target = request->target;
	target->refs++;
	pthread_mutex_unlock(&recovery->lock);
	*error = recovery_request_survey(recovery, thread, target, survey,
					 &mappers);
	pthread_mutex_lock(&recovery->lock);
	claimed = recovery_request_claim_locked(recovery, request, thread);
	if (claimed)
		target->mappers = mappers;
	pthread_mutex_unlock(&recovery->lock);
	if (!claimed)
		mm->mappers_free(mm->context, &mappers);
	recovery_target_put(recovery, target);
	return claimed;
}

/* Fills in what was found; returns for how many extents there is work. */
static uint32_t recovery_request_show(struct recovery *recovery,
				      struct recovery_request *request,
				      const struct recovery_survey *survey)
{
	bool bounded = recovery_request_is_bounded(request);
	struct team_policy policy = recovery_policy(recovery, bounded);
	struct hugetmpfs_extent *extent = request->extents;
	struct team_verdict verdict;
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < survey->found; i++, extent++) {
		if (request->wants &&
		    !request->wants(request->arg, request->first + i,
				    &survey->facts[i])) {
			extent->index = request->first + i;
			extent->reason = HUGETMPFS_REASON_NOT_ASKED;
			continue;
		}
		verdict = team_judge(&survey->facts[i], &policy);
		team_show(request->first + i, &survey->facts[i], extent);
		extent->reason = (uint8_t) verdict.reason;
		extent->passes = verdict.passes;
		request->waits[i].by_pte = survey->facts[i].by_pte;
		wanted += verdict.passes != 0;
	}
	request->filled = survey->found;
	request->size_bytes = survey->size_bytes;
	return wanted;
}

static void recovery_works_free(struct recovery_work *works)
{
	struct recovery_work *next;

	for (; works; works = next) {
		next = works->hash_next;
		free(works);
	}
}

static int recovery_works_new(uint32_t nr, struct recovery_work **works)
{
	struct recovery_work *work;

	*works = NULL;
	while (nr-- > 0) {
		work = calloc(1, sizeof(*work));
		if (!work) {
			recovery_works_free(*works);
			*works = NULL;
			return -ENOMEM;
		}
		work->hash_next = *works;
		*works = work;
	}
	return 0;
}

static enum recovery_rank
recovery_request_rank_locked(struct recovery *recovery,
			     const struct recovery_request *request, uint32_t i)
{
	bool resume;

	if (!request->background)
		return RECOVERY_ASKED;
	resume = recovery_past_is_partial(recovery, request->target->ino,
					  request->first + i);
	if (request->waits[i].by_pte)
		return resume ? RECOVERY_MAPPED_RESUME : RECOVERY_MAPPED;
	return resume ? RECOVERY_RESUME : RECOVERY_OTHER;
}

/* Why works that are wanted are not queued, NOT_ASKED if they are. */
static enum hugetmpfs_reason
recovery_request_refusal_locked(const struct recovery *recovery,
				const struct recovery_request *request)
{
	if (request->called_off)
		return HUGETMPFS_REASON_CANCELLED;
	/* it was turned off meanwhile: nobody would take them */
	if (!recovery->settings.recoveries)
		return HUGETMPFS_REASON_POLICY;
	return HUGETMPFS_REASON_NOT_ASKED;
}

/* Queues the works; those that are joined leave their spare one over. */
static struct recovery_work *
recovery_request_queue_locked(struct recovery *recovery,
			      struct recovery_request *request,
			      struct recovery_work *spares)
{
	enum hugetmpfs_reason refusal =
		recovery_request_refusal_locked(recovery, request);
	bool no_wait = request->flags & HUGETMPFS_RECOVER_NO_WAIT;
	struct hugetmpfs_extent *extent = request->extents;
	struct recovery_work *next = NULL;
	enum recovery_rank rank;

	for (uint32_t i = 0; i < request->filled; i++, extent++) {
		if (!extent->passes)
			continue;
		extent->passes = 0;
		if (refusal != HUGETMPFS_REASON_NOT_ASKED) {
			extent->reason = (uint8_t) refusal;
			continue;
		}
		if (no_wait)
			extent->reason = HUGETMPFS_REASON_QUEUED;
		next = spares->hash_next;
		request->pending++;
		rank = recovery_request_rank_locked(recovery, request, i);
		if (recovery_queue_add_locked(recovery, request->target,
					      request->first + i,
					      &request->waits[i], rank,
					      &spares))
			spares = next;
		else if (no_wait)
			extent->error = EALREADY;
	}
	return spares;
}

/* What a caller that does not wait is told: how it was when it was queued. */
struct recovery_receipt {
	recovery_done_fn *done;
	void *arg;
	struct recovery_result result;
	struct hugetmpfs_extent *extents;
};

static int recovery_receipt_new(const struct recovery_request *request,
				struct recovery_receipt *receipt)
{
	if (!(request->flags & HUGETMPFS_RECOVER_NO_WAIT))
		return 0;
	receipt->extents = calloc(request->nr, sizeof(*receipt->extents));
	return receipt->extents ? 0 : -ENOMEM;
}

/* From here on the request is nobody's: no pointer and arg will find it. */
static void recovery_receipt_fill_locked(struct recovery_request *request,
					 struct recovery_receipt *receipt)
{
	memcpy(receipt->extents, request->extents,
	       request->filled * sizeof(*receipt->extents));
	receipt->result = (struct recovery_result){
		.nr = request->filled,
		.size_bytes = request->size_bytes,
		.extents = receipt->extents,
	};
	receipt->done = request->done;
	receipt->arg = request->arg;
	request->done = NULL;
	request->arg = NULL;
}

static void recovery_receipt_give(struct recovery_receipt *receipt)
{
	if (receipt->done)
		receipt->done(receipt->arg, &receipt->result);
	free(receipt->extents);
}

/* What was found, or the error of the look, is made its answer or its works. */
static void recovery_request_begin(struct recovery *recovery,
				   struct recovery_request *request,
				   const struct recovery_survey *survey, int ret)
{
	bool dry = request->flags & HUGETMPFS_RECOVER_DRY_RUN;
	struct recovery_receipt receipt = {0};
	struct recovery_work *spares = NULL;
	uint32_t wanted = 0;

	if (!ret)
		wanted = recovery_request_show(recovery, request, survey);
	if (!ret && !dry)
		ret = recovery_works_new(wanted, &spares);
	if (!ret)
		ret = recovery_receipt_new(request, &receipt);

	pthread_mutex_lock(&recovery->lock);
	request->preparing = false;
	if (request->cancelled)
		ret = -EINTR;
	if (!ret && !dry)
		spares = recovery_request_queue_locked(recovery, request,
						       spares);
	if (request->pending)
		pthread_cond_broadcast(&recovery->wake);
	else
		recovery_request_complete_locked(recovery, request, ret);
	if (request->pending && receipt.extents)
		recovery_receipt_fill_locked(request, &receipt);
	pthread_mutex_unlock(&recovery->lock);
	recovery_works_free(spares);
	recovery_receipt_give(&receipt);
}

void recovery_request_prepare(struct recovery *recovery,
			      struct recovery_request *request,
			      struct recovery_thread *thread)
{
	struct recovery_survey survey = {0};
	int ret;

	if (recovery_request_look(recovery, request, thread, &survey, &ret))
		recovery_request_begin(recovery, request, &survey, ret);
	recovery_survey_free(&survey);
}

void recovery_requests_refuse(struct recovery *recovery)
{
	struct recovery_request *request;

	pthread_mutex_lock(&recovery->lock);
	recovery_stuck_empty_locked(recovery);
	pthread_mutex_unlock(&recovery->lock);
	recovery_works_drop(recovery, HUGETMPFS_REASON_POLICY);
	pthread_mutex_lock(&recovery->lock);
	while ((request = recovery_request_next_locked(
			&recovery->offered_ones))) {
		recovery_request_claim_locked(recovery, request, NULL);
		recovery_request_complete_locked(recovery, request, -EPERM);
	}
	while ((request = recovery_request_next_locked(&recovery->asked_for))) {
		recovery_request_claim_locked(recovery, request, NULL);
		pthread_mutex_unlock(&recovery->lock);
		recovery_request_prepare(recovery, request, NULL);
		pthread_mutex_lock(&recovery->lock);
	}
	pthread_mutex_unlock(&recovery->lock);
	recovery_requests_deliver(recovery);
}
