/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's memory interfaces as thin wrappers: 0 or a count, or a
 * negative errno. For mm/ only.
 *
 * Several are newer than the headers a distribution installs, so the numbers
 * and structures are written down here, from the kernel's documentation of
 * its ABI. Whether the running kernel has them is found out by use (probe.c),
 * never from a version.
 */
#ifndef MM_SYS_H
#define MM_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/pagemap.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* cachestat(2), kernel 6.5 */
struct mm_sys_cachestat_range {
	uint64_t off;
	uint64_t len;
};

struct mm_sys_cachestat {
	uint64_t nr_cache;
	uint64_t nr_dirty;
	uint64_t nr_writeback;
	uint64_t nr_evicted; /* of a tmpfs file: on swap */
	uint64_t nr_recently_evicted;
};

/* ioctl PROCMAP_QUERY of /proc/PID/maps, kernel 6.11 */
#define MM_SYS_QUERY_SHARED	 0x08
#define MM_SYS_QUERY_NEXT	 0x10 /* the area of the address or the next */
#define MM_SYS_QUERY_FILE_BACKED 0x20

struct mm_sys_procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define MM_SYS_PROCMAP_QUERY _IOWR('f', 17, struct mm_sys_procmap_query)

static inline int mm_sys_result(long ret)
{
	return ret < 0 ? -errno : (int) ret;
}

static inline int mm_sys_madvise(void *addr, size_t bytes, int advice)
{
	return mm_sys_result(madvise(addr, bytes, advice));
}

/* On one range of another process. Returns 0 when all of it was advised. */
static inline int mm_sys_process_madvise(int pidfd, uint64_t addr, size_t bytes,
					 int advice)
{
	struct iovec iov = {(void *) (uintptr_t) addr, bytes};
	long ret = syscall(SYS_process_madvise, pidfd, &iov, 1UL, advice, 0);

	if (ret < 0)
		return -errno;
	return (size_t) ret == bytes ? 0 : -EAGAIN;
}

static inline int mm_sys_cachestat(int fd, uint64_t off, uint64_t len,
				   struct mm_sys_cachestat *stat)
{
	struct mm_sys_cachestat_range range = {off, len};

	return mm_sys_result(syscall(SYS_cachestat, fd, &range, stat, 0));
}

static inline int mm_sys_mincore(void *addr, size_t bytes, unsigned char *vec)
{
	return mm_sys_result(mincore(addr, bytes, vec));
}

static inline int mm_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return mm_sys_result(ioctl(fd, request, arg));
}

static inline int mm_sys_open(const char *path, int flags)
{
	return mm_sys_result(open(path, flags | O_CLOEXEC));
}

/* Reads all of it: 0, -EIO when there is less, or another negative errno. */
static inline int mm_sys_pread(int fd, void *buffer, size_t bytes, off_t off)
{
	ssize_t ret = pread(fd, buffer, bytes, off);

	if (ret < 0)
		return -errno;
	return (size_t) ret == bytes ? 0 : -EIO;
}

static inline int mm_sys_pidfd_open(pid_t pid)
{
	return mm_sys_result(syscall(SYS_pidfd_open, pid, 0));
}

/* 0 while the process lives, -ESRCH after. */
static inline int mm_sys_pidfd_alive(int pidfd)
{
	return mm_sys_result(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
}

/* Returns the number of pages that were not moved, or a negative errno. */
static inline int mm_sys_move_pages(pid_t pid, unsigned long nr, void **pages,
				    const int *nodes, int *status, int flags)
{
	return mm_sys_result(move_pages(pid, nr, pages, nodes, status, flags));
}

/* maxnode counts one bit more than the kernel looks at. */
static inline int mm_sys_mbind(void *addr, size_t bytes, int mode,
			       const unsigned long *nodes,
			       unsigned long maxnode)
{
	return mm_sys_result(mbind(addr, bytes, mode, nodes, maxnode, 0));
}

/* Node of each page without moving any: FACTS S5. */
static inline int mm_sys_page_nodes(unsigned long nr, void **pages, int *status)
{
	return mm_sys_move_pages(0, nr, pages, NULL, status, 0);
}

#endif
