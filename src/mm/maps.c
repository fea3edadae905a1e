/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shared mappings of a file in a process. PROCMAP_QUERY has the kernel
 * pick the shared mappings of files, of which most processes have none; the
 * text of /proc/PID/maps is the way without it. A kernel thread has no maps
 * and costs one failed call.
 */
#include "mm/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "base/procmaps.h"

static int mm_maps_by_query(int fd, dev_t dev, uint64_t ino, mm_vma_fn *fn,
			    void *arg)
{
	struct mm_sys_procmap_query query = {0};
	struct mm_vma vma;
	int ret;

	for (;;) {
		query.size = sizeof(query);
		query.query_flags = MM_SYS_QUERY_SHARED | MM_SYS_QUERY_NEXT |
				    MM_SYS_QUERY_FILE_BACKED;
		ret = mm_sys_ioctl(fd, MM_SYS_PROCMAP_QUERY, &query);
		if (ret < 0) /* no mapping more */
			return ret == -ENOENT ? 0 : ret;
		query.query_addr = query.vma_end;
		if ((ino && query.inode != ino) ||
		    query.dev_major != major(dev) ||
		    query.dev_minor != minor(dev))
			continue;
		vma.ino = query.inode;
		vma.start = query.vma_start;
		vma.end = query.vma_end;
		vma.offset = query.vma_offset;
		ret = fn(arg, &vma);
		if (ret)
			return ret;
	}
}

static int mm_maps_by_text(FILE *maps, dev_t dev, uint64_t ino, mm_vma_fn *fn,
			   void *arg)
{
	struct procmaps_line found;
	struct mm_vma vma;
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	errno = 0;
	while (!ret && getline(&line, &size, maps) > 0) {
		if (!procmaps_parse(line, &found) || found.dev != dev ||
		    (ino && found.ino != ino) || !found.shared)
			continue;
		vma.ino = found.ino;
		vma.start = found.start;
		vma.end = found.end;
		vma.offset = found.offset;
		ret = fn(arg, &vma);
	}
	/* an end that is none: there may be more */
	if (!ret && !feof(maps))
		ret = errno ? -errno : -EIO;
	free(line);
	return ret;
}

int mm_for_each_vma_of(int fd, bool query, dev_t dev, uint64_t ino,
		       mm_vma_fn *fn, void *arg)
{
	FILE *maps;
	int copy, ret;

	if (query)
		return mm_maps_by_query(fd, dev, ino, fn, arg);
	copy = mm_sys_result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	if (copy < 0)
		return copy;
	maps = fdopen(copy, "r");
	if (!maps) {
		ret = -errno;
		close(copy);
		return ret;
	}
	rewind(maps);
	ret = mm_maps_by_text(maps, dev, ino, fn, arg);
	fclose(maps);
	return ret;
}

int mm_for_each_vma(struct mm *mm, pid_t pid, dev_t dev, uint64_t ino,
		    mm_vma_fn *fn, void *arg)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int) pid);
	fd = mm_sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	ret = mm_for_each_vma_of(fd, mm_has(mm, MM_PROCMAP_QUERY), dev, ino, fn,
				 arg);
	close(fd);
	return ret;
}
