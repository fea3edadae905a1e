/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the kernel's interfaces work here, found out by using each on a
 * small file in memory. A version number would not tell: distributions bring
 * features back, seccomp filters and sysctls take them away.
 *
 * Each probe gives true only when the interface did what it is needed for. An
 * error that speaks of the moment (no huge page free, busy) is not one that
 * speaks of the kernel: the probe counts such an interface as present.
 */
#include "mm/internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/oom.h"

/* What the probes work on: a file of one extent in a window. */
struct mm_probe {
	struct mm *mm;
	struct mm_window *window;
	int fd;
	char *addr;
};

static bool mm_probe_momentary(int ret)
{
	return ret == 0 || ret == -ENOMEM || ret == -EAGAIN || ret == -EBUSY;
}

static bool mm_probe_populate_read(struct mm_probe *probe)
{
	return mm_sys_madvise(probe->addr, MM_PAGE_BYTES, MADV_POPULATE_READ) ==
	       0;
}

/* "deny" overrides even MADV_COLLAPSE; it can be taken back at any time. */
bool mm_denied(void *context)
{
	char text[128] = "";
	int fd;

	(void) context;
	fd = mm_sys_open("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			 O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strstr(text, "[deny]") != NULL;
}

static bool mm_probe_collapse(struct mm_probe *probe)
{
	int ret = mm_sys_madvise(probe->addr, HUGETMPFS_EXTENT_BYTES,
				 MADV_COLLAPSE);

	return mm_probe_momentary(ret) || mm_denied(probe->mm);
}

/* In a child: it has the same file at the same address. */
static bool mm_probe_process_collapse(struct mm_probe *probe)
{
	pid_t parent = getpid(), child;
	int pidfd, ret;

	child = fork();
	if (child < 0)
		return false;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		oom_unprotect();
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	pidfd = mm_sys_pidfd_open(child);
	ret = pidfd;
	if (pidfd >= 0) {
		ret = mm_sys_process_madvise(pidfd, (uintptr_t) probe->addr,
					     HUGETMPFS_EXTENT_BYTES,
					     MADV_COLLAPSE);
		close(pidfd);
	}
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return mm_probe_momentary(ret) ||
	       (ret == -EINVAL && mm_denied(probe->mm));
}

static bool mm_probe_cachestat(struct mm_probe *probe)
{
	struct mm_sys_cachestat stat;

	return mm_sys_cachestat(probe->fd, 0, HUGETMPFS_EXTENT_BYTES, &stat) ==
		       0 &&
	       stat.nr_cache + stat.nr_evicted > 0;
}

static bool mm_probe_pagemap_scan(struct mm_probe *probe)
{
	struct pagemap_region region;
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t) probe->addr,
		.end = (uintptr_t) probe->addr + HUGETMPFS_EXTENT_BYTES,
		.vec = (uintptr_t) &region,
		.vec_len = 1,
		.category_mask = PAGEMAP_PRESENT,
		.return_mask = PAGEMAP_PRESENT | PAGEMAP_HUGE,
	};

	return mm_sys_ioctl(probe->mm->pagemap_fd, PAGEMAP_SCAN_IOC, &arg) ==
	       1;
}

static bool mm_probe_procmap_query(struct mm_probe *probe)
{
	struct mm_sys_procmap_query query = {
		.size = sizeof(query),
		.query_flags = MM_SYS_QUERY_SHARED | MM_SYS_QUERY_NEXT |
			       MM_SYS_QUERY_FILE_BACKED,
		.query_addr = (uintptr_t) probe->addr,
	};
	int fd = mm_sys_open("/proc/self/maps", O_RDONLY), ret;

	if (fd < 0)
		return false;
	ret = mm_sys_ioctl(fd, MM_SYS_PROCMAP_QUERY, &query);
	close(fd);
	return ret == 0 && query.vma_start == (uintptr_t) probe->addr;
}

/* Reads the entry of the probe's page from a table by frame number. */
static bool mm_probe_by_pfn(struct mm_probe *probe, int fd)
{
	off_t at = (off_t) ((uintptr_t) probe->addr >> MM_PAGE_SHIFT);
	uint64_t entry, value;

	if (mm_sys_pread(probe->mm->pagemap_fd, &entry, sizeof(entry), at * 8))
		return false;
	entry &= PAGEMAP_ENTRY_PFN; /* 0 without the privilege to see it */
	return entry &&
	       mm_sys_pread(fd, &value, sizeof(value), (off_t) entry * 8) == 0;
}

static bool mm_probe_kpageflags(struct mm_probe *probe)
{
	int fd = mm_sys_open("/proc/kpageflags", O_RDONLY);

	if (fd < 0)
		return false;
	if (!mm_probe_by_pfn(probe, fd)) {
		close(fd);
		return false;
	}
	probe->mm->kpageflags_fd = fd;
	return true;
}

static bool mm_probe_kpagecgroup(struct mm_probe *probe)
{
	int fd = mm_sys_open("/proc/kpagecgroup", O_RDONLY);

	if (fd < 0)
		return false;
	if (!mm_probe_by_pfn(probe, fd)) {
		close(fd);
		return false;
	}
	probe->mm->kpagecgroup_fd = fd;
	return true;
}

static bool mm_probe_memory_cgroups(struct mm_probe *probe)
{
	return !charge_open(&probe->mm->charge);
}

static bool mm_probe_io_uring(struct mm_probe *probe)
{
	struct mm_ring *ring;
	int ret;

	ret = mm_ring_open(&ring);
	if (ret)
		return false;
	ret = mm_ring_madvise(ring, &probe->addr, 1, MADV_WILLNEED);
	mm_ring_close(ring);
	return ret == 0;
}

static bool mm_probe_page_nodes(struct mm_probe *probe)
{
	void *page = probe->addr;
	int status = -1;

	return mm_sys_page_nodes(1, &page, &status) == 0 && status >= 0;
}

/* It can be built in and turned off, which only shows by use. */
static bool mm_probe_pressure(struct mm_probe *probe)
{
	struct mm_pressure pressure;

	return mm_pressure(probe->mm, &pressure) == 0;
}

static bool mm_probe_buddyinfo(struct mm_probe *probe)
{
	uint32_t blocks[1];

	return mm_free_blocks(probe->mm, blocks, 1) == 0;
}

static bool mm_probe_compact(struct mm_probe *probe)
{
	return mm_compact_is_there(probe->mm);
}

/* tmpfs has them since 6.6, if it was built so. */
static bool mm_probe_user_xattrs(struct mm_probe *probe)
{
	return !fsetxattr(probe->fd, HUGETMPFS_XATTR_RECOVER, "off", 3, 0);
}

typedef bool mm_probe_fn(struct mm_probe *probe);

/* In the order of use: later ones want the page that the first brings in. */
static const struct {
	enum mm_interface_id interface;
	mm_probe_fn *fn;
} mm_probes[] = {
	{MM_POPULATE_READ, mm_probe_populate_read},
	{MM_COLLAPSE, mm_probe_collapse},
	{MM_PROCESS_COLLAPSE, mm_probe_process_collapse},
	{MM_CACHESTAT, mm_probe_cachestat},
	{MM_PAGEMAP_SCAN, mm_probe_pagemap_scan},
	{MM_PROCMAP_QUERY, mm_probe_procmap_query},
	{MM_KPAGEFLAGS, mm_probe_kpageflags},
	{MM_KPAGECGROUP, mm_probe_kpagecgroup},
	{MM_IO_URING, mm_probe_io_uring},
	{MM_PAGE_NODES, mm_probe_page_nodes},
	{MM_MEMORY_CGROUPS, mm_probe_memory_cgroups},
	{MM_PRESSURE, mm_probe_pressure},
	{MM_BUDDYINFO, mm_probe_buddyinfo},
	{MM_COMPACT, mm_probe_compact},
	{MM_USER_XATTRS, mm_probe_user_xattrs},
};

static int mm_probe_file(struct mm_probe *probe)
{
	int ret = -1;

	probe->fd = memfd_create("hugetmpfs-probe", MFD_CLOEXEC);
	if (probe->fd < 0)
		return -errno;
	if (ftruncate(probe->fd, HUGETMPFS_EXTENT_BYTES) ||
	    pwrite(probe->fd, "", 1, 0) != 1) {
		ret = -errno;
		goto err_fd_close;
	}
	ret = mm_window_open(probe->mm, 1, &probe->window);
	if (ret)
		goto err_fd_close;
	mm_window_attach(probe->mm, probe->window, probe->fd, 0, 1);
	ret = mm_window_address(probe->window, 0, &probe->addr);
	if (!ret)
		ret = mm_window_touch(probe->window, probe->addr);
	if (!ret)
		return 0;
	mm_window_close(probe->mm, probe->window);
err_fd_close:
	close(probe->fd);
	return ret;
}

static int mm_probe_all(struct mm *mm)
{
	static const struct mm_interface names[MM_NR_INTERFACES] = {
#define X(constant, name, absence) [MM_##constant] = {name, absence, false},
		MM_INTERFACES(X)
#undef X
	};
	struct mm_probe probe = {.mm = mm};
	int ret;

	memcpy(mm->interfaces, names, sizeof(names));
	ret = mm_probe_file(&probe);
	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(mm_probes) / sizeof(mm_probes[0]); i++) {
		enum mm_interface_id interface = mm_probes[i].interface;

		if (!(mm->without & 1u << interface))
			mm->interfaces[interface].present =
				mm_probes[i].fn(&probe);
	}
	mm_window_close(mm, probe.window);
	close(probe.fd);
	return 0;
}

int mm_probe(struct mm *mm)
{
	/* what the probes use asks as well: then nothing is known to be there */
	static __thread bool is_inside;
	int ret = 0;

	if (is_inside)
		return 0;
	is_inside = true;
	pthread_mutex_lock(&mm->probe_lock);
	if (!atomic_load_explicit(&mm->is_probed, memory_order_relaxed)) {
		ret = mm_probe_all(mm);
		atomic_store_explicit(&mm->is_probed, !ret,
				      memory_order_release);
	}
	pthread_mutex_unlock(&mm->probe_lock);
	is_inside = false;
	return ret;
}
