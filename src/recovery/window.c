/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's windows: one for each thread that looks or works at a time,
 * kept for the next.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <stdlib.h>

int recovery_window_get(struct recovery *recovery, struct mm_window **out)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_window *free_one;

	pthread_mutex_lock(&recovery->lock);
	free_one = recovery->windows;
	if (free_one)
		recovery->windows = free_one->next;
	pthread_mutex_unlock(&recovery->lock);
	if (!free_one)
		return mm->window_open(mm->context, RECOVERY_WINDOW_EXTENTS,
				       out);
	*out = free_one->window;
	free(free_one);
	return 0;
}

void recovery_window_put(struct recovery *recovery, struct mm_window *window)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_window *free_one = malloc(sizeof(*free_one));

	mm->window_detach(mm->context, window);
	if (!free_one) {
		mm->window_close(mm->context, window);
		return;
	}
	free_one->window = window;
	pthread_mutex_lock(&recovery->lock);
	free_one->next = recovery->windows;
	recovery->windows = free_one;
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_windows_free(struct recovery *recovery)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_window *free_one;

	while ((free_one = recovery->windows)) {
		recovery->windows = free_one->next;
		mm->window_close(mm->context, free_one->window);
		free(free_one);
	}
}
