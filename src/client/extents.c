/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls of an open file, any number of extents at a time, and sums over
 * extents.
 */
#include <hugetmpfs/hugetmpfs.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(HUGETMPFS_NR_STATES <=
	       NR(((struct hugetmpfs_summary *) 0)->states),
	       "every state has its place in a summary");
_Static_assert(HUGETMPFS_NR_REASONS <=
	       NR(((struct hugetmpfs_summary *) 0)->reasons),
	       "every reason has its place in a summary");

/* One ioctl. Returns the number of extents filled or a negative errno. */
static int extents_ioctl(int fd, unsigned long request,
			 struct hugetmpfs_ioc_extents *slice)
{
	uint32_t asked = slice->nr;

	if (ioctl(fd, request, slice))
		return -errno;
	/* never believe a length that came from elsewhere */
	return slice->nr <= asked ? (int) slice->nr : -EPROTO;
}

static int extents_call(int fd, unsigned long request, uint64_t first,
			uint32_t nr, uint32_t flags, uint64_t *ticket,
			struct hugetmpfs_extent *extents, uint64_t *size_bytes)
{
	struct hugetmpfs_ioc_extents slice;
	uint32_t filled = 0;
	int ret;

	if (nr == 0 || nr > INT_MAX || !extents ||
	    first >= HUGETMPFS_MAX_EXTENTS)
		return -EINVAL;
	if (nr > HUGETMPFS_MAX_EXTENTS - first)
		nr = (uint32_t) (HUGETMPFS_MAX_EXTENTS - first);
	while (filled < nr) {
		memset(&slice, 0, offsetof(struct hugetmpfs_ioc_extents,
					   extents));
		slice.first = first + filled;
		slice.nr = nr - filled;
		if (slice.nr > HUGETMPFS_IOC_EXTENTS)
			slice.nr = HUGETMPFS_IOC_EXTENTS;
		slice.flags = flags;
		slice.ticket = *ticket;
		ret = extents_ioctl(fd, request, &slice);
		if (ret < 0)
			return filled ? (int) filled : ret;
		memcpy(extents + filled, slice.extents,
		       (size_t) ret * sizeof(*extents));
		filled += (uint32_t) ret;
		*ticket = slice.ticket;
		if (size_bytes)
			*size_bytes = slice.size_bytes;
		if (ret == 0 || (first + filled) * HUGETMPFS_EXTENT_BYTES >=
					slice.size_bytes)
			break;
	}
	return (int) filled;
}

int hugetmpfs_map(int fd, uint64_t first, uint32_t nr,
		  struct hugetmpfs_extent *extents, uint64_t *size_bytes)
{
	uint64_t ticket = 0;

	return extents_call(fd, HUGETMPFS_IOC_MAP, first, nr, 0, &ticket,
			    extents, size_bytes);
}

int hugetmpfs_recover(int fd, uint64_t first, uint32_t nr, uint32_t flags,
		      struct hugetmpfs_extent *extents, uint64_t *size_bytes)
{
	uint64_t ticket = 0;

	return hugetmpfs_recover_part(fd, first, nr, flags, &ticket, extents,
				      size_bytes);
}

int hugetmpfs_recover_part(int fd, uint64_t first, uint32_t nr, uint32_t flags,
			   uint64_t *ticket, struct hugetmpfs_extent *extents,
			   uint64_t *size_bytes)
{
	return extents_call(fd, HUGETMPFS_IOC_RECOVER, first, nr, flags, ticket,
			    extents, size_bytes);
}

int hugetmpfs_cancel(int fd, uint64_t *nr_extents)
{
	struct hugetmpfs_ioc_cancel arg = { 0 };

	if (ioctl(fd, HUGETMPFS_IOC_CANCEL, &arg))
		return -errno;
	if (nr_extents)
		*nr_extents = arg.extents;
	return 0;
}

bool hugetmpfs_is_eligible(const struct hugetmpfs_extent *extent)
{
	if (extent->state == HUGETMPFS_HUGE)
		return true;
	return extent->data_pages > 0 &&
	       extent->reason != HUGETMPFS_REASON_PINNED &&
	       extent->reason != HUGETMPFS_REASON_TOO_MANY_HOLES &&
	       extent->reason != HUGETMPFS_REASON_POLICY;
}

void hugetmpfs_summary_add(struct hugetmpfs_summary *summary,
			   const struct hugetmpfs_extent *extents, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct hugetmpfs_extent *extent = &extents[i];

		summary->nr_extents++;
		summary->nr_huge += extent->state == HUGETMPFS_HUGE;
		summary->nr_eligible += hugetmpfs_is_eligible(extent);
		summary->data_pages += extent->data_pages;
		summary->hole_pages += extent->hole_pages;
		summary->swapped_pages += extent->swapped_pages;
		summary->misplaced_pages += extent->misplaced_pages;
		if (extent->state < NR(summary->states))
			summary->states[extent->state]++;
		if (extent->reason < NR(summary->reasons))
			summary->reasons[extent->reason]++;
	}
}

double hugetmpfs_coverage_percent(const struct hugetmpfs_summary *summary)
{
	if (!summary->nr_eligible)
		return -1;
	return 100.0 * (double) summary->nr_huge /
	       (double) summary->nr_eligible;
}
