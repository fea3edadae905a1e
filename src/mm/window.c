/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Windows: places in the daemon's address space where extents of a file are
 * mapped for the kernel's calls that want an address.
 *
 * A window is a reservation aligned to an extent, because a huge page can be
 * mapped nowhere else (FACTS H2). The file is mapped over it when the first
 * call needs an address, so looking at holes maps nothing. MADV_RANDOM is for
 * the way back: without it, unmapping a page marks it as recently used, and
 * the daemon's looks would keep cold pages in memory.
 */
#include "mm/internal.h"

#include <stdlib.h>

static void *mm_window_reserve(void *at, size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	return mmap(at, bytes, PROT_NONE, flags | (at ? MAP_FIXED : 0), -1, 0);
}

int mm_window_open(void *context, uint32_t nr, struct mm_window **out)
{
	struct mm_window *window;
	uintptr_t start;
	int ret;

	if (nr == 0)
		return -EINVAL;
	window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	window->mm = context;
	window->capacity = nr;
	window->fd = -1;
	window->reserved_bytes = (nr + 1) * HUGETMPFS_EXTENT_BYTES;
	window->reserved = mm_window_reserve(NULL, window->reserved_bytes);
	if (window->reserved == MAP_FAILED) {
		ret = -errno;
		goto err_window_free;
	}
	start = (uintptr_t) window->reserved + HUGETMPFS_EXTENT_BYTES - 1;
	start &= ~(uintptr_t) (HUGETMPFS_EXTENT_BYTES - 1);
	window->base = (char *) start;
	*out = window;
	return 0;

err_window_free:
	free(window);
	return ret;
}

void mm_window_close(void *context, struct mm_window *window)
{
	(void) context;
	if (!window)
		return;
	mm_ring_close(window->ring);
	munmap(window->reserved, window->reserved_bytes);
	free(window);
}

void mm_window_attach(void *context, struct mm_window *window, int fd,
		      uint64_t first, uint32_t nr)
{
	mm_window_detach(context, window);
	window->fd = fd;
	window->first = first;
	window->nr = nr < window->capacity ? nr : window->capacity;
	window->own_group = 0;
}

void mm_window_detach(void *context, struct mm_window *window)
{
	(void) context;
	/*
	 * When the reservation cannot be put back (out of areas), the file
	 * stays mapped until the next attach maps over it; that is untidy
	 * but harms nobody.
	 */
	if (window->mapped)
		mm_window_reserve(window->base,
				  window->nr * HUGETMPFS_EXTENT_BYTES);
	window->mapped = false;
	window->fd = -1;
	window->nr = 0;
}

static int mm_window_map(struct mm_window *window)
{
	size_t bytes = window->nr * HUGETMPFS_EXTENT_BYTES;
	off_t offset = (off_t) (window->first << HUGETMPFS_EXTENT_SHIFT);
	void *at;

	at = mmap(window->base, bytes, PROT_READ, MAP_SHARED | MAP_FIXED,
		  window->fd, offset);
	if (at == MAP_FAILED)
		return -errno;
	window->mapped = true;
	return mm_sys_madvise(window->base, bytes, MADV_RANDOM);
}

int mm_window_address(struct mm_window *window, uint64_t index, char **addr)
{
	int ret;

	if (index < window->first || index - window->first >= window->nr)
		return -ERANGE;
	if (!window->mapped) {
		ret = mm_window_map(window);
		if (ret)
			return ret;
	}
	*addr = window->base + (index - window->first) * HUGETMPFS_EXTENT_BYTES;
	return 0;
}

int mm_window_drop(struct mm_window *window, uint64_t index)
{
	char *addr;
	int ret;

	if (!window->mapped)
		return 0;
	ret = mm_window_address(window, index, &addr);
	if (ret)
		return ret;
	return mm_sys_madvise(addr, HUGETMPFS_EXTENT_BYTES, MADV_DONTNEED);
}

int mm_window_touch(struct mm_window *window, char *addr)
{
	char byte;
	struct iovec to = {&byte, 1};
	struct iovec from = {addr, 1};

	if (mm_has(window->mm, MM_POPULATE_READ))
		return mm_sys_madvise(addr, MM_PAGE_BYTES, MADV_POPULATE_READ);
	/* the kernel reads it for us: a page that is gone gives EFAULT */
	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 1)
		return -errno;
	return 0;
}
