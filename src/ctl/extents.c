/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening files without harm, and stepping through their extents.
 */
#include "ctl/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int extents_reopen(int path_fd, int flags)
{
	struct stat st;
	char path[64];
	int fd;

	if (fstat(path_fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EMEDIUMTYPE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int extents_open(const char *path, int flags)
{
	int path_fd = open(path, O_PATH | O_CLOEXEC);
	int fd;

	if (path_fd < 0)
		return -errno;
	fd = extents_reopen(path_fd, flags);
	close(path_fd);
	return fd;
}

/* The extent with the next data; end when there is none. */
static uint64_t next_data(int fd, uint64_t first, uint64_t end)
{
	off_t data = lseek(fd, (off_t) (first * HUGETMPFS_EXTENT_BYTES),
			   SEEK_DATA);

	uint64_t next = first;

	if (data >= 0)
		next = (uint64_t) data / HUGETMPFS_EXTENT_BYTES;
	else if (errno == ENXIO)
		next = end;
	return next < end ? next : end;
}

static uint64_t extents_in(uint64_t size_bytes)
{
	uint64_t nr = size_bytes / HUGETMPFS_EXTENT_BYTES +
		      (size_bytes % HUGETMPFS_EXTENT_BYTES != 0);

	return nr < HUGETMPFS_MAX_EXTENTS ? nr : HUGETMPFS_MAX_EXTENTS;
}

/* Where the visit ends, by the size that is known now. */
static uint64_t visit_end(const struct extents_visitor *visitor)
{
	uint64_t end = extents_in(visitor->size_bytes);

	return visitor->range.end && visitor->range.end < end
		       ? visitor->range.end
		       : end;
}

int extents_visit(int fd, struct extents_visitor *visitor)
{
	struct hugetmpfs_extent extents[EXTENTS_SLICE];
	uint64_t first = visitor->range.first, next, end;
	uint32_t nr = 1; /* at first, to know the size */
	int ret;

	do {
		ret = visitor->get(visitor, fd, first, nr, extents,
				   &visitor->size_bytes);
		if (!ret && first && first == visitor->range.first)
			return -ENXIO;
		if (ret <= 0)
			return ret;
		nr = (uint32_t) ret;
		ret = visitor->slice(visitor, first, nr, extents);
		if (ret)
			return ret;
		first += nr;
		end = visit_end(visitor);
		next = first < end ? next_data(fd, first, end) : first;
		if (next > first) {
			ret = visitor->holes(visitor, first, next - first);
			if (ret)
				return ret;
			first = next;
		}
		nr = end - first < EXTENTS_SLICE ? (uint32_t) (end - first)
						 : EXTENTS_SLICE;
	} while (first < end);
	return 0;
}

/* Pages below the end of the file in nr extents from first on. */
static uint64_t pages_in(uint64_t size_bytes, uint64_t first, uint64_t nr)
{
	uint64_t page_bytes = HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES;
	uint64_t pages = size_bytes / page_bytes + (size_bytes % page_bytes != 0);
	uint64_t begin = first * HUGETMPFS_EXTENT_PAGES;
	uint64_t end = (first + nr) * HUGETMPFS_EXTENT_PAGES;

	if (end > pages)
		end = pages;
	return end > begin ? end - begin : 0;
}

struct hugetmpfs_extent extents_hole(uint64_t size_bytes, uint64_t index)
{
	return (struct hugetmpfs_extent){
		.index = index,
		.hole_pages = (uint16_t) pages_in(size_bytes, index, 1),
		.state = HUGETMPFS_HOLE,
		.reason = HUGETMPFS_REASON_EMPTY,
		.nid = -1,
		.target_nid = -1,
	};
}

void extents_add_holes(struct hugetmpfs_summary *summary, uint64_t size_bytes,
		       uint64_t first, uint64_t nr)
{
	summary->nr_extents += nr;
	summary->states[HUGETMPFS_HOLE] += nr;
	summary->reasons[HUGETMPFS_REASON_EMPTY] += nr;
	summary->hole_pages += pages_in(size_bytes, first, nr);
}
