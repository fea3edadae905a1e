/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the kernel puts pages that a file has not got yet. A policy that is
 * set on a shared mapping of a tmpfs file is the file's own: it holds for all
 * that anybody allocates there later, for as long as the inode is in memory,
 * and what of it was mapped is of no matter. So nothing of it is ever touched.
 */
#include "mm/internal.h"

#include <numaif.h>

/* As far as it is set: a mapping takes address space. */
#define MM_PLACE_EXTENTS ((UINT64_C(1) << 40) >> HUGETMPFS_EXTENT_SHIFT)

static int mm_place_mode(enum hugetmpfs_numa mode)
{
	switch (mode) {
	case HUGETMPFS_NUMA_BIND:
		return MPOL_BIND;
	case HUGETMPFS_NUMA_PREFER:
		return MPOL_PREFERRED;
	case HUGETMPFS_NUMA_INTERLEAVE:
		return MPOL_INTERLEAVE;
	default:
		return MPOL_DEFAULT;
	}
}

/*
 * A mapping without a policy is one where there is nothing to do, to the
 * kernel, when it is to have none, whatever the file has: so it gets one first.
 */
static int mm_place_at(void *at, size_t bytes, int mode,
		       const struct nodeset *nodes)
{
	int ret;

	if (mode != MPOL_DEFAULT)
		return mm_sys_mbind(at, bytes, mode, nodes->word,
				    NODESET_NODES + 1);
	ret = mm_sys_mbind(at, bytes, MPOL_LOCAL, NULL, 0);
	return ret ? ret : mm_sys_mbind(at, bytes, MPOL_DEFAULT, NULL, 0);
}

int mm_place(void *context, int fd, uint64_t first, uint64_t nr,
	     enum hugetmpfs_numa mode, const struct nodeset *nodes)
{
	off_t offset = (off_t) (first << HUGETMPFS_EXTENT_SHIFT);
	int kernel_mode = mm_place_mode(mode), ret;
	size_t bytes;
	void *at;

	(void) context;
	if (nr == 0 || first >= HUGETMPFS_MAX_EXTENTS)
		return -EINVAL;
	if (nr > HUGETMPFS_MAX_EXTENTS - first)
		nr = HUGETMPFS_MAX_EXTENTS - first;
	if (nr > MM_PLACE_EXTENTS)
		nr = MM_PLACE_EXTENTS;
	bytes = nr << HUGETMPFS_EXTENT_SHIFT;
	at = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd,
		  offset);
	if (at == MAP_FAILED)
		return -errno;
	ret = mm_place_at(at, bytes, kernel_mode, nodes);
	munmap(at, bytes);
	return ret;
}
