/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery beside the stress test: by the ioctl where the file has it, by
 * MADV_COLLAPSE on a mapping of its own on a plain tmpfs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/*
 * What the answer may not be, whatever happens beside. State and reason agree
 * in a map, which is one look; a recovered extent may be broken up again
 * before its state is looked at.
 */
static void check_answer(struct stress_worker *worker, int file, bool one_look,
			 const struct hugetmpfs_ioc_extents *answer)
{
	for (uint32_t i = 0; i < answer->nr; i++) {
		const struct hugetmpfs_extent *e = &answer->extents[i];

		if (e->index != answer->first + i ||
		    e->state >= HUGETMPFS_NR_STATES ||
		    e->reason >= HUGETMPFS_NR_REASONS ||
		    e->data_pages + e->hole_pages > HUGETMPFS_EXTENT_PAGES ||
		    e->swapped_pages > e->data_pages ||
		    (one_look && (e->state == HUGETMPFS_HUGE) !=
				 (e->reason == HUGETMPFS_REASON_DONE)))
			stress_fail(worker, file,
				    (off_t) e->index << HUGETMPFS_EXTENT_SHIFT,
				    "extent %llu: state %u reason %u, pages "
				    "data %u hole %u swapped %u, entry %u",
				    (unsigned long long) e->index, e->state,
				    e->reason, e->data_pages, e->hole_pages,
				    e->swapped_pages, i);
		if (e->reason == HUGETMPFS_REASON_DONE)
			atomic_fetch_add(&stress_shared->recovered, 1);
		else
			atomic_fetch_add(&stress_shared->not_recovered, 1);
	}
}

/* Gives false when the file knows no such ioctl. */
static bool by_ioctl(struct stress_worker *worker, int file, int fd,
		     unsigned long request)
{
	struct hugetmpfs_ioc_extents argument = { 0 };

	stress_log(worker, "recover", file, 0, stress_options.file_bytes);
	argument.first = stress_random(worker, 4) ? 0 : stress_random(worker,
								      8);
	argument.nr = stress_random(worker, 2) ? HUGETMPFS_IOC_EXTENTS :
			1 + stress_random(worker, 3);
	uint64_t first = argument.first, nr = argument.nr;

	if (ioctl(fd, request, &argument)) {
		if (errno == ENOTTY)
			return false;
		if (errno != EAGAIN && errno != EINTR)
			stress_fail(worker, file, 0, "ioctl: %s",
				    strerror(errno));
		return true;
	}
	if (argument.first != first || argument.nr > nr)
		stress_fail(worker, file, 0, "ioctl gave %u extents of %llu",
			    argument.nr, (unsigned long long) nr);
	else
		check_answer(worker, file, request == HUGETMPFS_IOC_MAP,
			     &argument);
	return true;
}

/* Exclusively, and after a touch: see op_collapse() for what else may happen. */
static void by_collapse(struct stress_worker *worker, int file)
{
	struct stress_file *f = &stress_shared->files[file];
	struct stress_view *view;

	pthread_rwlock_wrlock(&f->lock);
	view = stress_view_get(worker, file);
	for (off_t at = 0; view && at < f->size; at += 2 << 20) {
		stress_log(worker, "collapse", file, at, 2 << 20);
		(void) *(volatile unsigned char *) (view->map + at);
		if (madvise(view->map + at, 2 << 20, MADV_COLLAPSE) == 0)
			atomic_fetch_add(&stress_shared->recovered, 1);
		else
			atomic_fetch_add(&stress_shared->not_recovered, 1);
	}
	pthread_rwlock_unlock(&f->lock);
}

void stress_recover_loop(struct stress_worker *worker)
{
	char path[4096];
	int fd;

	while (!stress_shared->stop) {
		int file = stress_random(worker, stress_options.files);

		stress_path(file, path, sizeof(path));
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			stress_fail(worker, file, 0, "open for recovery: %s",
				    strerror(errno));
			return;
		}
		if (!by_ioctl(worker, file, fd, HUGETMPFS_IOC_RECOVER))
			by_collapse(worker, file);
		else if (stress_random(worker, 3) == 0)
			by_ioctl(worker, file, fd, HUGETMPFS_IOC_MAP);
		close(fd);
	}
}
