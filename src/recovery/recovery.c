/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine as its callers see it. The order of things stands at the head of
 * internal.h and of passes.c.
 */
#include "placement/follow.h"
#include "recovery/internal.h"
#include "recovery/scan.h"

#include <errno.h>
#include <stdlib.h>

int recovery_create(struct recovery **out, const struct recovery_config *config,
		    const struct mm_ops *mm, struct recovery_counters *counters)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));
	pthread_condattr_t attr;
	int ret;

	if (!recovery)
		return -ENOMEM;
	recovery->config = *config;
	recovery->settings = config->settings;
	if (recovery->settings.recoveries > RECOVERY_MAX_RECOVERIES)
		recovery->settings.recoveries = RECOVERY_MAX_RECOVERIES;
	if (!recovery->config.pause_us)
		recovery->config.pause_us = 1000;
	if (!recovery->config.patience_ms)
		recovery->config.patience_ms = 1000;
	recovery->refs = 1;
	recovery->mm = mm;
	recovery->counters = counters;
	recovery->cancels.last = RECOVERY_FIRST_TICKET;
	atomic_init(&recovery->own_policies, config->own_policies);
	STAILQ_INIT(&recovery->asked_for);
	STAILQ_INIT(&recovery->offered_ones);
	for (int rank = 0; rank < RECOVERY_NR_RANKS; rank++)
		TAILQ_INIT(&recovery->queue[rank].works);
	pthread_mutex_init(&recovery->lock, NULL);
	pthread_mutex_init(&recovery->trace.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&recovery->wake, &attr);
	pthread_cond_init(&recovery->pause, &attr);
	pthread_cond_init(&recovery->place, &attr);
	pthread_cond_init(&recovery->gone, &attr);
	pthread_condattr_destroy(&attr);
	ret = placement_follow_open(&recovery->follow);
	if (!ret)
		ret = recovery_scan_create(recovery);
	if (ret) {
		recovery_destroy(recovery);
		return ret;
	}
	*out = recovery;
	return 0;
}

int recovery_start(struct recovery *recovery)
{
	struct recovery_settings settings;
	int ret;

	recovery_settings_get(recovery, &settings);
	ret = recovery_settings_prepare(recovery, &settings);
	if (ret)
		return ret;
	recovery_settings_ready(recovery, &settings);
	return recovery_scan_start(recovery);
}

void recovery_put(struct recovery *recovery)
{
	bool last;

	pthread_mutex_lock(&recovery->lock);
	last = --recovery->refs == 0;
	pthread_mutex_unlock(&recovery->lock);
	if (!last)
		return;
	recovery_windows_free(recovery);
	placement_follow_close(recovery->follow);
	pthread_cond_destroy(&recovery->gone);
	pthread_cond_destroy(&recovery->pause);
	pthread_cond_destroy(&recovery->place);
	pthread_cond_destroy(&recovery->wake);
	pthread_mutex_destroy(&recovery->trace.lock);
	pthread_mutex_destroy(&recovery->lock);
	free(recovery);
}

unsigned recovery_destroy(struct recovery *recovery)
{
	struct recovery_request *request;
	unsigned left;

	if (!recovery)
		return 0;
	recovery_scan_stop(recovery);
	left = recovery_workers_stop(recovery);
	pthread_mutex_lock(&recovery->lock);
	while ((request = recovery->requests)) {
		recovery_request_claim_locked(recovery, request, NULL);
		request->preparing = false; /* nobody is left to do it */
		recovery_request_cancel_locked(recovery, request, -EINTR);
	}
	pthread_mutex_unlock(&recovery->lock);
	recovery_works_drop(recovery, HUGETMPFS_REASON_CANCELLED);
	recovery_requests_deliver(recovery);
	recovery_scan_free(recovery);
	recovery_put(recovery);
	return left;
}

struct team_policy recovery_policy(struct recovery *recovery, bool bounded)
{
	const struct mm_ops *mm = recovery->mm;
	bool sees_huge = mm->has(mm->context, MM_PAGEMAP_SCAN) ||
			 mm->has(mm->context, MM_KPAGEFLAGS);
	struct recovery_settings settings;

	recovery_settings_get(recovery, &settings);
	return (struct team_policy){
		.max_holes = bounded ? (uint16_t) settings.max_holes
				     : HUGETMPFS_EXTENT_PAGES,
		.recoverable = sees_huge && mm->has(mm->context, MM_COLLAPSE),
		.enabled = settings.recoveries > 0,
	};
}

static bool recovery_range_is_valid(uint64_t first, uint32_t nr)
{
	uint64_t all = INT64_MAX >> HUGETMPFS_EXTENT_SHIFT;

	return nr > 0 && nr <= RECOVERY_WINDOW_EXTENTS && first <= all - nr;
}

/*
 * Why an extent is not huge, beyond what can be seen of it: it waits, somebody
 * has tried, or the file is not to be touched.
 */
static void recovery_map_reason_locked(struct recovery *recovery,
				       const struct recovery_file *file,
				       bool off,
				       struct hugetmpfs_extent *extent)
{
	recovery_past_show(recovery, file->ino, extent);
	if (extent->reason != HUGETMPFS_REASON_DONE &&
	    recovery_queue_has_asked_locked(recovery, file->ino,
					    extent->index)) {
		extent->reason = HUGETMPFS_REASON_QUEUED;
		extent->error = 0;
	}
	if (off && extent->reason == HUGETMPFS_REASON_NOT_ASKED)
		extent->reason = HUGETMPFS_REASON_POLICY;
}

static void recovery_map_show(struct recovery *recovery,
			      const struct recovery_file *file,
			      const struct recovery_survey *survey,
			      struct hugetmpfs_extent *extents)
{
	struct team_policy policy = recovery_policy(recovery, false);
	const struct team_facts *facts = survey->facts;
	bool off;

	off = recovery_has_own_policies(recovery) &&
	      recovery_policy_own(file->fd) == HUGETMPFS_BACKGROUND_OFF;
	pthread_mutex_lock(&recovery->lock);
	for (uint32_t i = 0; i < survey->found; i++) {
		team_show(survey->first + i, &facts[i], &extents[i]);
		extents[i].reason =
			(uint8_t) team_judge(&facts[i], &policy).reason;
		recovery_map_reason_locked(recovery, file, off, &extents[i]);
	}
	pthread_mutex_unlock(&recovery->lock);
}

/* Adds the pages of the extents to those of each node. */
static void recovery_map_add_nodes(const struct recovery_survey *survey,
				   uint64_t *node_pages)
{
	const struct mm_extent *found = survey->extents;

	for (uint32_t i = 0; i < survey->found; i++) {
		for (unsigned n = 0; n < found[i].nr_nodes; n++)
			node_pages[found[i].nodes[n].nid] +=
				found[i].nodes[n].pages;
	}
}

static int recovery_map_look(struct recovery *recovery,
			     const struct recovery_file *file,
			     struct recovery_survey *survey)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_homes homes;
	struct mm_window *window;
	int ret;

	ret = recovery_homes_open(recovery, file->fd, file->ino, &homes);
	if (ret)
		return ret;
	ret = recovery_window_get(recovery, &window);
	if (!ret) {
		mm->window_attach(mm->context, window, file->fd, survey->first,
				  survey->nr);
		ret = recovery_survey_find(recovery, window, &homes, survey);
		recovery_window_put(recovery, window);
	}
	recovery_homes_close(&homes);
	return ret;
}

int recovery_map_nodes(struct recovery *recovery,
		       const struct recovery_file *file, uint64_t first,
		       uint32_t nr, struct hugetmpfs_extent *extents,
		       uint64_t *size_bytes, uint64_t *node_pages)
{
	struct recovery_survey survey;
	int ret;

	if (!recovery_range_is_valid(first, nr))
		return -EINVAL;
	ret = recovery_survey_new(&survey, first, nr);
	if (ret)
		return ret;
	ret = recovery_map_look(recovery, file, &survey);
	if (!ret) {
		*size_bytes = survey.size_bytes;
		recovery_map_show(recovery, file, &survey, extents);
		if (node_pages)
			recovery_map_add_nodes(&survey, node_pages);
		ret = (int) survey.found;
	}
	recovery_survey_free(&survey);
	return ret;
}

int recovery_map(struct recovery *recovery, const struct recovery_file *file,
		 uint64_t first, uint32_t nr, struct hugetmpfs_extent *extents,
		 uint64_t *size_bytes)
{
	return recovery_map_nodes(recovery, file, first, nr, extents,
				  size_bytes, NULL);
}

/* Whether there is room for it: 0 or a negative errno. */
static int recovery_request_admit_locked(const struct recovery *recovery,
					 const struct recovery_request *request)
{
	bool no_wait = request->flags & HUGETMPFS_RECOVER_NO_WAIT;
	unsigned asked = recovery->asked + request->nr;

	if (request->background) {
		if (!recovery->settings.recoveries)
			return -EPERM;
		return recovery->offered + request->nr > RECOVERY_OFFER_EXTENTS
			       ? -EAGAIN
			       : 0;
	}
	if (asked > RECOVERY_QUEUE_EXTENTS)
		return -EAGAIN;
	if (no_wait && (asked > RECOVERY_NO_WAIT_EXTENTS ||
			recovery->no_wait >= RECOVERY_NO_WAIT_REQUESTS))
		return -EAGAIN;
	return 0;
}

/* Gives it to the workers. Returns 1 when the caller has to prepare it. */
static int recovery_request_add(struct recovery *recovery,
				struct recovery_request *request,
				uint64_t ticket)
{
	bool background = request->background;
	int ret;

	pthread_mutex_lock(&recovery->lock);
	ret = recovery_request_admit_locked(recovery, request);
	if (!ret && !recovery_ticket_is_valid_locked(recovery, ticket))
		ret = -EINVAL;
	if (!ret) {
		*(background ? &recovery->offered : &recovery->asked) +=
			request->nr;
		if (request->flags & HUGETMPFS_RECOVER_NO_WAIT)
			recovery->no_wait++;
		request->called_off = recovery_is_called_off_locked(
			recovery, request->target->ino, ticket);
		request->next = recovery->requests;
		recovery->requests = request;
		/* turned off: nothing to queue, and no thread to tell so */
		ret = !recovery->settings.recoveries;
	}
	if (!ret) {
		recovery_request_list_locked(recovery, request);
		pthread_cond_signal(&recovery->wake);
	}
	pthread_mutex_unlock(&recovery->lock);
	if (ret == -EAGAIN)
		recovery_count(recovery, RECOVERY_COUNT_work_too_many,
			       request->nr);
	return ret;
}

int recovery_submit(struct recovery *recovery, const struct recovery_file *file,
		    uint64_t first, uint32_t nr, uint32_t flags,
		    recovery_done_fn *done, void *arg,
		    struct recovery_request **out)
{
	struct recovery_request *request;
	int ret;

	if (!recovery_range_is_valid(first, nr) ||
	    flags & ~HUGETMPFS_RECOVER_FLAGS)
		return -EINVAL;
	ret = recovery_request_new(recovery, file, first, nr, &request);
	if (ret)
		return ret;
	request->flags = flags;
	request->done = done;
	request->arg = arg;
	if (out)
		*out = request;
	ret = recovery_request_add(recovery, request, file->ticket);
	if (ret < 0) {
		recovery_request_free(recovery, request);
		return ret;
	}
	if (ret) {
		recovery_request_prepare(recovery, request, NULL);
		recovery_requests_deliver(recovery);
	}
	return 0;
}

int recovery_offer_if(struct recovery *recovery,
		      const struct recovery_file *file, uint64_t first,
		      uint32_t nr, recovery_wants_fn *wants,
		      recovery_done_fn *done, void *arg)
{
	struct recovery_request *request;
	int ret;

	if (!recovery_range_is_valid(first, nr))
		return -EINVAL;
	ret = recovery_request_new(recovery, file, first, nr, &request);
	if (ret)
		return ret;
	request->background = true;
	request->wants = wants;
	request->done = done;
	request->arg = arg;
	ret = recovery_request_add(recovery, request, 0);
	if (ret)
		recovery_request_free(recovery, request);
	return ret;
}

int recovery_offer(struct recovery *recovery, const struct recovery_file *file,
		   uint64_t first, uint32_t nr)
{
	return recovery_offer_if(recovery, file, first, nr, NULL, NULL, NULL);
}

void recovery_cancel(struct recovery *recovery,
		     struct recovery_request *request, void *arg)
{
	struct recovery_request *live;

	pthread_mutex_lock(&recovery->lock);
	live = recovery->requests;
	while (live && (live != request || live->arg != arg))
		live = live->next;
	if (live)
		recovery_request_cancel_locked(recovery, live, -EINTR);
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_release(struct recovery *recovery, uint64_t ino, uint64_t first,
		      uint64_t nr)
{
	struct recovery_target *target;
	struct recovery_work *work;

	pthread_mutex_lock(&recovery->lock);
	for (target = recovery->targets; target; target = target->next) {
		if (target->ino != ino)
			continue;
		for (work = target->works; work; work = work->target_next) {
			if (work->index < first || work->index - first >= nr)
				continue;
			recovery_queue_unhash_locked(recovery, work);
			atomic_store(&work->released, true);
		}
	}
	pthread_cond_broadcast(&recovery->pause);
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_load(struct recovery *recovery, struct recovery_load *load)
{
	pthread_mutex_lock(&recovery->lock);
	load->recoveries = recovery->settings.recoveries;
	load->queued = recovery_queue_nr_locked(recovery);
	load->running = recovery->running;
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_settings_get(struct recovery *recovery,
			   struct recovery_settings *settings)
{
	pthread_mutex_lock(&recovery->lock);
	*settings = recovery->settings;
	pthread_mutex_unlock(&recovery->lock);
}

int recovery_settings_prepare(struct recovery *recovery,
			      const struct recovery_settings *settings)
{
	return settings->recoveries ? recovery_workers_keep(recovery) : 0;
}

void recovery_settings_ready(struct recovery *recovery,
			     const struct recovery_settings *settings)
{
	if (settings->recoveries)
		recovery_workers_release(recovery);
}

int recovery_settings_set(struct recovery *recovery,
			  const struct recovery_settings *settings)
{
	int ret = recovery_settings_prepare(recovery, settings);

	if (ret)
		return ret;
	pthread_mutex_lock(&recovery->lock);
	recovery->settings = *settings;
	/* what was let go under other limits is no debt under these */
	recovery->budget = (struct recovery_budget){0};
	pthread_cond_broadcast(&recovery->wake);
	pthread_cond_broadcast(&recovery->pause);
	pthread_cond_broadcast(&recovery->place);
	pthread_mutex_unlock(&recovery->lock);
	atomic_fetch_add(&recovery->policy_changes, 1);
	recovery_settings_ready(recovery, settings);
	if (!settings->recoveries)
		recovery_requests_refuse(recovery);
	return 0;
}
