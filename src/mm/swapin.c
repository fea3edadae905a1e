/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bringing pages back from swap: first asked for, many extents at once, then
 * waited for.
 */
#include "mm/internal.h"

#include <sys/stat.h>

/* Addresses handed to the ring in one go. */
#define MM_WILLNEED_BATCH 64

int mm_next_data(int fd, uint64_t *start, uint64_t end, uint64_t *run_end)
{
	off_t data, hole;

	if (*start >= end)
		return 0;
	data = lseek(fd, (off_t) *start, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	if ((uint64_t) data >= end)
		return 0;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return errno == ENXIO ? 0 : -errno; /* truncated meanwhile */
	*start = (uint64_t) data & ~(MM_PAGE_BYTES - 1);
	*run_end = (uint64_t) hole < end ? (uint64_t) hole : end;
	return 1;
}

static struct mm_ring *mm_window_ring(struct mm_window *window)
{
	if (!mm_has(window->mm, MM_IO_URING) || window->ring_failed)
		return NULL;
	if (!window->ring && mm_ring_open(&window->ring))
		window->ring_failed = true;
	return window->ring;
}

void mm_willneed(void *context, struct mm_window *window,
		 const uint64_t *indexes, uint32_t nr)
{
	struct mm_ring *ring = mm_window_ring(window);
	char *addrs[MM_WILLNEED_BATCH];
	uint32_t n;

	(void) context;
	for (uint32_t i = 0; i < nr; i += n) {
		n = 0;
		while (n < MM_WILLNEED_BATCH && i + n < nr &&
		       !mm_window_address(window, indexes[i + n], &addrs[n]))
			n++;
		if (n == 0)
			return;
		if (ring && !mm_ring_madvise(ring, addrs, n, MADV_WILLNEED))
			continue;
		for (uint32_t j = 0; j < n; j++)
			mm_sys_madvise(addrs[j], HUGETMPFS_EXTENT_BYTES,
				       MADV_WILLNEED);
	}
}

/* Without MADV_POPULATE_READ: one byte of each page, read from the file. */
static int mm_populate_by_read(int fd, uint64_t start, uint64_t end)
{
	char byte;

	for (; start < end; start += MM_PAGE_BYTES) {
		if (pread(fd, &byte, 1, (off_t) start) < 0)
			return -errno;
	}
	return 0;
}

/* Of an extent, as far as it is to be brought in. */
struct mm_populate {
	struct mm_window *window;
	uint64_t index;
	char *addr;
};

/* Pages that all have data. */
static int mm_populate_run(void *arg, uint32_t first, uint32_t nr)
{
	const struct mm_populate *populate = arg;
	uint64_t start = (populate->index << HUGETMPFS_EXTENT_SHIFT) +
			 first * MM_PAGE_BYTES;

	if (mm_has(populate->window->mm, MM_POPULATE_READ))
		return mm_sys_madvise(populate->addr + first * MM_PAGE_BYTES,
				      nr * MM_PAGE_BYTES, MADV_POPULATE_READ);
	return mm_populate_by_read(populate->window->fd, start,
				   start + nr * MM_PAGE_BYTES);
}

/* Without cachestat. */
static int mm_populate_data(struct mm_populate *populate, uint32_t nr)
{
	uint64_t base = populate->index << HUGETMPFS_EXTENT_SHIFT, run_end;
	uint64_t start = base, end = base + nr * MM_PAGE_BYTES;
	int ret, found;

	while ((found = mm_next_data(populate->window->fd, &start, end,
				     &run_end)) > 0) {
		ret = mm_populate_run(
			populate, (uint32_t) ((start - base) >> MM_PAGE_SHIFT),
			(uint32_t) ((run_end - start + MM_PAGE_BYTES - 1) >>
				    MM_PAGE_SHIFT));
		if (ret)
			return ret;
		start = run_end;
	}
	return found;
}

/* Run by run: a read fault in a hole would fill it. */
int mm_populate(void *context, struct mm_window *window, uint64_t index)
{
	struct mm_populate populate = {.window = window, .index = index};
	uint64_t base = index << HUGETMPFS_EXTENT_SHIFT, bytes;
	struct stat st;
	uint32_t nr;
	int ret;

	ret = mm_window_address(window, index, &populate.addr);
	if (ret)
		return ret;
	if (fstat(window->fd, &st))
		return -errno;
	if ((uint64_t) st.st_size <= base)
		return 0;
	/* what fallocate has put above the end cannot be touched */
	bytes = (uint64_t) st.st_size - base;
	if (bytes > HUGETMPFS_EXTENT_BYTES)
		bytes = HUGETMPFS_EXTENT_BYTES;
	nr = (uint32_t) ((bytes + MM_PAGE_BYTES - 1) >> MM_PAGE_SHIFT);
	if (!mm_has(context, MM_CACHESTAT))
		return mm_populate_data(&populate, nr);
	return mm_for_each_run(window->fd, index, 0, nr, MM_RUN_DATA,
			       mm_populate_run, &populate);
}
