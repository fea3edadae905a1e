/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes whose address space is locked.
 *
 * Whatever asks for the mmap lock of another process waits for as long as
 * somebody holds it, which may be minutes: a page fault on a dead file server
 * is enough. Nothing tells beforehand. So it is kept in mind who is inside
 * which process since when, and nobody follows somebody who has been there for
 * a second: the process is passed over, and costs one thread.
 *
 * Looks are short, so they go one by one: of many threads that come at the
 * same time only the first gets stuck. Collapses take longer and are let in
 * beside each other.
 */
#include "mm/internal.h"

#include <time.h>

#include "base/clock.h"

/* How long one may be inside before the process counts as stuck. */
#define MM_GUARD_NS CLOCK_NS_PER_S

void mm_guard_open(struct mm_guard *guard)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&guard->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&guard->left, &attr);
	pthread_condattr_destroy(&attr);
	guard->inside = NULL;
}

void mm_guard_close(struct mm_guard *guard)
{
	pthread_cond_destroy(&guard->left);
	pthread_mutex_destroy(&guard->lock);
}

/* Who was the first inside that a newcomer has to mind, or NULL. */
static const struct mm_inside *mm_guard_find_locked(const struct mm_guard *guard,
						    pid_t pid, bool alone,
						    uint64_t now_ns)
{
	const struct mm_inside *inside = guard->inside, *first = NULL;

	for (; inside; inside = inside->next) {
		if (inside->pid != pid)
			continue;
		if (now_ns - inside->since_ns < MM_GUARD_NS &&
		    !(alone && inside->alone))
			continue;
		if (!first || inside->since_ns < first->since_ns)
			first = inside;
	}
	return first;
}

int mm_guard_enter(struct mm_guard *guard, struct mm_inside *inside, pid_t pid,
		   bool alone)
{
	const struct mm_inside *before;
	uint64_t now_ns = clock_now_ns(), until_ns;
	struct timespec until;
	int ret = 0;

	pthread_mutex_lock(&guard->lock);
	while ((before = mm_guard_find_locked(guard, pid, alone, now_ns))) {
		until_ns = before->since_ns + MM_GUARD_NS;
		if (now_ns >= until_ns) {
			ret = -ETIMEDOUT;
			break;
		}
		until.tv_sec = (time_t) (until_ns / CLOCK_NS_PER_S);
		until.tv_nsec = (long) (until_ns % CLOCK_NS_PER_S);
		pthread_cond_timedwait(&guard->left, &guard->lock, &until);
		now_ns = clock_now_ns();
	}
	if (!ret) {
		*inside = (struct mm_inside){guard->inside, pid, now_ns, alone};
		guard->inside = inside;
	}
	pthread_mutex_unlock(&guard->lock);
	return ret;
}

void mm_guard_leave(struct mm_guard *guard, struct mm_inside *inside)
{
	struct mm_inside **at = &guard->inside;

	pthread_mutex_lock(&guard->lock);
	while (*at != inside)
		at = &(*at)->next;
	*at = inside->next;
	pthread_cond_broadcast(&guard->left);
	pthread_mutex_unlock(&guard->lock);
}
