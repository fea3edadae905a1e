/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Huge pages that nobody has cleared yet.
 *
 * fallocate does not clear the huge pages that it makes; the first page fault
 * or write does. MADV_COLLAPSE does not (Linux 6.18): it maps one as it is.
 * The process reads what the memory held before, and what it stores is lost
 * when another fault or write clears the page after all. So such a page must
 * never be collapsed.
 *
 * A work looks at an extent before it acts, and a look touches a page of what
 * is all there, which clears it. That leaves an extent that lost its pages
 * after the look and was allocated anew before the collapse. Both come through
 * the daemon, and before the second is answered, here, the extents that works
 * have in hand are looked at once more.
 */
#include "recovery/internal.h"

/* The lowest extent in [first, end) that a worker has in hand, or end. */
static uint64_t recovery_fresh_next(struct recovery *recovery, uint64_t ino,
				    uint64_t first, uint64_t end)
{
	struct recovery_target *target;
	struct recovery_work *work;

	pthread_mutex_lock(&recovery->lock);
	for (target = recovery->targets; target; target = target->next) {
		if (target->ino != ino)
			continue;
		for (work = target->works; work; work = work->target_next) {
			if (work->taken && work->index >= first &&
			    work->index < end)
				end = work->index;
		}
	}
	pthread_mutex_unlock(&recovery->lock);
	return end;
}

void recovery_allocated(struct recovery *recovery,
			const struct recovery_file *file, uint64_t first,
			uint64_t nr)
{
	const struct mm_ops *mm = recovery->mm;
	uint64_t end = first + nr, size_bytes;
	struct mm_window *window;
	struct mm_extent extent;

	first = recovery_fresh_next(recovery, file->ino, first, end);
	if (first == end || recovery_window_get(recovery, &window))
		return;
	for (; first < end;
	     first = recovery_fresh_next(recovery, file->ino, first + 1, end)) {
		mm->window_attach(mm->context, window, file->fd, first, 1);
		mm->look(mm->context, window, first, 1, NULL, &extent,
			 &size_bytes);
	}
	recovery_window_put(recovery, window);
}
