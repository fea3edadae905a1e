/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an error of the kernel means for an extent.
 *
 * MADV_COLLAPSE has one errno for several troubles: EBUSY is a cgroup at its
 * limit, ENOMEM no free huge page, EAGAIN a busy page, and EINVAL all the
 * rest. What the rest was is told by looking at what it could have been.
 */
#include "recovery/internal.h"

#include <errno.h>

/* EAGAIN until the last try: somebody pins a page, or it is just busy. */
static enum hugetmpfs_reason
recovery_reason_busy(struct recovery_batch *batch,
		     const struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;

	if (item->team.now.swapped == 0 &&
	    mm->busy(mm->context, batch->window, item->team.index) ==
		    MM_BUSY_PINNED)
		return HUGETMPFS_REASON_PINNED;
	return HUGETMPFS_REASON_AGAIN;
}

/* Whether the file system has no room for the holes of the extent. */
static bool recovery_is_full(struct recovery_batch *batch,
			     const struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;
	uint64_t holes = HUGETMPFS_EXTENT_PAGES, bytes;

	/* above the end of the file the huge page needs room too */
	holes -= item->team.now.resident + item->team.now.swapped;
	return holes &&
	       !mm->free_bytes(mm->context, batch->target->fd, &bytes) &&
	       bytes < holes * (HUGETMPFS_EXTENT_BYTES /
				HUGETMPFS_EXTENT_PAGES);
}

enum hugetmpfs_reason recovery_reason(struct recovery_batch *batch,
				      const struct recovery_item *item)
{
	const struct mm_ops *mm = batch->recovery->mm;

	switch (-item->error) {
	case 0:
	case EINTR:
		return HUGETMPFS_REASON_AGAIN;
	case EAGAIN:
		return recovery_reason_busy(batch, item);
	case EBUSY:
		return HUGETMPFS_REASON_OVER_LIMIT;
	case ENOMEM:
		return HUGETMPFS_REASON_NO_HUGE_PAGE;
	case EPERM:
	case EACCES:
		return HUGETMPFS_REASON_DENIED;
	case ENOSPC:
		return HUGETMPFS_REASON_OVER_LIMIT;
	case EINVAL:
		if (mm->denied(mm->context))
			return HUGETMPFS_REASON_DENIED;
		if (item->team.now.above)
			return HUGETMPFS_REASON_PREALLOCATED;
		if (recovery_is_full(batch, item))
			return HUGETMPFS_REASON_OVER_LIMIT;
		if (item->team.now.swapped)
			return HUGETMPFS_REASON_SWAP_FAILED;
		return HUGETMPFS_REASON_FAILED;
	default:
		return HUGETMPFS_REASON_FAILED;
	}
}
